//! The chat page: Converse.js for the people of a domain, with nothing to set up. Its program comes from a folder that the build unpacks; what
//! is in there is looked up once, at the start, and nothing else can be asked for. Without the folder there is no page.

mod files;
mod page;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::hosts::Host;
use metronome_host::web;

pub(super) use files::Files;

use super::Web;
use super::routes::{Needs, Route, Shared, Verb, Visit};

pub(super) const ROUTES: &[Route] = &[
    at("/chat", |_| Box::pin(async { moved() })),
    at(web::CHAT_PATH, |visit| Box::pin(async move { page::answer(&visit) })),
    at("/chat/{edition}/{*file}", file),
];

const fn at(path: &'static str, handler: fn(Visit) -> BoxFuture<'static, Response>) -> Route {
    Route { path, verbs: &[Verb::Get], needs: Needs::Domain, shared: Shared::Never, body_bytes_max: 0, handler }
}

/// The page's own address ends with a slash.
fn moved() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, web::CHAT_PATH)]).into_response()
}

fn file(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let (Some(files), [(_, edition), (_, name)]) = (there(&visit), &visit.params[..]) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        files.answer(edition, name, visit.request.method(), visit.request.headers()).await
    })
}

/// The program, where the domain that was asked for has the page.
fn there(visit: &Visit) -> Option<&Files> {
    let host = visit.host.as_deref().filter(|host| is_for(host));
    host.and(visit.web.chat.as_ref())
}

/// Whether this domain has the page.
pub(super) fn is_there(web: &Web, host: &Host) -> bool {
    is_for(host) && web.chat.is_some()
}

/// Services have no people of their own.
fn is_for(host: &Host) -> bool {
    host.beside.is_none() && web::has_chat(host)
}
