//! Message archives in SQLite: one thin row per owner and message, pointing at the stanza, which is stored once for
//! the sender's and the recipient's row together. Measured with 200 owners this takes the CPU time of fat rows with an
//! index of their own, and half of the bytes.
//!
//! Appending writes no head: the end of an archive is its highest key. A head is written when rows are seen, because
//! then rows below it may go; it also makes everything up to `seen_to` seen without touching those rows. A partial
//! index of the unseen rows instead cost each message a third more. An index by address with an entry for each message doubled its
//! cost; so entries are added by the thousand, when a run of ids is full.

use std::sync::Arc;

use metronome_model::{AccountId, ArchivedRow, Direction, Keep};
use metronome_proto::stanza::Stanza;
use rusqlite::Row;

use super::accounts::slot;
use super::db::Db;
use super::{SqliteBackend, SqliteStore};
use crate::archive::{
    Archive, ArchiveWrites, Counts, Filter, Found, Head, NewRow, PAGE_BYTES_MAX, Page as FoundPage, Place, Search,
};
use crate::{Reading, StoreError, stored};

pub(super) mod peers;
mod search;

/// The low bits of a key are the id (34 thousand million rows per owner), the others the slot.
const ID_BITS: u32 = 35;

/// The highest id an archive can have.
const ID_MAX: u64 = (1 << ID_BITS) - 1;

/// The highest slot: 268 million accounts over the life of a database.
pub(super) const SLOT_MAX: i64 = (1 << (63 - ID_BITS)) - 1;

/// When reading a head has counted this many rows above it, it is written anew.
const COUNTED_MAX: i64 = 1024;

/// The low bits of a key within a run of ids whose times are noted together.
const BLOCK_BITS: u32 = 10;

const RECEIVED: i64 = 1;
const UNSEEN: i64 = 2;
const UNTIL_SEEN: i64 = 4;

fn key(slot: i64, id: u64) -> i64 {
    slot << ID_BITS | id.min(ID_MAX) as i64
}

fn id_of(key: i64) -> u64 {
    key as u64 & ID_MAX
}

fn direction(flags: i64) -> Direction {
    if flags & RECEIVED != 0 { Direction::Received } else { Direction::Sent }
}

fn flags(row: &NewRow) -> i64 {
    let received = if row.direction == Direction::Received { RECEIVED } else { 0 };
    let unseen = if row.unseen { UNSEEN } else { 0 };
    let until_seen = if row.keep == Keep::UntilSeen { UNTIL_SEEN } else { 0 };
    received | unseen | until_seen
}

/// Reads the end of an archive: its head and what came after it; with the number of rows counted for that.
fn read_head(db: &Db, slot: i64) -> Result<(Head, i64), StoreError> {
    let sql = "SELECT last_id, seen_to, unseen FROM archive_heads WHERE slot = ?1";
    let written =
        db.first(sql, (slot,), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    let (last_id, seen_to, unseen) = written.unwrap_or((0, 0, 0));
    let sql = "SELECT max(key), count(*), total(flags & 2) / 2 FROM archive WHERE key > ?1 AND key <= ?2";
    let above = db.first(sql, (key(slot, last_id as u64), key(slot, ID_MAX)), |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?, row.get::<_, f64>(2)?))
    })?;
    let (highest, counted, unseen_above) = above.unwrap_or((None, 0, 0.0));
    let head = Head {
        slot: slot as u64,
        last_id: highest.map_or(last_id as u64, id_of),
        seen_to: seen_to as u64,
        unseen: unseen as u64 + unseen_above as u64,
    };
    Ok((head, counted))
}

/// Reads an archive as one committed state, or answers with `R`'s empty value if the account does not exist.
pub(super) fn read_owner<R: Default>(
    db: &Db,
    owner: AccountId,
    read: impl FnOnce(&Db, i64) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    db.at_once(|db| match slot(db, owner)? {
        Some(slot) => read(db, slot),
        None => Ok(R::default()),
    })
}

fn seen_to(db: &Db, slot: i64) -> Result<u64, StoreError> {
    let sql = "SELECT seen_to FROM archive_heads WHERE slot = ?1";
    Ok(db.first(sql, (slot,), |row| row.get::<_, i64>(0))?.unwrap_or(0) as u64)
}

/// Rows being collected, up to the bounds of a page.
struct Page {
    owner: AccountId,
    seen_to: u64,
    limit: usize,
    bytes: usize,
    rows: Vec<ArchivedRow>,
}

