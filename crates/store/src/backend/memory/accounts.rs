//! Accounts in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use metronome_model::{Account, AccountId, AccountState, KeyHash, Role, StoredKeys};

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore};
use crate::accounts::{AccountWrites, Accounts, Credentials};
use crate::{Reading, StoreError};

/// Accounts by id, their addresses, and the ids whose rows are still to be removed.
#[derive(Clone, Default)]
pub(super) struct Table {
    by_id: HashMap<AccountId, Credentials>,
    by_address: BTreeMap<(Box<str>, Box<str>), AccountId>,
    forgotten: BTreeSet<AccountId>,
}

/// A change of the accounts.
pub(super) enum Change {
    Add { account: Account, keys: Vec<StoredKeys> },
    SetKeys { id: AccountId, keys: Vec<StoredKeys> },
    AddKeys { id: AccountId, keys: StoredKeys },
    SetRole { id: AccountId, role: Role },
    SetState { id: AccountId, state: AccountState },
    Forget { id: AccountId },
    Buried { id: AccountId },
}

impl Table {
    pub(super) fn contains(&self, id: AccountId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn get(&self, id: AccountId) -> Option<&Account> {
        self.by_id.get(&id).map(|known| &known.account)
    }

    /// The account with this address, whatever it is.
    pub(super) fn id_of(&self, host: &str, name: &str) -> Option<AccountId> {
        self.at(host, name).map(|found| found.account.id)
    }

    /// The accounts of a host behind a name, in the order of their names; without the host's own.
    pub(super) fn of_host<'a>(&'a self, host: &'a str, after: Option<&str>) -> impl Iterator<Item = &'a Account> {
        let first = (Box::from(host), Box::from(after.unwrap_or_default()));
        let behind = self.by_address.range((Bound::Excluded(first), Bound::Unbounded));
        let of_host = behind.take_while(move |((known, _), _)| **known == *host);
        of_host.filter_map(|(_, id)| Some(&self.by_id.get(id)?.account))
    }

    /// A forgotten account that still has rows.
    pub(super) fn forgotten(&self) -> Option<AccountId> {
        self.forgotten.first().copied()
    }

    fn at(&self, host: &str, name: &str) -> Option<&Credentials> {
        if self.by_address.is_empty() {
            // Asked for every address in a server without guests.
            return None;
        }
        self.by_id.get(self.by_address.get(&(host.into(), name.into()))?)
    }

    /// Nobody finds a domain's own account by its name, which is empty.
    fn person(&self, host: &str, name: &str) -> Option<&Credentials> {
        self.at(host, name).filter(|found| !found.account.is_of_domain())
    }

    pub(super) fn apply(&mut self, change: &Change, usage: &mut Usage) {
        match change {
            Change::Add { account, keys } => {
                usage.add(account.id, usage::account(account));
                self.add(account.clone(), sorted(keys));
            }
            Change::Forget { id } => {
                if let Some(account) = self.forget(*id) {
                    usage.sub(*id, usage::account(&account));
                }
            }
            Change::Buried { id } => {
                self.forgotten.remove(id);
            }
            Change::SetKeys { id, keys } => self.with(*id, |known| {
                known.keys = sorted(keys);
                known.account.auth_epoch += 1;
            }),
            Change::AddKeys { id, keys } => self.with(*id, |known| {
                if known.keys.iter().all(|other| other.hash != keys.hash) {
                    known.keys.push(keys.clone());
                    known.keys = sorted(&known.keys);
                }
            }),
            Change::SetRole { id, role } => self.with(*id, |known| known.account.role = *role),
            Change::SetState { id, state } => self.with(*id, |known| {
                let before = std::mem::replace(&mut known.account.state, *state);
                known.account.auth_epoch += u32::from(state.is_disabled() && !before.is_disabled());
            }),
        }
    }

    fn with(&mut self, id: AccountId, change: impl FnOnce(&mut Credentials)) {
        if let Some(known) = self.by_id.get_mut(&id) {
            change(known);
        }
    }

    fn add(&mut self, account: Account, keys: Vec<StoredKeys>) {
        self.by_address.insert((account.host.clone(), account.name.clone()), account.id);
        self.by_id.insert(account.id, Credentials { account, keys });
    }

    fn forget(&mut self, id: AccountId) -> Option<Account> {
        let Credentials { account, .. } = self.by_id.remove(&id)?;
        self.by_address.remove(&(account.host.clone(), account.name.clone()));
        self.forgotten.insert(id);
        Some(account)
    }
}

/// Weakest hash first; the last set wins where there are two for one hash.
fn sorted(keys: &[StoredKeys]) -> Vec<StoredKeys> {
    let by_hash: BTreeMap<KeyHash, &StoredKeys> = keys.iter().map(|keys| (keys.hash, keys)).collect();
    by_hash.into_values().cloned().collect()
}

impl MemoryStore {
    /// The account with this address, at once.
    pub(in crate::backend) fn find(&self, host: &str, name: &str) -> Option<Credentials> {
        self.tables.read().accounts.person(host, name).cloned()
    }
}

impl Accounts for MemoryStore {
    fn account(&self, host: &str, name: &str) -> Reading<Option<Account>> {
        self.read(|tables| tables.accounts.person(host, name).map(|known| known.account.clone()))
    }

