//! Domains in memory.

use std::collections::BTreeMap;

use metronome_model::StoredHost;

use super::{MemoryBackend, MemoryStore};
use crate::hosts::{HostWrites, StoredHosts};
use crate::{Reading, StoreError};

/// Domains by name.
#[derive(Clone, Default)]
pub(super) struct Table(BTreeMap<Box<str>, StoredHost>);

/// A change of the domains.
pub(super) enum Change {
    Set(StoredHost),
    Forget(Box<str>),
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Set(host) => drop(self.0.insert(host.name.clone(), host.clone())),
            Change::Forget(name) => drop(self.0.remove(name)),
        }
    }
}

impl StoredHosts for MemoryStore {
    fn hosts(&self) -> Reading<Vec<StoredHost>> {
        self.read(|tables| tables.hosts.0.values().cloned().collect())
    }
}

impl HostWrites for MemoryBackend {
    fn set_host(&mut self, host: &StoredHost) -> Result<(), StoreError> {
        self.change(super::Change::Host(Change::Set(host.clone())))
    }

    fn forget_host(&mut self, name: &str) -> Result<(), StoreError> {
        if !self.working.hosts.0.contains_key(name) {
            return Ok(());
        }
        self.change(super::Change::Host(Change::Forget(name.into())))
    }
}
