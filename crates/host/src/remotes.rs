//! What waits for other servers, by pair of domains: one of ours and one of theirs (RFC 6120 section 10.4). `route` pushes, the streams of
//! `net` drain through a [`Carrier`], and net's dialler asks which pairs want a stream. Bounded per pair and in all; a server that cannot be
//! reached costs a few numbers, since what is stored for it stays in the store and the rest goes back.

mod carrier;
mod queue;
mod remote;
mod shared;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use hashbrown::HashTable;
use metronome_model::Outgoing;
use metronome_proto::jid::Jid;

use crate::options::{Kind, Setting, Values};
use crate::sync::Mutex;
pub use carrier::Carrier;
pub use queue::Backlog;
pub use remote::{Failure, FailureKind, Pushed, Remote, Report, Standing};
use shared::Shared;
pub use shared::{Bounds, Payer};

/// How long stored stanzas wait.
pub const KEEP: Setting = Setting::new(
    "federation.keep",
    Kind::Duration,
    "\"5 min\"",
    "How long messages and subscriptions for a server that cannot be reached wait before they are returned to their senders. They also wait \
     while this server is not running.",
)
.within(1_000, 30 * 86_400_000);

/// Bytes in memory for one pair.
pub const QUEUE: Setting = Setting::new(
    "federation.queue",
    Kind::Bytes,
    "\"1 MiB\"",
    "Most bytes that wait in memory for one other server. Beyond it messages are read from the store when there is room, and what is not \
     stored is refused.",
)
.within(64 << 10, 1 << 30);

/// Bytes in memory for all pairs.
pub const QUEUES: Setting = Setting::new(
    "federation.queues",
    Kind::Bytes,
    "\"32 MiB\"",
    "Most bytes that wait in memory for all other servers together, an eighth of them for the sake of one account here or of one address \
     that other servers come from.",
)
.within(1 << 20, 16 << 30);

/// Stored stanzas of one pair.
pub const STORED: Setting = Setting::new(
    "federation.stored",
    Kind::Count { min: 1, max: 10_000_000 },
    "10000",
    "Most stored messages that wait for one other server; further ones are returned at once.",
);

/// Stored stanzas of one account for all pairs.
pub const STORED_OF_ACCOUNT: Setting = Setting::new(
    "federation.stored_of_account",
    Kind::Count { min: 1, max: 10_000_000 },
    "1000",
    "Most stored messages of one account that wait for other servers, so that nobody takes the room of all.",
);

/// The settings of what waits.
pub const SETTINGS: &[Setting] = &[KEEP, QUEUE, QUEUES, STORED, STORED_OF_ACCOUNT];

/// Most pairs that are known at a time; beyond it those of no use are forgotten, and if there are none stanzas for further ones refused.
pub const PAIRS_MAX: usize = 20_000;

/// A pair for which nothing waits is forgotten after so long; until then it remembers that its server could not be reached.
const UNUSED_MS: u64 = 10 * 60_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Remotes {
    /// By the hash of both domains.
    pairs: Mutex<HashTable<Arc<Remote>>>,
    hasher: RandomState,
    shared: Arc<Shared>,
    /// Whether streams to other servers are made at all.
    open: AtomicBool,
    links: AtomicU64,
}

impl Bounds {
    /// As the administrator has set them.
    pub fn of(values: &Values) -> Bounds {
        Bounds {
            bytes: values.bytes(&QUEUE) as usize,
            all_bytes: values.bytes(&QUEUES) as usize,
            rows: values.count(&STORED),
            rows_of_account: values.count(&STORED_OF_ACCOUNT),
        }
    }
}

