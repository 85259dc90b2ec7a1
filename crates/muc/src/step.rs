//! The steps that a room's change consists of. They say what was decided and cannot fail.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Role;
use metronome_proto::xml::Content;

use crate::affiliated::Affiliated;
use crate::config::Config;
use crate::occupant::{Audience, Session};
use crate::room::Subject;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Another session, of a new occupant if there is none of this nick.
    Enter { nick: Box<str>, role: Role, audience: Audience, session: Session },
    /// A session shows other presence; the occupant is shown with it.
    Show { jid: Jid, presence: Content, audience: Audience },
    /// A session leaves, and the occupant with the last one.
    Leave { jid: Jid },
    /// An occupant has another nick.
    Rename { from: Box<str>, to: Box<str> },
    /// One session goes to the occupant with this nick, who is made if there is none.
    Move { jid: Jid, to: Box<str> },
    /// An occupant has another role.
    Role { nick: Box<str>, role: Role, audience: Audience },
    /// Something else is said of somebody; nothing at all is remembered for those who know another version.
    Affiliate { jid: Jid, row: Affiliated },
    /// Nothing is said of somebody, nor that it ever was.
    Forget { jid: Jid },
    /// The room is configured anew.
    Configure(Config),
    /// Others may enter.
    Unlock,
    /// Another subject.
    Subject(Subject),
    /// Another picture, by its hashes.
    Avatar(Box<[Box<str>]>),
    /// Somebody, a bare address, has said something at this time; what was said before the other time is forgotten.
    Spoke { jid: Jid, at_ms: u64, forget_ms: u64 },
    /// An account has asked for something at this time; who asked before the other time is forgotten.
    Asked { wish: Wish, jid: Jid, at_ms: u64, forget_ms: u64 },
    /// Somebody was invited, and may decline.
    Invited { by: Jid, whom: Jid },
    /// They have.
    Declined { by: Jid, whom: Jid },
}

/// What people ask for and others decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wish {
    Voice,
    Membership,
}