impl Page {
    fn new(owner: AccountId, seen_to: u64, limit: usize) -> Page {
        Page { owner, seen_to, limit, bytes: 0, rows: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.limit || self.bytes >= PAGE_BYTES_MAX
    }

    /// Adds the rows from one key to another; with `flags`, only those that have all of them.
    fn fill(&mut self, db: &Db, first: i64, last: i64, flags: i64) -> Result<(), StoreError> {
        let sql = "SELECT a.key, a.at_ms, a.flags, s.xml FROM archive a CROSS JOIN stanzas s ON s.number = a.stanza
                   WHERE a.key BETWEEN ?1 AND ?2 AND a.flags & ?3 = ?3 ORDER BY a.key";
        db.with(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut rows = statement.query((first, last, flags))?;
            while !self.is_full() {
                let Some(row) = rows.next()? else { break };
                self.add(row)?;
            }
            Ok(())
        })
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let xml = row.get_ref(3)?.as_blob()?;
        self.bytes += xml.len();
        self.rows.extend(archived(self.owner, self.seen_to, row.get(0)?, row.get(1)?, row.get(2)?, xml));
        Ok(())
    }
}

/// A row as it was stored. One whose stanza is damaged must not keep its owner from the rows behind it.
fn archived(owner: AccountId, seen_to: u64, key: i64, at_ms: i64, flags: i64, xml: &[u8]) -> Option<ArchivedRow> {
    let id = id_of(key);
    let Some(stanza) = stored::read(xml) else {
        tracing::error!(%owner, id, "a stored stanza cannot be read and is passed over");
        return None;
    };
    Some(ArchivedRow {
        owner,
        id,
        at_ms: at_ms as u64,
        direction: direction(flags),
        unseen: flags & UNSEEN != 0 && id > seen_to,
        keep: if flags & UNTIL_SEEN != 0 { Keep::UntilSeen } else { Keep::Archive },
        stanza,
    })
}

impl Archive for SqliteStore {
    fn unseen(&self, owner: AccountId, after_id: u64, limit: usize) -> Reading<Vec<ArchivedRow>> {
        self.read(move |db| {
            read_owner(db, owner, |db, slot| {
                let mut page = Page::new(owner, seen_to(db, slot)?, limit);
                let first = after_id.max(page.seen_to).saturating_add(1);
                if first <= ID_MAX {
                    page.fill(db, key(slot, first), key(slot, ID_MAX), UNSEEN)?;
                }
                Ok(page.rows)
            })
        })
    }

    fn rows(&self, owner: AccountId, ids: Vec<(u64, u64)>, limit: usize) -> Reading<Vec<ArchivedRow>> {
        self.read(move |db| {
            read_owner(db, owner, |db, slot| {
                let mut page = Page::new(owner, seen_to(db, slot)?, limit);
                for (first, last) in ids.into_iter().filter(|(first, last)| first <= last && *first <= ID_MAX) {
                    if !page.is_full() {
                        page.fill(db, key(slot, first), key(slot, last), 0)?;
                    }
                }
                Ok(page.rows)
            })
        })
    }

    fn last_id(&self, owner: AccountId) -> Reading<u64> {
        self.read(move |db| read_owner(db, owner, |db, slot| Ok(read_head(db, slot)?.0.last_id)))
    }

    fn unseen_count(&self, owner: AccountId) -> Reading<u64> {
        self.read(move |db| read_owner(db, owner, |db, slot| Ok(read_head(db, slot)?.0.unseen)))
    }

    fn search(&self, owner: AccountId, search: Search) -> Reading<Found> {
        self.read(move |db| {
            db.at_once(|db| match slot(db, owner)? {
                Some(slot) => search::page(db, owner, slot, &search),
                None if search.known.is_empty() => Ok(Found::Page(FoundPage::empty(&search))),
                None => Ok(Found::Unknown),
            })
        })
    }

    fn places(&self, owner: AccountId, filter: Filter, limit: usize) -> Reading<Vec<Place>> {
        self.read(move |db| read_owner(db, owner, |db, slot| search::places(db, owner, slot, &filter, limit)))
    }

    fn ends(&self, owner: AccountId) -> Reading<Option<(Place, Place)>> {
        self.read(move |db| read_owner(db, owner, search::ends))
    }

    fn counts(&self, owner: AccountId) -> Reading<Counts> {
        self.read(move |db| {
            read_owner(db, owner, |db, slot| {
                let (head, _) = read_head(db, slot)?;
                let sql = "SELECT count(*) FROM archive WHERE key BETWEEN ?1 AND ?2";
                let rows = db.first(sql, (key(slot, 0), key(slot, ID_MAX)), |row| row.get::<_, i64>(0))?;
                Ok(Counts { last_id: head.last_id, rows: rows.unwrap_or(0) as u64, unseen: head.unseen })
            })
        })
    }
}

