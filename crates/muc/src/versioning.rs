//! Which state of the affiliations somebody knows, and what has changed since (XEP-0463). A version is a number to the room and a text that
//! nobody can guess to everybody else, so that only what was told before can be asked for.

use hmac::{Hmac, KeyInit, Mac};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Listing, Mav, Role, UserItem, UserX};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, MessageType, StanzaError};
use metronome_proto::xml::Content;
use sha2::Sha256;

use crate::admin;
use crate::decision::{Decision, Outgoing};
use crate::facts::Facts;
use crate::occupant::hex;
use crate::room::Room;

/// Of so many who are nothing to a room any more it is remembered that they were something.
pub(crate) const DEPARTED_MAX: usize = 100;

/// Most people in one message.
const ITEMS_MAX: usize = 100;

/// The text that stands for a version.
fn mark(room: &Room, version: u64) -> Box<str> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&room.secret).expect("a key of any length will do");
    mac.update(b"affiliations");
    mac.update(&version.to_be_bytes());
    format!("{version:x}.{}", hex(&mac.finalize().into_bytes()[..8])).into()
}

/// The version that a text stands for, if all changes since then are known.
fn known(room: &Room, text: &str) -> Option<u64> {
    let version = u64::from_str_radix(text.split_once('.')?.0, 16).ok()?;
    ((room.forgotten..=room.version).contains(&version) && *mark(room, version) == *text).then_some(version)
}

/// What goes with a change that leads from one version to another.
pub(crate) fn between(room: &Room, since: u64, until: u64) -> Mav {
    Mav { since: Some(mark(room, since)), until: Some(mark(room, until)) }
}

/// What somebody who enters, and asks for it, is told before anything else; gives what goes with the own presence.
pub(crate) fn tell(room: &Room, facts: &Facts<'_>, role: Role, asked: &Mav, decision: &mut Decision) -> Option<Mav> {
    let who = (room.standing(facts), role);
    let lists = [Affiliation::Owner, Affiliation::Admin, Affiliation::Member].map(Listing::Affiliation);
    if lists.iter().any(|list| admin::refuse_list(room, who, *list).is_err()) {
        let refusal = Content::from_tree(&StanzaError::new(Condition::Forbidden).tree());
        send(room, facts, MessageType::Error, refusal, decision);
        return None;
    }
    let sees_bans = admin::refuse_list(room, who, Listing::Affiliation(Affiliation::Outcast)).is_ok();
    let since = asked.since.as_deref().and_then(|text| known(room, text));
    let mut rows = changed(room, since, sees_bans);
    rows.sort_by_key(|(version, ..)| *version);
    if since == Some(room.version) {
        return Some(now(room));
    }
    let mut from = since.map(|since| mark(room, since));
    let mut rest = &rows[..];
    loop {
        let (chunk, behind) = rest.split_at(rest.len().min(ITEMS_MAX));
        let last = if behind.is_empty() { room.version } else { chunk.last().map_or(0, |(version, ..)| *version) };
        let until = Some(mark(room, last));
        let mav = Mav { since: from, until: until.clone() };
        let items = chunk.iter().map(|(_, jid, affiliation)| item(jid, *affiliation)).collect();
        let x = UserX { mav: Some(mav), items, ..UserX::default() };
        send(room, facts, MessageType::Normal, Content::from_tree(&x.tree()), decision);
        (from, rest) = (until, behind);
        if rest.is_empty() {
            return Some(now(room));
        }
    }
}

fn now(room: &Room) -> Mav {
    Mav { since: None, until: Some(mark(room, room.version)) }
}

/// Everybody who is something, or who is something else since a version. A ban is nothing for those who may not see bans.
fn changed(room: &Room, since: Option<u64>, sees_bans: bool) -> Vec<(u64, &Jid, Affiliation)> {
    let seen =
        |affiliation| if affiliation == Affiliation::Outcast && !sees_bans { Affiliation::None } else { affiliation };
    let rows = room.affiliations.iter().map(|(jid, row)| (row.version, jid, seen(row.affiliation)));
    match since {
        None => rows.filter(|(.., affiliation)| *affiliation != Affiliation::None).collect(),
        Some(since) => {
            let gone = room.departed.iter().map(|(version, jid)| (*version, jid, Affiliation::None));
            rows.chain(gone).filter(|(version, ..)| *version > since).collect()
        }
    }
}

fn item(jid: &Jid, affiliation: Affiliation) -> UserItem {
    UserItem { affiliation: Some(affiliation), jid: Some(jid.clone()), ..UserItem::default() }
}

fn send(room: &Room, facts: &Facts<'_>, kind: MessageType, content: Content, decision: &mut Decision) {
    decision.send(Outgoing::one(Kind::Message(kind), room.address.clone(), content, facts.from.clone()));
}
