//! What all pages for people have in common: one style, for small and large screens, by day and by night, and header fields that forbid
//! everything that they do not need. There is no script on any of them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;

use super::html::{Address, Element, el};
use super::routes::{Needs, Route, Shared, Verb, Visit};

const STYLE_PATH: &str = "/assets/pages.css";

pub(super) const ROUTES: &[Route] = &[Route {
    path: STYLE_PATH,
    verbs: &[Verb::Get],
    needs: Needs::Nothing,
    shared: Shared::Never,
    body_bytes_max: 0,
    handler: style,
}];

const STYLE: &str = include_str!("look.css");

/// The style and a picture from here, and forms that are sent to here; nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Who may keep a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Whoever has it, but asks whether it is still so.
    UntilAsked,
    /// Nobody: it is for one person.
    Never,
}

fn style(_: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async {
        let fields =
            [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
        (fields, STYLE).into_response()
    })
}

/// A page with this title and what is in it.
pub(super) fn page(title: &str, kept: Kept, inside: impl IntoIterator<Item = Element>) -> Response {
    let head = el("head")
        .child(el("meta").fixed("charset", "utf-8"))
        .child(el("meta").fixed("name", "viewport").fixed("content", "width=device-width, initial-scale=1"))
        .child(el("link").fixed("rel", "stylesheet").fixed("href", STYLE_PATH))
        .child(el("title").text(title));
    let body = el("body").child(el("main").children(inside));
    let mut out = b"<!DOCTYPE html>\n".to_vec();
    el("html").fixed("lang", "en").child(head).child(body).write(&mut out);
    out.push(b'\n');
    let mut response = Response::new(Body::from(out));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    fields.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    fields.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    fields.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    fields.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    let (kept, referrer) = match kept {
        Kept::UntilAsked => ("no-cache", "no-referrer"),
        Kept::Never => {
            // With it a window is in a group of its own: another page of this site that opened it, such as the chat page, cannot look in.
            fields.insert("cross-origin-embedder-policy", HeaderValue::from_static("require-corp"));
            // A form that is sent from here has to show where it comes from.
            ("no-store", "same-origin")
        }
    };
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    response
}

/// What was asked for is there.
pub(super) fn moved(status: StatusCode, to: &Address) -> Response {
    match HeaderValue::try_from(to.as_str()) {
        Ok(to) => (status, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A link with words.
pub(super) fn link(to: &Address, words: &str) -> Element {
    el("a").href(to).text(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_nothing_and_is_shown_nowhere_else() {
        let page = page("a <title>", Kept::Never, [el("p").text("<script>")]);
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        let body = futures_util::FutureExt::now_or_never(axum::body::to_bytes(page.into_body(), 10_000));
        let body = String::from_utf8(body.unwrap().unwrap().to_vec()).unwrap();
        assert!(body.contains("<title>a &lt;title&gt;</title>") && body.contains("<p>&lt;script&gt;</p>"), "{body}");
        assert!(!body.contains("style=") && !body.contains("<style"), "{body}");
    }
}
