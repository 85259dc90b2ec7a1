//! Bound sessions by their bare address: what presence and requests between clients ask, without the store.
//! A part of the table of sessions, which enters and removes each session; a place costs eight bytes and no second text.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use metronome_proto::jid::Jid;
use smallvec::SmallVec;

use crate::session::Session;
use crate::sync::Mutex;

const SHARDS: usize = 64;

/// The sessions of one address, most often one to three.
pub type Devices = SmallVec<[Arc<Session>; 3]>;

/// The index.
#[derive(Debug)]
pub struct Addresses {
    shards: [Mutex<HashTable<Arc<Session>>>; SHARDS],
    hasher: RandomState,
}

impl Default for Addresses {
    fn default() -> Addresses {
        Addresses { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl Addresses {
    /// Enters a session.
    pub(crate) fn insert(&self, session: Arc<Session>) {
        let hash = self.hash(session.jid.bare_str());
        let mut shard = self.shard(hash).lock();
        shard.insert_unique(hash, session, |session| self.hash(session.jid.bare_str()));
    }

    /// Removes exactly this session; nothing happens if it is not there.
    pub(crate) fn remove(&self, session: &Session) {
        let hash = self.hash(session.jid.bare_str());
        let mut shard = self.shard(hash).lock();
        if let Ok(entry) = shard.find_entry(hash, |other| other.serial == session.serial) {
            entry.remove();
        }
    }

    /// The sessions with this bare address. While an address changes hands there may be some of an account that is gone: only those of
    /// the newest count.
    pub fn of(&self, bare: &str) -> Devices {
        let hash = self.hash(bare);
        let mut found = Devices::new();
        {
            let shard = self.shard(hash).lock();
            found.extend(shard.iter_hash(hash).filter(|session| session.jid.bare_str() == bare).cloned());
        }
        if let Some(newest) = found.iter().max_by_key(|session| session.serial).map(|session| session.account) {
            found.retain(|session| session.account == newest);
        }
        found
    }

    /// The session with this full address.
    pub fn at(&self, full: &Jid) -> Option<Arc<Session>> {
        self.of(full.bare_str()).into_iter().find(|session| session.jid == *full)
    }

    /// Bytes of the index.
    pub fn memory_usage(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().allocation_size()).sum()
    }

    fn hash(&self, bare: &str) -> u64 {
        self.hasher.hash_one(bare)
    }

    /// By bits that the table inside does not use for its own places.
    fn shard(&self, hash: u64) -> &Mutex<HashTable<Arc<Session>>> {
        &self.shards[(hash >> 40) as usize % SHARDS]
    }
}
