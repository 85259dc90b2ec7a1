//! How long something took, sorted into classes: what is asked of a store by whoever watches it. Counting takes no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Up to how many microseconds, the bound included, each class goes; the last class has no bound.
pub const BOUNDS_US: [u64; 13] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000];

/// Durations by class.
#[derive(Debug, Default)]
pub struct Durations {
    classes: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// How many of each class, in the order of [`BOUNDS_US`], then those beyond.
    pub classes: [u64; BOUNDS_US.len() + 1],
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Durations {
    /// Counts one.
    pub fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// The counts so far. One that is added at this moment may be in the sum and not yet in its class, or the other way round.
    pub fn get(&self) -> Counted {
        let classes = self.classes.each_ref().map(|class| class.load(Ordering::Relaxed));
        Counted { classes, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_of_the_first_class_that_it_fits_into() {
        let durations = Durations::default();
        for us in [1, 500, 501, 10_000_000, 10_000_001] {
            durations.add(Duration::from_micros(us));
        }
        let counted = durations.get();
        assert_eq!((counted.classes[0], counted.classes[1]), (2, 1));
        assert_eq!((counted.classes[BOUNDS_US.len() - 1], counted.classes[BOUNDS_US.len()]), (1, 1));
        assert_eq!(counted.sum_us, 20_001_003);
        assert!(BOUNDS_US.is_sorted());
    }
}
