//! Short numbers for the addresses in archives: one for each owner and bare address, so that a row and its index entry stay thin.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use rusqlite::{Connection, OptionalExtension};

use super::{RECEIVED, UNTIL_SEEN};
use crate::StoreError;
use crate::backend::sqlite::db::Db;
use crate::stored;

/// Numbers in memory: some three megabytes at worst.
const KNOWN_MAX: usize = 16 * 1024;

/// The numbers that were needed lately. Only the writer has them, and only while they are right: a transaction undone empties it.
#[derive(Default)]
pub(in crate::backend::sqlite) struct Peers {
    /// By a hash of owner and address, so that a look-up copies nothing; of two with one hash the later stays.
    known: HashMap<u64, Known>,
    hasher: RandomState,
}

struct Known {
    slot: i64,
    jid: Box<str>,
    number: i64,
}

impl Peers {
    /// The number of a bare address in an owner's archive, given now if it has none.
    pub(super) fn number(&mut self, db: &Db, slot: i64, jid: &str) -> Result<i64, StoreError> {
        let hash = self.hasher.hash_one((slot, jid));
        if let Some(known) = self.known.get(&hash).filter(|known| known.slot == slot && *known.jid == *jid) {
            return Ok(known.number);
        }
        let number = db.with(|conn| intern(conn, slot, jid))?;
        if self.known.len() >= KNOWN_MAX {
            self.known = HashMap::new();
        }
        self.known.insert(hash, Known { slot, jid: jid.into(), number });
        Ok(number)
    }

    /// Forgets all of them: some may not be right any more.
    pub(in crate::backend::sqlite) fn clear(&mut self) {
        self.known = HashMap::new();
    }
}

/// The number of a bare address in an owner's archive; none if nothing was ever exchanged with it.
pub(super) fn find(db: &Db, slot: i64, jid: &str) -> Result<Option<i64>, StoreError> {
    db.first("SELECT number FROM peers WHERE slot = ?1 AND jid = ?2", (slot, jid), |row| row.get(0))
}

/// Removes an address that no row names any more, and says whether it is gone.
pub(super) fn forget_unused(db: &Db, number: i64) -> Result<bool, StoreError> {
    let sql = "DELETE FROM peers WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM archive WHERE peer = ?1)";
    Ok(db.run(sql, (number,))? > 0)
}

/// Removes up to `rows_max` addresses of an owner that is gone, and says how many.
pub(super) fn purge(db: &Db, slot: i64, rows_max: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM peers WHERE number IN (SELECT number FROM peers WHERE slot = ?1 LIMIT ?2)";
    db.run(sql, (slot, rows_max as i64))
}

fn intern(conn: &Connection, slot: i64, jid: &str) -> rusqlite::Result<i64> {
    let mut find = conn.prepare_cached("SELECT number FROM peers WHERE slot = ?1 AND jid = ?2")?;
    if let Some(number) = find.query_row((slot, jid), |row| row.get(0)).optional()? {
        return Ok(number);
    }
    conn.prepare_cached("INSERT INTO peers (slot, jid) VALUES (?1, ?2)")?.execute((slot, jid))?;
    Ok(conn.last_insert_rowid())
}

/// Gives the rows of an older schema their numbers, and full runs of ids their times.
pub(in crate::backend::sqlite) fn fill(conn: &Connection) -> rusqlite::Result<()> {
    const ROWS: usize = 1000;
    let sql = "SELECT a.key, a.flags, s.xml FROM archive a CROSS JOIN stanzas s ON s.number = a.stanza
               WHERE a.key > ?1 ORDER BY a.key LIMIT ?2";
    let mut after = -1;
    loop {
        let mut statement = conn.prepare_cached(sql)?;
        let rows = statement.query_map((after, ROWS as i64), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        let Some((last, ..)) = rows.last() else { break };
        after = *last;
        for (key, flags, xml) in rows.into_iter().filter(|(_, flags, _)| flags & UNTIL_SEEN == 0) {
            let Some(stanza) = stored::read(&xml) else { continue };
            let peer = super::direction(flags & RECEIVED).peer(&stanza);
            let number = intern(conn, super::slot_of(key), peer.bare_str())?;
            conn.prepare_cached("UPDATE archive SET peer = ?2 WHERE key = ?1")?.execute((key, number))?;
        }
    }
    conn.execute_batch(
        "INSERT INTO archive_times SELECT key >> 10, min(at_ms), max(at_ms) FROM archive
         GROUP BY key >> 10 HAVING max(key) & 1023 = 1023",
    )
}
