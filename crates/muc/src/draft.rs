//! A room as it is becoming while something larger is decided: what changes whom, with what everybody is told of it. For verbs that are
//! rare; those that are not look at the room as it is.

use std::sync::Arc;

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Destroy, Mav, Role};
use metronome_proto::stanza::{Kind, PresenceType};
use metronome_proto::xml::Content;

use crate::affiliated::Affiliated;
use crate::config::PERSISTENT;
use crate::decision::{Decision, Effect, Outgoing, RoomOp};
use crate::facts::Facts;
use crate::large;
use crate::occupant::{Audience, Occupant};
use crate::presence::Told;
use crate::room::{Room, State};
use crate::step::Step;
use crate::versioning;

/// Why something happens to somebody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cause<'a> {
    /// The nickname of who does it, if they are there.
    pub(crate) actor: Option<&'a str>,
    /// For humans.
    pub(crate) reason: Option<&'a str>,
    /// The change of an affiliation that it is part of (XEP-0463).
    pub(crate) mav: Option<&'a Mav>,
}

pub(crate) struct Draft<'a> {
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) room: Room,
    pub(crate) decision: Decision,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(room: &Room, facts: &'a Facts<'a>) -> Draft<'a> {
        Draft { facts, room: room.clone(), decision: Decision::default() }
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.room.step(step.clone());
        self.decision.change.0.push(step);
    }

    /// A change of what is stored; nothing while nothing is.
    pub(crate) fn store(&mut self, op: RoomOp) {
        if self.room.state == State::Open {
            self.decision.ops.push(op);
        }
    }

    /// Something else is said of somebody from now on; nobody is told yet. Gives what goes with a change of the affiliation.
    pub(crate) fn affiliate(&mut self, jid: &Jid, row: Affiliated) -> Option<Mav> {
        let before = self.room.affiliations.get(jid).map(|row| (row.affiliation, row.version));
        // Who is nothing and becomes nothing is left to what is remembered of it.
        if before.is_none() && !row.counts() {
            return None;
        }
        let before = before.unwrap_or_default();
        let (since, is_other) = (self.room.version, before.0 != row.affiliation);
        let row = Affiliated { version: if is_other { since + 1 } else { before.1 }, ..row };
        if row.counts() || row.version > 0 {
            self.say_of(jid.clone(), row);
        } else {
            self.forget(jid.clone());
        }
        let oldest = self.room.departed.first_key_value().map(|(version, jid)| (*version, jid.clone()));
        if let Some((version, oldest)) = oldest.filter(|_| self.room.departed.len() > versioning::DEPARTED_MAX) {
            self.say_of(self.room.address.clone(), Affiliated { version, ..Affiliated::default() });
            self.forget(oldest);
        }
        is_other.then(|| versioning::between(&self.room, since, self.room.version))
    }

    fn say_of(&mut self, jid: Jid, row: Affiliated) {
        self.store(RoomOp::affiliate(&jid, &row));
        self.step(Step::Affiliate { jid, row });
    }

    fn forget(&mut self, jid: Jid) {
        self.store(RoomOp::Forget { jid: jid.clone(), version: self.room.version });
        self.step(Step::Forget { jid });
    }

    /// An occupant has another role, or is no more what it was: everybody is told.
    pub(crate) fn set_role(&mut self, nick: &str, role: Role, cause: Cause<'_>) {
        let Some(known) = self.room.occupant(nick) else { return };
        let (before, seen) = (known.role, known.audience);
        let audience = large::audience(&self.room, role, Some(known));
        if (before, seen) != (role, audience) {
            self.step(Step::Role { nick: nick.into(), role, audience });
        }
        let Some(occupant) = self.room.occupant(nick).cloned() else { return };
        let told = Told { cause, ..Told::available(&self.room, &occupant) };
        told.send(&self.room, &mut self.decision);
        if seen == Audience::Everybody && audience == Audience::Moderators {
            told.hide(&self.room, &mut self.decision);
        }
        match (before == Role::Moderator, role == Role::Moderator) {
            (false, true) => self.show_others(&occupant),
            (true, false) => self.hide_others(&occupant),
            _ => {}
        }
    }

    /// A new moderator sees what was not shown before: real addresses, and those whose presence others do not see.
    fn show_others(&mut self, occupant: &Occupant) {
        for other in self.room.occupants.values().filter(|other| other.nick != occupant.nick) {
            let is_known = self.room.is_open_about_addresses() && other.audience == Audience::Everybody;
            if is_known || other.audience == Audience::Nobody {
                continue;
            }
            let to = occupant.addresses().collect();
            let kind = Kind::Presence(PresenceType::Available);
            self.decision.send(Outgoing::new(kind, other.address.clone(), other.open.clone(), to));
        }
    }

    /// Who is a moderator no more will not hear of those whose presence others do not see: for it they are gone.
    fn hide_others(&mut self, occupant: &Occupant) {
        let hidden = |other: &&Arc<Occupant>| other.nick != occupant.nick && other.audience == Audience::Moderators;
        let empty = Content::empty();
        for other in self.room.occupants.values().filter(hidden) {
            let gone = Told::unavailable(&self.room, other, &empty);
            gone.tell(&self.room, occupant.role, occupant.addresses().collect(), &mut self.decision);
        }
    }

    /// An occupant is removed; everybody is told why.
    pub(crate) fn remove(&mut self, nick: &str, codes: &[u16], cause: Cause<'_>) {
        let Some(occupant) = self.room.occupant(nick).cloned() else { return };
        let empty = Content::empty();
        let gone = Told { codes, cause, ..Told::unavailable(&self.room, &occupant, &empty) };
        gone.send(&self.room, &mut self.decision);
        occupant.addresses().for_each(|jid| self.step(Step::Leave { jid }));
    }

    /// An occupant is removed together with all others: nobody else is told (section 10.9).
    pub(crate) fn dismiss(&mut self, nick: &str, codes: &[u16], destroy: Option<&Destroy>, cause: Cause<'_>) {
        let Some(occupant) = self.room.occupant(nick).cloned() else { return };
        let empty = Content::empty();
        let gone = Told::unavailable(&self.room, &occupant, &empty);
        let gone = Told { affiliation: Affiliation::None, codes, destroy, cause, ..gone };
        gone.tell_itself(occupant.addresses().collect(), &mut self.decision);
        occupant.addresses().for_each(|jid| self.step(Step::Leave { jid }));
    }

    /// The nicknames of an account, or of all accounts of a domain that are nothing by themselves.
    pub(crate) fn nicks_of(&self, jid: &Jid) -> Vec<Box<str>> {
        let is_meant = |occupant: &&Occupant| {
            let is_own =
                self.room.affiliations.get(&occupant.jid).is_some_and(|row| row.affiliation != Affiliation::None);
            occupant.jid == *jid || (jid.is_domain() && occupant.jid.domain() == jid.domain() && !is_own)
        };
        self.room.occupants().filter(is_meant).map(|occupant| occupant.nick.clone()).collect()
    }

    /// The decision, with the end of the room if nobody is in it who keeps it.
    pub(crate) fn finish(mut self) -> Decision {
        if self.room.is_over() {
            self.store(RoomOp::Destroy { alternate: None, reason: None });
            self.decision.effects.push(Effect::End);
        }
        self.decision
    }
}

impl Room {
    /// Whether nothing keeps it: it is empty, and is not to stay.
    pub(crate) fn is_over(&self) -> bool {
        self.occupants.is_empty() && !self.stays()
    }

    /// Whether it is there without anybody in it.
    pub(crate) fn stays(&self) -> bool {
        self.state == State::Open && self.config.is_on(&PERSISTENT)
    }
}
