//! The table of everything that may be asked of the web server: each path with its verbs, what it needs, who else's pages may use it, and how
//! much may be sent to it. There is no other way in, so whoever reads the two tables has seen all of it. A file that answers has a table of its
//! own and a line in [`ROUTES`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::future::BoxFuture;
use http_body_util::Limited;
use metronome_host::hosts::Host;

use super::gate::Visitor;
use super::{
    Web, archive, bosh, chat, cors, favicon, feeds, front, health, host_meta, look, metrics, room_logs, status, upload,
    virtual_hosts, watchers, websocket,
};
use crate::websocket::Privacy;

/// All of them.
pub(crate) const ROUTES: &[&[Route]] = &[
    health::ROUTES,
    favicon::ROUTES,
    front::ROUTES,
    host_meta::ROUTES,
    websocket::ROUTES,
    bosh::ROUTES,
    upload::ROUTES,
    chat::ROUTES,
    look::ROUTES,
    room_logs::ROUTES,
    feeds::ROUTES,
    archive::ROUTES,
];

/// What there is at the addresses for those who watch the server (`listen.metrics`), and nothing else is.
pub(crate) const WATCHED: &[&[Route]] = &[metrics::ROUTES, status::ROUTES, health::ROUTES];

/// Something that may be asked for.
#[derive(Debug)]
pub(crate) struct Route {
    /// As the router reads it: `/a`, `/a/{name}` for one segment, `/a/{*rest}` for all that follow.
    pub(crate) path: &'static str,
    /// How it may be asked for. Whoever may get something may also ask for its head, and what is possible (OPTIONS) is always told.
    pub(crate) verbs: &'static [Verb],
    /// What must be there before it is answered.
    pub(crate) needs: Needs,
    /// Which pages of other sites may use it (CORS).
    pub(crate) shared: Shared,
    /// Most bytes that may be sent with a request; more is refused (413).
    pub(crate) body_bytes_max: u64,
    /// Who answers.
    pub(crate) handler: Handler,
}

/// Answers a request. An answer with a status of 400 or more and without a body gets a page.
pub(crate) type Handler = fn(Visit) -> BoxFuture<'static, Response>;

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the table is for more than what there is today")]
pub(crate) enum Verb {
    /// GET and HEAD.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the table is for more than what there is today")]
pub(crate) enum Needs {
    /// Nothing: anybody is answered, under whatever name.
    Nothing,
    /// A domain or service of this server, by the name that was asked for; others find nothing (404).
    Domain,
    /// Somebody who may watch the server (`web.watchers`), under whatever name; others are refused (403).
    Watcher,
}

/// Which pages of other sites may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the table is for more than what there is today")]
pub(crate) enum Shared {
    /// None.
    Never,
    /// Those of `web.origins`.
    Listed,
    /// All: what it tells everybody may know.
    Everybody,
}

/// One request.
#[allow(dead_code, reason = "what routes may ask of it is not asked by each")]
pub(crate) struct Visit {
    /// The web server.
    pub(crate) web: Arc<Web>,
    /// Whom it is for; there where the route needs it.
    pub(crate) host: Option<Arc<Host>>,
    /// Where it comes from, behind all proxies.
    pub(crate) address: IpAddr,
    /// Whether others can read it and its answer.
    pub(crate) privacy: Privacy,
    /// What stands in the path for the names of the route, decoded, in order.
    pub(crate) params: Vec<(String, String)>,
    /// The request; its body fails beyond what the route takes.
    pub(crate) request: Request,
    pub(super) visitor: Arc<Visitor>,
}

impl Verb {
    fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            Method::PUT => Some(Verb::Put),
            Method::DELETE => Some(Verb::Delete),
            _ => None,
        }
    }

    /// Whether a request has it.
    pub(crate) fn is(self, method: &Method) -> bool {
        Verb::of(method) == Some(self)
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Verb::Get => &["GET", "HEAD"],
            Verb::Post => &["POST"],
            Verb::Put => &["PUT"],
            Verb::Delete => &["DELETE"],
        }
    }
}

impl Route {
    /// The verbs as `Allow` has them.
    pub(super) fn allowed(&self) -> String {
        let names = self.verbs.iter().flat_map(|verb| verb.names()).copied();
        names.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
    }
}

/// A table as the program that follows it; two routes of one path are a mistake that ends it at once.
pub(super) fn router(table: &'static [&'static [Route]]) -> Router {
    let all = table.iter().copied().flatten();
    let router = all.fold(Router::new(), |router, route| {
        let answer = move |params: RawPathParams, request: Request| answer(route, params, request);
        router.route(route.path, any(answer))
    });
    router.fallback(async || StatusCode::NOT_FOUND)
}

async fn answer(route: &'static Route, params: RawPathParams, mut request: Request) -> Response {
    let Some(visitor) = request.extensions_mut().remove::<Arc<Visitor>>() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if route.needs == Needs::Domain && visitor.host.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let host = visitor.host.clone();
    let web = visitor.connection.web.clone();
    if route.needs == Needs::Watcher && !is_watched(&visitor, &request) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut response = match Verb::of(request.method()).filter(|verb| route.verbs.contains(verb)) {
        Some(_) if is_too_large(&request, route.body_bytes_max) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Some(_) => {
            let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let request = request.map(|body| Body::new(Limited::new(body, route.body_bytes_max as usize)));
            let (address, privacy) = (visitor.source.address, visitor.source.privacy);
            let visit = Visit { web: web.clone(), host: host.clone(), address, privacy, params, request, visitor };
            (route.handler)(visit).await
        }
        None if request.method() == Method::OPTIONS => (StatusCode::NO_CONTENT, allow(route)).into_response(),
        None => (StatusCode::METHOD_NOT_ALLOWED, allow(route)).into_response(),
    };
    let hosts = web.server.hosts.load();
    let values = host.as_ref().map_or(&hosts.values, |host| &host.values);
    cors::tell(&mut response, route, values, origin.as_ref());
    response
}

/// Whether somebody asks who may watch the server, and means it.
fn is_watched(visitor: &Visitor, request: &Request) -> bool {
    let hosts = visitor.connection.web.server.hosts.load();
    let name = virtual_hosts::asked_for(request.uri(), request.headers()).unwrap_or_default();
    watchers::may_watch(&hosts.values, visitor.source.address)
        && watchers::is_asked_for(&hosts, visitor.connection.peer.ip(), name)
}

fn allow(route: &Route) -> [(header::HeaderName, String); 1] {
    [(header::ALLOW, route.allowed())]
}

/// Whether more is announced than may come; what is not announced is counted as it comes.
fn is_too_large(request: &Request, bytes_max: u64) -> bool {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    announced.is_some_and(|length: u64| length > bytes_max)
}
