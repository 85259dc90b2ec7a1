//! What is shown where something went wrong: a page for people, a line for programs. The texts may be the administrator's own.

use std::sync::LazyLock;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::options::{Kind, Setting, Values};
use metronome_proto::xml::write;
use sha2::{Digest, Sha256};

/// Texts of the administrator's own.
pub(super) const TEXTS: Setting = Setting::new(
    "web.error_texts",
    Kind::List,
    "[]",
    "Texts for the pages that are shown when something goes wrong, each behind its status, such as `\"404 There is nothing here.\"`.",
);

const STYLE: &str = ":root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}";

const HTML: &str = "text/html; charset=utf-8";

/// Nothing but the style that the page has itself.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'");
    HeaderValue::from_str(&policy).expect("base64 may stand in a header field")
});

/// Who reads an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Somebody with a browser.
    Person,
    /// A program.
    Program,
}

impl Reader {
    /// By what it says that it reads.
    pub(super) fn of(fields: &HeaderMap) -> Reader {
        let accepted = fields.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        if accepted.contains("text/html") { Reader::Person } else { Reader::Program }
    }
}

/// Gives an answer that tells of a failure and nothing more something to read.
pub(super) fn fill(response: &mut Response, values: &Values, reader: Reader) {
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    if !is_failure || response.body().size_hint().exact() != Some(0) {
        return;
    }
    let text = text_for(status, values);
    let (kind, body) = match reader {
        Reader::Person => (HTML, page(&status.to_string(), text, None)),
        Reader::Program => ("text/plain; charset=utf-8", format!("{status}: {text}\n")),
    };
    *response.body_mut() = Body::from(body);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    describe(response, kind);
}

/// A place that a page leads to.
pub(super) struct Link<'a> {
    /// Its address.
    pub(super) href: &'a str,
    /// What is clicked.
    pub(super) text: &'a str,
}

/// A page with a title and a sentence.
pub(super) fn of(status: StatusCode, title: &str, text: &str) -> Response {
    with(status, title, text, None)
}

/// A page with a title, a sentence, and perhaps a link.
pub(super) fn with(status: StatusCode, title: &str, text: &str, link: Option<&Link<'_>>) -> Response {
    let mut response = Response::new(Body::from(page(title, text, link)));
    *response.status_mut() = status;
    describe(&mut response, HTML);
    response
}

fn describe(response: &mut Response, kind: &'static str) {
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
}

fn text_for(status: StatusCode, values: &Values) -> &str {
    let own = values.list(&TEXTS).iter().find_map(|text| text.strip_prefix(status.as_str())?.strip_prefix(' '));
    own.unwrap_or(match status {
        StatusCode::NOT_FOUND => "There is nothing at this address.",
        StatusCode::METHOD_NOT_ALLOWED => "This address cannot be used that way.",
        StatusCode::BAD_REQUEST => "The request could not be understood.",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "This is not for you.",
        StatusCode::PAYLOAD_TOO_LARGE => "That is more than is taken here.",
        StatusCode::TOO_MANY_REQUESTS => "Too much at once. Please wait a little.",
        StatusCode::UPGRADE_REQUIRED => {
            "This address is for XMPP clients that speak WebSocket. There is nothing to see with a browser."
        }
        _ if status.is_server_error() => "Something went wrong here. Please try again later.",
        _ => "That did not work.",
    })
}

fn page(title: &str, text: &str, link: Option<&Link<'_>>) -> String {
    let [title, text] = [title, text].map(escaped);
    let link = link.map_or_else(String::new, |link| {
        let mut out = b"<p><a".to_vec();
        write::attribute(&mut out, "href", link.href);
        format!("{}>{}</a></p>", String::from_utf8_lossy(&out), escaped(link.text))
    });
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1><p>{text}</p>{link}</body></html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = Vec::new();
    write::text(&mut escaped, text);
    String::from_utf8_lossy(&escaped).into_owned()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn filled(mut response: Response, reader: Reader) -> (String, HeaderMap) {
        let values = Values::defaults(&[&[TEXTS]]).with(TEXTS.key, "[\"404 Gone <fishing>\", \"x\"]");
        fill(&mut response, &values, reader);
        let fields = response.headers().clone();
        let body = axum::body::to_bytes(response.into_body(), 10_000);
        let body = futures_util::FutureExt::now_or_never(body).unwrap().unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), fields)
    }

    #[test]
    fn an_error_page_has_the_administrators_text_and_nothing_of_it_is_markup() {
        let (page, fields) = filled(StatusCode::NOT_FOUND.into_response(), Reader::Person);
        assert!(page.contains("<p>Gone &lt;fishing"), "{page}");
        assert!(page.contains("404 Not Found"), "{page}");
        let policy = fields[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    }

    #[test]
    fn a_program_gets_a_line() {
        let (line, fields) = filled(StatusCode::BAD_REQUEST.into_response(), Reader::Program);
        assert_eq!(line, "400 Bad Request: The request could not be understood.\n");
        assert_eq!(fields[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    }

    #[test]
    fn who_has_said_something_is_left_alone() {
        let said = (StatusCode::NOT_FOUND, "no such file").into_response();
        assert_eq!(filled(said, Reader::Person).0, "no such file");
        assert_eq!(filled(StatusCode::NO_CONTENT.into_response(), Reader::Person).0, "");
    }
}