impl Remotes {
    /// From now on streams are made: whoever calls it asks [`Remotes::poll_wanted`]. Until then there are no other servers.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Whether there are other servers.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The bounds that hold from now on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.shared.bounds.store(Arc::new(bounds));
    }

    /// These of our domains are components', each of which pays for all its addresses together; of others each pays for itself.
    pub fn set_components<'n>(&self, names: impl Iterator<Item = &'n str>) {
        self.shared.components.store(Arc::new(names.map(Box::from).collect()));
    }

    /// A domain has proved itself from this address, whose household pays for what waits for it from now on.
    pub fn comes_from(&self, remote: &Jid, address: IpAddr) {
        self.shared.comes_from(remote, address);
    }

    /// The pair of these two domains; none if there are too many. Of each address only the domain counts.
    pub fn of(&self, local: &Jid, remote: &Jid) -> Option<Arc<Remote>> {
        let hash = self.hasher.hash_one((local.domain(), remote.domain()));
        let is_it =
            |known: &Arc<Remote>| known.local.domain() == local.domain() && known.remote.domain() == remote.domain();
        let mut pairs = self.pairs.lock();
        if let Some(known) = pairs.find(hash, is_it) {
            return Some(known.clone());
        }
        if pairs.len() >= PAIRS_MAX {
            // Whoever invents domains must not keep others from those that exist.
            pairs.retain(|remote| Arc::strong_count(remote) > 1 || !remote.is_unused(u64::MAX));
        }
        if pairs.len() >= PAIRS_MAX {
            return None;
        }
        let made = Arc::new(Remote::new(local.domain_jid(), remote.domain_jid(), self.shared.clone()));
        let hash_of = |known: &Arc<Remote>| self.hasher.hash_one((known.local.domain(), known.remote.domain()));
        pairs.insert_unique(hash, made.clone(), hash_of);
        Some(made)
    }

    /// Whether something is or was lately being exchanged between these two domains.
    pub fn knows(&self, local: &Jid, remote: &Jid) -> bool {
        self.known(local, remote).is_some()
    }

    /// The pair of these two domains, if something is or was lately being exchanged between them.
    pub fn known(&self, local: &Jid, remote: &Jid) -> Option<Arc<Remote>> {
        let hash = self.hasher.hash_one((local.domain(), remote.domain()));
        let is_it =
            |known: &Arc<Remote>| known.local.domain() == local.domain() && known.remote.domain() == remote.domain();
        self.pairs.lock().find(hash, is_it).cloned()
    }

    /// All pairs, in no order.
    pub fn all(&self) -> Vec<Arc<Remote>> {
        self.pairs.lock().iter().cloned().collect()
    }

    /// The next pair for which something waits and that has no stream. Whoever takes it makes one, and says what became of it by
    /// [`Remote::carry`] or by `route::remotes::failed`; until then it is given to nobody else.
    pub fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<Arc<Remote>> {
        loop {
            match self.shared.poll_wanted(cx) {
                // A stream that the remote has opened may carry it already.
                Poll::Ready(remote) if !remote.connecting() => {}
                other => return other,
            }
        }
    }

    /// Notes what an earlier process has left in the store.
    pub fn left(&self, outgoing: &[Outgoing]) {
        for waiting in outgoing {
            if let Some(remote) = self.of(&waiting.sender, &waiting.remote) {
                remote.left(&waiting.sender, waiting.rows, waiting.newest, waiting.oldest_ms);
            }
        }
    }

    /// By the clock, steady time in milliseconds, once a second: pairs that have failed are tried again, those of no use are forgotten.
    pub fn tick(&self, now_ms: u64) {
        for remote in self.all() {
            remote.tick(now_ms);
        }
        self.shared.forget_payers();
        if let Some(since_ms) = now_ms.checked_sub(UNUSED_MS) {
            // Whoever has got hold of one meanwhile keeps it alive and known. Here and in `of` the table's lock is held while a pair is asked
            // with its own; nobody takes them the other way round.
            self.pairs.lock().retain(|remote| Arc::strong_count(remote) > 1 || !remote.is_unused(since_ms));
        }
    }

    /// Bytes that wait in memory.
    pub fn memory_usage(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// The number of the next link.
    pub fn next_link(&self) -> u64 {
        self.links.fetch_add(1, Ordering::Relaxed) + 1
    }
}
