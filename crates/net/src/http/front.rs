//! What somebody sees who opens the address of a domain in a browser.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::web;

use super::routes::{Needs, Route, Shared, Verb, Visit};
use super::{chat, pages};

pub(super) const ROUTES: &[Route] = &[Route {
    path: "/",
    verbs: &[Verb::Get],
    needs: Needs::Domain,
    shared: Shared::Never,
    body_bytes_max: 0,
    handler: page,
}];

fn page(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let Some(host) = visit.host.as_ref() else { return StatusCode::NOT_FOUND.into_response() };
        let text =
            format!("This is the XMPP server of {}. Connect with a chat program, and your address there.", host.name);
        let link = pages::Link { href: web::CHAT_PATH, text: "Chat in this browser" };
        let has_chat = chat::is_there(&visit.web, host);
        pages::with(StatusCode::OK, host.name.as_str(), &text, has_chat.then_some(&link))
    })
}
