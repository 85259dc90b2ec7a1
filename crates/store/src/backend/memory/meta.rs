//! Values of the server in memory.

use std::collections::BTreeMap;

use super::{MemoryBackend, MemoryStore};
use crate::meta::{Meta, MetaWrites};
use crate::{Reading, StoreError};

/// Values by name.
#[derive(Clone, Default)]
pub(super) struct Table(BTreeMap<&'static str, Box<[u8]>>);

/// A new value.
pub(super) struct Change {
    key: &'static str,
    value: Box<[u8]>,
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change) {
        self.0.insert(change.key, change.value.clone());
    }
}

impl Meta for MemoryStore {
    fn meta(&self, key: &'static str) -> Reading<Option<Box<[u8]>>> {
        self.read(|tables| tables.meta.0.get(key).cloned())
    }
}

impl MetaWrites for MemoryBackend {
    fn set_meta(&mut self, key: &'static str, value: &[u8]) -> Result<(), StoreError> {
        self.change(super::Change::Meta(Change { key, value: value.into() }))
    }
}
