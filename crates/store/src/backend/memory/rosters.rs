//! Rosters in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use metronome_model::{AccountId, Contact, Listed, RosterVersion};
use metronome_proto::jid::Jid;

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore};
use crate::rosters::{RosterWrites, Rosters};
use crate::{Reading, StoreError};

/// Every owner's roster.
#[derive(Clone, Default)]
pub(super) struct Table {
    owners: HashMap<AccountId, Roster>,
}

#[derive(Clone, Default)]
struct Roster {
    version: RosterVersion,
    contacts: BTreeMap<Jid, Arc<Contact>>,
}

/// A change of the rosters.
pub(super) enum Change {
    Set { owner: AccountId, contact: Arc<Contact> },
    Forget { owner: AccountId },
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change, usage: &mut Usage) {
        match change {
            Change::Set { owner, contact } => {
                usage.add(*owner, usage::contact(contact));
                if let Some(old) = self.owners.entry(*owner).or_default().set(contact) {
                    usage.sub(*owner, usage::contact(&old));
                }
            }
            Change::Forget { owner } => {
                let gone = self.owners.remove(owner).unwrap_or_default();
                gone.contacts.values().for_each(|contact| usage.sub(*owner, usage::contact(contact)));
            }
        }
    }
}

impl Roster {
    /// Gives the row that was there.
    fn set(&mut self, contact: &Arc<Contact>) -> Option<Arc<Contact>> {
        self.version.current = contact.version;
        let before = match contact.is_nothing() {
            true => self.contacts.remove(&contact.jid),
            false => self.contacts.insert(contact.jid.clone(), Arc::clone(contact)),
        };
        if contact.listed == Listed::No && before.as_ref().is_some_and(|before| before.listed == Listed::Yes) {
            self.version.removed = contact.version;
        }
        before
    }
}

impl MemoryStore {
    /// Reads a roster, or answers with `R`'s empty value if the account does not exist.
    fn read_roster<R: Default + Send + 'static>(
        &self,
        owner: AccountId,
        read: impl FnOnce(&Roster) -> R,
    ) -> Reading<R> {
        self.read(|tables| match tables.rosters.owners.get(&owner) {
            Some(roster) if tables.accounts.contains(owner) => read(roster),
            _ => R::default(),
        })
    }
}

impl Rosters for MemoryStore {
    fn roster(&self, owner: AccountId) -> Reading<(RosterVersion, Vec<Contact>)> {
        self.read_roster(owner, |roster| {
            (roster.version, roster.contacts.values().map(|contact| Contact::clone(contact)).collect())
        })
    }

    fn roster_version(&self, owner: AccountId) -> Reading<RosterVersion> {
        self.read_roster(owner, |roster| roster.version)
    }

    fn contact(&self, owner: AccountId, jid: &str) -> Reading<Option<Contact>> {
        self.read_roster(owner, |roster| roster.contacts.get(jid).map(|contact| Contact::clone(contact)))
    }
}

impl RosterWrites for MemoryBackend {
    fn set_contact(&mut self, owner: AccountId, contact: &Contact) -> Result<(), StoreError> {
        self.change(super::Change::Roster(Change::Set { owner, contact: Arc::new(contact.clone()) }))
    }
}
