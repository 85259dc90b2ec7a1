//! One connection to the database file: how it is opened, how its statements run, and what its errors mean.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row};

use crate::StoreError;

/// Bytes of a page, for new files. A batch touches the end of many archives, one page each, and a commit writes whole
/// pages: measured with 200 owners, half of SQLite's usual page saves a fifth of the CPU time, and a quarter no more.
pub(super) const PAGE_BYTES: i64 = 2048;

/// Prepared statements kept per connection; there are fewer than this.
const STATEMENTS_KEPT: usize = 128;

/// How long a connection waits for another one's lock. Only recovery and the first opening ever need one.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pages cached by the writer, in KiB: the ends of many archives.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// Pages cached by each reader, in KiB.
const READER_CACHE_KIB: i64 = 1024;

/// The log's file is cut to this size when it starts anew. Writing over what is there syncs faster than appending.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// A connection.
pub(super) struct Db {
    conn: Connection,
    file: Arc<Path>,
}

impl Db {
    /// Opens the one connection that writes, and makes the file if there is none.
    pub(super) fn open_writer(file: &Arc<Path>, pages_max: Option<u32>) -> Result<Db, StoreError> {
        create_private(file)?;
        let db = Db::open(file)?;
        db.with(|conn| {
            conn.pragma_update(None, "page_size", PAGE_BYTES)?;
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            // FULL: a commit returns after the log's fsync. Less would lose confirmed messages with the power.
            conn.pragma_update(None, "synchronous", "FULL")?;
            conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
            // Never inside a commit, which somebody waits for: `upkeep` does it.
            conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
            conn.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
            // What is deleted is overwritten wherever that costs no extra write.
            conn.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
            if let Some(pages) = pages_max {
                conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            }
            Ok(())
        })?;
        Ok(db)
    }

    /// Opens a connection that only reads.
    pub(super) fn open_reader(file: &Arc<Path>) -> Result<Db, StoreError> {
        let db = Db::open(file)?;
        db.with(|conn| {
            // Forbids changes but not checkpoints, which readers do for the writer.
            conn.pragma_update(None, "query_only", true)?;
            conn.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            conn.pragma_update(None, "synchronous", "FULL")
        })?;
        Ok(db)
    }

    fn open(file: &Arc<Path>) -> Result<Db, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(file, flags).map_err(|error| meaning(file, error))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        let db = Db { conn, file: Arc::clone(file) };
        db.with(|conn| {
            // A plan must not depend on the values that are bound: otherwise most statements are compiled anew for every use.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            conn.busy_timeout(LOCK_WAIT)?;
            conn.pragma_update(None, "temp_store", "MEMORY")?;
            conn.pragma_update(None, "trusted_schema", false)?;
            conn.pragma_update(None, "cell_size_check", true)
        })?;
        Ok(db)
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Runs something on the connection itself.
    pub(super) fn with<R>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        run(&self.conn).map_err(|error| self.meaning(error))
    }

    /// Changes rows and says how many.
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.with(|conn| conn.prepare_cached(sql)?.execute(params))
    }

    /// The first row, if there is one.
    pub(super) fn first<R>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Option<R>, StoreError> {
        self.with(|conn| conn.prepare_cached(sql)?.query_row(params, read).optional())
    }

    /// All rows.
    pub(super) fn all<R>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>, StoreError> {
        self.with(|conn| conn.prepare_cached(sql)?.query_map(params, read)?.collect())
    }

    /// Reads several things from one committed state.
    pub(super) fn at_once<R>(&self, read: impl FnOnce(&Db) -> Result<R, StoreError>) -> Result<R, StoreError> {
        self.run("BEGIN", ())?;
        let answer = read(self);
        self.run("COMMIT", ())?;
        answer
    }

    /// The error a caller can act on.
    pub(super) fn meaning(&self, error: rusqlite::Error) -> StoreError {
        meaning(&self.file, error)
    }
}

/// Makes an empty file that only this user can read: it will hold everybody's keys and messages. The database gives
/// the files beside it the same mode.
fn create_private(file: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file);
    made.map(drop).map_err(|error| StoreError::Disk { file: file.to_owned(), detail: error.to_string() })
}

fn meaning(file: &Path, error: rusqlite::Error) -> StoreError {
    let (file, detail) = (file.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull { file, detail },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged { file, detail },
        _ => StoreError::Disk { file, detail },
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_kept_statement_is_not_compiled_again() {
        let dir = tempfile::tempdir().unwrap();
        let file: Arc<Path> = dir.path().join("test.db").into();
        let writer = Db::open_writer(&file, None).unwrap();
        writer
            .run("CREATE TABLE numbers (slot INTEGER, at INTEGER, PRIMARY KEY (slot, at)) WITHOUT ROWID", ())
            .unwrap();
        for slot in 0..100 {
            writer.run("INSERT INTO numbers VALUES (?1, ?2)", (slot, slot)).unwrap();
        }
        for db in [writer, Db::open_reader(&file).unwrap()] {
            let sql = "SELECT at FROM numbers WHERE slot = ?1 ORDER BY at";
            for slot in 0..10 {
                assert_eq!(db.all(sql, (slot,), |row| row.get::<_, i64>(0)).unwrap(), [slot]);
            }
            let again = db.with(|conn| Ok(conn.prepare_cached(sql)?.get_status(StatementStatus::RePrepare)));
            assert_eq!(again.unwrap(), 0);
        }
    }
}
