//! A store in memory: for hosts whose data need not survive, and for tests.
//! Means exactly what the others mean; only a restart finds nothing.

mod accounts;
mod archive;
mod documents;
mod hosts;
mod meta;
mod nodes;
mod outbox;
mod resumables;
mod rooms;
mod rosters;
mod usage;

use std::sync::Arc;

use futures_util::future::FutureExt;
use metronome_model::{AccountId, Op};
use parking_lot::RwLock;

use super::{Backend, LastCommit, Purge, Upkeep, Wrote};
use crate::{Opened, Reading, StoreError};
use usage::Usage;

/// Makes an empty store.
pub fn open() -> Opened {
    let (store, backend) = start();
    Opened { store: Arc::new(store), backend: Box::new(backend) }
}

pub(super) fn start() -> (MemoryStore, MemoryBackend) {
    let published = Arc::new(RwLock::new(Tables::default()));
    let store = MemoryStore { tables: Arc::clone(&published) };
    (store, MemoryBackend { published, working: Tables::default(), changes: Vec::new() })
}

/// How much a change adds at most to what [`MemoryBackend::bytes_of`] says of an account; `None` for one that adds nothing.
pub(super) fn weight(op: &Op) -> Option<(AccountId, usize)> {
    usage::of(op)
}

/// All data of a store.
#[derive(Clone, Default)]
struct Tables {
    accounts: accounts::Table,
    archive: archive::Table,
    documents: documents::Table,
    hosts: hosts::Table,
    meta: meta::Table,
    nodes: nodes::Table,
    outbox: outbox::Table,
    resumables: resumables::Table,
    rooms: rooms::Table,
    rosters: rosters::Table,
    usage: Usage,
}

impl Tables {
    fn apply(&mut self, change: &Change) {
        let usage = &mut self.usage;
        match change {
            Change::Account(change) => self.accounts.apply(change, usage),
            Change::Archive(change) => self.archive.apply(change, usage),
            Change::Document(change) => self.documents.apply(change, usage),
            Change::Host(change) => self.hosts.apply(change),
            Change::Resumable(change) => self.resumables.apply(change),
            Change::Room(change) => self.rooms.apply(change, usage),
            Change::Roster(change) => self.rosters.apply(change, usage),
            Change::Meta(change) => self.meta.apply(change),
            Change::Node(change) => self.nodes.apply(change, usage),
            Change::Outbox(change) => self.outbox.apply(change),
        }
    }
}

/// One change of one table; changes the same tables in the same way each time.
enum Change {
    Account(accounts::Change),
    Archive(archive::Change),
    Document(documents::Change),
    Host(hosts::Change),
    Resumable(resumables::Change),
    Meta(meta::Change),
    Node(nodes::Change),
    Outbox(outbox::Change),
    Room(rooms::Change),
    Roster(rosters::Change),
}

/// The reading side.
pub(super) struct MemoryStore {
    tables: Arc<RwLock<Tables>>,
}

impl MemoryStore {
    /// Answers from what is committed now.
    fn read<R: Send + 'static>(&self, read: impl FnOnce(&Tables) -> R) -> Reading<R> {
        let answer = read(&self.tables.read());
        std::future::ready(Ok(answer)).boxed()
    }
}

/// The writing side. It changes tables of its own and repeats the changes in the published ones at commit, so that
/// nobody reads half of a transaction and no lock is held while one is open.
pub(super) struct MemoryBackend {
    published: Arc<RwLock<Tables>>,
    working: Tables,
    changes: Vec<Change>,
}

impl MemoryBackend {
    fn change(&mut self, change: Change) -> Result<(), StoreError> {
        self.working.apply(&change);
        self.changes.push(change);
        Ok(())
    }

    /// About how much memory all accounts take, with the changes of the open transaction.
    pub(super) fn bytes(&self) -> usize {
        self.working.usage.all()
    }

    /// About how much one account takes; nothing once its rows are removed.
    pub(super) fn bytes_of(&self, owner: AccountId) -> usize {
        self.working.usage.of(owner)
    }
}

impl Backend for MemoryBackend {
    fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self) -> Result<Wrote, StoreError> {
        if self.changes.is_empty() {
            return Ok(Wrote::Nothing);
        }
        let mut published = self.published.write();
        self.changes.drain(..).for_each(|change| published.apply(&change));
        Ok(Wrote::Changes)
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        if !self.changes.is_empty() {
            self.changes.clear();
            self.working = self.published.read().clone();
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<LastCommit, StoreError> {
        self.rollback()?;
        Ok(LastCommit::NotApplied)
    }

    fn purge(&mut self, rows_max: usize) -> Result<Purge, StoreError> {
        let Some(owner) = self.working.accounts.forgotten() else { return Ok(Purge::Finished) };
        self.change(Change::Archive(archive::Change::Purge { owner, rows_max }))?;
        if self.working.archive.is_empty(owner) {
            self.change(Change::Roster(rosters::Change::Forget { owner }))?;
            self.change(Change::Document(documents::Change::Forget { owner }))?;
            self.change(Change::Node(nodes::Change::Forget { owner }))?;
            self.change(Change::Room(rooms::Change::Forget { owner }))?;
            self.change(Change::Account(accounts::Change::Buried { id: owner }))?;
        }
        Ok(Purge::More)
    }

    fn upkeep(&mut self, _when: Upkeep) {}
}
