//! The logs of rooms as pages: a list of rooms, a calendar for each, and days. Only of rooms that are open to all and whose owners let them
//! be recorded in public; of all others nobody learns here whether they are there. People appear by their nicknames alone.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_features::muc::logs::{self, Logged, PATH};
use metronome_host::hosts::Host;
use metronome_host::segments;
use metronome_host::server::Server;
use metronome_model::ArchivedRow;
use metronome_store::StoreError;

use super::days::{Day, Month};
use super::html::{Address, Element, el};
use super::look::{Kept, link, moved, page};
use super::routes::{Handler, Needs, Route, Shared, Verb, Visit};
use super::{fields, talk};

pub(super) const ROUTES: &[Route] = &[
    at("/logs", |_| Box::pin(async { moved(StatusCode::MOVED_PERMANENTLY, &Address::of(PATH)) })),
    at(PATH, |visit| answer(visit, Wanted::List)),
    at("/logs/{room}", |visit| answer(visit, Wanted::Slash)),
    at("/logs/{room}/", |visit| answer(visit, Wanted::Room)),
    at("/logs/{room}/{time}", |visit| answer(visit, Wanted::Slash)),
    at("/logs/{room}/{time}/", |visit| answer(visit, Wanted::Time)),
];

const fn at(path: &'static str, handler: Handler) -> Route {
    Route { path, verbs: &[Verb::Get], needs: Needs::Domain, shared: Shared::Never, body_bytes_max: 0, handler }
}

/// Rooms of one page of the list.
const ROOMS_MAX: usize = 100;

const CLOCK: &str = "All times are UTC.";

#[derive(Debug, Clone, Copy)]
enum Wanted {
    List,
    /// The same path with a slash at its end.
    Slash,
    Room,
    Time,
}

/// What a visit is to see: a page, or nothing.
type Found = Result<Option<Response>, StoreError>;

/// What is asked for.
struct Asked {
    server: Arc<Server>,
    service: Arc<Host>,
    /// The names in the path: of a room, and of a time.
    names: Vec<String>,
    query: String,
}

fn answer(visit: Visit, wanted: Wanted) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let (web, address) = (visit.web.clone(), visit.address);
        let Some(asked) = read(&visit) else { return StatusCode::NOT_FOUND.into_response() };
        drop(visit);
        let _turn = match web.turns.take(&web.server, address).await {
            Ok(turn) => turn,
            Err(refused) => return refused.into_response(),
        };
        let found = match wanted {
            Wanted::List => list(&asked).await,
            Wanted::Slash => Ok(Some(slash(&asked))),
            Wanted::Room => room(&asked).await,
            Wanted::Time => time(&asked).await,
        };
        match found {
            Ok(found) => found.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response()),
            Err(error) => {
                tracing::error!(%error, "the log of a room could not be read");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    })
}

/// None where there are no such pages, and for names that nothing can have.
fn read(visit: &Visit) -> Option<Asked> {
    let server = visit.web.server.clone();
    let service = logs::service(&server, visit.host.as_ref()?)?;
    let names = visit.params.iter().map(|(_, value)| segments::read(value)).collect::<Option<_>>()?;
    let query = visit.request.uri().query().unwrap_or_default().to_owned();
    Some(Asked { server, service, names, query })
}

/// The same for everybody, so that it does not tell which rooms there are.
fn slash(asked: &Asked) -> Response {
    let to = asked.names.iter().fold(Address::of(PATH), |to, name| to.then(name));
    moved(StatusCode::MOVED_PERMANENTLY, &to)
}

