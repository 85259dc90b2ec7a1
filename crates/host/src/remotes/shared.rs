//! What all pairs of domains share: the bytes that wait in memory, and which of the pairs want a stream.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use arc_swap::ArcSwap;
use hashlink::LinkedHashMap;
use metronome_proto::jid::Jid;

use super::queue::{Counted, sender_of};
use super::remote::Remote;
use crate::network::household;
use crate::sync::Mutex;

/// Bounds of what waits. Beyond them a stanza is refused with `resource-constraint`.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes in memory for one pair; what is stored is then left to the store.
    pub bytes: usize,
    /// Bytes in memory for all pairs.
    pub all_bytes: usize,
    /// Stored stanzas of one pair.
    pub rows: u64,
    /// Stored stanzas of one account for all pairs.
    pub rows_of_account: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { bytes: 1024 * 1024, all_bytes: 32 * 1024 * 1024, rows: 10_000, rows_of_account: 1_000 }
    }
}

impl Bounds {
    /// Bytes in memory that one payer may have.
    fn bytes_of_payer(&self) -> usize {
        const SHARE: usize = 8;
        // One pair may always have what it may have, as long as it leaves as much to others.
        (self.all_bytes / SHARE).max(self.bytes.min(self.all_bytes / 2))
    }
}

/// For whose sake something waits or a stream is made: an account of ours, a component, or the household that a remote domain comes from. By a
/// hash: two with one share what each may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payer(u64);

impl Payer {
    fn of(key: impl Hash) -> Payer {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Payer(hasher.finish())
    }
}

/// What a payer has waiting in memory.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) payer: Payer,
    bytes: Arc<AtomicUsize>,
}

impl Account {
    /// It has so much more.
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It has so much less.
    pub(super) fn take(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many bytes of its share are left.
    pub(super) fn room(&self, bounds: &Bounds) -> usize {
        bounds.bytes_of_payer().saturating_sub(self.bytes.load(Ordering::Relaxed))
    }
}

/// Most remote domains whose households are remembered; those that proved themselves longest ago are forgotten first.
const HOUSEHOLDS_MAX: usize = 20_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Of all pairs.
    pub(super) bytes: AtomicUsize,
    pub(super) bounds: ArcSwap<Bounds>,
    /// Stored stanzas by sender, for all pairs.
    senders: Mutex<HashMap<u64, u64>>,
    /// What waits, by who pays for it.
    payers: Mutex<HashMap<Payer, Arc<AtomicUsize>>>,
    /// From where remote domains come.
    households: Mutex<LinkedHashMap<Box<str>, IpAddr>>,
    /// The domains of ours that are components'.
    pub(super) components: ArcSwap<HashSet<Box<str>>>,
    wanted: Mutex<Wanted>,
}

/// Pairs in the order in which they asked. One that was carried and lost meanwhile may be in it twice; whoever takes it looks.
#[derive(Debug, Default)]
struct Wanted {
    queue: VecDeque<Arc<Remote>>,
    waker: Option<Waker>,
}

impl Shared {
    /// The rows of these senders have changed.
    pub(super) fn count(&self, counted: &Counted) {
        if counted.is_empty() {
            return;
        }
        let mut senders = self.senders.lock();
        for (sender, change) in counted {
            let rows = senders.entry(*sender).or_default();
            *rows = rows.saturating_add_signed(*change);
            if *rows == 0 {
                senders.remove(sender);
            }
        }
    }

    /// How many stored stanzas a sender has.
    pub(super) fn rows_of(&self, sender: &Jid) -> u64 {
        self.senders.lock().get(&sender_of(sender)).copied().unwrap_or_default()
    }

    /// A remote domain has proved itself from there.
    pub(super) fn comes_from(&self, remote: &Jid, address: IpAddr) {
        let mut households = self.households.lock();
        households.insert(remote.domain().into(), household(address));
        while households.len() > HOUSEHOLDS_MAX {
            households.pop_front();
        }
    }

    /// Who pays for what this sender has for a remote domain: the household of that domain where it is known, since whatever comes from
    /// there may want answers, and otherwise the sender.
    pub(super) fn payer(&self, sender: &Jid, remote: &Jid) -> Payer {
        if let Some(household) = self.households.lock().get(remote.domain()) {
            return Payer::of(household);
        }
        match self.components.load().contains(sender.domain()) {
            true => Payer::of(sender.domain()),
            false => Payer::of(sender.bare_str()),
        }
    }

    /// What a payer has.
    pub(super) fn account(&self, payer: Payer) -> Account {
        Account { payer, bytes: self.payers.lock().entry(payer).or_default().clone() }
    }

    /// Forgets payers that no pair has.
    pub(super) fn forget_payers(&self) {
        self.payers.lock().retain(|_, bytes| Arc::strong_count(bytes) > 1);
    }

    /// This pair wants a stream.
    pub(super) fn wanted(&self, remote: &Arc<Remote>) {
        let waker = {
            let mut wanted = self.wanted.lock();
            wanted.queue.push_back(remote.clone());
            wanted.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The pair that has asked first.
    pub(super) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<Arc<Remote>> {
        let mut wanted = self.wanted.lock();
        match wanted.queue.pop_front() {
            Some(remote) => Poll::Ready(remote),
            None => {
                wanted.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
