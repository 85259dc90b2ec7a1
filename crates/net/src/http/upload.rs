//! Files that people upload and fetch (XEP-0363): `PUT` with a slot, `GET` for whoever knows the address, whole or in ranges. Nothing of a
//! path becomes part of a name on the disk, and no body is ever in memory as a whole.

mod fields;
mod get;
mod put;
mod range;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_store::uploads::UploadId;

use super::routes::{Needs, Route, Shared, Verb, Visit};

pub(super) const ROUTES: &[Route] = &[Route {
    path: "/upload/{id}/{name}",
    verbs: &[Verb::Get, Verb::Put],
    needs: Needs::Nothing,
    // Whoever knows the address may have the file, and who uploads proves with a header field that it may: no cookie is asked for.
    shared: Shared::Everybody,
    // The slot knows how large the file is.
    body_bytes_max: 1 << 40,
    handler: |visit| answer(visit),
}];

fn answer(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let Some((id, name)) = named(&visit) else { return StatusCode::NOT_FOUND.into_response() };
        let server = visit.web.server.clone();
        let answered = match *visit.request.method() {
            Method::PUT => put::answer(&server, id, &name, visit.request).await,
            _ => {
                // The body is nobody's: it must not be waited for, nor be there while others are.
                let (asked, _) = visit.request.into_parts();
                get::answer(&server, id, &name, &asked).await
            }
        };
        answered.unwrap_or_else(IntoResponse::into_response)
    })
}

/// The file that a path names, and what it is called there.
fn named(visit: &Visit) -> Option<(UploadId, String)> {
    let param = |wanted: &str| visit.params.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    Some((param("id")?.parse().ok()?, param("name")?.clone()))
}

/// The folder cannot be read or written: the log gets why.
fn broken(error: impl std::fmt::Display) -> StatusCode {
    tracing::error!(%error, "an upload failed");
    StatusCode::INTERNAL_SERVER_ERROR
}
