//! Rows of an account's message archive (the store of XEP-0313). The rows nobody has proved to have seen are its
//! offline messages (XEP-0160): there is no second table for them.

use crate::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

/// Whether the owner of a row wrote the message or got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The owner sent it.
    Sent,
    /// The owner received it.
    Received,
}

impl Direction {
    /// With whom the owner exchanged this message. What has no recipient is for its sender.
    pub fn peer(self, stanza: &Stanza) -> &Jid {
        match self {
            Direction::Sent => stanza.to.as_ref().unwrap_or(&stanza.from),
            Direction::Received => &stanza.from,
        }
    }
}

/// How long a row stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// As long as the owner's archive keeps messages.
    Archive,
    /// Only until a client has proved receipt: the owner's archive is switched off.
    UntilSeen,
}

/// One message in one account's archive.
#[derive(Clone, Debug)]
pub struct ArchivedRow {
    /// Whose archive it is in.
    pub owner: AccountId,
    /// Its number in that archive: 1 for the first, grows with every row, never used twice.
    pub id: u64,
    /// When it was stored, Unix time in milliseconds. Ids, not times, give the order.
    pub at_ms: u64,
    /// Sent or received by the owner.
    pub direction: Direction,
    /// True until a client of the owner has proved receipt; always false for what the owner sent.
    pub unseen: bool,
    /// How long the row stays.
    pub keep: Keep,
    /// The message as it was stored.
    pub stanza: Stanza,
}
