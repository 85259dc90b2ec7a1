//! Transfers under way, whose they are, and how much each account has had carried within a day.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::NotReady;
use crate::sync::Mutex;

/// Most transfers of all accounts together.
const TRANSFERS_MAX: usize = 2000;

/// Most accounts that are remembered. Where there are as many with something to remember, others have to wait for the next day.
const ACCOUNTS_MAX: usize = 100_000;

const DAY_MS: u64 = 86_400_000;

/// What holds for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Most bytes of it, both directions together; none for as many as there are.
    pub bytes_max: Option<u64>,
    /// Most bytes of all transfers of its account within a day.
    pub bytes_of_day_max: Option<u64>,
    /// Most transfers of its account at once.
    pub transfers_max: usize,
    /// How many bytes go in each direction within a second.
    pub bytes_per_second: u64,
    /// For how long nothing may go.
    pub idle: Duration,
}

/// Accounts that have had something carried, by bare address.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: Mutex<HashMap<Box<str>, Arc<Account>>>,
    all: Arc<All>,
}

#[derive(Debug, Default)]
struct All {
    under_way: AtomicUsize,
    begun: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Account {
    under_way: AtomicUsize,
    day: Mutex<Day>,
}

/// A day begins with its first byte.
#[derive(Debug, Default)]
struct Day {
    since_ms: u64,
    bytes: u64,
}

impl Day {
    fn at(&mut self, now_ms: u64) -> &mut Day {
        if self.bytes == 0 || now_ms.saturating_sub(self.since_ms) >= DAY_MS {
            *self = Day { since_ms: now_ms, bytes: 0 };
        }
        self
    }
}

impl Accounts {
    /// Begins a transfer for an account. `now_ms` is steady time.
    pub(super) fn begin(&self, account: &str, terms: Terms, now_ms: u64) -> Result<Transfer, NotReady> {
        let mut accounts = self.accounts.lock();
        if self.all.under_way.load(Ordering::Relaxed) >= TRANSFERS_MAX {
            return Err(NotReady::Full);
        }
        if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(account) {
            accounts.retain(|_, account| account.matters(now_ms));
            if accounts.len() >= ACCOUNTS_MAX {
                return Err(NotReady::Full);
            }
        }
        let account = accounts.entry(account.into()).or_default();
        if account.under_way.load(Ordering::Relaxed) >= terms.transfers_max {
            return Err(NotReady::ManyOfAccount);
        }
        let carried = account.day.lock().at(now_ms).bytes;
        if terms.bytes_of_day_max.is_some_and(|most| carried >= most) {
            return Err(NotReady::Spent);
        }
        account.under_way.fetch_add(1, Ordering::Relaxed);
        self.all.under_way.fetch_add(1, Ordering::Relaxed);
        self.all.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Transfer { account: account.clone(), all: self.all.clone(), terms, bytes: AtomicU64::new(0) })
    }

    pub(super) fn under_way(&self) -> usize {
        self.all.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn carried(&self) -> (u64, u64) {
        (self.all.begun.load(Ordering::Relaxed), self.all.bytes.load(Ordering::Relaxed))
    }

    pub(super) fn memory_usage(&self) -> usize {
        /// About what an address has.
        const KEY: usize = 32;
        let accounts = self.accounts.lock();
        accounts.capacity() * size_of::<(Box<str>, Arc<Account>)>() + accounts.len() * (size_of::<Account>() + KEY)
    }
}

impl Account {
    fn matters(&self, now_ms: u64) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0 || self.day.lock().at(now_ms).bytes > 0
    }
}

/// A transfer under way; it is over when this is dropped.
#[derive(Debug)]
pub struct Transfer {
    account: Arc<Account>,
    all: Arc<All>,
    terms: Terms,
    bytes: AtomicU64,
}

/// More may not be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Of this transfer.
    Transfer,
    /// Of its account, for now.
    Account,
}

impl Transfer {
    /// What holds for it.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// How many bytes it has carried.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts so many more bytes, unless they are too many. `now_ms` is steady time.
    pub fn spend(&self, bytes: usize, now_ms: u64) -> Result<(), Spent> {
        let bytes = bytes as u64;
        let after = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.terms.bytes_max.is_some_and(|most| after > most) {
            return Err(Spent::Transfer);
        }
        let mut day = self.account.day.lock();
        let day = day.at(now_ms);
        day.bytes = day.bytes.saturating_add(bytes);
        if self.terms.bytes_of_day_max.is_some_and(|most| day.bytes > most) {
            return Err(Spent::Account);
        }
        self.all.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.account.under_way.fetch_sub(1, Ordering::Relaxed);
        self.all.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        bytes_max: Some(100),
        bytes_of_day_max: Some(150),
        transfers_max: 2,
        bytes_per_second: 1 << 20,
        idle: Duration::from_secs(60),
    };

    #[test]
    fn a_transfer_and_the_day_of_an_account_have_their_bytes() {
        let accounts = Accounts::default();
        let one = accounts.begin("a@b", TERMS, 0).unwrap();
        assert_eq!((one.spend(100, 0), one.spend(1, 0)), (Ok(()), Err(Spent::Transfer)));
        let other = accounts.begin("a@b", TERMS, 0).unwrap();
        assert_eq!((other.spend(50, 0), other.spend(1, 0)), (Ok(()), Err(Spent::Account)));
        drop((one, other));
        assert_eq!(accounts.begin("a@b", TERMS, DAY_MS - 1).unwrap_err(), NotReady::Spent);
        assert!(accounts.begin("c@b", TERMS, 0).is_ok());
        let next = accounts.begin("a@b", TERMS, DAY_MS).unwrap();
        assert_eq!(next.spend(100, DAY_MS), Ok(()));
        assert_eq!(accounts.carried(), (4, 250));
    }

    #[test]
    fn without_a_limit_there_is_none() {
        let accounts = Accounts::default();
        let terms = Terms { bytes_max: None, bytes_of_day_max: None, ..TERMS };
        let transfer = accounts.begin("a@b", terms, 0).unwrap();
        assert_eq!((transfer.spend(usize::MAX / 2, 0), transfer.spend(usize::MAX / 2, 0)), (Ok(()), Ok(())));
    }

    #[test]
    fn an_account_has_so_many_transfers_and_all_have_so_many() {
        let accounts = Accounts::default();
        let held = [accounts.begin("a@b", TERMS, 0).unwrap(), accounts.begin("a@b", TERMS, 0).unwrap()];
        assert_eq!(accounts.begin("a@b", TERMS, 0).unwrap_err(), NotReady::ManyOfAccount);
        let others: Vec<_> =
            (2..TRANSFERS_MAX).map(|number| accounts.begin(&format!("a{number}@b"), TERMS, 0).unwrap()).collect();
        assert_eq!(accounts.begin("c@b", TERMS, 0).unwrap_err(), NotReady::Full);
        drop(held);
        assert!(accounts.begin("a@b", TERMS, 0).is_ok());
        drop(others);
        assert_eq!(accounts.under_way(), 0);
        assert!(accounts.memory_usage() > 0);
    }
}
