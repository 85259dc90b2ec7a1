//! Places to keep a store. Each backend has the same file names: `mod`, `accounts`, `archive`, `documents`,
//! `hosts`, `meta`, `nodes`, `outbox`, `rooms`, `rosters`.
//! The writer does all checks and gives all ids, so that backends only read and change rows.

pub mod faults;
pub mod memory;
pub mod split;
pub mod sqlite;

use metronome_model::Record;

use crate::StoreError;
use crate::accounts::AccountWrites;
use crate::archive::ArchiveWrites;
use crate::documents::DocumentWrites;
use crate::hosts::HostWrites;
use crate::meta::MetaWrites;
use crate::nodes::NodeWrites;
use crate::outbox::OutboxWrites;
use crate::resumables::ResumableWrites;
use crate::rooms::RoomWrites;
use crate::rosters::RosterWrites;

/// The writing side of a backend. Only its `Writer` calls it, from one thread, one transaction at a time.
pub trait Backend:
    AccountWrites
    + ArchiveWrites
    + DocumentWrites
    + HostWrites
    + MetaWrites
    + NodeWrites
    + OutboxWrites
    + ResumableWrites
    + RoomWrites
    + RosterWrites
    + Send
{
    /// Opens a transaction.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Whether what this record adds has room where there is a bound on it; the writer answers `Full` if not. Asked only for records
    /// that name a guest, before their changes.
    fn has_room(&self, _record: &Record) -> bool {
        true
    }

    /// Writes what the transaction still holds in memory, so that what cannot be written fails here, where the batch can be
    /// undone and its records tried alone.
    fn flush(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes the transaction durable; does not touch the disk if it changed nothing. After an error nobody knows
    /// whether it is durable until [`Backend::recover`] says so.
    fn commit(&mut self) -> Result<Wrote, StoreError>;

    /// Undoes the open transaction. After an error the backend must be recovered.
    fn rollback(&mut self) -> Result<(), StoreError>;

    /// Builds everything up anew after an error and says what became of the last commit. Whatever is there afterwards
    /// is durable.
    fn recover(&mut self) -> Result<LastCommit, StoreError>;

    /// Removes up to about `rows_max` rows of forgotten accounts, inside the open transaction.
    fn purge(&mut self, rows_max: usize) -> Result<Purge, StoreError>;

    /// Called after each commit, for work that may run beside it, and once when nothing has come for a while.
    fn upkeep(&mut self, when: Upkeep);
}

/// Whether a commit had anything to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// Changes, now durable.
    Changes,
    /// Nothing: the disk was not touched.
    Nothing,
}

/// What recovery found out about the commit before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastCommit {
    /// It is durable, all of it.
    Applied,
    /// Nothing of it is there.
    NotApplied,
}

/// Whether forgotten accounts still have rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Call again.
    More,
    /// All of them are gone.
    Finished,
}

/// When upkeep is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// Between two batches: must be quick.
    Busy,
    /// Nothing waits: may take longer.
    Idle,
}
