//! A backend that fails or stalls on command: for the tests of every crate that must live with a bad disk.
//! Wraps any other backend, and counts what reaches it.

use std::path::PathBuf;
use std::sync::Arc;

use metronome_model::{
    Account, AccountId, AccountState, Contact, Document, Handled, LastSeen, NodeChange, Noted, Record, Resumable, Role,
    RoomChange, RoomRedirect, StoredHost, StoredKeys, StreamNumber, Unavailable,
};
use metronome_proto::stanza::Stanza;
use parking_lot::{Condvar, Mutex};

use super::{Backend, LastCommit, Purge, Upkeep, Wrote};
use crate::accounts::AccountWrites;
use crate::archive::{ArchiveWrites, Head, NewRow};
use crate::documents::DocumentWrites;
use crate::hosts::HostWrites;
use crate::meta::MetaWrites;
use crate::nodes::NodeWrites;
use crate::outbox::OutboxWrites;
use crate::resumables::ResumableWrites;
use crate::rooms::RoomWrites;
use crate::rosters::RosterWrites;
use crate::{Opened, StoreError};

/// The switches of a faulty backend; clones work the same one.
#[derive(Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stalled: bool,
    /// A commit stands at the stall now.
    waiting: bool,
    commits: Failing,
    appends: Failing,
    recoveries: Failing,
    /// Whether a failing commit takes place all the same, as when only the answer is lost.
    secretly: bool,
    commits_done: u64,
}

/// How often and why something fails next.
#[derive(Clone, Copy, Default)]
struct Failing(Option<(usize, Unavailable)>);

impl Failing {
    fn next(&mut self) -> Result<(), StoreError> {
        let Some((times, why)) = self.0.take() else { return Ok(()) };
        self.0 = times.checked_sub(2).map(|left| (left + 1, why));
        let (file, detail) = (PathBuf::from("a faulty disk"), "as the test asked".to_owned());
        Err(match why {
            Unavailable::DiskFull => StoreError::DiskFull { file, detail },
            Unavailable::Disk => StoreError::Disk { file, detail },
            Unavailable::Corrupt => StoreError::Damaged { file, detail },
            Unavailable::Stopping => StoreError::Refused { detail: "as the test asked" },
        })
    }
}

impl Faults {
    /// Puts a faulty backend in front of the one of `opened`.
    pub fn wrap(opened: Opened) -> (Opened, Faults) {
        let faults = Faults::default();
        let backend = Box::new(FaultyBackend { inner: opened.backend, faults: faults.clone(), last: None });
        (Opened { store: opened.store, backend }, faults)
    }

    /// The next `times` commits fail, and nothing of them is stored.
    pub fn fail_commits(&self, times: usize, why: Unavailable) {
        let mut state = self.shared.state.lock();
        (state.commits, state.secretly) = (Failing((times > 0).then_some((times, why))), false);
    }

    /// The next `times` commits are stored but report an error.
    pub fn fail_commits_after_storing(&self, times: usize, why: Unavailable) {
        let mut state = self.shared.state.lock();
        (state.commits, state.secretly) = (Failing((times > 0).then_some((times, why))), true);
    }

    /// The next `times` appends to archives or nodes fail in the middle of their batch.
    pub fn fail_appends(&self, times: usize, why: Unavailable) {
        self.shared.state.lock().appends = Failing((times > 0).then_some((times, why)));
    }

    /// The next `times` attempts to recover fail.
    pub fn fail_recoveries(&self, times: usize, why: Unavailable) {
        self.shared.state.lock().recoveries = Failing((times > 0).then_some((times, why)));
    }

    /// Takes back whatever was to fail.
    pub fn stop_failing(&self) {
        let mut state = self.shared.state.lock();
        (state.commits, state.appends, state.recoveries) = Default::default();
    }

    /// From now on commits wait until [`Faults::release`], as on a disk that hangs.
    pub fn stall(&self) {
        self.shared.state.lock().stalled = true;
    }

