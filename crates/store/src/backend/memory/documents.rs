//! Documents in memory, and when accounts were last there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use metronome_model::{AccountId, Document, Drawer, DrawerSize, LastSeen};

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore};
use crate::documents::{DocumentWrites, Documents};
use crate::{Reading, StoreError};

/// Every owner's documents.
#[derive(Clone, Default)]
pub(super) struct Table {
    owners: HashMap<AccountId, Owner>,
}

#[derive(Clone, Default)]
struct Owner {
    documents: BTreeMap<Key, Arc<Document>>,
    last_seen: Option<LastSeen>,
}

/// Drawer, namespace and name.
type Key = (Drawer, Box<str>, Box<str>);

/// A change of the documents.
pub(super) enum Change {
    Set { owner: AccountId, document: Arc<Document> },
    LastSeen { owner: AccountId, last: LastSeen },
    Forget { owner: AccountId },
}

fn key(drawer: Drawer, ns: &str, name: &str) -> Key {
    (drawer, ns.into(), name.into())
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change, usage: &mut Usage) {
        match change {
            Change::Set { owner, document } => {
                usage.add(*owner, usage::document(document));
                if let Some(old) = self.owners.entry(*owner).or_default().set(document) {
                    usage.sub(*owner, usage::document(&old));
                }
            }
            Change::LastSeen { owner, last } => {
                usage.add(*owner, usage::last_seen(last));
                if let Some(old) = self.owners.entry(*owner).or_default().last_seen.replace(last.clone()) {
                    usage.sub(*owner, usage::last_seen(&old));
                }
            }
            Change::Forget { owner } => {
                let gone = self.owners.remove(owner).unwrap_or_default();
                gone.documents.values().for_each(|document| usage.sub(*owner, usage::document(document)));
                gone.last_seen.iter().for_each(|last| usage.sub(*owner, usage::last_seen(last)));
            }
        }
    }

    fn get(&self, owner: AccountId, key: &Key) -> Option<&Arc<Document>> {
        self.owners.get(&owner)?.documents.get(key)
    }
}

impl Owner {
    /// Gives the document that was there.
    fn set(&mut self, document: &Arc<Document>) -> Option<Arc<Document>> {
        let key = key(document.drawer, &document.ns, &document.name);
        if document.xml.is_empty() {
            self.documents.remove(&key)
        } else {
            self.documents.insert(key, Arc::clone(document))
        }
    }
}

impl MemoryStore {
    /// Reads an account's documents, or answers with `R`'s empty value if the account does not exist.
    fn read_documents<R: Default + Send + 'static>(
        &self,
        owner: AccountId,
        read: impl FnOnce(&Owner) -> R,
    ) -> Reading<R> {
        self.read(|tables| match tables.documents.owners.get(&owner) {
            Some(documents) if tables.accounts.contains(owner) => read(documents),
            _ => R::default(),
        })
    }
}

impl Documents for MemoryStore {
    fn document(&self, owner: AccountId, drawer: Drawer, ns: &str, name: &str) -> Reading<Option<Box<[u8]>>> {
        self.read_documents(owner, |owner| Some(owner.documents.get(&key(drawer, ns, name))?.xml.clone()))
    }

    fn documents(&self, owner: AccountId, drawers: &'static [Drawer]) -> Reading<Vec<Document>> {
        self.read_documents(owner, |owner| {
            let wanted = owner.documents.values().filter(|document| drawers.contains(&document.drawer));
            wanted.map(|document| (**document).clone()).collect()
        })
    }

    fn drawer_size(&self, owner: AccountId, drawer: Drawer) -> Reading<DrawerSize> {
        self.read_documents(owner, |owner| {
            let mut size = DrawerSize::default();
            for document in owner.documents.values().filter(|document| document.drawer == drawer) {
                size.count += 1;
                size.bytes += document.len_bytes() as u64;
            }
            size
        })
    }

    fn last_seen(&self, owner: AccountId) -> Reading<Option<LastSeen>> {
        self.read_documents(owner, |owner| owner.last_seen.clone())
    }
}

impl DocumentWrites for MemoryBackend {
    fn set_document(&mut self, owner: AccountId, document: &Document) -> Result<(), StoreError> {
        let key = key(document.drawer, &document.ns, &document.name);
        if document.xml.is_empty() && self.working.documents.get(owner, &key).is_none() {
            return Ok(());
        }
        self.change(super::Change::Document(Change::Set { owner, document: Arc::new(document.clone()) }))
    }

    fn set_last_seen(&mut self, owner: AccountId, last: &LastSeen) -> Result<(), StoreError> {
        self.change(super::Change::Document(Change::LastSeen { owner, last: last.clone() }))
    }
}
