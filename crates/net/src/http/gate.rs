//! What every request passes before anything is done for it: its path is judged once, as it came; its domain is found; and who it comes
//! from is known, and may not come too often. Whatever is answered leaves here with the same safe header fields.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use metronome_host::hosts::Host;
use parking_lot::Mutex;
use tower::ServiceExt;

use super::connection::{Connection, REQUESTS_MAX};
use super::proxies::{self, Source};
use super::{Side, pages, virtual_hosts};
use crate::admission::Admitted;

/// What an answer may do that says nothing about it, should somebody open it by itself: nothing, and for no site. Others' words are in some
/// of them, and a browser runs what stands in XML as it does in a page.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// Whom a request comes from, and whom it is for.
pub(super) struct Visitor {
    pub(super) connection: Arc<Connection>,
    pub(super) host: Option<Arc<Host>>,
    pub(super) source: Source,
    /// The place of a request that a proxy has passed on.
    pub(super) admitted: Mutex<Option<Admitted>>,
}

/// Answers a request.
pub(super) async fn answer(connection: &Arc<Connection>, request: Request) -> Response {
    let is_last = connection.count() >= REQUESTS_MAX;
    let speaks_1_1 = request.version() == Version::HTTP_11;
    let reader = pages::Reader::of(request.headers());
    let server = connection.web.server.clone();
    let judged = AssertUnwindSafe(judge(connection, request)).catch_unwind().await;
    let mut response = judged.unwrap_or_else(|_| {
        server.counters.panics.add();
        tracing::error!(peer = %connection.peer.ip(), "a handler panicked; its request fails");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    });
    pages::fill(&mut response, &server.hosts.load().values, reader);
    server.counters.web_answers.add(response.status().as_u16());
    let fields = response.headers_mut();
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    fields.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    if is_last && speaks_1_1 && !fields.contains_key(header::UPGRADE) {
        fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn judge(connection: &Arc<Connection>, mut request: Request) -> Response {
    let web = &connection.web;
    if !is_canonical(request.uri().path()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let hosts = web.server.hosts.load_full();
    let host = match virtual_hosts::asked_for(request.uri(), request.headers()) {
        Ok(name) => virtual_hosts::find(&hosts, name),
        Err(why) => {
            tracing::debug!(peer = %connection.peer.ip(), why, "a request is for nobody");
            return StatusCode::BAD_REQUEST.into_response();
        }
    };
    let source = proxies::source(&hosts.values, connection.peer, connection.tls.is_some(), request.headers());
    // What watches the server is to see it most of all when there are too many others.
    let is_counted = connection.is_from_proxy() && web.side == Side::Public;
    let admitted = match is_counted.then(|| web.admission.admit(source.address, &hosts.values)) {
        None => None,
        Some(Ok(admitted)) => Some(admitted),
        Some(Err(why)) => {
            tracing::debug!(peer = %source.address, why, "a request is turned away");
            return StatusCode::TOO_MANY_REQUESTS.into_response();
        }
    };
    let visitor = Visitor { connection: connection.clone(), host, source, admitted: Mutex::new(admitted) };
    request.extensions_mut().insert(Arc::new(visitor));
    let answered = web.router.clone().oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}

/// Whether a path can be read in one way only. What is written in another way than it must be is refused, not put right: what one part of a
/// program puts right differently from another is how walls are climbed.
fn is_canonical(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let Some(decoded) = decoded(rest) else { return false };
    let is_right = |segment: &str| !matches!(segment, "." | "..");
    !path.contains("//") && rest.split('/').all(is_right) && std::str::from_utf8(&decoded).is_ok()
}

/// The path without its escapes; none if something is escaped that need not be, or must not be there at all.
fn decoded(path: &str) -> Option<Vec<u8>> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let byte = (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8;
                let is_needless =
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'\\' | b'%' | b'-' | b'_');
                if is_needless || byte.is_ascii_control() {
                    return None;
                }
                byte
            }
            b'\\' | 0x80.. => return None,
            byte if byte.is_ascii_control() => return None,
            byte => byte,
        };
        decoded.push(byte);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_be_read_in_two_ways_is_refused() {
        let tricks = [
            "*",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/a/../b",
            "/%2e%2e/b",
            "/%2E/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/%61dmin",
            "/a%",
            "/a%2",
            "/a%u002e",
            "/%c0%ae%c0%ae/",
            "/%252e",
            "/%ff",
        ];
        for path in tricks {
            assert!(!is_canonical(path), "{path}");
        }
        for path in ["/", "/a/b", "/a%20b", "/.well-known/host-meta.json", "/%C3%BC", "/a/...", "/a~b;c,d=e"] {
            assert!(is_canonical(path), "{path}");
        }
    }
}
