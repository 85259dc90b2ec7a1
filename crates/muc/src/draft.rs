//! A room as it is becoming while something larger is decided: what changes whom, with what everybody is told of it. For verbs that are
//! rare; those that are not look at the room as it is.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Destroy, Role};
use metronome_proto::stanza::{Kind, PresenceType};
use metronome_proto::xml::Content;

use crate::config::PERSISTENT;
use crate::decision::{Decision, Effect, Outgoing, RoomOp};
use crate::facts::Facts;
use crate::occupant::Occupant;
use crate::presence::Told;
use crate::room::{Affiliated, Room, State};
use crate::step::Step;

/// Why something happens to somebody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cause<'a> {
    /// The nickname of who does it, if they are there.
    pub(crate) actor: Option<&'a str>,
    /// For humans.
    pub(crate) reason: Option<&'a str>,
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

    /// Somebody is something else to the room from now on; nobody is told yet.
    pub(crate) fn affiliate(&mut self, jid: &Jid, row: Affiliated) {
        let Affiliated { affiliation, nick, reason } = row;
        let (jid, nick, reason) = (jid.clone(), nick, reason);
        self.store(RoomOp::Affiliate { jid: jid.clone(), affiliation, nick: nick.clone(), reason: reason.clone() });
        self.step(Step::Affiliate { jid, affiliation, nick, reason });
    }

    /// An occupant has another role, or is no more what it was: everybody is told.
    pub(crate) fn set_role(&mut self, nick: &str, role: Role, cause: Cause<'_>) {
        let Some(before) = self.room.occupant(nick).map(|occupant| occupant.role) else { return };
        if before != role {
            self.step(Step::Role { nick: nick.into(), role });
        }
        let Some(occupant) = self.room.occupant(nick).cloned() else { return };
        let told = Told { actor: cause.actor, reason: cause.reason, ..Told::available(&self.room, &occupant) };
        told.send(&self.room, role, &mut self.decision);
        if self.room.shows_presence_of(before) && !self.room.shows_presence_of(role) {
            told.hide(&self.room, &mut self.decision);
        }
        if role == Role::Moderator && before != role {
            self.show_others(&occupant);
        }
    }

    /// A new moderator sees what was not shown before: real addresses, and those whose presence others do not see.
    fn show_others(&mut self, occupant: &Occupant) {
        for other in self.room.occupants.values().filter(|other| other.nick != occupant.nick) {
            if self.room.is_open_about_addresses() && self.room.shows_presence_of(other.role) {
                continue;
            }
            let to = occupant.addresses().collect();
            let kind = Kind::Presence(PresenceType::Available);
            self.decision.send(Outgoing::new(kind, self.room.occupant_jid(&other.nick), other.open.clone(), to));
        }
    }

    /// An occupant is removed; everybody is told why.
    pub(crate) fn remove(&mut self, nick: &str, codes: &[u16], cause: Cause<'_>) {
        let Some(occupant) = self.room.occupant(nick).cloned() else { return };
        let empty = Content::empty();
        let gone = Told::unavailable(&self.room, &occupant, &empty);
        let gone = Told { codes, actor: cause.actor, reason: cause.reason, ..gone };
        gone.send(&self.room, occupant.role, &mut self.decision);
        occupant.addresses().for_each(|jid| self.step(Step::Leave { jid }));
    }

    /// An occupant is removed together with all others: nobody else is told (section 10.9).
    pub(crate) fn dismiss(&mut self, nick: &str, codes: &[u16], destroy: Option<&Destroy>, cause: Cause<'_>) {
        let Some(occupant) = self.room.occupant(nick).cloned() else { return };
        let empty = Content::empty();
        let gone = Told::unavailable(&self.room, &occupant, &empty);
        let gone = Told { affiliation: Affiliation::None, codes, destroy, reason: cause.reason, ..gone };
        gone.tell_itself(&self.room, occupant.addresses().collect(), &mut self.decision);
        occupant.addresses().for_each(|jid| self.step(Step::Leave { jid }));
    }

    /// The nicknames of an account, or of all accounts of a domain that are nothing by themselves.
    pub(crate) fn nicks_of(&self, jid: &Jid) -> Vec<Box<str>> {
        let is_meant = |occupant: &&Occupant| {
            let is_own =
                self.room.affiliations.get(&occupant.jid).is_some_and(|row| row.affiliation != Affiliation::None);
            occupant.jid == *jid || (jid.is_domain() && occupant.jid.domain() == jid.domain() && !is_own)
        };
        self.room.occupants.values().filter(is_meant).map(|occupant| occupant.nick.clone()).collect()
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