impl ArchiveWrites for SqliteBackend {
    fn head(&mut self, owner: AccountId) -> Result<Option<Head>, StoreError> {
        self.write_rows()?;
        let db = self.db()?;
        let Some(slot) = slot(db, owner)? else { return Ok(None) };
        let (head, counted) = read_head(db, slot)?;
        if counted > COUNTED_MAX {
            write_head(db, &head)?;
        }
        Ok(Some(head))
    }

    fn append(&mut self, rows: &[NewRow], stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        let mut xml = std::mem::take(&mut self.xml);
        xml.clear();
        stanza.write(&mut xml);
        let number = add_stanza(self.db()?, rows.len(), &xml)?;
        self.xml = xml;
        for row in rows {
            let (slot, flags) = (row.slot as i64, flags(row));
            let peer = match row.keep {
                Keep::Archive => peers::hash(row.direction.peer(stanza).bare_str()),
                Keep::UntilSeen => 0,
            };
            self.rows.push((key(slot, row.id), row.at_ms as i64, flags, number, peer));
        }
        Ok(())
    }

    fn mark_seen(&mut self, _owner: AccountId, head: &mut Head, first: u64, last: u64) -> Result<(), StoreError> {
        self.write_rows()?;
        let db = self.db()?;
        let slot = head.slot as i64;
        let cleared = clear(db, slot, first, last)?;
        if cleared == 0 {
            return Ok(());
        }
        head.unseen -= cleared.min(head.unseen);
        head.seen_to = if head.unseen == 0 {
            head.last_id
        } else {
            match first_unseen(db, slot, head.seen_to + 1, first)? {
                None => last,
                Some(earlier) => {
                    // The mark cannot pass it, so these rows must say for themselves that they are seen.
                    let sql = "UPDATE archive SET flags = flags & ~2 WHERE key BETWEEN ?1 AND ?2 AND flags & 2";
                    db.run(sql, (key(slot, first), key(slot, last)))?;
                    earlier - 1
                }
            }
        };
        write_head(db, head)
    }

    fn replace(&mut self, _owner: AccountId, head: &Head, id: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.write_rows()?;
        let db = self.db()?;
        let key = key(head.slot as i64, id);
        let Some(former) = db.first("SELECT stanza FROM archive WHERE key = ?1", (key,), |row| row.get(0))? else {
            return Ok(());
        };
        let number = add_stanza(db, 1, &stanza.to_vec())?;
        db.run("UPDATE archive SET stanza = ?2 WHERE key = ?1", (key, number))?;
        release(db, former)
    }

    fn remove(&mut self, _owner: AccountId, head: &Head, first: u64, last: u64) -> Result<(), StoreError> {
        self.write_rows()?;
        let db = self.db()?;
        let slot = head.slot as i64;
        let range = (key(slot, first), key(slot, last), key(slot, head.seen_to));
        let sql = "SELECT key, stanza, peer FROM archive WHERE key BETWEEN ?1 AND ?2 AND (key <= ?3 OR flags & 2 = 0)";
        let rows = db.all(sql, range, |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?)))?;
        if rows.is_empty() {
            return Ok(());
        }
        rows.into_iter().try_for_each(|(key, stanza, peer)| remove(db, key, stanza, peer))?;
        forget_times(db, range.0, range.1)?;
        // The highest key may be among them, and its id must not be used again.
        write_head(db, head)
    }

    fn id_max(&self) -> u64 {
        ID_MAX
    }
}

/// Stores a stanza to which so many rows will point, and gives its number.
fn add_stanza(db: &Db, refs: usize, xml: &[u8]) -> Result<i64, StoreError> {
    db.run("INSERT INTO stanzas VALUES (NULL, ?1, ?2)", (refs as i64, xml))?;
    db.with(|conn| Ok(conn.last_insert_rowid()))
}

/// Forgets the times of runs in which nothing is left.
fn forget_times(db: &Db, first: i64, last: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM archive_times WHERE block BETWEEN ?1 AND ?2
               AND NOT EXISTS (SELECT 1 FROM archive WHERE key BETWEEN block << 10 AND (block << 10) + 1023)";
    db.run(sql, (first >> BLOCK_BITS, last >> BLOCK_BITS)).map(drop)
}

