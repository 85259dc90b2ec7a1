//! What was said before somebody entered (sections 7.2.13 and 7.2.14): how much is read of the archive, how much of that is sent, and what
//! of a kept message is for moderators only.

use metronome_proto::ns;
use metronome_proto::payload::delay::Delay;
use metronome_proto::payload::muc::{History, Role};
use metronome_proto::payload::stanza_id;
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::Content;

use crate::body;
use crate::config::{ARCHIVING, HISTORY_LENGTH, MAX_HISTORY};
use crate::decision::{Decision, Outgoing};
use crate::enter::Entry;
use crate::facts::Facts;
use crate::limits::Limits;
use crate::message;
use crate::room::Room;

/// A row of the room's archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Its id in the archive.
    pub id: u64,
    /// The id as messages carry it (XEP-0359).
    pub stanza_id: Box<str>,
    /// When it was said, Unix time in milliseconds.
    pub at_ms: u64,
    /// As it was kept.
    pub stanza: Stanza,
}

/// What is to be read of the archive: the newest messages, so many and not older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many; none are read for 0.
    pub messages_max: u64,
    /// From this Unix time in milliseconds on.
    pub since_ms: u64,
}

/// What is wanted by somebody who enters. A room that keeps nothing shows nothing of what it has kept before.
pub fn wanted(room: &Room, history: &History, limits: &Limits, now_ms: u64) -> Wanted {
    let most = room.config().number(&MAX_HISTORY).min(limits.history_max);
    let usual = room.config().number(&HISTORY_LENGTH);
    let asks = history.maxstanzas.is_some() || history.seconds.is_some() || history.since_ms.is_some();
    let count = history.maxstanzas.unwrap_or(if asks { u64::MAX } else { usual }).min(most);
    let by_age = history.seconds.map_or(0, |seconds| now_ms.saturating_sub(seconds.saturating_mul(1000)));
    let is_nothing = history.maxchars == Some(0) || !room.config().is_on(&ARCHIVING);
    Wanted { messages_max: if is_nothing { 0 } else { count }, since_ms: by_age.max(history.since_ms.unwrap_or(0)) }
}

/// Sends the newest that fit, oldest first. Subjects are no part of it (section 7.2.13): the one that counts comes behind.
pub(crate) fn send(room: &Room, facts: &Facts<'_>, role: Role, entry: &Entry<'_>, decision: &mut Decision) {
    let wanted = wanted(room, &entry.join.history, facts.limits, facts.now_ms);
    let mut left = entry.join.history.maxchars.unwrap_or(u64::MAX);
    let mut sent = Vec::new();
    let newest = entry.past.iter().rev().filter(|past| !message::is_subject(&past.stanza.content));
    let newest = newest.take(usize::try_from(wanted.messages_max).unwrap_or(usize::MAX));
    for past in newest.take_while(|past| past.at_ms >= wanted.since_ms) {
        let outgoing = delayed(room, facts, role, past);
        let chars = length(&outgoing);
        if chars > left {
            break;
        }
        left -= chars;
        sent.push(outgoing);
    }
    sent.into_iter().rev().for_each(|outgoing| decision.send(outgoing));
}

fn delayed(room: &Room, facts: &Facts<'_>, role: Role, past: &Past) -> Outgoing {
    let content =
        if room.shows_addresses_to(role) { past.stanza.content.clone() } else { veil(past.stanza.content.clone()) };
    let at_ms = i64::try_from(past.at_ms).unwrap_or(i64::MAX);
    let delay = Delay { at_ms, from: Some(room.address.clone()), reason: None };
    let stanza_id = stanza_id::tree(&room.address, &past.stanza_id);
    let content = body::join(&content, &[stanza_id, delay.tree()]);
    let outgoing = Outgoing::one(past.stanza.kind, past.stanza.from.clone(), content, facts.from.clone());
    Outgoing { id: past.stanza.id.clone(), lang: past.stanza.lang.clone(), ..outgoing }
}

/// About as many characters as the whole stanza has.
fn length(outgoing: &Outgoing) -> u64 {
    let content = std::str::from_utf8(outgoing.content.bytes()).map_or(0, |text| text.chars().count());
    let id = outgoing.id.as_ref().map_or(0, |id| id.len());
    (content + id + outgoing.from.as_str().len() + "<message from='' to='' id='' type='groupchat'></message>".len())
        as u64
}

/// A kept message for somebody who may not see real addresses.
#[must_use]
pub fn veil(content: Content) -> Content {
    content.without(|child| child.is(ns::MUC_USER, "x"))
}
