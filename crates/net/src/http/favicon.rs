//! The little picture that browsers show beside an address.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;

use super::routes::{Needs, Route, Shared, Verb, Visit};

pub(super) const ROUTES: &[Route] = &[at("/favicon.ico", icon), at("/assets/favicon.png", picture)];

const fn at(path: &'static str, handler: fn(Visit) -> BoxFuture<'static, Response>) -> Route {
    Route { path, verbs: &[Verb::Get], needs: Needs::Nothing, shared: Shared::Never, body_bytes_max: 0, handler }
}

const ICON: &[u8] = include_bytes!("favicon/favicon.ico");
const PICTURE: &[u8] = include_bytes!("favicon/favicon.png");

fn icon(_: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async { of("image/x-icon", ICON) })
}

fn picture(_: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async { of("image/png", PICTURE) })
}

fn of(kind: &'static str, bytes: &'static [u8]) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=86400")], bytes).into_response()
}
