//! Hats (XEP-0317): what people are in a room beside their roles. Admins make them, give them and take them with commands; everybody sees
//! them in presence, and nobody may do anything for wearing one.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Hat, Role, hats, status};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{MessageType, StanzaError};
use metronome_proto::xml::Content;

use crate::affiliated::Affiliated;
use crate::config::{Config, HATS};
use crate::decision::{Effect, RoomOp, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::hat_forms;
use crate::hat_request::HatRequest;
use crate::presence;
use crate::room::Room;
use crate::step::Step;

/// Most people who wear hats in one room: a hat that is destroyed is taken from all of them in one record.
const WEARERS_MAX: usize = 500;

/// Most occupants whose presence is sent anew when a hat changes; the others are seen with it when they show presence next.
const SHOWN_MAX: usize = 50;

/// Between the parts of a hat; no XML has this character.
const BETWEEN: char = '\u{1f}';

/// The hats that a configuration has.
pub(crate) fn of(config: &Config) -> Vec<Hat> {
    config.list(&HATS).into_iter().filter_map(read).collect()
}

fn read(text: &str) -> Option<Hat> {
    let mut parts = text.split(BETWEEN);
    let (uri, title) = (parts.next()?.into(), parts.next()?.into());
    let mut part = || parts.next().filter(|part| !part.is_empty()).map(Box::from);
    Some(Hat { uri, title, hue: part(), lang: part() })
}

fn write(hat: &Hat) -> Box<str> {
    let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
    [hat.uri.to_string(), hat.title.to_string(), text(&hat.hue), text(&hat.lang)].join(&*BETWEEN.to_string()).into()
}

/// The element with the hats of an account; empty if it wears none.
pub(crate) fn worn(room: &Room, jid: &Jid) -> Content {
    let row = room.affiliations.get(jid).filter(|row| !room.hats.is_empty() && !row.hats.is_empty());
    let worn = row.into_iter().flat_map(|row| row.hats.iter());
    let worn: Vec<&Hat> = worn.filter_map(|uri| room.hats.iter().find(|hat| hat.uri == *uri)).collect();
    if worn.is_empty() { Content::empty() } else { Content::from_tree(&hats::tree(worn)) }
}

pub(crate) fn decide(room: &Room, facts: &Facts<'_>, request: &HatRequest) -> Verdict {
    if *request == HatRequest::List {
        return hat_forms::all(room, facts);
    }
    refuse(room, facts)?;
    let mut draft = Draft::new(room, facts);
    draft.decision.effects.push(Effect::Reply(Content::empty()));
    match request {
        HatRequest::List | HatRequest::ListAssigned => return Ok(hat_forms::assigned(room)),
        HatRequest::Make(hat) => make(&mut draft, hat)?,
        HatRequest::Destroy(uri) => destroy(&mut draft, uri)?,
        HatRequest::Assign { jid, uri } => assign(&mut draft, jid, uri)?,
        HatRequest::Unassign { jid, uri } => unassign(&mut draft, jid, uri)?,
    }
    Ok(draft.finish())
}

/// Hats are the affair of admins.
pub(crate) fn refuse(room: &Room, facts: &Facts<'_>) -> Result<(), StanzaError> {
    if room.standing(facts) >= Affiliation::Admin { Ok(()) } else { Err(Condition::Forbidden.into()) }
}

/// A new hat, or an old one that looks otherwise.
fn make(draft: &mut Draft<'_>, hat: &Hat) -> Result<(), StanzaError> {
    let mut all = draft.room.hats.to_vec();
    match all.iter().position(|known| known.uri == hat.uri) {
        Some(at) if all[at] == *hat => return Ok(()),
        Some(at) => all[at] = hat.clone(),
        None if all.len() >= hats::HATS_MAX => return Err(Condition::ResourceConstraint.into()),
        None => all.push(hat.clone()),
    }
    set_all(draft, &all);
    show_anew(draft, &wearers(&draft.room, &hat.uri));
    Ok(())
}

fn destroy(draft: &mut Draft<'_>, uri: &str) -> Result<(), StanzaError> {
    let all: Vec<Hat> = draft.room.hats.iter().filter(|hat| *hat.uri != *uri).cloned().collect();
    if all.len() == draft.room.hats.len() {
        return Err(Condition::ItemNotFound.into());
    }
    let whose = wearers(&draft.room, uri);
    set_all(draft, &all);
    for jid in &whose {
        take(draft, jid, uri);
    }
    show_anew(draft, &whose);
    Ok(())
}

fn assign(draft: &mut Draft<'_>, jid: &Jid, uri: &str) -> Result<(), StanzaError> {
    if !draft.room.hats.iter().any(|hat| *hat.uri == *uri) {
        return Err(Condition::ItemNotFound.into());
    }
    let row = draft.room.affiliations.get(jid).cloned().unwrap_or_default();
    if draft.room.affiliation(jid) == Affiliation::Outcast || jid.same_bare(&draft.room.address) {
        return Err(Condition::NotAllowed.into());
    }
    if row.hats.iter().any(|worn| **worn == *uri) {
        return Ok(());
    }
    let rows = &draft.room.affiliations;
    let is_full = !row.counts() && rows.len() >= draft.facts.limits.affiliations_max;
    let wearers = || rows.values().filter(|row| !row.hats.is_empty()).count();
    if is_full || row.hats.len() >= hats::HATS_MAX || (row.hats.is_empty() && wearers() >= WEARERS_MAX) {
        return Err(Condition::ResourceConstraint.into());
    }
    let mut hats = row.hats.clone();
    hats.push(uri.into());
    draft.affiliate(jid, Affiliated { hats, ..row });
    show_anew(draft, std::slice::from_ref(jid));
    Ok(())
}

fn unassign(draft: &mut Draft<'_>, jid: &Jid, uri: &str) -> Result<(), StanzaError> {
    let wears = |row: &Affiliated| row.hats.iter().any(|worn| **worn == *uri);
    if !draft.room.affiliations.get(jid).is_some_and(wears) {
        return Err(Condition::ItemNotFound.into());
    }
    take(draft, jid, uri);
    show_anew(draft, std::slice::from_ref(jid));
    Ok(())
}

fn take(draft: &mut Draft<'_>, jid: &Jid, uri: &str) {
    let mut row = draft.room.affiliations.get(jid).cloned().unwrap_or_default();
    row.hats.retain(|worn| **worn != *uri);
    draft.affiliate(jid, row);
}

fn wearers(room: &Room, uri: &str) -> Vec<Jid> {
    let wears = |row: &Affiliated| row.hats.iter().any(|worn| **worn == *uri);
    room.affiliations.iter().filter(|(_, row)| wears(row)).map(|(jid, _)| jid.clone()).collect()
}

/// Another list of hats is another configuration, and everybody is told so.
fn set_all(draft: &mut Draft<'_>, all: &[Hat]) {
    let mut config = draft.room.config.clone();
    config.set(&HATS, all.iter().map(write).collect());
    draft.store(RoomOp::Configure(config.encode()));
    draft.step(Step::Configure(config));
    let codes = presence::codes(&[status::CONFIGURED]);
    let everybody = draft.room.sessions.keys().cloned().collect();
    let notice = presence::notice(&draft.room, &codes, MessageType::Groupchat, everybody);
    draft.decision.send(notice);
}

/// Those of these who are there are seen with what they wear now.
fn show_anew(draft: &mut Draft<'_>, whose: &[Jid]) {
    let mut there: Vec<(Box<str>, Role)> = Vec::new();
    for occupant in draft.room.occupants().filter(|occupant| whose.contains(&occupant.jid)).take(SHOWN_MAX) {
        there.push((occupant.nick.clone(), occupant.role));
    }
    there.iter().for_each(|(nick, role)| draft.set_role(nick, *role, Cause::default()));
}

/// The text that changes when the list of hats does; none if there are none.
pub(crate) fn hash(room: &Room) -> Option<String> {
    let all: Vec<_> = room.hats.iter().flat_map(|hat| hat.uri.bytes().chain([0])).collect();
    (!all.is_empty()).then(|| crate::occupant::digest(&all)[..40].to_owned())
}
