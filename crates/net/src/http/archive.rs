//! Everybody's own archive, for whoever has logged in with name and password: with whom they have talked, on which days, and what was said.
//! This is the only place where a browser's cookie counts; it is sent to these paths alone, no page of another site and no script of this one
//! may read what they answer, and nothing but logging in and out can be done here.

mod cookies;
mod door;
mod logins;
mod shelves;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::hosts::{Host, PLAIN_WITHOUT_TLS};
use metronome_host::options::{Kind, Setting};
use metronome_host::segments;
use metronome_sasl::PlainRule;
use metronome_store::StoreError;

use super::Web;
use super::html::{Address, el};
use super::look::{Kept, moved, page};
use super::routes::{Handler, Needs, Route, Shared, Verb, Visit};
use crate::websocket::Privacy;

pub(crate) use logins::Logins;

/// Whether there are such pages.
pub(super) const SHOWN: Setting = Setting::new(
    "web.archive",
    Kind::Flag,
    "false",
    "Whether people may log in with their passwords at `/archive/` in order to read their own archives with a browser. Only where nobody \
     else can read it: with TLS, or through a proxy that says so.",
)
.per_host();

/// The first part of the path of all of these pages.
const PATH: &str = "/archive/";

/// Most bytes of a form that is sent.
const FORM_BYTES_MAX: u64 = 8 * 1024;

pub(super) const ROUTES: &[Route] = &[
    at("/archive", 0, &[Verb::Get], |_| Box::pin(async { moved(StatusCode::MOVED_PERMANENTLY, &Address::of(PATH)) })),
    at(PATH, 0, &[Verb::Get], |visit| answer(visit, Wanted::People)),
    at("/archive/find", 0, &[Verb::Get], |visit| answer(visit, Wanted::Find)),
    at("/archive/with/{peer}/", 0, &[Verb::Get], |visit| answer(visit, Wanted::Person)),
    at("/archive/with/{peer}/{time}/", 0, &[Verb::Get], |visit| answer(visit, Wanted::Time)),
    at("/archive/login", FORM_BYTES_MAX, &[Verb::Post], |visit| answer(visit, Wanted::LogIn)),
    at("/archive/logout", FORM_BYTES_MAX, &[Verb::Post], |visit| answer(visit, Wanted::LogOut)),
];

const fn at(path: &'static str, body_bytes_max: u64, verbs: &'static [Verb], handler: Handler) -> Route {
    Route { path, verbs, needs: Needs::Domain, shared: Shared::Never, body_bytes_max, handler }
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    People,
    /// The page of somebody whose address is given.
    Find,
    Person,
    Time,
    LogIn,
    LogOut,
}

/// What is asked for, and by whom.
struct Asked {
    web: Arc<Web>,
    host: Arc<Host>,
    address: IpAddr,
    port: u16,
    /// Whether a browser has come with TLS.
    encryption: Encryption,
    /// The names in the path: of a person, and of a time.
    names: Vec<String>,
    query: String,
    fields: HeaderMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Tls,
    None,
}

fn answer(visit: Visit, wanted: Wanted) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let privacy = visit.privacy;
        let Some((asked, body)) = read(visit) else { return StatusCode::NOT_FOUND.into_response() };
        if !cookies::is_for_a_window(&asked.fields) {
            return StatusCode::FORBIDDEN.into_response();
        }
        if privacy != Privacy::Private && !asked.host.values.flag(&PLAIN_WITHOUT_TLS) {
            return readable_by_others();
        }
        let answered = match wanted {
            Wanted::LogIn => door::log_in(&asked, body).await,
            Wanted::LogOut => door::log_out(&asked, body).await,
            Wanted::People | Wanted::Find | Wanted::Person | Wanted::Time => shown(&asked, wanted).await,
        };
        answered.unwrap_or_else(|error| {
            tracing::error!(%error, "an archive could not be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        })
    })
}

/// None where there are no such pages, and for names that nobody can have.
fn read(visit: Visit) -> Option<(Asked, Body)> {
    let Visit { web, host, address, privacy, params, request, visitor } = visit;
    let host = host.filter(|host| host.beside.is_none() && host.values.flag(&SHOWN) && takes_passwords(host))?;
    let names = params.iter().map(|(_, value)| segments::read(value)).collect::<Option<_>>()?;
    let (Parts { uri, headers: fields, .. }, body) = request.into_parts();
    let by_proxy = visitor.source.is_passed_on && privacy == Privacy::Private;
    let encryption = if visitor.connection.tls.is_some() || by_proxy { Encryption::Tls } else { Encryption::None };
    let (port, query) = (visitor.connection.peer.port(), uri.query().unwrap_or_default().to_owned());
    Some((Asked { web, host, address, port, encryption, names, query, fields }, body))
}

/// Where people log in without passwords alone there is nothing to log in with here.
fn takes_passwords(host: &Host) -> bool {
    !host.sasl.scram.is_empty() || host.sasl.plain != PlainRule::Never
}

fn readable_by_others() -> Response {
    let text =
        "Others on the way could read this connection, and your password with it. Please use the address with https.";
    let mut response = page("Not here", Kept::Never, [el("h1").text("Not here"), el("p").text(text)]);
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// A page for whoever has logged in; others are asked to.
async fn shown(asked: &Asked, wanted: Wanted) -> Result<Response, StoreError> {
    let Some(login) = door::login(asked).await? else {
        return Ok(match wanted {
            Wanted::People => door::form(None),
            _ => moved(StatusCode::SEE_OTHER, &Address::of(PATH)),
        });
    };
    let _turn = match asked.web.turns.take(&asked.web.server, asked.address).await {
        Ok(turn) => turn,
        Err(refused) => return Ok(refused.into_response()),
    };
    let found = match wanted {
        Wanted::Find => shelves::find(asked),
        Wanted::Person => shelves::person(asked, &login).await?,
        Wanted::Time => shelves::time(asked, &login).await?,
        _ => Some(shelves::people(asked, &login).await?),
    };
    Ok(found.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response()))
}
