//! Open nodes as Atom feeds (RFC 4287): those of a domain's service, and people's blogs. Which there are and what is in them is said in
//! `features`; of all others nobody learns here whether they are there.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_features::pubsub::feeds::{self, Feed};
use metronome_host::segments;
use sha2::{Digest, Sha256};

use super::days::http_date;
use super::known::is_known;
use super::routes::{Handler, Needs, Route, Shared, Verb, Visit};

pub(super) const ROUTES: &[Route] = &[
    at("/feeds/{node}", |visit| answer(visit, Source::Node)),
    at("/blogs/{name}", |visit| answer(visit, Source::Blog)),
];

const fn at(path: &'static str, handler: Handler) -> Route {
    // What everybody may read pages of other sites may read for them.
    Route { path, verbs: &[Verb::Get], needs: Needs::Domain, shared: Shared::Everybody, body_bytes_max: 0, handler }
}

/// Bytes of the hash of a feed that are its tag.
const TAG_BYTES: usize = 16;

/// A browser that shows XML runs nothing of it.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

#[derive(Debug, Clone, Copy)]
enum Source {
    Node,
    Blog,
}

fn answer(visit: Visit, source: Source) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let (web, host) = (visit.web.clone(), visit.host.clone());
        let name = visit.params.first().and_then(|(_, name)| segments::read(name));
        let (Some(host), Some(name)) = (host, name) else { return StatusCode::NOT_FOUND.into_response() };
        let (asked, _) = visit.request.into_parts();
        let _turn = match web.turns.take(&web.server, visit.address).await {
            Ok(turn) => turn,
            Err(refused) => return refused.into_response(),
        };
        let feed = match source {
            Source::Node => feeds::of_node(&web.server, &host, &name).await,
            Source::Blog => feeds::of_blog(&web.server, &host, &name).await,
        };
        match feed {
            Ok(Some(feed)) => sent(feed, &asked.headers),
            Ok(None) => StatusCode::NOT_FOUND.into_response(),
            // The log has why.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    })
}

/// The feed, or that whoever asks has it already. Of when it was changed they are told but not asked: what is retracted changes it as well.
fn sent(feed: Feed, asked: &HeaderMap) -> Response {
    let hash = Sha256::digest(&feed.document);
    let tag: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let mut response = match is_known(asked, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Response::new(Body::from(feed.document)),
    };
    let is_whole = response.status() == StatusCode::OK;
    let fields = response.headers_mut();
    let written = [(header::ETAG, tag), (header::LAST_MODIFIED, http_date(feed.updated_ms))];
    fields.extend(written.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?))));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    if is_whole {
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/atom+xml; charset=utf-8"));
    }
    response
}
