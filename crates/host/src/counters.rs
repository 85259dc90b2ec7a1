//! What the server counts: plain numbers, read by `metronomectl status`.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Stanzas read from clients.
    pub stanzas_in: Counter,
    /// Copies of messages handed to sessions.
    pub messages_delivered: Counter,
    /// Presences handed to sessions.
    pub presences_delivered: Counter,
    /// Requests and answers handed on from one client to another.
    pub iqs_relayed: Counter,
    /// Messages refused with an error to their sender.
    pub bounced: Counter,
    /// Errors, presence and chat states that found a full outbox or no audience.
    pub dropped: Counter,
    /// Logins that succeeded.
    pub logins: Counter,
    /// Failed attempts to log in.
    pub login_failures: Counter,
    /// Panics that were caught: each closed one stream or ended one delivery, and each is a defect.
    pub panics: Counter,
}
