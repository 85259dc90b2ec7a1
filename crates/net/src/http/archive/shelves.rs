//! What is in an archive: people, the days on which they talked, and what was said. Always of whoever is logged in: no address names an archive.

use axum::http::StatusCode;
use axum::response::Response;
use metronome_features::reading::{Peer, Reading, peers};
use metronome_model::{AccountId, ArchivedRow, Direction};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_store::StoreError;

use super::logins::Login;
use super::{Asked, PATH, door};
use crate::http::days::{Day, Month};
use crate::http::html::{Address, Element, el};
use crate::http::look::{Kept, link, moved, page};
use crate::http::{fields, talk};

/// People on the page with all of them.
const PEOPLE_MAX: usize = 500;

const CLOCK: &str = "All times are UTC.";

/// With whom somebody has talked.
pub(super) async fn people(asked: &Asked, login: &Login) -> Result<Response, StoreError> {
    let Some(owner) = login.authn.account() else { return Ok(door::form(None)) };
    let people = peers(&asked.web.server, owner).await?;
    let item = |peer: &Peer| {
        let name = peer.name.as_deref().unwrap_or(peer.jid.as_str());
        let item = el("li").child(link(&place(&peer.jid), name));
        let item = match &peer.name {
            Some(_) => item.text(" ").child(el("small").child(el("bdi").text(peer.jid.as_str()))),
            None => item,
        };
        match peer.last_ms {
            Some(last_ms) => item.text(" ").child(el("small").text(Day::of_ms(last_ms).to_string())),
            None => item,
        }
    };
    let mut inside = vec![el("h1").text("Your archive"), el("p").child(el("bdi").text(login.authn.jid().as_str()))];
    match people.is_empty() {
        true => inside.push(el("p").fixed("class", "note").text("Nobody yet.")),
        false => inside.push(el("ul").children(people.iter().take(PEOPLE_MAX).map(item))),
    }
    let with = el("input").fixed("id", "with").fixed("name", "with").fixed("autocapitalize", "none");
    let label = el("label").fixed("for", "with").text("The address of somebody else");
    let find = el("form").fixed("method", "get").fixed("action", "/archive/find");
    inside.push(find.child(label).child(with).text(" ").child(el("button").text("Show")));
    inside.push(door::exit(login));
    Ok(page("Your archive", Kept::Never, inside))
}

/// The page of somebody whose address is given.
pub(super) fn find(asked: &Asked) -> Option<Response> {
    let with = fields::field(asked.query.as_bytes(), "with")?;
    let jid = Jid::parse(with.trim()).ok()?.bare();
    Some(moved(StatusCode::SEE_OTHER, &place(&jid)))
}

fn place(peer: &Jid) -> Address {
    Address::of("/archive/with/").then(peer.as_str())
}

/// Somebody, as the owner of an archive knows them.
struct Known {
    jid: Jid,
    name: String,
    reading: Reading,
}

/// Whom the path names; none if that is nobody's address, or one written in another way.
async fn known(asked: &Asked, login: &Login) -> Result<Option<Known>, StoreError> {
    let name = asked.names.first();
    let jid = name.and_then(|name| Jid::parse(name).ok().filter(|jid| jid.is_bare() && jid.as_str() == name));
    let Some((jid, owner)) = jid.zip(login.authn.account()) else { return Ok(None) };
    let contact = asked.web.server.store.contact(owner, jid.as_str()).await?;
    let name = contact.and_then(|contact| contact.name).map_or_else(|| jid.to_string(), String::from);
    let reading = reading(owner, &jid);
    Ok(Some(Known { jid, name, reading }))
}

fn reading(owner: AccountId, with: &Jid) -> Reading {
    Reading { owner, with: Some(with.clone()), since_ms: 0 }
}

/// What stands above every page of somebody.
fn head(known: &Known, login: &Login) -> Vec<Element> {
    let nav = el("nav").child(link(&Address::of(PATH), "Everybody")).child(link(&place(&known.jid), "Calendar"));
    vec![nav.child(door::exit(login)), el("h1").child(el("bdi").text(&known.name))]
}

/// When somebody was talked with.
pub(super) async fn person(asked: &Asked, login: &Login) -> Result<Option<Response>, StoreError> {
    let Some(known) = known(asked, login).await? else { return Ok(None) };
    let (server, place) = (&asked.web.server, place(&known.jid));
    let mut inside = head(&known, login);
    match known.reading.ends(server).await? {
        Some(ends) => {
            let month = Day::of_ms(ends.1).month();
            inside.push(el("h2").text(month.name()));
            inside.push(talk::calendar(server, &known.reading, &place, month).await?);
            inside.push(el("h2").text("All months"));
            inside.push(talk::months(&place, ends));
        }
        None => inside.push(el("p").fixed("class", "note").text("There is nothing in your archive.")),
    }
    inside.push(el("p").child(el("small").text(CLOCK)));
    Ok(Some(page(&known.name, Kept::Never, inside)))
}

/// A month, or what was said on a day.
pub(super) async fn time(asked: &Asked, login: &Login) -> Result<Option<Response>, StoreError> {
    let Some(text) = asked.names.get(1) else { return Ok(None) };
    let Some(known) = known(asked, login).await? else { return Ok(None) };
    let (server, place) = (&asked.web.server, place(&known.jid));
    let mut inside = head(&known, login);
    match (Day::parse(text), Month::parse(text)) {
        (Some(day), _) => {
            let after = fields::number(&asked.query, "after").unwrap_or(0);
            let speaker = |row: &ArchivedRow| Some(speaker(row, &known.name));
            inside.push(el("h2").text(day.to_string()));
            inside.extend(talk::day(server, &known.reading, &place, (day, after), &speaker).await?);
            inside.push(el("nav").child(link(&place.clone().then(&day.month().to_string()), &day.month().name())));
        }
        (_, Some(month)) => {
            inside.push(el("h2").text(month.name()));
            inside.push(talk::calendar(server, &known.reading, &place, month).await?);
            inside.push(talk::around(&place, month));
        }
        _ => return Ok(None),
    }
    inside.push(el("p").child(el("small").text(CLOCK)));
    Ok(Some(page(&known.name, Kept::Never, inside)))
}

/// Who wrote a message. Behind the address of a room there are many (XEP-0045 section 7.5), each with a nickname.
fn speaker(row: &ArchivedRow, name: &str) -> String {
    let nick = row.stanza.from.resource().filter(|_| row.stanza.has(ns::MUC_USER, "x"));
    match row.direction {
        Direction::Sent => "You".to_owned(),
        Direction::Received => nick.unwrap_or(name).to_owned(),
    }
}
