//! When accounts were last there (XEP-0012), on the way to the store: noted in memory, so that presence waits for no commit, and
//! stored in batches. What was submitted is remembered for one more batch, so that nobody finds it neither here nor in the store.

use std::collections::BTreeMap;

use metronome_model::{AccountId, LastSeen};

/// Most accounts that wait to be stored. One more is not noted: what was stored of it before stays.
pub const WAITING_MAX: usize = 100_000;

/// Accounts that have gone since the last batch.
#[derive(Debug, Default)]
pub struct Departures {
    waiting: BTreeMap<AccountId, LastSeen>,
    submitted: BTreeMap<AccountId, LastSeen>,
}

impl Departures {
    /// Notes that an account has gone; false if too many are waiting.
    #[must_use]
    pub fn note(&mut self, account: AccountId, last: LastSeen) -> bool {
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&account) {
            return false;
        }
        self.waiting.insert(account, last);
        true
    }

    /// When an account has gone, if that may not be in the store yet.
    pub fn of(&self, account: AccountId) -> Option<&LastSeen> {
        self.waiting.get(&account).or_else(|| self.submitted.get(&account))
    }

    /// Begins a batch: the one before is in the store.
    pub fn begin_batch(&mut self) {
        self.submitted.clear();
    }

    /// The next account to be stored in this batch.
    pub fn submit(&mut self) -> Option<(AccountId, LastSeen)> {
        let (account, last) = self.waiting.pop_first()?;
        self.submitted.insert(account, last.clone());
        Some((account, last))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u32) -> AccountId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        AccountId::from_bytes(bytes)
    }

    fn last(at_ms: u64) -> LastSeen {
        LastSeen { at_ms, status: "".into() }
    }

    #[test]
    fn what_was_submitted_is_found_until_the_next_batch_begins() {
        let mut departures = Departures::default();
        assert!(departures.note(account(1), last(10)));
        departures.begin_batch();
        assert_eq!(departures.submit(), Some((account(1), last(10))));
        assert_eq!((departures.submit(), departures.waiting()), (None, 0));
        assert_eq!(departures.of(account(1)), Some(&last(10)));
        assert!(departures.note(account(1), last(20)));
        assert_eq!(departures.of(account(1)), Some(&last(20)), "the later one counts");
        departures.begin_batch();
        assert_eq!(departures.submit(), Some((account(1), last(20))));
        departures.begin_batch();
        assert_eq!(departures.of(account(1)), None);
    }

    #[test]
    fn a_bounded_number_waits() {
        let mut departures = Departures::default();
        for number in 0..WAITING_MAX as u32 {
            assert!(departures.note(account(number), last(1)));
        }
        assert!(!departures.note(account(u32::MAX), last(2)));
        assert!(departures.note(account(0), last(2)), "it is among them already");
        assert_eq!(departures.of(account(u32::MAX)), None);
    }
}
