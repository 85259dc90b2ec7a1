//! The page itself: what Converse.js has to know about the domain, and a policy by which it can do nothing but what it is for.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metronome_features::register;
use metronome_host::hosts::Host;
use metronome_host::web;
use metronome_proto::xml::write;
use serde_json::{Value, json};

use super::super::routes::Visit;

/// The style elements that Converse.js makes: they are empty, or have a comment that says so. Its styles are in its file.
const EMPTY_STYLES: &str =
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-JRf3eZJIF59VkE1tlxlBPiCQXjGJ1uE88pEYh49RtTY='";
/// The short name of the service of rooms.
const ROOMS: &str = "rooms";

pub(super) fn answer(visit: &Visit) -> Response {
    let (Some(files), Some(host)) = (super::there(visit), &visit.host) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let base = web::base(&visit.web.server, host);
    let asked = visit.request.headers().get(header::HOST).and_then(|name| name.to_str().ok()).unwrap_or_default();
    let Ok(policy) = HeaderValue::try_from(policy(asked, base.as_deref())) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    (fields, html(&files.edition, host)).into_response()
}

/// What the page may do: run the files that it came with, talk to this server, and show pictures and sound from wherever people have them.
fn policy(asked: &str, base: Option<&str>) -> String {
    // For browsers that do not count WebSockets to the page's own site under 'self'.
    let mut own = match is_authority(asked) {
        true => format!("'self' ws://{asked} wss://{asked}"),
        false => "'self'".to_owned(),
    };
    // Where files are uploaded to, if that is another name of this server.
    let mut shown = "'self' data: blob: https:".to_owned();
    if let Some(base) = base.and_then(origin) {
        own = format!("{own} {base}");
        shown = format!("{shown} {base}");
    }
    // Its program makes WebAssembly for end-to-end encryption, and sets the style of single elements.
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' {EMPTY_STYLES}; \
         style-src-attr 'unsafe-inline'; font-src 'self'; connect-src {own}; img-src {shown}; media-src {shown}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Whether a name with its port can stand in a policy as one source.
fn is_authority(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    !name.is_empty() && name.bytes().all(is_part)
}

/// The site of an address.
fn origin(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let name = rest.split('/').next().filter(|name| is_authority(name))?;
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{name}"))
}

fn html(edition: &str, host: &Host) -> Vec<u8> {
    let at = |name: &str| format!("{}{edition}/{name}", web::CHAT_PATH);
    let mut out = Vec::with_capacity(2048);
    out.extend_from_slice(
        b"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
          <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
    );
    write::text(&mut out, host.name.as_str());
    out.extend_from_slice(b"</title>\n<link rel=\"icon\" href=\"/favicon.ico\">\n<meta name=\"settings\"");
    write::attribute(&mut out, "content", &settings(host).to_string());
    out.extend_from_slice(b">\n");
    for name in ["converse.min.css", "start.css"] {
        out.extend_from_slice(b"<link rel=\"stylesheet\"");
        write::attribute(&mut out, "href", &at(name));
        out.extend_from_slice(b">\n");
    }
    for name in ["converse.min.js", "start.js"] {
        out.extend_from_slice(b"<script type=\"module\"");
        write::attribute(&mut out, "src", &at(name));
        out.extend_from_slice(b"></script>\n");
    }
    out.extend_from_slice(
        b"</head>\n<body class=\"converse-fullscreen\">\n<noscript>This page is a chat program and needs JavaScript. Any other chat \
          program for XMPP does as well.</noscript>\n<div id=\"conversejs-bg\"></div>\n</body>\n</html>\n",
    );
    out
}

/// What Converse.js is told; where streams go to it sees from where the page came from.
fn settings(host: &Host) -> Value {
    let domain = host.name.as_str();
    let mut settings = json!({
        "view_mode": "fullscreen",
        "default_domain": domain,
        "locked_domain": domain,
        "discover_connection_methods": false,
        "allow_registration": host.values.flag(&register::OPEN),
        "registration_domain": domain,
        // Nothing is fetched from elsewhere by itself but pictures, and nothing is asked of others.
        "embed_3rd_party_media_players": false,
        "fetch_url_headers": false,
        "autocomplete_providers_url": "",
        "xmpp_providers_url": "",
        "allow_non_roster_messaging": true,
        // Who is called alice is that in rooms too, until she says otherwise.
        "muc_nickname_from_jid": true,
        "message_archiving": "always",
        "muc_respect_autojoin": true,
        "loglevel": "warn",
    });
    if let Some(rooms) = host.services.iter().find(|at| at.beside.as_ref().is_some_and(|at| at.service.name == ROOMS)) {
        settings["muc_domain"] = json!(rooms.name.as_str());
    }
    if host.sasl.anonymous && host.sasl.scram.is_empty() {
        // A domain of guests: each becomes somebody by coming.
        settings["authentication"] = json!("anonymous");
        settings["auto_login"] = json!(true);
        settings["jid"] = json!(domain);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_this_site_and_that_of_the_files() {
        let policy = policy("localhost:5280", Some("https://chat.example.org/x"));
        let connect = "connect-src 'self' ws://localhost:5280 wss://localhost:5280 https://chat.example.org;";
        assert!(policy.contains(connect), "{policy}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
        assert!(!policy.contains("'unsafe-eval'"), "{policy}");
    }

    #[test]
    fn what_a_browser_calls_this_site_adds_nothing_to_a_policy() {
        for name in ["a b", "x; script-src *", "x,y", "'self'", "*", "a/b", ""] {
            let policy = policy(name, Some(name));
            assert!(policy.contains("connect-src 'self';"), "{policy}");
        }
    }
}
