//! What an input leads to: what becomes durable, what changes, and what is sent. Nothing of it has happened yet.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Affiliation;
use metronome_proto::stanza::{Kind, PresenceType, Stanza, StanzaError};
use metronome_proto::xml::Content;

use crate::affiliated::Affiliated;
use crate::avatar::Card;
use crate::step::Step;

/// A decision, or the error that answers the input; then nothing changes.
pub type Verdict = Result<Decision, StanzaError>;

/// The outcome of an input that is granted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What changes in the room's rows: one record, all or nothing, in this order.
    pub ops: Vec<RoomOp>,
    /// What changes in its archive, in the same record.
    pub archive: Vec<ArchiveOp>,
    /// What [`Room::apply`](crate::Room::apply) does once the record is durable.
    pub change: Change,
    /// What is sent then, in this order.
    pub effects: Vec<Effect>,
}

/// What a room becomes; only the room looks into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change(pub(crate) Vec<Step>);

/// One change of the rows of a room. A room has rows from when it is unlocked until it is destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOp {
    /// Makes the room.
    Create {
        /// As of [`Config::encode`](crate::config::Config::encode).
        config: Box<[u8]>,
        /// The bare address of whoever created it.
        creator: Jid,
        /// What its occupants' ids are made with.
        secret: [u8; 32],
        /// Unix time in milliseconds.
        at_ms: u64,
    },
    /// Configures it anew.
    Configure(Box<[u8]>),
    /// Sets its subject.
    Subject {
        /// As of [`Subject::content`](crate::Subject::content), as XML.
        content: Box<[u8]>,
        /// Who set it.
        nick: Box<str>,
        /// Unix time in milliseconds.
        at_ms: u64,
    },
    /// Says what somebody is to it, in the place of what was said before. Nothing at all is said too, and kept for those who know another
    /// version.
    Affiliate {
        /// A bare address, or a domain.
        jid: Jid,
        /// What they are.
        affiliation: Affiliation,
        /// The nickname that is reserved for them.
        nick: Option<Box<str>>,
        /// Why, for humans.
        reason: Option<Box<str>>,
        /// What else is said of them, for [`Affiliated::stored`](crate::Affiliated::stored).
        more: Box<[u8]>,
        /// The version of this; it is the room's from now on.
        version: u64,
    },
    /// Says nothing more of somebody.
    Forget {
        /// A bare address, or a domain.
        jid: Jid,
        /// The room's version stays this one.
        version: u64,
    },
    /// Sets its card.
    SetCard(Card),
    /// Removes it with all that belongs to it.
    Destroy {
        /// Where to go instead.
        alternate: Option<Jid>,
        /// Why, for humans.
        reason: Option<Box<str>>,
    },
}

/// One change of a room's archive.
#[derive(Clone, Debug, PartialEq)]
pub enum ArchiveOp {
    /// A new row at its end. The sender is an occupant's address, or the room's own; the content names the real address of the
    /// author in a `<x/>` of the room's, which [`history::veil`](crate::history::veil) removes for those who may not see it.
    Append(Stanza),
    /// Puts another stanza into a row.
    Replace {
        /// Which row, by its id.
        id: u64,
        /// What stands there from now on.
        stanza: Stanza,
    },
}

/// Something that is sent, or happens to the room as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A stanza to some.
    Send(Outgoing),
    /// The content of the answer to the request; none for an empty result.
    Reply(Content),
    /// The room is over; its task ends with this, and its address is free.
    End,
}

/// A stanza with one content for all who get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Which stanza, with its type.
    pub kind: Kind,
    /// The room, or an occupant.
    pub from: Jid,
    /// Its id.
    pub id: Option<Box<str>>,
    /// Its language.
    pub lang: Option<Box<str>>,
    /// The content, shared by all recipients.
    pub content: Content,
    /// Whether the archive's id goes behind the content.
    pub stamp: Stamp,
    /// Who gets it.
    pub to: To,
}

/// Whether a message carries the id of its row (XEP-0359).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// It has none.
    None,
    /// That of the first [`ArchiveOp::Append`] of the decision.
    Archived,
}

/// Who gets a stanza.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    /// Every session that is in the room once the change is applied.
    Everyone,
    /// These.
    These(Vec<Jid>),
    /// This one. What somebody gets who enters comes in one run of these.
    One(Jid),
}

impl RoomOp {
    /// Stores what is said of somebody.
    pub(crate) fn affiliate(jid: &Jid, row: &Affiliated) -> RoomOp {
        RoomOp::Affiliate {
            jid: jid.clone(),
            affiliation: row.affiliation,
            nick: row.nick.clone(),
            reason: row.reason.clone(),
            more: row.more(),
            version: row.version,
        }
    }
}

impl Change {
    /// Whether the room stays as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Decision {
    /// Whether nothing has to be committed.
    pub fn is_volatile(&self) -> bool {
        self.ops.is_empty() && self.archive.is_empty()
    }

    /// Adds a stanza, unless nobody gets it.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        if !matches!(&outgoing.to, To::These(to) if to.is_empty()) {
            self.effects.push(Effect::Send(outgoing));
        }
    }

    /// Leaves out the available presence that one gets.
    pub(crate) fn withhold_available(&mut self, whom: &Jid) {
        for effect in &mut self.effects {
            if let Effect::Send(Outgoing { kind: Kind::Presence(PresenceType::Available), to: To::These(to), .. }) =
                effect
            {
                to.retain(|jid| jid != whom);
            }
        }
        self.effects.retain(is_sent);
    }

    /// Takes these away from the recipients of what is sent from this effect on.
    pub(crate) fn withhold(&mut self, from: usize, whom: &[Jid]) {
        for effect in &mut self.effects[from..] {
            if let Effect::Send(Outgoing { to: To::These(to), .. }) = effect {
                to.retain(|jid| !whom.contains(jid));
            }
        }
        self.effects.retain(is_sent);
    }
}

/// Whether anybody gets it, if it is something to get.
fn is_sent(effect: &Effect) -> bool {
    !matches!(effect, Effect::Send(Outgoing { to: To::These(to), .. }) if to.is_empty())
}

impl Outgoing {
    /// Without id and language, to this one.
    pub(crate) fn one(kind: Kind, from: Jid, content: Content, to: Jid) -> Outgoing {
        Outgoing { kind, from, id: None, lang: None, content, stamp: Stamp::None, to: To::One(to) }
    }

    /// Without id and language, to these.
    pub(crate) fn new(kind: Kind, from: Jid, content: Content, to: Vec<Jid>) -> Outgoing {
        Outgoing { kind, from, id: None, lang: None, content, stamp: Stamp::None, to: To::These(to) }
    }
}
