//! Stanzas that wait for other servers, in SQLite: one table in the order of their numbers, found by pair of domains.

use std::sync::Arc;

use metronome_model::{OutboxRow, Outgoing};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use rusqlite::Row;

use super::{SqliteBackend, SqliteStore};
use crate::archive::PAGE_BYTES_MAX;
use crate::outbox::{OutboxWrites, Outboxes};
use crate::{Reading, StoreError, stored};

/// `None`, with a line in the log, for a row that is damaged: it must not keep the others back.
fn read_row(row: &Row<'_>) -> rusqlite::Result<Option<OutboxRow>> {
    let id = row.get::<_, i64>(0)? as u64;
    let Some(stanza) = stored::read(row.get_ref(2)?.as_blob()?) else {
        tracing::error!(id, "a stanza that waits for another server cannot be read and is passed over");
        return Ok(None);
    };
    Ok(Some(OutboxRow { id, at_ms: row.get::<_, i64>(1)? as u64, stanza }))
}

fn read_outgoing(row: &Row<'_>) -> rusqlite::Result<Option<Outgoing>> {
    let (sender, remote) = (Jid::parse(row.get_ref(0)?.as_str()?), Jid::parse(row.get_ref(1)?.as_str()?));
    let (Ok(sender), Ok(remote)) = (sender, remote) else { return Ok(None) };
    let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
    Ok(Some(Outgoing { sender, remote, rows: number(2)?, newest: number(3)?, oldest_ms: number(4)? }))
}

impl Outboxes for SqliteStore {
    fn outgoing(&self) -> Reading<Vec<Outgoing>> {
        self.read(|db| {
            let sql = "SELECT sender, remote, count(*), max(number), min(at_ms) FROM outbox GROUP BY sender, remote ORDER BY sender, remote";
            Ok(db.all(sql, (), read_outgoing)?.into_iter().flatten().collect())
        })
    }

    fn outbox(&self, local: &str, remote: &str, after: u64, limit: usize) -> Reading<Vec<OutboxRow>> {
        let (local, remote) = (local.to_owned(), remote.to_owned());
        self.read(move |db| {
            let sql = "SELECT number, at_ms, xml FROM outbox WHERE local = ?1 AND remote = ?2 AND number > ?3 ORDER BY number LIMIT ?4";
            let params = (local, remote, i64::try_from(after).unwrap_or(i64::MAX), limit as i64);
            db.with(|conn| {
                let mut statement = conn.prepare_cached(sql)?;
                let mut rows = statement.query(params)?;
                let (mut page, mut bytes) = (Vec::new(), 0);
                while bytes < PAGE_BYTES_MAX
                    && let Some(row) = rows.next()?
                {
                    bytes += row.get_ref(2)?.as_blob()?.len();
                    page.extend(read_row(row)?);
                }
                Ok(page)
            })
        })
    }
}

impl OutboxWrites for SqliteBackend {
    fn outbox_last(&mut self) -> Result<u64, StoreError> {
        let last = self.db()?.first("SELECT max(number) FROM outbox", (), |row| row.get::<_, Option<i64>>(0))?;
        Ok(last.flatten().unwrap_or_default() as u64)
    }

    fn enqueue(&mut self, id: u64, at_ms: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        let Some(to) = &stanza.to else { return Ok(()) };
        let from = &stanza.from;
        let params = (id as i64, from.domain(), to.domain(), from.bare_str(), at_ms as i64, stanza.to_vec());
        self.db()?.run("INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6)", params).map(drop)
    }

    fn dequeue(&mut self, local: &str, remote: &str, to: u64) -> Result<(), StoreError> {
        let to = i64::try_from(to).unwrap_or(i64::MAX);
        let sql = "DELETE FROM outbox WHERE local = ?1 AND remote = ?2 AND number <= ?3";
        self.db()?.run(sql, (local, remote, to)).map(drop)
    }
}
