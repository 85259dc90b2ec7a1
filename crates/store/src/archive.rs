//! The message archive of each account (the store behind XEP-0313 and XEP-0160). An archive is a list of rows whose
//! ids grow by one; rows not yet seen are the owner's offline messages.

use std::sync::Arc;

use metronome_model::{AccountId, ArchivedRow, Direction, Keep};
use metronome_proto::stanza::Stanza;

use crate::{Reading, StoreError};

mod search;

pub use search::{Count, Filter, Found, From, Page, Place, Rest, Search};

/// A page of rows ends after this many bytes of stanzas, however many rows were asked for; it has at least one row.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// The numbers of one archive. All are zero for an owner that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The id given last, also if its row is gone.
    pub last_id: u64,
    /// Rows that are there.
    pub rows: u64,
    /// Rows that no client has proved to have seen.
    pub unseen: u64,
}

/// Reads archives. A page may hold fewer rows than asked for (see [`PAGE_BYTES_MAX`]); only an empty page is the end.
pub trait Archive: Send + Sync {
    /// Up to `limit` unseen rows with ids above `after_id`, in id order.
    fn unseen(&self, owner: AccountId, after_id: u64, limit: usize) -> Reading<Vec<ArchivedRow>>;

    /// Up to `limit` rows whose ids lie in one of the ranges (both ends included), range by range, in id order within
    /// each.
    fn rows(&self, owner: AccountId, ids: Vec<(u64, u64)>, limit: usize) -> Reading<Vec<ArchivedRow>>;

    /// The id given last in this archive; zero before the first.
    fn last_id(&self, owner: AccountId) -> Reading<u64>;

    /// How many rows of this archive no client has proved to have seen.
    fn unseen_count(&self, owner: AccountId) -> Reading<u64>;

    /// A page of messages in the archive, as of XEP-0313; nothing is found for an owner that does not exist.
    fn search(&self, owner: AccountId, search: Search) -> Reading<Found>;

    /// Up to `limit` places of messages that a filter lets through, the lowest ids first; looks at no more than a bounded number of
    /// them, so only an empty answer is the end.
    fn places(&self, owner: AccountId, filter: Filter, limit: usize) -> Reading<Vec<Place>>;

    /// The first and the last message in the archive; none if there is none.
    fn ends(&self, owner: AccountId) -> Reading<Option<(Place, Place)>>;

    /// The numbers of this archive. Counts its rows: for administration, not for every message.
    fn counts(&self, owner: AccountId) -> Reading<Counts>;
}

/// Where an archive ends: all that is needed to append to it. The writer keeps these in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The backend's own number for the owner; never used for another.
    pub slot: u64,
    /// The id given last.
    pub last_id: u64,
    /// No row with this id or a lower one is unseen.
    pub seen_to: u64,
    /// How many rows are unseen.
    pub unseen: u64,
}

/// A row to be appended.
#[derive(Clone, Copy, Debug)]
pub struct NewRow {
    /// Whose archive.
    pub owner: AccountId,
    /// `Head::slot` of the owner.
    pub slot: u64,
    /// Its id, the owner's last id plus one.
    pub id: u64,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Sent or received by the owner.
    pub direction: Direction,
    /// How long it stays.
    pub keep: Keep,
    /// Whether a client still has to prove receipt.
    pub unseen: bool,
}

/// Changes archives, inside the writer's open transaction and after its checks.
pub trait ArchiveWrites {
    /// Reads an owner's head, with the changes of the open transaction; `None` if the account does not exist.
    fn head(&mut self, owner: AccountId) -> Result<Option<Head>, StoreError>;

    /// Adds rows that share one stanza.
    fn append(&mut self, rows: &[NewRow], stanza: &Arc<Stanza>) -> Result<(), StoreError>;

    /// Makes the rows from `first` to `last` seen, removes those kept only until then, and brings `head` up to date.
    /// The caller has cut the range to ids above `head.seen_to` and up to `head.last_id`.
    fn mark_seen(&mut self, owner: AccountId, head: &mut Head, first: u64, last: u64) -> Result<(), StoreError>;

    /// Puts another stanza into a row; nothing happens if there is none with this id.
    fn replace(&mut self, owner: AccountId, head: &Head, id: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError>;

    /// Removes the rows from `first` to `last` but for those that are unseen.
    fn remove(&mut self, owner: AccountId, head: &Head, first: u64, last: u64) -> Result<(), StoreError>;

    /// The highest id an archive can have; the writer answers `Full` beyond it.
    fn id_max(&self) -> u64;
}
