//! The threads that read, each with a connection of its own, opened when first needed. They also copy the write-ahead
//! log into the database while the writer goes on.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use futures_util::future::FutureExt;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::db::Db;
use crate::{Reading, StoreError};

/// Reads that may wait; further ones are refused. Sessions ask for one page at a time, so this is never reached while
/// the disk answers.
const WAITING_MAX: usize = 16 * 1024;

/// A read: gets the connection, or the reason why there is none.
type Job = Box<dyn FnOnce(Result<&Db, StoreError>) -> Trust + Send>;

/// Whether the connection can be used again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Keep,
    Reopen,
}

/// The reading threads; they end with it.
pub(super) struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    checkpointing: Arc<AtomicBool>,
}

struct Shared {
    file: Arc<Path>,
    jobs: Mutex<Jobs>,
    filled: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Readers {
    pub(super) fn start(file: &Arc<Path>, threads: usize) -> Result<Readers, StoreError> {
        let shared = Arc::new(Shared { file: Arc::clone(file), jobs: Mutex::default(), filled: Condvar::new() });
        let mut readers = Readers { shared, threads: Vec::new(), checkpointing: Arc::default() };
        for _ in 0..threads.max(1) {
            let shared = Arc::clone(&readers.shared);
            let thread = std::thread::Builder::new().name("store-reader".into()).spawn(move || shared.run());
            let no_thread = |_| StoreError::Refused { detail: "the system has no thread for a reader" };
            readers.threads.push(thread.map_err(no_thread)?);
        }
        Ok(readers)
    }

    /// Runs `read` on one of the threads. A read whose future is dropped before its turn is skipped.
    pub(super) fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Db) -> Result<R, StoreError> + Send + 'static,
    ) -> Reading<R> {
        let (tell, told) = oneshot::channel();
        let queued = self.push(Box::new(move |db| {
            if tell.is_closed() {
                return Trust::Keep;
            }
            let answer = db.and_then(read);
            let trust = trust(&answer);
            // Nobody may be left to hear it, which is fine.
            let _ = tell.send(answer);
            trust
        }));
        async move {
            queued?;
            told.await.unwrap_or(Err(StoreError::Refused { detail: "it is closing, or reading failed" }))
        }
        .boxed()
    }

    /// Copies the log into the database, beside the writer, unless that is going on already.
    pub(super) fn checkpoint(&self) {
        if self.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let running = Arc::clone(&self.checkpointing);
        let queued = self.push(Box::new(move |db| {
            let done = db.and_then(|db| db.first("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())));
            running.store(false, Ordering::Release);
            if let Err(error) = &done {
                tracing::warn!(why = %error, "the write-ahead log could not be copied into the database");
            }
            trust(&done)
        }));
        if queued.is_err() {
            self.checkpointing.store(false, Ordering::Release);
        }
    }

    fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut jobs = self.shared.jobs.lock();
        if jobs.waiting.len() >= WAITING_MAX {
            return Err(StoreError::Refused { detail: "too many reads wait" });
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.shared.filled.notify_one();
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.jobs.lock().closed = true;
        self.shared.filled.notify_all();
        for thread in self.threads.drain(..) {
            // A future that was answered may be what held the store last.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut db = None;
        while let Some(job) = self.next() {
            // A bug in one read must not take the thread from all others; its caller is told that it was refused.
            let trust = catch_unwind(AssertUnwindSafe(|| match &db {
                Some(open) => job(Ok(open)),
                None => match Db::open_reader(&self.file) {
                    Ok(open) => job(Ok(db.insert(open))),
                    Err(error) => job(Err(error)),
                },
            }));
            if !matches!(trust, Ok(Trust::Keep)) {
                db = None;
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            self.filled.wait(&mut jobs);
        }
    }
}

/// After an error the connection may stand in the middle of something.
fn trust<R>(answer: &Result<R, StoreError>) -> Trust {
    if answer.is_ok() { Trust::Keep } else { Trust::Reopen }
}