    /// Lets a stalled commit, and those behind it, go on.
    pub fn release(&self) {
        self.shared.state.lock().stalled = false;
        self.shared.changed.notify_all();
    }

    /// Waits until a commit stands at the stall. Blocks the calling thread.
    pub fn wait_until_stalled(&self) {
        let mut state = self.shared.state.lock();
        while !state.waiting {
            self.shared.changed.wait(&mut state);
        }
    }

    /// How many commits wrote something.
    pub fn commits(&self) -> u64 {
        self.shared.state.lock().commits_done
    }

    /// Passes the stall, then says whether this commit fails, and whether it is to be stored all the same.
    fn before_commit(&self) -> (Result<(), StoreError>, bool) {
        let mut state = self.shared.state.lock();
        state.waiting = state.stalled;
        self.shared.changed.notify_all();
        while state.stalled {
            self.shared.changed.wait(&mut state);
        }
        state.waiting = false;
        (state.commits.next(), state.secretly)
    }
}

struct FaultyBackend {
    inner: Box<dyn Backend>,
    faults: Faults,
    /// What a failed commit did, if recovery has not asked yet.
    last: Option<LastCommit>,
}

impl Backend for FaultyBackend {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.inner.begin()
    }

    fn has_room(&self, record: &Record) -> bool {
        self.inner.has_room(record)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.inner.flush()
    }

    fn commit(&mut self) -> Result<Wrote, StoreError> {
        let (fault, secretly) = self.faults.before_commit();
        if fault.is_err() && !secretly {
            self.inner.rollback()?;
            self.last = Some(LastCommit::NotApplied);
            return fault.map(|()| Wrote::Nothing);
        }
        let wrote = self.inner.commit()?;
        self.faults.shared.state.lock().commits_done += u64::from(wrote == Wrote::Changes);
        self.last = fault.is_err().then_some(LastCommit::Applied);
        fault.map(|()| wrote)
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.inner.rollback()
    }

    fn recover(&mut self) -> Result<LastCommit, StoreError> {
        self.faults.shared.state.lock().recoveries.next()?;
        let last = self.inner.recover()?;
        Ok(self.last.take().unwrap_or(last))
    }

    fn purge(&mut self, rows_max: usize) -> Result<Purge, StoreError> {
        self.inner.purge(rows_max)
    }

    fn upkeep(&mut self, when: Upkeep) {
        self.inner.upkeep(when);
    }
}

impl AccountWrites for FaultyBackend {
    fn in_use(&mut self, account: &Account) -> Result<bool, StoreError> {
        self.inner.in_use(account)
    }

    fn add_account(&mut self, account: &Account, keys: &[StoredKeys]) -> Result<(), StoreError> {
        self.inner.add_account(account, keys)
    }

    fn set_keys(&mut self, id: AccountId, keys: &[StoredKeys]) -> Result<(), StoreError> {
        self.inner.set_keys(id, keys)
    }

    fn add_keys(&mut self, id: AccountId, keys: &StoredKeys) -> Result<(), StoreError> {
        self.inner.add_keys(id, keys)
    }

    fn set_role(&mut self, id: AccountId, role: Role) -> Result<(), StoreError> {
        self.inner.set_role(id, role)
    }

    fn set_state(&mut self, id: AccountId, state: AccountState) -> Result<(), StoreError> {
        self.inner.set_state(id, state)
    }

    fn forget(&mut self, id: AccountId) -> Result<(), StoreError> {
        self.inner.forget(id)
    }
}

impl ArchiveWrites for FaultyBackend {
    fn head(&mut self, owner: AccountId) -> Result<Option<Head>, StoreError> {
        self.inner.head(owner)
    }

    fn append(&mut self, rows: &[NewRow], stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.faults.shared.state.lock().appends.next()?;
        self.inner.append(rows, stanza)
    }