async fn list(asked: &Asked) -> Found {
    let after = fields::field(asked.query.as_bytes(), "after");
    let listed = logs::listed(&asked.server, &asked.service, after.as_deref(), ROOMS_MAX).await?;
    let item = |room: &Logged| {
        let item = el("li").child(link(&place(room), &room.title));
        if room.about.is_empty() { item } else { item.child(el("br")).child(el("small").text(&room.about)) }
    };
    let mut inside = vec![el("h1").text(format!("Rooms of {}", asked.service.name.domain()))];
    match listed.rooms.is_empty() {
        true => inside.push(el("p").fixed("class", "note").text("There are no rooms to read here.")),
        false => inside.push(el("ul").children(listed.rooms.iter().map(item))),
    }
    if let Some(next) = &listed.next {
        inside.push(el("nav").child(link(&Address::of(PATH).asking("after", next), "More rooms")));
    }
    Ok(Some(page("Rooms", Kept::UntilAsked, inside)))
}

async fn open(asked: &Asked) -> Result<Option<Logged>, StoreError> {
    match asked.names.first() {
        Some(name) => logs::open(&asked.server, &asked.service, name).await,
        None => Ok(None),
    }
}

fn place(room: &Logged) -> Address {
    Address::of(PATH).then(room.address.local().unwrap_or_default())
}

/// What stands above every page of a room.
fn head(room: &Logged) -> Vec<Element> {
    let enter = link(&Address::of_room(&room.address), "Enter this room");
    let nav = el("nav").child(link(&Address::of(PATH), "All rooms")).child(link(&place(room), "Calendar")).child(enter);
    vec![nav, el("h1").child(el("bdi").text(&room.title))]
}

async fn room(asked: &Asked) -> Found {
    let Some(room) = open(asked).await? else { return Ok(None) };
    let server = &asked.server;
    let mut inside = head(&room);
    if !room.about.is_empty() {
        inside.push(el("p").child(el("bdi").text(&room.about)));
    }
    match room.reading.ends(server).await? {
        Some(ends) => {
            let month = Day::of_ms(ends.1).month();
            inside.push(el("h2").text(month.name()));
            inside.push(talk::calendar(server, &room.reading, &place(&room), month).await?);
            inside.push(el("h2").text("All months"));
            inside.push(talk::months(&place(&room), ends));
        }
        None => inside.push(el("p").fixed("class", "note").text("Nothing was said yet.")),
    }
    inside.push(el("p").child(el("small").text(CLOCK)));
    Ok(Some(page(&room.title, Kept::UntilAsked, inside)))
}

async fn time(asked: &Asked) -> Found {
    let Some(text) = asked.names.get(1) else { return Ok(None) };
    let Some(room) = open(asked).await? else { return Ok(None) };
    if let Some(day) = Day::parse_compact(text) {
        return Ok(Some(moved(StatusCode::MOVED_PERMANENTLY, &place(&room).then(&day.to_string()))));
    }
    match (Day::parse(text), Month::parse(text)) {
        (Some(day), _) => one_day(asked, &room, day).await.map(Some),
        (_, Some(month)) => one_month(asked, &room, month).await.map(Some),
        _ => Ok(None),
    }
}

async fn one_month(asked: &Asked, room: &Logged, month: Month) -> Result<Response, StoreError> {
    let mut inside = head(room);
    inside.push(el("h2").text(month.name()));
    inside.push(talk::calendar(&asked.server, &room.reading, &place(room), month).await?);
    inside.push(talk::around(&place(room), month));
    Ok(page(&format!("{}: {}", room.title, month.name()), Kept::UntilAsked, inside))
}

async fn one_day(asked: &Asked, room: &Logged, day: Day) -> Result<Response, StoreError> {
    let after = fields::number(&asked.query, "after").unwrap_or(0);
    // Who is behind a nickname stands in the archive as well, and nowhere here.
    let nick = |row: &ArchivedRow| row.stanza.from.resource().map(str::to_owned);
    let mut inside = head(room);
    inside.push(el("h2").text(day.to_string()));
    inside.extend(talk::day(&asked.server, &room.reading, &place(room), (day, after), &nick).await?);
    inside.push(el("nav").child(link(&place(room).then(&day.month().to_string()), &day.month().name())));
    inside.push(el("p").child(el("small").text(CLOCK)));
    Ok(page(&format!("{}: {day}", room.title), Kept::UntilAsked, inside))
}
