//! Who does something to a room, and when: what a decision takes from outside of the room.

use metronome_proto::jid::Jid;

use crate::config::Table;
use crate::limits::Limits;

/// What an input is decided upon, beside the room.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who does it, as the server has stamped it: a full address for an occupant.
    pub from: &'a Jid,
    /// What they are to all rooms of the service.
    pub standing: Standing,
    /// The id of the account behind `from`, if it is one of this server: whoever has the same address later is somebody else.
    pub account: Option<[u8; 16]>,
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// Random bytes of this input: ids that the room has to make up are made of them.
    pub random: [u8; 16],
    /// The bounds.
    pub limits: &'a Limits,
    /// The fields of the configuration.
    pub table: &'a Table,
}

/// What somebody is to all rooms of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// What each room says of them.
    Ordinary,
    /// An owner of every room, whom no room keeps out.
    Superuser,
}

impl Facts<'_> {
    /// 128 random bits in hexadecimal.
    pub(crate) fn id(&self) -> Box<str> {
        crate::occupant::hex(&self.random).into()
    }
}
