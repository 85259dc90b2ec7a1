//! Accounts and their keys: what is read when somebody logs in, is written to, or is listed.
//! Names and hosts are compared byte by byte, so callers give prepared ones (RFC 7622).

use metronome_model::{Account, AccountId, AccountState, KeyHash, Role, StoredKeys};

use crate::{Reading, StoreError};

/// An account with all its keys, read in one step so that they belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The account.
    pub account: Account,
    /// One set per hash function, weakest first; may be empty.
    pub keys: Vec<StoredKeys>,
}

/// Reads accounts.
pub trait Accounts: Send + Sync {
    /// The account of a person with this address, `None` if there is none (any more). Nobody finds a domain's own account by a name.
    fn account(&self, host: &str, name: &str) -> Reading<Option<Account>>;

    /// A domain's own account ([`Account::of_domain`]), `None` if it was not made yet.
    fn account_of_domain(&self, host: &str) -> Reading<Option<Account>>;

    /// The account with this id, also one of a domain, `None` if there is none (any more).
    fn account_by_id(&self, id: AccountId) -> Reading<Option<Account>>;

    /// The account of a person with this address and its keys, as one committed state.
    fn credentials(&self, host: &str, name: &str) -> Reading<Option<Credentials>>;

    /// The keys of an account for one hash function.
    fn keys(&self, id: AccountId, hash: KeyHash) -> Reading<Option<StoredKeys>>;

    /// Up to `limit` accounts of a host in byte order of their names, beginning behind the name `after`; without the domain's own.
    fn list(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Account>>;
}

/// Changes accounts, inside the writer's open transaction. Called only after the writer's checks, so the account
/// exists, except for `add_account`.
pub trait AccountWrites {
    /// Whether the address or the id of a new account is in use, also by an account that is being removed.
    fn in_use(&mut self, account: &Account) -> Result<bool, StoreError>;

    /// Adds an account and its keys.
    fn add_account(&mut self, account: &Account, keys: &[StoredKeys]) -> Result<(), StoreError>;

    /// Replaces all keys and raises `auth_epoch`.
    fn set_keys(&mut self, id: AccountId, keys: &[StoredKeys]) -> Result<(), StoreError>;

    /// Adds keys, unless there are some for the same hash function.
    fn add_keys(&mut self, id: AccountId, keys: &StoredKeys) -> Result<(), StoreError>;

    /// Sets the role.
    fn set_role(&mut self, id: AccountId, role: Role) -> Result<(), StoreError>;

    /// Sets the state, and raises `auth_epoch` if the account was not disabled and is now.
    fn set_state(&mut self, id: AccountId, state: AccountState) -> Result<(), StoreError>;

    /// Removes the account and its keys and leaves a tombstone from which `Backend::purge` removes the rest.
    fn forget(&mut self, id: AccountId) -> Result<(), StoreError>;
}
