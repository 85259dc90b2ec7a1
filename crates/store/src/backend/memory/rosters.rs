//! Rosters in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use metronome_model::{AccountId, Contact, Listed, RosterSize, RosterVersion};
use metronome_proto::jid::Jid;

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore, Tables};
use crate::rosters::{RosterWrites, Rosters, RowAbout};
use crate::{Reading, StoreError};

/// Every owner's roster, and the owners with a row about an address.
#[derive(Clone, Default)]
pub(super) struct Table {
    owners: HashMap<AccountId, Roster>,
    by_jid: HashMap<Jid, BTreeSet<AccountId>>,
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
                match contact.is_nothing() {
                    true => self.unlink(*owner, &contact.jid),
                    false => drop(self.by_jid.entry(contact.jid.clone()).or_default().insert(*owner)),
                }
                if let Some(old) = self.owners.entry(*owner).or_default().set(contact) {
                    usage.sub(*owner, usage::contact(&old));
                }
            }
            Change::Forget { owner } => {
                let gone = self.owners.remove(owner).unwrap_or_default();
                for contact in gone.contacts.values() {
                    usage.sub(*owner, usage::contact(contact));
                    self.unlink(*owner, &contact.jid);
                }
            }
        }
    }

    fn unlink(&mut self, owner: AccountId, jid: &Jid) {
        let Some(owners) = self.by_jid.get_mut(jid) else { return };
        owners.remove(&owner);
        if owners.is_empty() {
            self.by_jid.remove(jid);
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

impl Tables {
    fn row_about(&self, owner: AccountId, jid: &str) -> Option<RowAbout> {
        let account = self.accounts.get(owner)?;
        let roster = self.rosters.owners.get(&owner)?;
        let contact = Contact::clone(roster.contacts.get(jid)?);
        let (host, name) = (account.host.clone(), account.name.clone());
        Some(RowAbout { owner, host, name, version: roster.version, contact })
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

    fn roster_size(&self, owner: AccountId) -> Reading<RosterSize> {
        self.read_roster(owner, |roster| {
            let listed = roster.contacts.values().filter(|contact| contact.listed == Listed::Yes).count();
            RosterSize { listed: listed as u64, waiting: (roster.contacts.len() - listed) as u64 }
        })
    }

    fn rows_about(&self, jid: &str) -> Reading<Vec<RowAbout>> {
        self.read(|tables| {
            let owners = tables.rosters.by_jid.get(jid).into_iter().flatten();
            owners.filter_map(|owner| tables.row_about(*owner, jid)).collect()
        })
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
