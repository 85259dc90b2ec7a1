//! What occupants see of each other: the presence of one, in up to three forms, each written once for all who get it (sections 7.2.2 to
//! 7.2.4 and 15.4): for those who may see real addresses, for the others, and for the occupant itself.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Actor, Affiliation, Destroy, Mav, Role, UserItem, UserX, status};
use metronome_proto::stanza::{Kind, MessageType, PresenceType};
use metronome_proto::xml::Content;

use crate::decision::{Decision, Outgoing, To};
use crate::draft::Cause;
use crate::occupant::Occupant;
use crate::room::Room;

/// What is told of an occupant at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) occupant: &'a Occupant,
    pub(crate) affiliation: Affiliation,
    /// None for one who is there no more.
    pub(crate) role: Role,
    /// What it says of itself.
    pub(crate) presence: &'a Content,
    pub(crate) codes: &'a [u16],
    /// Codes for the occupant alone, beside 110.
    pub(crate) own_codes: &'a [u16],
    /// The version of the affiliations, for the occupant alone.
    pub(crate) own_mav: Option<&'a Mav>,
    pub(crate) new_nick: Option<&'a str>,
    pub(crate) cause: Cause<'a>,
    pub(crate) destroy: Option<&'a Destroy>,
    /// Goes with what the occupant itself gets.
    pub(crate) id: Option<&'a str>,
}

impl<'a> Told<'a> {
    /// That somebody is there, as what it is now.
    pub(crate) fn available(room: &Room, occupant: &'a Occupant) -> Told<'a> {
        Told::of(occupant, room.affiliation(&occupant.jid))
    }

    fn of(occupant: &'a Occupant, affiliation: Affiliation) -> Told<'a> {
        Told {
            occupant,
            affiliation,
            role: occupant.role,
            presence: &occupant.shown().presence,
            codes: &[],
            own_codes: &[],
            own_mav: None,
            new_nick: None,
            cause: Cause::default(),
            destroy: None,
            id: None,
        }
    }

    /// That somebody is there no more; `presence` is what they say at last.
    pub(crate) fn unavailable(room: &Room, occupant: &'a Occupant, presence: &'a Content) -> Told<'a> {
        Told { role: Role::None, presence, ..Told::available(room, occupant) }
    }

    fn kind(&self) -> Kind {
        let is_there = self.role != Role::None;
        Kind::Presence(if is_there { PresenceType::Available } else { PresenceType::Unavailable })
    }

    fn content(&self, jid: Option<&Jid>) -> Content {
        self.content_with(jid, &[], self.cause.mav)
    }

    fn content_with(&self, jid: Option<&Jid>, own_codes: &[u16], mav: Option<&Mav>) -> Content {
        let item = UserItem {
            affiliation: Some(self.affiliation),
            role: Some(self.role),
            jid: jid.cloned(),
            nick: self.new_nick.map(Box::from),
            actor: self.cause.actor.map(|nick| Actor { jid: None, nick: Some(nick.into()) }),
            continued: None,
            reason: self.cause.reason.map(Box::from),
        };
        let mut x = UserX { destroy: self.destroy.cloned(), mav: mav.cloned(), ..UserX::of(item) };
        x.statuses = [own_codes, self.codes].concat();
        let told = Content::from_tree(&x.tree()).and(&self.occupant.mark);
        let told = if self.role == Role::None { told } else { told.and(&self.occupant.hats) };
        self.presence.and(&told)
    }

    /// Tells the occupant itself, and all who see it. The occupant is in the room, or not yet, or no more: what is told does not depend on
    /// that.
    pub(crate) fn send(&self, room: &Room, decision: &mut Decision) {
        self.tell_itself(self.occupant.addresses().collect(), decision);
        self.tell_others(room, decision);
    }

    /// Tells these sessions of the occupant.
    pub(crate) fn tell_itself(&self, to: Vec<Jid>, decision: &mut Decision) {
        decision.send(Outgoing { to: To::These(to), ..self.own() });
    }

    /// Tells the session that enters.
    pub(crate) fn tell_new(&self, to: &Jid, decision: &mut Decision) {
        decision.send(Outgoing { to: To::One(to.clone()), ..self.own() });
    }

    fn own(&self) -> Outgoing {
        let own_codes = [&[status::SELF_PRESENCE], self.own_codes].concat();
        let mav = self.own_mav.or(self.cause.mav);
        let content = self.content_with(Some(&self.occupant.shown().jid), &own_codes, mav);
        let outgoing = Outgoing::new(self.kind(), self.occupant.address.clone(), content, Vec::new());
        Outgoing { id: self.id.map(Box::from), ..outgoing }
    }

    /// Tells some sessions of somebody else, who has this role.
    pub(crate) fn tell(&self, room: &Room, role: Role, to: Vec<Jid>, decision: &mut Decision) {
        let jid = room.shows_addresses_to(role).then(|| &self.occupant.shown().jid);
        decision.send(Outgoing::new(self.kind(), self.occupant.address.clone(), self.content(jid), to));
    }

    /// Tells all others who see the occupant.
    pub(crate) fn tell_others(&self, room: &Room, decision: &mut Decision) {
        let audience = self.occupant.audience;
        let everybody_sees_addresses = room.is_open_about_addresses();
        let (mut open, mut veiled) = (Vec::new(), Vec::new());
        let others = room.occupants.values().filter(|other| other.nick != self.occupant.nick);
        for other in others.filter(|other| audience.has(other.role)) {
            let sees_address = everybody_sees_addresses || other.role == Role::Moderator;
            if sees_address { open.extend(other.addresses()) } else { veiled.extend(other.addresses()) }
        }
        let from = &self.occupant.address;
        let jid = &self.occupant.shown().jid;
        for (jid, to) in [(Some(jid), open), (None, veiled)] {
            if !to.is_empty() {
                decision.send(Outgoing::new(self.kind(), from.clone(), self.content(jid), to));
            }
        }
    }

    /// Tells those who see an occupant no more that it is gone.
    pub(crate) fn hide(&self, room: &Room, decision: &mut Decision) {
        let others = room.occupants.values();
        let others = others.filter(|other| other.nick != self.occupant.nick && other.role != Role::Moderator);
        let to = others.flat_map(|other| other.addresses()).collect();
        let empty = Content::empty();
        let gone = Told { role: Role::None, presence: &empty, ..self.clone() };
        gone.tell(room, Role::Participant, to, decision);
    }
}

/// What those are shown of an occupant who enter: with the real address, and without.
pub(crate) fn both(occupant: &Occupant, affiliation: Affiliation) -> (Content, Content) {
    let told = Told::of(occupant, affiliation);
    (told.content(Some(&occupant.shown().jid)), told.content(None))
}

/// A message of the room itself with a `<x/>` and nothing else.
pub(crate) fn notice(room: &Room, x: &UserX, kind: MessageType, to: Vec<Jid>) -> Outgoing {
    Outgoing::new(Kind::Message(kind), room.address.clone(), Content::from_tree(&x.tree()), to)
}

/// `<x/>` with these codes.
pub(crate) fn codes(codes: &[u16]) -> UserX {
    UserX { statuses: codes.to_vec(), ..UserX::default() }
}
