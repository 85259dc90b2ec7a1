//! Removing what forgotten accounts have left, a few rows at a time between the records of others.
//! An account's tombstone goes with its last row, so a removal cut short goes on after a restart.

use super::SqliteBackend;
use super::db::Db;
use super::{archive, documents, nodes, resumables, rooms, rosters};
use crate::StoreError;
use crate::backend::Purge;

/// A document counts as this many rows: it may take a hundred pages.
const ROWS_PER_DOCUMENT: usize = 32;

impl SqliteBackend {
    /// Removes rows of one forgotten account, and its tombstone with the last of them; after those what nodes have left.
    pub(super) fn purge_rows(&mut self, rows_max: usize) -> Result<Purge, StoreError> {
        self.write_rows()?;
        let db = self.db()?;
        let Some(slot) = db.first("SELECT slot FROM tombstones LIMIT 1", (), |row| row.get::<_, i64>(0))? else {
            return nodes::sweep(db, rows_max);
        };
        if remove(db, slot, rows_max)? {
            db.run("DELETE FROM tombstones WHERE slot = ?1", (slot,))?;
        }
        Ok(Purge::More)
    }
}

/// Removes table by table, as far as `rows_max` goes, and says whether nothing is left.
fn remove(db: &Db, slot: i64, rows_max: usize) -> Result<bool, StoreError> {
    let mut left = rows_max;
    left -= archive::purge(db, slot, left)?;
    if left == 0 {
        return Ok(false);
    }
    left -= rosters::purge(db, slot, left)?;
    if left == 0 {
        return Ok(false);
    }
    left -= nodes::leave_behind(db, slot, left)?;
    if left == 0 {
        return Ok(false);
    }
    left -= rooms::purge(db, slot, left)?;
    if left == 0 {
        return Ok(false);
    }
    resumables::purge(db, slot)?;
    let documents_max = left.div_ceil(ROWS_PER_DOCUMENT);
    Ok(documents::purge(db, slot, documents_max)? < documents_max)
}
