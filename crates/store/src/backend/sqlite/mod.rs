//! The store of a server that runs on one machine: one SQLite file in WAL mode with `synchronous=FULL`.
//! One connection writes, in the writer's thread; a few read, in threads of their own.

mod accounts;
mod archive;
mod db;
mod documents;
mod hosts;
mod meta;
mod nodes;
mod outbox;
mod purge;
mod readers;
mod resumables;
mod rooms;
mod rosters;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metronome_model::{StreamNumber, Unavailable};

use super::{Backend, LastCommit, Purge, Upkeep, Wrote};
use crate::{Opened, Reading, StoreError};
use db::Db;
use readers::Readers;

/// Pages of the write-ahead log that wait to be copied into the database before a reader is asked to do it (16 MiB).
const CHECKPOINT_PAGES: i64 = 16 * 1024 * 1024 / db::PAGE_BYTES;

/// Pages after which the writer itself copies what is left, so that the log can start anew (64 MiB).
const LOG_PAGES_MAX: i64 = 64 * 1024 * 1024 / db::PAGE_BYTES;

/// A file up to this size is read and checked as a whole when it is opened; a larger one only at its head, because
/// that would delay the start.
const CHECKED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that read, each with a connection.
    pub readers: usize,
    /// The largest size of the database in pages of 2 KiB; beyond it the store is full.
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
    let (store, backend) = start(file, options)?;
    Ok(Opened { store: Arc::new(store), backend: Box::new(backend) })
}

fn start(file: &Path, options: Options) -> Result<(SqliteStore, SqliteBackend), StoreError> {
    let lock = lock(file)?;
    let file: Arc<Path> = Arc::from(file);
    let db = Db::open_writer(&file, options.pages_max)?;
    check(&db)?;
    schema::migrate(&db)?;
    let marked = resumables::tidy(&db)?;
    let commits = last_commit(&db)?;
    let readers = Arc::new(Readers::start(&file, options.readers)?);
    let store = SqliteStore { readers: Arc::clone(&readers) };
    let backend = SqliteBackend {
        db: Some(db),
        file,
        options,
        readers,
        commits,
        changes: 0,
        sync_failed: Doubt::None,
        rows: Vec::new(),
        handled: BTreeMap::new(),
        marked,
        xml: Vec::new(),
        _lock: lock,
    };
    Ok((store, backend))
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
    /// Rows of `archive` that the open transaction has not written yet: (key, at_ms, flags, stanza, peer). Written together and in the
    /// order of the tree, they cost much less than one by one.
    rows: Vec<(i64, i64, i64, i64, i64)>,
    /// How many stanzas are handled of streams, not written yet either.
    handled: BTreeMap<StreamNumber, u32>,
    /// Streams that may have rows in `streams_marks`: looking for them costs as much as writing what is handled.
    marked: BTreeSet<StreamNumber>,
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

    /// Copies what it can of the log into the database; what cannot be copied now stays where it is.
    fn copy_log(&self) {
        let copied = self.db().and_then(|db| db.first("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())));
        if let Err(error) = copied {
            tracing::warn!(why = %error, "the write-ahead log could not be copied into the database");
        }
    }

    /// Copies the whole log into the database, syncs that, and empties the log: nothing depends on it any more, and what
    /// a failed commit left there cannot come back with the next crash.
    fn settle_log(db: &Db) -> Result<(), StoreError> {
        let busy = db.first("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0))?;
        match busy {
            Some(0) => Ok(()),
            _ => Err(StoreError::Disk { file: db.file().to_owned(), detail: "the log could not be copied".into() }),
        }
    }
}

impl Backend for SqliteBackend {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.rows.clear();
        self.handled.clear();
        self.changes = self.changes()?;
        self.db()?.run("BEGIN", ())?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.write_rows()
    }

    fn commit(&mut self) -> Result<Wrote, StoreError> {
        self.write_rows()?;
        self.write_handled()?;
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
        self.rows.clear();
        self.handled.clear();
        // Some errors have undone the transaction already.
        if self.db()?.with(|conn| Ok(!conn.is_autocommit()))? {
            self.db()?.run("ROLLBACK", ())?;
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<LastCommit, StoreError> {
        self.rows.clear();
        self.handled.clear();
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
            Upkeep::Busy if pages >= LOG_PAGES_MAX => self.copy_log(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A backend that can be looked into, in a folder of its own.
    fn backend() -> (tempfile::TempDir, SqliteBackend) {
        let folder = tempfile::tempdir().unwrap();
        let (_, backend) = start(&folder.path().join("store.sqlite"), Options::default()).unwrap();
        (folder, backend)
    }

    fn commit(backend: &mut SqliteBackend) {
        use crate::meta::MetaWrites;
        backend.begin().unwrap();
        backend.set_meta("key", b"value").unwrap();
        assert_eq!(backend.commit().unwrap(), Wrote::Changes);
    }

    /// Waits until what the readers were asked for before is done.
    fn wait_for_readers(backend: &SqliteBackend) {
        // As many reads as threads, each of which waits for the others.
        let barrier = Arc::new(std::sync::Barrier::new(backend.options.readers));
        let wait = || {
            let barrier = Arc::clone(&barrier);
            backend.readers.read(move |_| {
                barrier.wait();
                Ok(())
            })
        };
        let all: Vec<_> = (0..backend.options.readers).map(|_| wait()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        all.into_iter().for_each(|reading| runtime.block_on(reading).unwrap());
    }

    #[test]
    fn an_idle_store_copies_its_log_into_the_database() {
        let (_folder, mut backend) = backend();
        commit(&mut backend);
        let (pages, copied) = backend.log_pages().unwrap();
        assert!(pages > copied);
        backend.upkeep(Upkeep::Busy);
        assert_eq!(backend.log_pages().unwrap(), (pages, copied), "not while records wait");
        backend.upkeep(Upkeep::Idle);
        wait_for_readers(&backend);
        assert_eq!(backend.log_pages().unwrap(), (pages, pages));
    }

    #[test]
    fn recovery_tells_whether_the_last_commit_took_place() {
        let (_folder, mut backend) = backend();
        commit(&mut backend);
        assert_eq!(backend.recover().unwrap(), LastCommit::Applied);
        backend.begin().unwrap();
        // As if the commit had been tried and had failed.
        backend.commits += 1;
        backend.sync_failed = Doubt::AfterSync;
        assert_eq!(backend.recover().unwrap(), LastCommit::NotApplied);
        assert_eq!(backend.log_pages().unwrap(), (0, 0), "after a failed sync nothing may depend on the log");
        commit(&mut backend);
        assert_eq!(backend.recover().unwrap(), LastCommit::Applied);
    }

    #[test]
    fn a_panic_in_a_read_leaves_the_threads_to_the_others() {
        let (_folder, backend) = backend();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..2 * backend.options.readers {
            let reading = backend.readers.read::<()>(|_| panic!("this panic is part of the test"));
            assert!(runtime.block_on(reading).is_err());
        }
        wait_for_readers(&backend);
    }

    #[test]
    fn every_commit_is_synced_before_it_returns() {
        let (_folder, backend) = backend();
        let pragma = |name: &str| {
            backend
                .db()
                .unwrap()
                .first(&format!("PRAGMA {name}"), (), |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("synchronous"), Some(rusqlite::types::Value::Integer(2)));
        assert_eq!(pragma("journal_mode"), Some(rusqlite::types::Value::Text("wal".into())));
    }
}
