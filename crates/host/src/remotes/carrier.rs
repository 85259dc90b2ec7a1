//! The right to carry a pair of domains: one stream at a time has it, writes what waits, and says what has arrived. When it is dropped the
//! pair waits for another stream; nothing that is stored is lost by that.

use std::sync::Arc;
use std::task::{Context, Poll};

use metronome_model::OutboxRow;
use metronome_proto::stanza::Stanza;

use super::queue::Backlog;
use super::remote::Remote;

/// See the module.
#[derive(Debug)]
pub struct Carrier {
    remote: Arc<Remote>,
    stanza_bytes_max: usize,
}

/// How much is written at once, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Until there is so much, whole stanzas are appended.
    pub(super) bytes: usize,
    /// No stanza is larger.
    pub(super) stanza_bytes: usize,
}

impl Carrier {
    pub(super) fn new(remote: Arc<Remote>) -> Carrier {
        Carrier { remote, stanza_bytes_max: usize::MAX }
    }

    /// The other side takes no larger stanzas than this, in bytes: others go back to their senders.
    pub fn set_stanza_bytes_max(&mut self, bytes: usize) {
        self.stanza_bytes_max = bytes;
    }

    /// The pair.
    pub fn remote(&self) -> &Arc<Remote> {
        &self.remote
    }

    /// Appends what waits, whole stanzas, until `out` has `bytes_max` bytes; the last may go beyond. Says how many, one at least. Pending if
    /// nothing waits in memory: the task is woken when something comes, also when rows are to be read ([`Carrier::reads`]).
    pub fn poll_drain(&self, cx: &mut Context<'_>, out: &mut Vec<u8>, bytes_max: usize) -> Poll<u64> {
        let most = Most { bytes: bytes_max, stanza_bytes: self.stanza_bytes_max };
        self.remote.poll_drain(cx, out, most)
    }

    /// What [`Carrier::poll_drain`] has found to be too large and is not stored; the caller returns it to its senders. What is stored is
    /// returned by the clock.
    pub fn take_too_large(&self) -> Vec<Arc<Stanza>> {
        self.remote.take_too_large()
    }

    /// How many stanzas of this pair were written to this stream: proof that all of them have arrived is proof of this number.
    pub fn written(&self) -> u64 {
        self.remote.written()
    }

    /// So many stanzas of this pair on this stream have arrived: acknowledged (XEP-0198), or written before a ping that was answered.
    pub fn arrived(&self, count: u64) {
        self.remote.arrived(count);
    }

    /// Whether stored stanzas were written that are not known to have arrived: proof is worth asking for.
    pub fn wants_proof(&self) -> bool {
        self.remote.wants_proof()
    }

    /// What is to be read from the store now; none while there is enough in memory, or nothing to be read.
    pub fn reads(&self) -> Option<Backlog> {
        self.remote.reads()
    }

    /// The first rows of what [`Carrier::reads`] said, as the store gave them; none at all if there are no more.
    pub fn fill(&self, read: Backlog, page: Vec<OutboxRow>) {
        self.remote.fill(read, page);
    }

    /// The remote has closed its stream in order after ours: it has read everything.
    pub fn closed_in_order(self) {
        self.remote.arrived(u64::MAX);
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.remote.lost();
    }
}
