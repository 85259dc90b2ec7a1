//! The ends of the archives written to lately, so that an append reads nothing. Bounded in bytes.
//! Only the writer's thread uses it, and only while it is right: a transaction undone empties it.

use std::collections::HashMap;

use metronome_model::AccountId;

use crate::archive::Head;

/// One entry with its share of the table's free places.
const ENTRY_BYTES: usize = 128;

/// Two generations: when the young one is full it becomes the old one, and the old one goes. An entry used since then
/// has moved to the young one, so what goes was not used for a whole generation.
pub(super) struct Heads {
    young: HashMap<AccountId, Head>,
    old: HashMap<AccountId, Head>,
    generation_max: usize,
    /// The last number given in the outbox. Never forgotten, so that no number is given twice while the server runs.
    pub(super) outbox: Option<u64>,
}

impl Heads {
    pub(super) fn new(bytes_max: usize) -> Heads {
        let generation_max = (bytes_max / ENTRY_BYTES / 2).max(1);
        Heads { young: HashMap::new(), old: HashMap::new(), generation_max, outbox: None }
    }

    pub(super) fn get(&mut self, owner: AccountId) -> Option<Head> {
        if let Some(head) = self.young.get(&owner) {
            return Some(*head);
        }
        let head = self.old.remove(&owner)?;
        self.put(owner, head);
        Some(head)
    }

    pub(super) fn put(&mut self, owner: AccountId, head: Head) {
        if let Some(known) = self.young.get_mut(&owner) {
            *known = head;
            return;
        }
        if self.young.len() >= self.generation_max {
            self.old = std::mem::take(&mut self.young);
        }
        // An older state of it must not come back once the young one is gone.
        self.old.remove(&owner);
        self.young.insert(owner, head);
    }

    pub(super) fn remove(&mut self, owner: AccountId) {
        self.young.remove(&owner);
        self.old.remove(&owner);
    }

    pub(super) fn clear(&mut self) {
        self.young = HashMap::new();
        self.old = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> AccountId {
        AccountId::from_bytes([n; 16])
    }

    fn head(last_id: u64) -> Head {
        Head { slot: 1, last_id, seen_to: 0, unseen: 0 }
    }

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_used() {
        let mut heads = Heads::new(ENTRY_BYTES * 8);
        for n in 1..=100 {
            heads.put(id(n), head(u64::from(n)));
            heads.put(id(0), head(u64::from(n)));
            assert!(heads.young.len() + heads.old.len() <= 8);
        }
        assert_eq!(heads.get(id(0)), Some(head(100)));
        assert_eq!(heads.get(id(1)), None);
    }

    #[test]
    fn an_older_state_never_comes_back() {
        let mut heads = Heads::new(ENTRY_BYTES * 4);
        heads.put(id(1), head(1));
        heads.put(id(2), head(1));
        heads.put(id(3), head(1));
        heads.put(id(1), head(2));
        heads.put(id(4), head(1));
        assert_ne!(heads.get(id(1)), Some(head(1)));
    }
}
