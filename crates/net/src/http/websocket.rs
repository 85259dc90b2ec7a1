//! The door of WebSocket (RFC 6455 section 4, RFC 7395 section 3.1): a request that is one becomes a client's stream. There is nothing that a
//! browser would send on its own and that would count here, so another site's page can do no more than anybody else; where `web.origins`
//! lists sites, pages of others are turned away all the same. No extension is taken up: compression would tell of what it is mixed with.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use metronome_host::hosts::Host;
use metronome_sasl::StreamFacts;
use sha1::{Digest, Sha1};

use super::cors;
use super::routes::{Needs, Route, Shared, Verb, Visit};
use crate::admission::figures::ConnectionKind;
use crate::c2s::{self, Begun};
use crate::socket::Socket;
use crate::websocket::{Privacy, WebSocket};

/// Where it is.
pub(super) const PATH: &str = "/xmpp-websocket";

pub(super) const ROUTES: &[Route] = &[Route {
    path: PATH,
    verbs: &[Verb::Get],
    needs: Needs::Domain,
    shared: Shared::Never,
    body_bytes_max: 0,
    handler: open,
}];

const PROTOCOL: &str = "xmpp";

fn open(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move { begin(visit) })
}

fn begin(mut visit: Visit) -> Response {
    let Some(host) = visit.host.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let accepted = match judge(&host, &visit.request) {
        Ok(accepted) => accepted,
        Err(refused) => return *refused,
    };
    if visit.web.server.control.is_stopping() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let upgrade = hyper::upgrade::on(&mut visit.request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(visit, &host, upgraded),
            Err(error) => tracing::debug!(%error, "a WebSocket does not begin"),
        }
    });
    let fields = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL)),
        (header::SEC_WEBSOCKET_ACCEPT, accepted),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, fields).into_response()
}

/// Whether this is the beginning of a WebSocket for XMPP: what proves that its key was read, or why not.
fn judge(host: &Host, request: &Request) -> Result<HeaderValue, Box<Response>> {
    let fields = request.headers();
    if !has(fields, header::UPGRADE, "websocket") || !has(fields, header::CONNECTION, "upgrade") {
        return Err((StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")]).into_response().into());
    }
    if fields.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err((StatusCode::UPGRADE_REQUIRED, [(header::SEC_WEBSOCKET_VERSION, "13")]).into_response().into());
    }
    let key = fields.get(header::SEC_WEBSOCKET_KEY).filter(|key| STANDARD.decode(key).is_ok_and(|key| key.len() == 16));
    let is_get = request.method() == Method::GET && request.version() == Version::HTTP_11;
    let Some(key) = key.filter(|_| is_get) else {
        return Err(StatusCode::BAD_REQUEST.into_response().into());
    };
    // Whoever speaks something else must not take this for it.
    if !has(fields, header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        return Err((StatusCode::NOT_IMPLEMENTED, "The protocol of this WebSocket is xmpp.\n").into_response().into());
    }
    if !may_open(host, fields) {
        return Err(StatusCode::FORBIDDEN.into_response().into());
    }
    Ok(proof(key))
}

/// Whether one of the comma-separated words of a field is this one.
fn has(fields: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let all = fields.get_all(name);
    all.iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// Whether a page of this origin may: any where no site is listed, else those of this server and of the sites that are.
fn may_open(host: &Host, fields: &HeaderMap) -> bool {
    let Some(origin) = fields.get(header::ORIGIN).filter(|_| !host.values.list(&cors::ORIGINS).is_empty()) else {
        return true;
    };
    let own = fields.get(header::HOST).and_then(|own| own.to_str().ok());
    let is_own = || origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, at)| at) == own;
    cors::is_listed(&host.values, origin) || is_own()
}

/// RFC 6455 section 4.2.2.
fn proof(key: &HeaderValue) -> HeaderValue {
    const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(SUFFIX).finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).expect("base64 may stand in a header field")
}

/// Takes the connection out of HTTP and gives it to a client's stream.
fn serve(visit: Visit, host: &Arc<Host>, upgraded: Upgraded) {
    let Ok(parts) = upgraded.downcast::<TokioIo<Socket>>() else { return };
    let connection = visit.visitor.connection.clone();
    // A request that a proxy has passed on has a place of its own, any other that of its connection.
    let admitted = visit.visitor.admitted.lock().take().or_else(|| connection.admitted.lock().take());
    let Some(admitted) = admitted else { return };
    // The TLS connection of a proxy is not that of the client, and a page in a browser cannot look at its own: whoever cannot be bound
    // to it is not asked to. Some libraries would try.
    let is_page = visit.request.headers().contains_key(header::ORIGIN);
    let bindings = connection.tls.clone().filter(|_| !visit.visitor.source.is_passed_on && !is_page);
    let facts = StreamFacts {
        encrypted: visit.privacy == Privacy::Private,
        bindings: bindings.unwrap_or_default(),
        ..StreamFacts::default()
    };
    let socket = WebSocket::new(parts.io.into_inner(), visit.privacy, parts.read_buf.to_vec());
    let context = c2s::Context {
        server: visit.web.server.clone(),
        admission: visit.web.admission.clone(),
        doors: visit.web.doors.clone(),
        address: visit.address,
        port: connection.peer.port(),
    };
    let begun = Begun::Carried(Socket::Web(Box::new(socket)), facts, host.name.clone());
    tokio::spawn(c2s::serve(context, begun, admitted.of_kind(ConnectionKind::WebSocket)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(proof(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