impl SqliteBackend {
    /// Writes the archive rows that wait: many with one statement, in the order of the tree, so that neighbours are found at once.
    pub(super) fn write_rows(&mut self) -> Result<(), StoreError> {
        const TOGETHER: usize = 16;
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable();
        let db = self.db()?;
        let (together, alone) = rows.as_chunks::<TOGETHER>();
        for rows in together {
            let values = rows.iter().flat_map(|&(key, at_ms, flags, stanza, peer)| [key, at_ms, flags, stanza, peer]);
            db.run(INSERT_TOGETHER, rusqlite::params_from_iter(values))?;
        }
        for &row in alone {
            db.run("INSERT INTO archive VALUES (?1, ?2, ?3, ?4, ?5)", row)?;
        }
        for &(key, ..) in rows.iter().filter(|(key, ..)| is_last_of_block(*key)) {
            peers::close_block(db, key)?;
        }
        rows.clear();
        self.rows = rows;
        Ok(())
    }
}

/// Whether a run of ids is full with this row.
fn is_last_of_block(key: i64) -> bool {
    key & ((1 << BLOCK_BITS) - 1) == (1 << BLOCK_BITS) - 1
}

/// Sixteen rows of five columns.
const INSERT_TOGETHER: &str = "INSERT INTO archive VALUES (?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),\
     (?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?),(?,?,?,?,?)";

/// Removes the unseen rows of a range that were kept only until now, and says how many were unseen.
fn clear(db: &Db, slot: i64, first: u64, last: u64) -> Result<u64, StoreError> {
    let sql = "SELECT key, flags, stanza, peer FROM archive WHERE key BETWEEN ?1 AND ?2 AND flags & 2";
    let mut cleared = 0;
    let mut gone = Vec::new();
    db.with(|conn| {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query((key(slot, first), key(slot, last)))?;
        while let Some(row) = rows.next()? {
            cleared += 1;
            if row.get::<_, i64>(1)? & UNTIL_SEEN != 0 {
                gone.push((row.get(0)?, row.get(2)?, row.get(3)?));
            }
        }
        Ok(())
    })?;
    gone.into_iter().try_for_each(|(key, stanza, peer)| remove(db, key, stanza, peer))?;
    Ok(cleared)
}

/// The first unseen row from `first` up to but not including `end`.
fn first_unseen(db: &Db, slot: i64, first: u64, end: u64) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT key FROM archive WHERE key >= ?1 AND key < ?2 AND flags & 2 ORDER BY key LIMIT 1";
    Ok(db.first(sql, (key(slot, first), key(slot, end)), |row| row.get(0))?.map(id_of))
}

fn write_head(db: &Db, head: &Head) -> Result<(), StoreError> {
    let sql = "INSERT INTO archive_heads VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
               SET last_id = excluded.last_id, seen_to = excluded.seen_to, unseen = excluded.unseen";
    let params = (head.slot as i64, head.last_id as i64, head.seen_to as i64, head.unseen as i64);
    db.run(sql, params).map(drop)
}

/// Removes up to about `rows_max` rows of an archive whose account is gone, its head with the last of them, and says how many rows.
pub(super) fn purge(db: &Db, slot: i64, rows_max: usize) -> Result<usize, StoreError> {
    let sql = "SELECT key, stanza, peer FROM archive WHERE key BETWEEN ?1 AND ?2 LIMIT ?3";
    let range = (key(slot, 0), key(slot, ID_MAX), rows_max as i64);
    let rows = db.all(sql, range, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let removed = rows.len();
    rows.into_iter().try_for_each(|(key, stanza, peer)| remove(db, key, stanza, peer))?;
    if removed < rows_max {
        forget_times(db, key(slot, 0), key(slot, ID_MAX))?;
        db.run("DELETE FROM archive_heads WHERE slot = ?1", (slot,))?;
    }
    Ok(removed)
}

/// Removes a row, and its stanza with the last row that points there.
fn remove(db: &Db, key: i64, stanza: i64, peer: i64) -> Result<(), StoreError> {
    db.run("DELETE FROM archive WHERE key = ?1", (key,))?;
    if peer != 0 {
        db.run("DELETE FROM archive_peers WHERE peer = ?1 AND key = ?2", (peer, key))?;
    }
    release(db, stanza)
}

/// One row less points to this stanza.
fn release(db: &Db, stanza: i64) -> Result<(), StoreError> {
    if db.run("DELETE FROM stanzas WHERE number = ?1 AND refs <= 1", (stanza,))? == 0 {
        db.run("UPDATE stanzas SET refs = refs - 1 WHERE number = ?1", (stanza,))?;
    }
    Ok(())
}
