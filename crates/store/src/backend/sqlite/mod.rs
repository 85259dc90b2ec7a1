//! The store of a server that runs on one machine: one SQLite file in WAL mode with `synchronous=FULL`.
//! One connection writes, in the writer's thread; a few read, in threads of their own.

mod accounts;
mod archive;
mod db;
mod meta;
mod readers;
mod schema;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metronome_model::Unavailable;

use super::{Backend, LastCommit, Purge, Upkeep, Wrote};
use crate::{Opened, Reading, StoreError};
use db::Db;
use readers::Readers;

/// Pages of the write-ahead log that wait to be copied into the database before a reader is asked to do it (16 MiB).
const CHECKPOINT_PAGES: i64 = 4 * 1024;

/// A file up to this size is read and checked as a whole when it is opened; a larger one only at its head, because
/// that would delay the start.
const CHECKED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that read, each with a connection.
    pub readers: usize,
    /// The largest size of the database in pages of 4 KiB; beyond it the store is full.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Options {
        Options { readers: 2, pages_max: None }
    }
}

/// Opens the store in `file`, making it if there is none, and brings it to the newest schema.
///
/// Fails with a sentence for the operator if the file is damaged, foreign, too new, or in use by another server.
pub fn open(file: &Path, options: Options) -> Result<Opened, StoreError> {
    let lock = lock(file)?;
    let file: Arc<Path> = Arc::from(file);
    let db = Db::open_writer(&file, options.pages_max)?;
    check(&db)?;
    schema::migrate(&db)?;
    let commits = last_commit(&db)?;
    let readers = Arc::new(Readers::start(&file, options.readers)?);
    let store = Arc::new(SqliteStore { readers: Arc::clone(&readers) });
    let backend = SqliteBackend {
        db: Some(db),
        file,
        options,
        readers,
        commits,
        changes: 0,
        sync_failed: Doubt::None,
        xml: Vec::new(),
        _lock: lock,
    };
    Ok(Opened { store, backend: Box::new(backend) })
}

/// Keeps a second server off the file: two writers would give the same ids twice.
fn lock(file: &Path) -> Result<File, StoreError> {
    let mut path = file.as_os_str().to_owned();
    path.push("-lock");
    let disk = |error: std::io::Error| StoreError::Disk { file: PathBuf::from(&path), detail: error.to_string() };
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(disk)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { file: file.to_owned() }),
        Err(TryLockError::Error(error)) => Err(disk(error)),
    }
}

/// Reads a small file as a whole, so that damage is found now and not at somebody's login.
fn check(db: &Db) -> Result<(), StoreError> {
    let bytes = std::fs::metadata(db.file()).map_or(0, |file| file.len());
    if bytes > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let answer = db.first("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0))?;
    match answer {
        Some(answer) if answer != "ok" => Err(StoreError::Damaged { file: db.file().to_owned(), detail: answer }),
        _ => Ok(()),
    }
}

fn last_commit(db: &Db) -> Result<i64, StoreError> {
    let number = db.first("SELECT number FROM commits", (), |row| row.get(0))?;
    number
        .ok_or_else(|| StoreError::Damaged { file: db.file().to_owned(), detail: "the table commits is empty".into() })
}

/// The reading side.
struct SqliteStore {
    readers: Arc<Readers>,
}

impl SqliteStore {
    fn read<R: Send + 'static>(&self, read: impl FnOnce(&Db) -> Result<R, StoreError> + Send + 'static) -> Reading<R> {
        self.readers.read(read)
    }
}

/// Whether what the database says is durable can be believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// An fsync failed: the kernel may have dropped the pages and report the next fsync as good.
    AfterSync,
}

/// The writing side.
struct SqliteBackend {
    /// `None` only while it must be recovered.
    db: Option<Db>,
    file: Arc<Path>,
    options: Options,
    readers: Arc<Readers>,
    /// The number of the last commit that was tried.
    commits: i64,
    /// The connection's count of changed rows when the transaction began.
    changes: u64,
    sync_failed: Doubt,
    /// Where stanzas are written out before they are stored; kept for its capacity.
    xml: Vec<u8>,
    _lock: File,
}

impl SqliteBackend {
    fn db(&self) -> Result<&Db, StoreError> {
        let closed = || StoreError::Disk {
            file: self.file.to_path_buf(),
            detail: "the database could not be opened again".into(),
        };
        self.db.as_ref().ok_or_else(closed)
    }

    fn changes(&self) -> Result<u64, StoreError> {
        self.db()?.with(|conn| Ok(conn.total_changes()))
    }

    fn try_commit(&mut self) -> Result<(), StoreError> {
        self.commits += 1;
        let db = self.db()?;
        db.run("UPDATE commits SET number = ?1", (self.commits,))?;
        db.run("COMMIT", ())?;
        Ok(())
    }

    /// Frames of the log, and how many of them are in the database already.
    fn log_pages(&self) -> Result<(i64, i64), StoreError> {
        let pages = self.db()?.first("PRAGMA wal_checkpoint(NOOP)", (), |row| Ok((row.get(1)?, row.get(2)?)))?;
        Ok(pages.unwrap_or((0, 0)))
    }

    /// Copies the whole log into the database and syncs that, so that nothing depends on the log any more.
    fn settle_log(db: &Db) -> Result<(), StoreError> {
        let busy = db.first("PRAGMA wal_checkpoint(FULL)", (), |row| row.get::<_, i64>(0))?;
        match busy {
            Some(0) => Ok(()),
            _ => Err(StoreError::Disk { file: db.file().to_owned(), detail: "the log could not be copied".into() }),
        }
    }
}

impl Backend for SqliteBackend {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.changes = self.changes()?;
        self.db()?.run("BEGIN", ())?;
        Ok(())
    }

    fn commit(&mut self) -> Result<Wrote, StoreError> {
        if self.changes()? == self.changes {
            self.rollback()?;
            return Ok(Wrote::Nothing);
        }
        match self.try_commit() {
            Ok(()) => Ok(Wrote::Changes),
            Err(error) => {
                if error.reason() != Unavailable::DiskFull {
                    self.sync_failed = Doubt::AfterSync;
                }
                Err(error)
            }
        }
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        // Some errors have undone the transaction already.
        if self.db()?.with(|conn| Ok(!conn.is_autocommit()))? {
            self.db()?.run("ROLLBACK", ())?;
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<LastCommit, StoreError> {
        self.db = None;
        let db = Db::open_writer(&self.file, self.options.pages_max)?;
        if self.sync_failed == Doubt::AfterSync {
            Self::settle_log(&db)?;
            self.sync_failed = Doubt::None;
        }
        let found = last_commit(&db)?;
        let last = if found == self.commits { LastCommit::Applied } else { LastCommit::NotApplied };
        self.commits = found;
        self.db = Some(db);
        Ok(last)
    }

    fn purge(&mut self, rows_max: usize) -> Result<Purge, StoreError> {
        self.purge_rows(rows_max)
    }

    fn upkeep(&mut self, when: Upkeep) {
        let Ok((pages, copied)) = self.log_pages() else { return };
        match when {
            Upkeep::Busy if pages - copied >= CHECKPOINT_PAGES => self.readers.checkpoint(),
            Upkeep::Busy => {}
            Upkeep::Idle => {
                if pages > copied {
                    self.readers.checkpoint();
                }
                // An idle server is a small one.
                let _ = self.db().and_then(|db| db.with(|conn| conn.release_memory()));
            }
        }
    }
}
