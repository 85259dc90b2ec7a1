//! Accounts that have lost a session under stream management (XEP-0198): what its client had sent without hearing that it was handled, it
//! may send again in another session. `route::repeated` recognises that; this tells for whom it has to look, which is nobody most of the time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use metronome_model::AccountId;

use crate::sync::Mutex;

/// For how long clients send again, in milliseconds.
pub const AGAIN_MS: u64 = 10 * 60 * 1000;
/// The next session may begin this much before the loss of the last one is noticed, in milliseconds.
const EARLY_MS: u64 = 60 * 1000;
/// Most accounts that are remembered. Of others clients may get twice what was sent twice.
const ACCOUNTS_MAX: usize = 64 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Lost {
    /// When each lost a session last, in Unix milliseconds.
    accounts: Mutex<HashMap<AccountId, u64>>,
    /// How many there are: asked for every message.
    count: AtomicUsize,
}

impl Lost {
    /// Notes that an account has lost a session now.
    pub fn note(&self, account: AccountId, now_ms: u64) {
        let mut accounts = self.accounts.lock();
        if accounts.len() < ACCOUNTS_MAX || accounts.contains_key(&account) {
            accounts.insert(account, now_ms);
            self.count.store(accounts.len(), Ordering::Relaxed);
        }
    }

    /// Whether a session that began at `since_ms` may send again what an earlier one of its account has sent.
    pub fn may_repeat(&self, account: AccountId, since_ms: u64, now_ms: u64) -> bool {
        // Asked for every message: most sessions are older than any loss that still counts.
        let is_old = now_ms >= since_ms.saturating_add(EARLY_MS + AGAIN_MS);
        if is_old || self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let at_ms = self.accounts.lock().get(&account).copied();
        at_ms.is_some_and(|at_ms| now_ms < at_ms.saturating_add(AGAIN_MS) && at_ms <= since_ms.saturating_add(EARLY_MS))
    }

    /// Forgets those whose time is over.
    pub fn expire(&self, now_ms: u64) {
        if self.count.load(Ordering::Relaxed) > 0 {
            let mut accounts = self.accounts.lock();
            accounts.retain(|_, at_ms| now_ms < at_ms.saturating_add(AGAIN_MS));
            self.count.store(accounts.len(), Ordering::Relaxed);
        }
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

    #[test]
    fn only_sessions_that_begin_about_the_loss_or_later_may_repeat_and_for_ten_minutes() {
        let (lost, at_ms) = (Lost::default(), 1_000_000);
        assert!(!lost.may_repeat(account(1), at_ms, at_ms));
        lost.note(account(1), at_ms);
        assert!(lost.may_repeat(account(1), at_ms + 1, at_ms + 2) && lost.may_repeat(account(1), at_ms - 5, at_ms + 2));
        assert!(!lost.may_repeat(account(1), at_ms - EARLY_MS - 1, at_ms + 2), "it was there before, and still is");
        assert!(!lost.may_repeat(account(2), at_ms + 1, at_ms + 2), "it is another's");
        assert!(!lost.may_repeat(account(1), at_ms + 1, at_ms + AGAIN_MS));
        lost.expire(at_ms + AGAIN_MS);
        assert_eq!(lost.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_more_accounts_are_remembered_than_may_be() {
        let lost = Lost::default();
        (0..ACCOUNTS_MAX as u32 + 10).for_each(|number| lost.note(account(number), 5));
        assert_eq!(lost.count.load(Ordering::Relaxed), ACCOUNTS_MAX);
    }
}
