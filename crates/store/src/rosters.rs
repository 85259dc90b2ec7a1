//! Rosters (RFC 6121 section 2): the contacts of each account and the version of the whole.
//! Whoever changes a roster holds its owner's lock, so what is read under the lock is what is changed.

use metronome_model::{AccountId, Contact, RosterSize, RosterVersion};

use crate::{Reading, StoreError};

/// Reads rosters. An owner that does not exist has an empty one.
pub trait Rosters: Send + Sync {
    /// The whole roster in the order of the contacts' addresses, with its version, as one committed state.
    fn roster(&self, owner: AccountId) -> Reading<(RosterVersion, Vec<Contact>)>;

    /// The version of a roster.
    fn roster_version(&self, owner: AccountId) -> Reading<RosterVersion>;

    /// How many rows a roster has, counted without reading what is in them.
    fn roster_size(&self, owner: AccountId) -> Reading<RosterSize>;

    /// The rows of all rosters about exactly this address, listed or not and in whatever state, in the order of their owners' ids,
    /// as one committed state.
    fn rows_about(&self, jid: &str) -> Reading<Vec<RowAbout>>;

    /// One contact, by its address.
    fn contact(&self, owner: AccountId, jid: &str) -> Reading<Option<Contact>>;
}

/// A row that some account's roster has about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowAbout {
    /// Whose roster.
    pub owner: AccountId,
    /// The owner's domain, prepared.
    pub host: Box<str>,
    /// The owner's name, prepared.
    pub name: Box<str>,
    /// The version of that roster.
    pub version: RosterVersion,
    /// The row.
    pub contact: Contact,
}

/// Changes rosters, inside the writer's open transaction and after its checks.
pub trait RosterWrites {
    /// Sets a row and the roster's version to the row's. A contact that is nothing ([`Contact::is_nothing`]) has its row removed
    /// instead. If the row was listed and is not any more, [`RosterVersion::removed`] notes that.
    fn set_contact(&mut self, owner: AccountId, contact: &Contact) -> Result<(), StoreError>;
}