    fn mark_seen(&mut self, owner: AccountId, head: &mut Head, first: u64, last: u64) -> Result<(), StoreError> {
        self.inner.mark_seen(owner, head, first, last)
    }

    fn replace(&mut self, owner: AccountId, head: &Head, id: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.inner.replace(owner, head, id, stanza)
    }

    fn remove(&mut self, owner: AccountId, head: &Head, first: u64, last: u64) -> Result<(), StoreError> {
        self.inner.remove(owner, head, first, last)
    }

    fn id_max(&self) -> u64 {
        self.inner.id_max()
    }
}

impl MetaWrites for FaultyBackend {
    fn set_meta(&mut self, key: &'static str, value: &[u8]) -> Result<(), StoreError> {
        self.inner.set_meta(key, value)
    }
}

impl NodeWrites for FaultyBackend {
    fn node_room(&mut self, owner: AccountId, name: &str) -> Result<Option<u64>, StoreError> {
        self.inner.node_room(owner, name)
    }

    fn change_node(&mut self, owner: AccountId, name: &str, change: &NodeChange) -> Result<(), StoreError> {
        if matches!(change, NodeChange::Publish { .. }) {
            self.faults.shared.state.lock().appends.next()?;
        }
        self.inner.change_node(owner, name, change)
    }
}

impl OutboxWrites for FaultyBackend {
    fn outbox_last(&mut self) -> Result<u64, StoreError> {
        self.inner.outbox_last()
    }

    fn enqueue(&mut self, id: u64, at_ms: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.inner.enqueue(id, at_ms, stanza)
    }

    fn dequeue(&mut self, local: &str, remote: &str, to: u64) -> Result<(), StoreError> {
        self.inner.dequeue(local, remote, to)
    }
}

impl RoomWrites for FaultyBackend {
    fn is_room(&mut self, owner: AccountId) -> Result<bool, StoreError> {
        self.inner.is_room(owner)
    }

    fn change_room(&mut self, owner: AccountId, change: &RoomChange) -> Result<(), StoreError> {
        self.inner.change_room(owner, change)
    }

    fn set_redirect(&mut self, redirect: &RoomRedirect) -> Result<(), StoreError> {
        self.inner.set_redirect(redirect)
    }

    fn forget_redirect(&mut self, host: &str, name: Option<&str>) -> Result<(), StoreError> {
        self.inner.forget_redirect(host, name)
    }
}

impl RosterWrites for FaultyBackend {
    fn set_contact(&mut self, owner: AccountId, contact: &Contact) -> Result<(), StoreError> {
        self.inner.set_contact(owner, contact)
    }
}

impl DocumentWrites for FaultyBackend {
    fn set_document(&mut self, owner: AccountId, document: &Document) -> Result<(), StoreError> {
        self.inner.set_document(owner, document)
    }

    fn set_last_seen(&mut self, owner: AccountId, last: &LastSeen) -> Result<(), StoreError> {
        self.inner.set_last_seen(owner, last)
    }
}

impl ResumableWrites for FaultyBackend {
    fn set_resumable(&mut self, stream: &Resumable) -> Result<(), StoreError> {
        self.inner.set_resumable(stream)
    }

    fn note_resumable(&mut self, number: StreamNumber, noted: &Noted) -> Result<(), StoreError> {
        self.inner.note_resumable(number, noted)
    }

    fn set_handled(&mut self, handled: Handled) -> Result<(), StoreError> {
        self.inner.set_handled(handled)
    }

    fn forget_resumable(&mut self, number: StreamNumber) -> Result<(), StoreError> {
        self.inner.forget_resumable(number)
    }
}

impl HostWrites for FaultyBackend {
    fn set_host(&mut self, host: &StoredHost) -> Result<(), StoreError> {
        self.inner.set_host(host)
    }

    fn forget_host(&mut self, name: &str) -> Result<(), StoreError> {
        self.inner.forget_host(name)
    }
}
