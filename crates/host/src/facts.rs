//! What admission must know of an account, read once and kept for online and offline accounts alike.
//! A cache bounded in bytes; whoever changes an account forgets its entry after the commit.

use std::sync::Arc;

use hashlink::LinkedHashMap;
use metronome_model::{Account, AccountState};
use metronome_proto::jid::Jid;
use metronome_store::{Reads, StoreError};

use crate::sync::Mutex;

/// Most bytes that the cache holds.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// One account as admission sees it.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// The account's row.
    pub account: Account,
}

impl AccountFacts {
    /// Whether the account may log in and be written to.
    pub fn is_active(&self) -> bool {
        self.account.state == AccountState::Active
    }
}

/// An answer of [`Facts::of`]: none is an account that does not exist.
pub type Known = Option<Arc<AccountFacts>>;

/// The cache of account facts.
#[derive(Debug, Default)]
pub struct Facts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By bare JID, the one asked for last behind the others; accounts that do not exist are remembered too.
    known: LinkedHashMap<Box<str>, Known>,
    bytes: usize,
    /// Raised by every change; a read that began before is not kept.
    generation: u64,
}

impl Facts {
    /// The facts of a bare JID of ours, if they are in memory.
    pub fn peek(&self, bare: &str) -> Option<Known> {
        self.state.lock().known.to_back(bare).cloned()
    }

    /// The facts of the account that `jid` belongs to, from memory or from the store.
    pub async fn of(&self, store: &dyn Reads, jid: &Jid) -> Result<Known, StoreError> {
        if let Some(known) = self.peek(jid.bare_str()) {
            return Ok(known);
        }
        let Some(name) = jid.local() else { return Ok(None) };
        let generation = self.state.lock().generation;
        let account = store.account(jid.domain(), name).await?;
        let known = account.map(|account| Arc::new(AccountFacts { account }));
        self.state.lock().keep(jid.bare_str(), known.clone(), generation);
        Ok(known)
    }

    /// Forgets an account after it was added, changed or deleted.
    pub fn forget(&self, bare: &str) {
        let mut state = self.state.lock();
        state.generation += 1;
        if state.known.remove(bare).is_some() {
            state.bytes -= cost(bare);
        }
    }

    /// Bytes held.
    pub fn memory_usage(&self) -> usize {
        self.state.lock().bytes
    }
}

/// About what an entry takes: its name here and in its row, the row and the table's links.
fn cost(bare: &str) -> usize {
    bare.len() * 3 + size_of::<AccountFacts>() + 128
}

impl State {
    fn keep(&mut self, bare: &str, known: Known, generation: u64) {
        if self.generation != generation || self.known.contains_key(bare) {
            return;
        }
        self.bytes += cost(bare);
        self.known.insert(bare.into(), known);
        while self.bytes > BYTES_MAX
            && let Some((name, _)) = self.known.pop_front()
        {
            self.bytes -= cost(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use metronome_store::backend::memory;

    use super::*;

    fn ask(facts: &Facts, store: &dyn Reads, jid: &str) -> Known {
        let jid = Jid::parse(jid).unwrap();
        let asked = std::pin::pin!(facts.of(store, &jid));
        match asked.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(known) => known.unwrap(),
            Poll::Pending => panic!("the memory store answers at once"),
        }
    }

    #[test]
    fn accounts_that_do_not_exist_are_remembered_until_forgotten() {
        let (facts, opened) = (Facts::default(), memory::open());
        assert!(facts.peek("alice@localhost").is_none());
        assert!(ask(&facts, &*opened.store, "alice@localhost/x").is_none());
        assert!(facts.peek("alice@localhost").is_some_and(|known| known.is_none()));
        assert!(facts.memory_usage() > 0);
        facts.forget("alice@localhost");
        assert!(facts.peek("alice@localhost").is_none());
        assert_eq!(facts.memory_usage(), 0);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let facts = Facts::default();
        let generation = facts.state.lock().generation;
        facts.forget("alice@localhost");
        facts.state.lock().keep("alice@localhost", None, generation);
        assert!(facts.peek("alice@localhost").is_none());
    }

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let facts = Facts::default();
        let kept = BYTES_MAX / cost("account-000000@localhost");
        for number in 0..kept * 2 {
            facts.state.lock().keep(&format!("account-{number:06}@localhost"), None, 0);
            assert!(facts.peek("account-000000@localhost").is_some(), "it is asked for all the time");
        }
        assert!(facts.memory_usage() <= BYTES_MAX);
        assert!(facts.peek("account-000001@localhost").is_none());
    }
}
