//! Time as an argument: the wall clock for archive rows, a steady clock for deadlines.
//! Held by `Server`; tests replace it with one that they move by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the server reads the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The operating system's clocks; steady time counts from the moment this was made.
    System(Instant),
    /// Milliseconds that a test sets; both clocks read the same.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The real clock.
    pub fn system() -> Clock {
        Clock::System(Instant::now())
    }

    /// A clock that stands still at `at_ms` until [`Clock::advance`].
    pub fn manual(at_ms: u64) -> Clock {
        Clock::Manual(Arc::new(AtomicU64::new(at_ms)))
    }

    /// Unix time in milliseconds.
    pub fn unix_ms(&self) -> u64 {
        match self {
            Clock::System(_) => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
            }
            Clock::Manual(now_ms) => now_ms.load(Ordering::Acquire),
        }
    }

    /// Milliseconds that only ever grow, for deadlines and idle times.
    pub fn steady_ms(&self) -> u64 {
        match self {
            Clock::System(start) => start.elapsed().as_millis() as u64,
            Clock::Manual(now_ms) => now_ms.load(Ordering::Acquire),
        }
    }

    /// Moves a manual clock forward; the real one moves by itself.
    pub fn advance(&self, by_ms: u64) {
        if let Clock::Manual(now_ms) = self {
            now_ms.fetch_add(by_ms, Ordering::AcqRel);
        }
    }
}
