//! Stanzas that wait for other servers, so that neither a crash nor a server that is away loses them. They belong to pairs of domains and
//! not to accounts.

use std::sync::Arc;

use metronome_model::{OutboxRow, Outgoing};
use metronome_proto::stanza::Stanza;

use crate::{Reading, StoreError};

/// Reads what waits.
pub trait Outboxes: Send + Sync {
    /// What waits, added up by sender and other server; read once when the server starts.
    fn outgoing(&self) -> Reading<Vec<Outgoing>>;

    /// The first rows between two domains behind this id, in their order: `limit` at most, fewer once they have more than
    /// [`PAGE_BYTES_MAX`](crate::archive::PAGE_BYTES_MAX) together, but one at least if there is one.
    fn outbox(&self, local: &str, remote: &str, after: u64, limit: usize) -> Reading<Vec<OutboxRow>>;
}

/// Changes what waits, inside the writer's open transaction and after its checks.
pub trait OutboxWrites {
    /// The highest number that is in use, or 0.
    fn outbox_last(&mut self) -> Result<u64, StoreError>;

    /// Adds a stanza under a number that is higher than all others. It has both addresses.
    fn enqueue(&mut self, id: u64, at_ms: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError>;

    /// Removes what waits between two domains, up to this number.
    fn dequeue(&mut self, local: &str, remote: &str, to: u64) -> Result<(), StoreError>;
}
