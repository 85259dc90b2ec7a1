//! Streams that may be resumed, in SQLite. What is handled is collected and written once per commit for each stream.

use std::collections::BTreeSet;

use metronome_model::{AccountId, Handled, Noted, Resumable, StreamNumber};
use rusqlite::Row;

use super::db::Db;
use super::{SqliteBackend, SqliteStore};
use crate::resumables::{ResumableWrites, Resumables};
use crate::{Reading, StoreError};

/// Bytes of one unacknowledged row.
const UNACKED_BYTES: usize = 12;

fn unacked_blob(unacked: &[(u32, u64)]) -> Vec<u8> {
    unacked.iter().flat_map(|(behind, id)| behind.to_le_bytes().into_iter().chain(id.to_le_bytes())).collect()
}

fn unacked_of(blob: &[u8]) -> Vec<(u32, u64)> {
    let chunks = blob.chunks_exact(UNACKED_BYTES);
    let one = |chunk: &[u8]| {
        let (behind, id) = chunk.split_at(4);
        Some((u32::from_le_bytes(behind.try_into().ok()?), u64::from_le_bytes(id.try_into().ok()?)))
    };
    chunks.filter_map(one).collect()
}

fn read_stream(row: &Row<'_>) -> rusqlite::Result<Resumable> {
    let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
    let noted = Noted {
        at_ms: number(8)?,
        presence: row.get(9)?,
        switches: number(10)? as u32,
        sent: number(11)? as u32,
        unacked: unacked_of(row.get_ref(12)?.as_blob()?),
        handed: number(13)?,
    };
    Ok(Resumable {
        number: StreamNumber(number(0)?),
        owner: AccountId::from_bytes(row.get(1)?),
        auth_epoch: number(2)? as u32,
        token: row.get(3)?,
        resource: row.get(4)?,
        mechanism: row.get(5)?,
        since_ms: number(6)?,
        max_s: number(7)? as u32,
        noted,
        handled: row.get::<_, Option<i64>>(14)?.unwrap_or_default() as u32,
        marks: Vec::new(),
    })
}

impl Resumables for SqliteStore {
    fn resumables(&self) -> Reading<Vec<Resumable>> {
        self.read(|db| {
            db.at_once(|db| {
                let sql = "SELECT s.number, a.id, s.auth_epoch, s.token, s.resource, s.mechanism, s.since_ms, s.max_s, s.noted_ms,
                           s.presence, s.switches, s.sent, s.unacked, s.handed, h.h
                           FROM streams s JOIN accounts a ON a.slot = s.slot LEFT JOIN streams_handled h ON h.number = s.number
                           ORDER BY s.number";
                let mut streams = db.all(sql, (), read_stream)?;
                let sql = "SELECT number, h FROM streams_marks";
                let marks = db.all(sql, (), |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u32)))?;
                for (number, h) in marks {
                    if let Ok(at) = streams.binary_search_by_key(&number, |stream| stream.number.0) {
                        streams[at].marks.push(h);
                    }
                }
                Ok(streams)
            })
        })
    }
}

impl ResumableWrites for SqliteBackend {
    fn set_resumable(&mut self, stream: &Resumable) -> Result<(), StoreError> {
        let slot = self.known_slot(stream.owner)?;
        let Resumable { number, auth_epoch, token, resource, mechanism, since_ms, max_s, noted, .. } = stream;
        let sql = "INSERT OR REPLACE INTO streams VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        self.db()?.with(|conn| {
            conn.prepare_cached(sql)?.execute((
                number.0 as i64,
                slot,
                auth_epoch,
                token,
                resource,
                mechanism,
                *since_ms as i64,
                max_s,
                noted.at_ms as i64,
                &noted.presence,
                noted.switches,
                noted.sent,
                unacked_blob(&noted.unacked),
                noted.handed as i64,
            ))
        })?;
        Ok(())
    }

    fn note_resumable(&mut self, number: StreamNumber, noted: &Noted) -> Result<(), StoreError> {
        let sql = "UPDATE streams SET noted_ms = ?2, presence = ?3, switches = ?4, sent = ?5, unacked = ?6, handed = ?7
                   WHERE number = ?1";
        let Noted { at_ms, presence, switches, sent, unacked, handed } = noted;
        let params = (number.0 as i64, *at_ms as i64, presence, switches, sent, unacked_blob(unacked), *handed as i64);
        self.db()?.run(sql, params).map(drop)
    }

    fn set_handled(&mut self, handled: Handled) -> Result<(), StoreError> {
        match handled {
            Handled::UpTo(number, h) => {
                self.handled.insert(number, h);
                Ok(())
            }
            Handled::Only(number, h) => {
                self.marked.insert(number);
                self.db()?.run("INSERT OR IGNORE INTO streams_marks VALUES (?1, ?2)", (number.0 as i64, h)).map(drop)
            }
        }
    }

    fn forget_resumable(&mut self, number: StreamNumber) -> Result<(), StoreError> {
        self.handled.remove(&number);
        self.marked.remove(&number);
        forget(self.db()?, number.0 as i64)
    }
}

impl SqliteBackend {
    /// Writes what was collected since the transaction began.
    pub(super) fn write_handled(&mut self) -> Result<(), StoreError> {
        let handled = std::mem::take(&mut self.handled);
        for (number, h) in handled {
            let db = self.db()?;
            db.run("INSERT OR REPLACE INTO streams_handled VALUES (?1, ?2)", (number.0 as i64, h))?;
            if self.marked.contains(&number) {
                let sql = "DELETE FROM streams_marks WHERE number = ?1 AND ((?2 - h) & 4294967295) < 2147483648";
                db.run(sql, (number.0 as i64, h))?;
            }
        }
        Ok(())
    }
}

fn forget(db: &Db, number: i64) -> Result<(), StoreError> {
    db.run("DELETE FROM streams WHERE number = ?1", (number,))?;
    db.run("DELETE FROM streams_handled WHERE number = ?1", (number,))?;
    db.run("DELETE FROM streams_marks WHERE number = ?1", (number,)).map(drop)
}

/// Forgets the streams of an account that is gone.
pub(super) fn purge(db: &Db, slot: i64) -> Result<(), StoreError> {
    let numbers = db.all("SELECT number FROM streams WHERE slot = ?1", (slot,), |row| row.get::<_, i64>(0))?;
    numbers.into_iter().try_for_each(|number| forget(db, number))
}

/// Forgets what is handled of streams that are not stored, since it came behind their end or its stream never came; answers which streams
/// have marks.
pub(super) fn tidy(db: &Db) -> Result<BTreeSet<StreamNumber>, StoreError> {
    db.run("DELETE FROM streams_handled WHERE number NOT IN (SELECT number FROM streams)", ())?;
    db.run("DELETE FROM streams_marks WHERE number NOT IN (SELECT number FROM streams)", ())?;
    let numbers = db.all("SELECT DISTINCT number FROM streams_marks", (), |row| row.get::<_, i64>(0))?;
    Ok(numbers.into_iter().map(|number| StreamNumber(number as u64)).collect())
}
