//! The locks under which stored state is read, judged and changed: one per account, and one per node of an account (XEP-0060), so that
//! what happens to one node does not wait for another. Present only while they are used.
//! Taken by admission and by commands, kept until the change is delivered, so that the next holder reads what this one wrote.
//! The only locks of the server that are held across an await.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use metronome_model::AccountId;
use smallvec::SmallVec;
use tokio::sync::{Mutex as Fair, OwnedMutexGuard};

use crate::sync::Mutex;

/// The locks that are in use.
#[derive(Debug, Default)]
pub struct Owners {
    locks: Mutex<HashMap<Owned, Weak<Fair<()>>>>,
}

/// What is locked: an account, or one of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owned {
    Account(AccountId),
    Node(AccountId, Box<str>),
}

/// One or more owners' locks in their order; they are free again when it is dropped.
#[derive(Debug)]
pub struct Locked(SmallVec<[Held; 2]>);

/// One lock that is held or waited for. Leaves nothing behind, whichever of the two it was.
#[derive(Debug)]
struct Held {
    owners: Arc<Owners>,
    owned: Owned,
    lock: Option<Arc<Fair<()>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Owners {
    /// Takes the locks of all these accounts, in the order of their ids, each as soon as those who asked before have had it.
    ///
    /// Whoever holds some must not ask for more: two that do so could wait for each other.
    pub async fn lock(self: &Arc<Self>, accounts: &[AccountId]) -> Locked {
        self.lock_all(accounts.iter().copied().map(Owned::Account).collect()).await
    }

    /// Takes the locks of all these nodes of one account, whether they exist or not, in the order of their names. Whoever holds some asks for
    /// no more; those of accounts may be held meanwhile, since they come before all nodes.
    pub async fn lock_nodes(self: &Arc<Self>, owner: AccountId, names: &[&str]) -> Locked {
        self.lock_all(names.iter().map(|name| Owned::Node(owner, (*name).into())).collect()).await
    }

    async fn lock_all(self: &Arc<Self>, mut sorted: SmallVec<[Owned; 2]>) -> Locked {
        sorted.sort_unstable();
        sorted.dedup();
        let mut locked = Locked(SmallVec::new());
        for owned in sorted {
            let lock = self.of(&owned);
            let mut held = Held { owners: self.clone(), owned, lock: Some(lock.clone()), guard: None };
            held.guard = Some(lock.lock_owned().await);
            locked.0.push(held);
        }
        locked
    }

    fn of(&self, owned: &Owned) -> Arc<Fair<()>> {
        let mut locks = self.locks.lock();
        if let Some(lock) = locks.get(owned).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(owned.clone(), Arc::downgrade(&lock));
        lock
    }

    /// How many accounts and nodes are locked or waited for.
    pub fn count(&self) -> usize {
        self.locks.lock().len()
    }
}

impl Locked {
    /// Both, held until both are dropped.
    #[must_use]
    pub fn with(mut self, other: Locked) -> Locked {
        self.0.extend(other.0);
        self
    }

    /// Whether it holds the lock of this account.
    pub fn holds(&self, account: AccountId) -> bool {
        self.0.iter().any(|held| held.owned == Owned::Account(account))
    }

    /// Whether it holds the lock of this node.
    pub fn holds_node(&self, owner: AccountId, name: &str) -> bool {
        self.0
            .iter()
            .any(|held| matches!(&held.owned, Owned::Node(account, held) if *account == owner && **held == *name))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.guard = None;
        self.lock = None;
        let mut locks = self.owners.locks.lock();
        // Whoever has got hold of it between the two is counted, and cleans up in its turn.
        if locks.get(&self.owned).is_some_and(|lock| lock.strong_count() == 0) {
            locks.remove(&self.owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn account(byte: u8) -> AccountId {
        AccountId::from_bytes([byte; 16])
    }

    fn is_ready<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_lock_is_handed_on_in_the_order_of_the_questions_and_leaves_nothing_behind() {
        let owners = Arc::new(Owners::default());
        let first = is_ready(std::pin::pin!(owners.lock(&[account(1)]))).unwrap();
        let (second_owners, third_owners) = (owners.clone(), owners.clone());
        let mut second = Box::pin(async move { second_owners.lock(&[account(1)]).await });
        let mut third = Box::pin(async move { third_owners.lock(&[account(1)]).await });
        assert!(is_ready(second.as_mut()).is_none() && is_ready(third.as_mut()).is_none());
        drop(first);
        assert!(is_ready(third.as_mut()).is_none(), "the second asked before");
        let held = is_ready(second.as_mut()).unwrap();
        assert!(held.holds(account(1)) && !held.holds(account(2)));
        drop((held, third));
        assert_eq!(owners.count(), 0);
    }

    #[test]
    fn two_that_want_the_same_pair_do_not_wait_for_each_other() {
        let owners = Arc::new(Owners::default());
        let (a, b) = (owners.clone(), owners.clone());
        let mut one = Box::pin(async move { a.lock(&[account(1), account(2)]).await });
        let mut other = Box::pin(async move { b.lock(&[account(2), account(1), account(2)]).await });
        let held = is_ready(one.as_mut()).unwrap();
        assert!(is_ready(other.as_mut()).is_none());
        drop(held);
        assert!(is_ready(other.as_mut()).is_some());
        assert_eq!(owners.count(), 0);
    }

    #[test]
    fn nodes_of_one_owner_do_not_wait_for_each_other_nor_for_the_account() {
        let owners = Arc::new(Owners::default());
        let account_held = is_ready(std::pin::pin!(owners.lock(&[account(1)]))).unwrap();
        let one = is_ready(std::pin::pin!(owners.lock_nodes(account(1), &["a", "b", "a"]))).unwrap();
        assert!(one.holds_node(account(1), "b") && !one.holds_node(account(2), "b") && !one.holds(account(1)));
        let other = is_ready(std::pin::pin!(owners.lock_nodes(account(1), &["c"]))).unwrap();
        let same_name = is_ready(std::pin::pin!(owners.lock_nodes(account(2), &["a"]))).unwrap();
        let again = owners.clone();
        let mut waits = Box::pin(async move { again.lock_nodes(account(1), &["d", "b"]).await });
        assert!(is_ready(waits.as_mut()).is_none());
        drop(one);
        assert!(is_ready(waits.as_mut()).is_some());
        drop((account_held, other, same_name, waits));
        assert_eq!(owners.count(), 0);
    }

    #[test]
    fn whoever_gives_up_waiting_is_in_nobodys_way() {
        let owners = Arc::new(Owners::default());
        let held = is_ready(std::pin::pin!(owners.lock(&[account(1)]))).unwrap();
        let waiting = owners.clone();
        let mut gives_up = Box::pin(async move { waiting.lock(&[account(1)]).await });
        assert!(is_ready(gives_up.as_mut()).is_none());
        drop((gives_up, held));
        assert_eq!(owners.count(), 0);
        assert!(is_ready(std::pin::pin!(owners.lock(&[account(1)]))).is_some());
    }
}
