//! What a writer has done since it was started.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::durations::Durations;

/// The figures of a writer.
#[derive(Debug, Default)]
pub struct Stats {
    /// How long each batch took, from the beginning of its transaction until it was durable.
    pub commits: Durations,
    records: AtomicU64,
    failures: AtomicU64,
}

impl Stats {
    /// Records of batches that were committed.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// How often something could not be written.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn committed(&self, records: usize, took: Duration) {
        self.commits.add(took);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
