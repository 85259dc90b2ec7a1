//! What all pairs of domains share: the bytes that wait in memory, and which of the pairs want a stream.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

use arc_swap::ArcSwap;
use metronome_proto::jid::Jid;

use super::queue::{Counted, sender_of};
use super::remote::Remote;
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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Of all pairs.
    pub(super) bytes: AtomicUsize,
    pub(super) bounds: ArcSwap<Bounds>,
    /// Stored stanzas by sender, for all pairs.
    senders: Mutex<HashMap<u64, u64>>,
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
