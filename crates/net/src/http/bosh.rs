//! The door of BOSH (XEP-0124, XEP-0206): each request is one element, and its answer is another; or both are scripts (XEP-0252). What a
//! session is, and when what is answered, is in `crate::bosh`.

mod arriving;
mod script;

use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::options::{Kind as Form, Setting};
use metronome_proto::jid::Jid;
use metronome_proto::payload::bosh::{Condition, Kind, Request, terminate};
use metronome_proto::xml::Limits;
use metronome_sasl::StreamFacts;
use tokio::time::timeout;

use arriving::Unread;

use super::pages;
use super::routes::{Needs, Route, Shared, Verb, Visit};
use crate::admission::figures::ConnectionKind;
use crate::bosh::{Answer, Sessions, Terms};
use crate::c2s::{self, Begun};
use crate::socket::Socket;
use crate::websocket::Privacy;

/// Whether it can be had in scripts.
pub(super) const SCRIPTS: Setting = Setting::new(
    "web.bosh_scripts",
    Form::Flag,
    "false",
    "Whether BOSH can also be spoken in scripts (XEP-0252), by pages of all sites in browsers that can do nothing else. What is said stands \
     in addresses then, and proxies write addresses into their logs.",
)
.per_host();

/// Where it is.
pub(super) const PATH: &str = "/http-bind";

pub(super) const ROUTES: &[Route] = &[Route {
    path: PATH,
    verbs: &[Verb::Get, Verb::Post],
    needs: Needs::Domain,
    shared: Shared::Listed,
    body_bytes_max: BYTES_MAX as u64,
    handler: answer,
}];

/// Most bytes of a request: a stanza of the usual size, and something around it.
const BYTES_MAX: usize = 320 * 1024;
/// Most bytes of a request before it is known that whoever has sent it has logged in.
const STRANGERS_BYTES_MAX: usize = 2 * Limits::BEFORE_AUTH.stanza_bytes;
/// For how long a request may take to arrive.
const ARRIVING: Duration = Duration::from_secs(30);

/// What a request may consist of; its elements have to keep to the limits of their stream besides.
const LIMITS: Limits = Limits { stanza_bytes: BYTES_MAX, depth: Limits::CLIENT.depth + 1, ..Limits::CLIENT };

fn answer(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        match Verb::Get.is(visit.request.method()) {
            true => get(visit).await,
            false => post(visit).await,
        }
    })
}

/// A request in an address, or somebody who looks what is here.
async fn get(visit: Visit) -> Response {
    let query = visit.request.uri().query().filter(|_| visit.request.method() == Method::GET);
    let Some(scripted) = query.and_then(script::Asked::read) else { return page() };
    if !visit.host.as_ref().is_some_and(|host| host.values.flag(&SCRIPTS)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let bytes = scripted.body.len();
    let answer = match Request::read_piece(&scripted.body, LIMITS) {
        Some(request) => asked(visit, request, bytes).await,
        None => over(Condition::BadRequest),
    };
    scripted.response(&answer.body)
}

fn page() -> Response {
    pages::of(StatusCode::OK, "BOSH", "This address is for XMPP clients. There is nothing to see with a browser.")
}

async fn post(mut visit: Visit) -> Response {
    let body = std::mem::take(visit.request.body_mut());
    let (sessions, privacy) = (visit.web.bosh.clone(), visit.privacy);
    let read = arriving::whole(body, |beginning| may_go_on(&sessions, privacy, beginning));
    let answer = match timeout(ARRIVING, read).await {
        Ok(Ok(bytes)) => match Request::read(&bytes, LIMITS) {
            Some(request) => asked(visit, request, bytes.len()).await,
            None => over(Condition::BadRequest),
        },
        Ok(Err(Unread::Refused(condition))) => over(condition),
        Ok(Err(Unread::Broken)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let fields = [(header::CONTENT_TYPE, answer.content), (header::CACHE_CONTROL, "no-store")];
    (fields, answer.body).into_response()
}

/// Whether more of a request may come than strangers may say: only to a session whose client has logged in. One that is tried so before is over.
fn may_go_on(sessions: &Sessions, privacy: Privacy, beginning: &[u8]) -> Result<(), Condition> {
    let request = Request::read_tag(beginning, LIMITS).ok_or(Condition::BadRequest)?;
    let name = request.sid.ok_or(Condition::PolicyViolation)?;
    let session = sessions.find(&name, privacy).ok_or(Condition::ItemNotFound)?;
    if session.takes_much() { Ok(()) } else { Err(Condition::PolicyViolation) }
}

fn over(condition: Condition) -> Answer {
    Answer { body: terminate(Some(condition), b"").into(), content: "text/xml; charset=utf-8" }
}

async fn asked(visit: Visit, request: Request, bytes: usize) -> Answer {
    let Some(name) = &request.sid else { return begin(visit, request, bytes).await };
    match visit.web.bosh.find(name, visit.privacy) {
        Some(session) => session.answer(request, bytes).await,
        None => over(Condition::ItemNotFound),
    }
}

/// A session that begins, and its stream with it.
async fn begin(visit: Visit, request: Request, bytes: usize) -> Answer {
    let server = &visit.web.server;
    let Some(to) = request.to.as_deref().and_then(|to| Jid::parse(to).ok()) else {
        return over(Condition::ImproperAddressing);
    };
    let Some(host) = server.hosts.load().get(to.as_str()).cloned() else { return over(Condition::HostUnknown) };
    if request.kind != Kind::Usual {
        return over(Condition::BadRequest);
    }
    if server.control.is_stopping() {
        return over(Condition::SystemShutdown);
    }
    // It outlives the connection that its first request came by.
    let Ok(admitted) = visit.web.admission.admit(visit.address, &server.hosts.load().values) else {
        return over(Condition::PolicyViolation);
    };
    let terms = Terms::of(&request, host.name.as_str());
    let (carrier, session) = visit.web.bosh.begin(server.rng.token(), visit.privacy, terms, request.rid);
    let context = c2s::Context {
        server: server.clone(),
        admission: visit.web.admission.clone(),
        doors: visit.web.doors.clone(),
        address: visit.address,
        port: visit.visitor.connection.peer.port(),
    };
    let facts = StreamFacts { encrypted: visit.privacy == Privacy::Private, ..StreamFacts::default() };
    let begun = Begun::Carried(Socket::Bosh(Box::new(carrier)), facts, host.name.clone());
    tokio::spawn(c2s::serve(context, begun, admitted.of_kind(ConnectionKind::Bosh)));
    session.answer(request, bytes).await
}
