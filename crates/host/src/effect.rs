//! What happens once a record is durable: a closed list, run by `route/deliver.rs` and nowhere else.

use metronome_proto::stanza::Stanza;

/// One visible consequence of an admitted stanza.
#[derive(Debug)]
pub enum Effect {
    /// An answer to the session that sent the stanza.
    Reply(Stanza),
}
