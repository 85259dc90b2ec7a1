//! What admission must know of an account, read once and kept for online and offline accounts alike.
//! A cache bounded in bytes; whoever changes an account forgets its entry after the commit.

use std::sync::Arc;

use hashlink::LinkedHashMap;
use metronome_model::{Account, AccountState, Document, Drawer};
use metronome_proto::jid::Jid;
use metronome_store::{Reads, StoreError};

use crate::archiving::Archiving;
use crate::blocking::Blocking;
use crate::services::Services;
use crate::switches::Switches;
use crate::sync::Mutex;

/// Most bytes that the cache holds.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The drawers whose documents are read with every account: what must be known of it at every stanza.
const DRAWERS: &[Drawer] = &[Drawer::Blocking, Drawer::Archiving, Drawer::Push, Drawer::Switches];

/// One account as admission sees it.
///
/// What comes from documents is read by a `from_documents(&[Document])` of its own, which passes over those of other drawers, and is
/// a shared value for accounts that have none.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    /// The account's row.
    pub account: Account,
    /// Whom its owner lets write to it and see it (XEP-0016 and XEP-0191).
    pub blocking: Arc<Blocking>,
    /// What its owner wants archived (XEP-0441).
    pub archiving: Arc<Archiving>,
    /// Who is told of its messages (XEP-0357).
    pub services: Arc<Services>,
    /// What its owner has switched on or off.
    pub switches: Switches,
}

impl AccountFacts {
    /// An account with what its documents say; those of other drawers are passed over.
    pub fn new(account: Account, documents: &[Document]) -> AccountFacts {
        AccountFacts {
            account,
            blocking: Blocking::from_documents(documents),
            archiving: Archiving::from_documents(documents),
            services: Services::from_documents(documents),
            switches: Switches::from_documents(documents),
        }
    }

    /// Bytes on the heap that are not shared with other accounts, the row's own texts aside.
    fn memory_usage(&self) -> usize {
        self.blocking.memory_usage() + self.archiving.memory_usage() + self.services.memory_usage()
    }

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
    known: LinkedHashMap<Box<str>, Entry>,
    bytes: usize,
    /// Raised by every change; a read that began before is not kept.
    generation: u64,
}

/// An answer and what it costs.
#[derive(Debug)]
struct Entry {
    known: Known,
    bytes: usize,
}

impl Facts {
    /// The facts of a bare JID of ours, if they are in memory.
    pub fn peek(&self, bare: &str) -> Option<Known> {
        self.state.lock().known.to_back(bare).map(|entry| entry.known.clone())
    }

    /// The facts of the account that `jid` belongs to, from memory or from the store. A domain has one of its own once it has nodes.
    pub async fn of(&self, store: &dyn Reads, jid: &Jid) -> Result<Known, StoreError> {
        if let Some(known) = self.peek(jid.bare_str()) {
            return Ok(known);
        }
        let generation = self.state.lock().generation;
        let account = match jid.local() {
            Some(name) => store.account(jid.domain(), name).await?,
            None => store.account_of_domain(jid.domain()).await?,
        };
        let known = match account {
            Some(account) => {
                let documents = store.documents(account.id, DRAWERS).await?;
                Some(Arc::new(AccountFacts::new(account, &documents)))
            }
            None => None,
        };
        self.state.lock().keep(jid.bare_str(), known.clone(), generation);
        Ok(known)
    }

    /// Forgets an account after it or a document of [`AccountFacts`] was added, changed or deleted.
    pub fn forget(&self, bare: &str) {
        let mut state = self.state.lock();
        state.generation += 1;
        if let Some(entry) = state.known.remove(bare) {
            state.bytes -= entry.bytes;
        }
    }

    /// Changes what is known of an account along with what is stored, so that it need not be read again.
    pub fn change(&self, bare: &str, change: impl FnOnce(&mut AccountFacts)) {
        let mut state = self.state.lock();
        state.generation += 1;
        let Some(entry) = state.known.get_mut(bare) else { return };
        let Some(facts) = &mut entry.known else { return };
        change(Arc::make_mut(facts));
        let (before, now) = (entry.bytes, cost(bare, &entry.known));
        entry.bytes = now;
        state.bytes = state.bytes - before + now;
    }

    /// Bytes held.
    pub fn memory_usage(&self) -> usize {
        self.state.lock().bytes
    }
}

/// About what an entry takes: its name here and in its row, the row and the table's links, and what its documents say.
fn cost(bare: &str, known: &Known) -> usize {
    let documents = known.as_ref().map_or(0, |facts| facts.memory_usage());
    bare.len() * 3 + size_of::<AccountFacts>() + 128 + documents
}

impl State {
    fn keep(&mut self, bare: &str, known: Known, generation: u64) {
        if self.generation != generation || self.known.contains_key(bare) {
            return;
        }
        let bytes = cost(bare, &known);
        self.bytes += bytes;
        self.known.insert(bare.into(), Entry { known, bytes });
        while self.bytes > BYTES_MAX
            && let Some((_, entry)) = self.known.pop_front()
        {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use metronome_model::{AccountId, Role};
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
    fn what_documents_say_counts_and_is_given_back() {
        let name = "alice@localhost";
        let account = Account {
            id: AccountId::from_bytes([1; 16]),
            host: "localhost".into(),
            name: "alice".into(),
            role: Role::User,
            state: AccountState::Active,
            auth_epoch: 0,
            created_ms: 0,
        };
        let xml = b"<list xmlns='jabber:iq:privacy' name='x'><item action='deny' order='1'/></list>";
        let list = Document {
            drawer: Drawer::Blocking,
            ns: "jabber:iq:privacy".into(),
            name: "x".into(),
            xml: xml[..].into(),
        };
        let cost_of = |documents: &[Document]| {
            let facts = Facts::default();
            let known = Some(Arc::new(AccountFacts::new(account.clone(), documents)));
            facts.state.lock().keep(name, known, 0);
            let bytes = facts.memory_usage();
            facts.change(name, |facts| facts.blocking = Blocking::none());
            assert_eq!(facts.memory_usage(), cost(name, &None));
            facts.change(name, |facts| facts.blocking = Blocking::from_documents(documents));
            assert_eq!(facts.memory_usage(), bytes);
            facts.forget(name);
            assert_eq!(facts.memory_usage(), 0);
            bytes
        };
        assert_eq!(cost_of(&[]), cost(name, &None), "an account without documents costs no more");
        assert!(cost_of(&[list]) > cost_of(&[]));
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
        let kept = BYTES_MAX / cost("account-000000@localhost", &None);
        for number in 0..kept * 2 {
            facts.state.lock().keep(&format!("account-{number:06}@localhost"), None, 0);
            assert!(facts.peek("account-000000@localhost").is_some(), "it is asked for all the time");
        }
        assert!(facts.memory_usage() <= BYTES_MAX);
        assert!(facts.peek("account-000001@localhost").is_none());
    }
}
