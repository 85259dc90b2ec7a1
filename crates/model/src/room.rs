//! Rooms (XEP-0045) as they are stored: what they are, who is what to them, and who was in them when the server stopped. A room is an
//! account of its service's domain ([`Account::of_room`](crate::Account::of_room)): its archive and its documents are that account's.

use metronome_proto::jid::Jid;
pub use metronome_proto::payload::muc::{Affiliation as RoomAffiliation, Role as RoomRole};

use crate::AccountId;

/// A room without the people around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// How it is configured, in the words of the crate that wrote it.
    pub config: Box<[u8]>,
    /// Whether the service names it.
    pub visibility: Visibility,
    /// Its subject.
    pub subject: Option<RoomSubject>,
    /// What the ids of its occupants are made with (XEP-0421); never shown.
    pub secret: RoomSecret,
    /// The bare address of whoever created it.
    pub creator: Jid,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
    /// When somebody was last in it, Unix time in milliseconds.
    pub used_ms: u64,
    /// How often its affiliations have changed (XEP-0463): the version of the last change.
    pub version: u64,
}

impl RoomRow {
    /// The bytes of its texts.
    pub fn len_bytes(&self) -> usize {
        self.config.len() + self.subject.as_ref().map_or(0, RoomSubject::len_bytes) + self.creator.as_str().len()
    }
}

/// 32 random bytes. Has no `Debug` that shows them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RoomSecret(pub [u8; 32]);

impl std::fmt::Debug for RoomSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomSecret(..)")
    }
}

/// Whether a service names a room to everybody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// It does (a public room).
    Listed,
    /// It does not (a hidden room).
    Hidden,
}

/// The subject of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSubject {
    /// The elements of the message that set it, as XML.
    pub content: Box<[u8]>,
    /// The nickname of whoever set it.
    pub nick: Box<str>,
    /// When, Unix time in milliseconds.
    pub at_ms: u64,
}

impl RoomSubject {
    /// The bytes of its texts.
    pub fn len_bytes(&self) -> usize {
        self.content.len() + self.nick.len()
    }
}

/// What somebody is to a room. The address is the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomMember {
    /// A bare address, or that of a domain.
    pub jid: Jid,
    /// The account that had this address when this was said, if it is one of ours: who has the address later is somebody else.
    pub account: Option<AccountId>,
    /// What they are. With none at all the row is there for what else it says.
    pub affiliation: RoomAffiliation,
    /// The nickname that is reserved for them.
    pub nick: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
    /// What else is said of them, in the words of the crate that wrote it.
    pub more: Box<[u8]>,
    /// The version with which this was said; it becomes the room's.
    pub version: u64,
}

impl RoomMember {
    /// The bytes of its texts.
    pub fn len_bytes(&self) -> usize {
        let texts = [&self.nick, &self.reason].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        self.jid.as_str().len() + texts + self.more.len()
    }
}

/// Somebody who was in a room when the server stopped, or shortly before it ended otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedOccupant {
    /// The nickname; several sessions may share one.
    pub nick: Box<str>,
    /// The full address.
    pub jid: Jid,
    /// The account, if it is one of ours.
    pub account: Option<AccountId>,
    /// The role.
    pub role: RoomRole,
    /// From when on they may have missed something, Unix time in milliseconds; when they came, at the earliest.
    pub since_ms: u64,
    /// What their presence says, as XML.
    pub presence: Box<[u8]>,
}

impl SavedOccupant {
    /// The bytes of its texts.
    pub fn len_bytes(&self) -> usize {
        self.nick.len() + self.jid.as_str().len() + self.presence.len()
    }
}

/// Where a room was that was destroyed, and where to go instead (XEP-0045 section 10.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRedirect {
    /// The domain of its service.
    pub host: Box<str>,
    /// The local part of its address.
    pub name: Box<str>,
    /// The room that takes its place.
    pub to: Option<Jid>,
    /// Why it was destroyed, for humans.
    pub reason: Option<Box<str>>,
    /// When, Unix time in milliseconds.
    pub at_ms: u64,
}

/// One change of one room, by `Op::Room`. All but [`RoomChange::Create`] make the record [`Gone`](crate::Outcome::Gone) if the account is
/// no room. What is said of somebody who is not there changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// Makes an account a room. [`Conflict`](crate::Outcome::Conflict) if it is one already. A room ends when its account is forgotten.
    Create(RoomRow),
    /// Configures it anew.
    Configure {
        /// As of [`RoomRow::config`].
        config: Box<[u8]>,
        /// As of [`RoomRow::visibility`].
        visibility: Visibility,
    },
    /// Sets its subject, or takes it away.
    SetSubject(Option<RoomSubject>),
    /// Says what somebody is to it, in the place of what was said before.
    SetMember(RoomMember),
    /// Says nothing more of somebody.
    RemoveMember {
        /// Of whom.
        jid: Jid,
        /// With which version; it becomes the room's.
        version: u64,
    },
    /// Notes that somebody was in it.
    Use {
        /// When, Unix time in milliseconds.
        at_ms: u64,
    },
    /// Saves who is in it, in this order and in the place of those that were saved before; none removes them.
    SaveOccupants(Vec<SavedOccupant>),
}
