//! Turns at something of which there is a bounded number: whoever wants many gets a share of them, so that others go on. Used for connections
//! to other servers, by whom they are for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// See the module. `K` is whoever wants something.
#[derive(Debug)]
pub(super) struct Shares<K> {
    all: Semaphore,
    bounds: Bounds,
    known: Mutex<HashMap<K, Known>>,
}

/// How many turns there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// At a time, for all together.
    pub(super) all: usize,
    /// For one of them.
    pub(super) one: usize,
    /// Turns that one of them has or waits for; more are refused.
    pub(super) wanted: usize,
}

#[derive(Debug)]
struct Known {
    turns: Arc<Semaphore>,
    wanted: usize,
}

/// Whoever asks has so many turns, or waits for so many, that there are no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'s, K: Hash + Eq> {
    _of_all: SemaphorePermit<'s>,
    _of_one: OwnedSemaphorePermit,
    _wanted: Wanted<'s, K>,
}

#[derive(Debug)]
struct Wanted<'s, K: Hash + Eq> {
    shares: &'s Shares<K>,
    key: K,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// Nobody has a turn.
    pub(super) fn new(bounds: Bounds) -> Shares<K> {
        Shares { all: Semaphore::new(bounds.all), bounds, known: Mutex::default() }
    }

    /// A turn, once there is one: first within the share of this one, then among all, in the order in which they came.
    pub(super) async fn turn(&self, key: K) -> Result<Turn<'_, K>, TooMany> {
        let (wanted, turns) = self.want(key)?;
        let of_one = turns.acquire_owned().await.map_err(|_| TooMany)?;
        let of_all = self.all.acquire().await.map_err(|_| TooMany)?;
        Ok(Turn { _of_all: of_all, _of_one: of_one, _wanted: wanted })
    }

    fn want(&self, key: K) -> Result<(Wanted<'_, K>, Arc<Semaphore>), TooMany> {
        let mut known = self.known.lock();
        let one = known
            .entry(key.clone())
            .or_insert_with(|| Known { turns: Arc::new(Semaphore::new(self.bounds.one)), wanted: 0 });
        if one.wanted >= self.bounds.wanted {
            return Err(TooMany);
        }
        one.wanted += 1;
        Ok((Wanted { shares: self, key }, one.turns.clone()))
    }
}

impl<K: Hash + Eq> Drop for Wanted<'_, K> {
    fn drop(&mut self) {
        let mut known = self.shares.known.lock();
        if let Some(one) = known.get_mut(&self.key) {
            one.wanted -= 1;
            if one.wanted == 0 {
                known.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const FEW: Bounds = Bounds { all: 3, one: 2, wanted: 4 };

    #[test]
    fn whoever_wants_many_turns_leaves_some_to_others() {
        let shares = Shares::new(FEW);
        let mut turns: Vec<_> = (0..2).map(|_| shares.turn("greedy").now_or_never().unwrap().unwrap()).collect();
        let mut waiting = Box::pin(shares.turn("greedy"));
        assert!((&mut waiting).now_or_never().is_none(), "its share is taken");
        let other = shares.turn("other").now_or_never().unwrap().unwrap();
        turns.pop();
        assert!((&mut waiting).now_or_never().is_some_and(|turn| turn.is_ok()));
        drop(other);
        assert!(shares.turn("third").now_or_never().is_some());
    }

    #[test]
    fn whoever_waits_for_too_many_is_refused_and_nobody_else() {
        let shares = Shares::new(FEW);
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(shares.turn("greedy"))).collect();
        let turns: Vec<_> = waiting.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
        assert_eq!(turns.len(), 2);
        assert_eq!(shares.turn("greedy").now_or_never().unwrap().err(), Some(TooMany));
        assert!(shares.turn("other").now_or_never().is_some_and(|turn| turn.is_ok()));
        drop((waiting, turns));
        assert!(shares.turn("greedy").now_or_never().is_some_and(|turn| turn.is_ok()));
        assert!(shares.known.lock().is_empty(), "who wants nothing is forgotten");
    }
}