    fn account_of_domain(&self, host: &str) -> Reading<Option<Account>> {
        self.read(|tables| tables.accounts.at(host, "").map(|known| known.account.clone()))
    }

    fn account_by_id(&self, id: AccountId) -> Reading<Option<Account>> {
        self.read(|tables| tables.accounts.by_id.get(&id).map(|known| known.account.clone()))
    }

    fn credentials(&self, host: &str, name: &str) -> Reading<Option<Credentials>> {
        self.read(|tables| tables.accounts.person(host, name).cloned())
    }

    fn keys(&self, id: AccountId, hash: KeyHash) -> Reading<Option<StoredKeys>> {
        self.read(|tables| {
            let known = tables.accounts.by_id.get(&id)?;
            known.keys.iter().find(|keys| keys.hash == hash).cloned()
        })
    }

    fn list(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Account>> {
        self.read(|tables| tables.accounts.of_host(host, after).take(limit).cloned().collect())
    }
}

impl AccountWrites for MemoryBackend {
    fn in_use(&mut self, account: &Account) -> Result<bool, StoreError> {
        let table = &self.working.accounts;
        let id_known = table.contains(account.id) || table.forgotten.contains(&account.id);
        Ok(id_known || table.at(&account.host, &account.name).is_some())
    }

    fn add_account(&mut self, account: &Account, keys: &[StoredKeys]) -> Result<(), StoreError> {
        self.change(super::Change::Account(Change::Add { account: account.clone(), keys: keys.to_vec() }))
    }

    fn set_keys(&mut self, id: AccountId, keys: &[StoredKeys]) -> Result<(), StoreError> {
        self.change(super::Change::Account(Change::SetKeys { id, keys: keys.to_vec() }))
    }

    fn add_keys(&mut self, id: AccountId, keys: &StoredKeys) -> Result<(), StoreError> {
        self.change(super::Change::Account(Change::AddKeys { id, keys: keys.clone() }))
    }

    fn set_role(&mut self, id: AccountId, role: Role) -> Result<(), StoreError> {
        self.change(super::Change::Account(Change::SetRole { id, role }))
    }

    fn set_state(&mut self, id: AccountId, state: AccountState) -> Result<(), StoreError> {
        self.change(super::Change::Account(Change::SetState { id, state }))
    }

    fn forget(&mut self, id: AccountId) -> Result<(), StoreError> {
        self.change(super::Change::Account(Change::Forget { id }))
    }
}
