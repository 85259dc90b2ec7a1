//! Stanzas for other servers that must not be lost: rows that wait until the other server is known to have them.

use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

/// One stanza that waits.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Its number among all of them: grows with every row.
    pub id: u64,
    /// When it was stored, Unix time in milliseconds.
    pub at_ms: u64,
    /// The stanza; its addresses say from which of our domains to which other it goes.
    pub stanza: Stanza,
}

/// What one sender has waiting for another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The bare address that the rows are from.
    pub sender: Jid,
    /// The domain they are for.
    pub remote: Jid,
    /// How many.
    pub rows: u64,
    /// The highest number.
    pub newest: u64,
    /// When the oldest was stored, Unix time in milliseconds.
    pub oldest_ms: u64,
}
