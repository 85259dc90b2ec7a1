//! The writer's thread: takes a batch, commits it, hands it out, looks after the backend when nothing waits.
//! Whatever fails, each record gets exactly one outcome, and one that is not `Done` has left no trace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metronome_model::{NodeChange, Op, Outcome, Record, Unavailable};

use super::WriterLimits;
use super::check;
use super::hand_out::HandOut;
use super::heads::Heads;
use super::queue::{Job, Patience, Queue, Taken};
use super::stats::Stats;
use crate::StoreError;
use crate::backend::{Backend, LastCommit, Purge, Upkeep};

/// Rows of forgotten accounts removed in a batch that carries other records, and in one of its own.
const PURGE_ROWS_BESIDE: usize = 64;
const PURGE_ROWS_ALONE: usize = 512;

/// When nothing has come for this long, the backend may tidy up.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// Where the removal of forgotten accounts stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purging {
    Finished,
    Running,
    /// It failed; tried again when nothing waits.
    Paused,
}

/// Where a batch failed.
enum Failed {
    /// Before its commit: it can be undone and its records tried alone.
    Statement(StoreError),
    /// In its commit, and it is certain that nothing of it is stored.
    Commit(Unavailable),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Statement(error)
    }
}

/// The state of the writer's thread.
pub(super) struct Batches<T> {
    backend: Box<dyn Backend>,
    limits: WriterLimits,
    queue: Arc<Queue<T>>,
    hand_out: Arc<HandOut<T>>,
    stats: Arc<Stats>,
    heads: Heads,
    purging: Purging,
    /// Set while the backend must be recovered before anything else.
    broken: bool,
    /// Set from the first failure to the next success, so that each is logged once.
    failing: bool,
}

impl<T> Batches<T> {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        limits: WriterLimits,
        queue: Arc<Queue<T>>,
        hand_out: Arc<HandOut<T>>,
        stats: Arc<Stats>,
    ) -> Batches<T> {
        let heads = Heads::new(limits.heads_bytes_max);
        // A removal may have been cut short by the last stop.
        let purging = Purging::Running;
        Batches { backend, limits, queue, hand_out, stats, heads, purging, broken: false, failing: false }
    }

    pub(super) fn run(mut self) {
        let (queue, hand_out) = (Arc::clone(&self.queue), Arc::clone(&self.hand_out));
        let _abandon = AbandonOnExit(&queue, &hand_out);
        let mut tidy = true;
        loop {
            let patience = match (self.purging, tidy) {
                (Purging::Running, _) => Patience::None,
                (_, true) => Patience::Forever,
                (_, false) => Patience::For(IDLE_AFTER),
            };
            match queue.take(&self.limits, patience) {
                Taken::Batch(jobs) => {
                    self.run_batch(jobs);
                    self.backend.upkeep(Upkeep::Busy);
                    tidy = false;
                }
                Taken::Nothing if self.purging == Purging::Running => {
                    self.purge_alone();
                    tidy = false;
                }
                Taken::Nothing => {
                    self.backend.upkeep(Upkeep::Idle);
                    if self.purging == Purging::Paused {
                        self.purging = Purging::Running;
                    }
                    tidy = true;
                }
                Taken::Closed => break,
            }
        }
    }

    fn run_batch(&mut self, jobs: Vec<Job<T>>) {
        if let Err(why) = self.mend() {
            let outcomes = vec![Outcome::Unavailable(why); jobs.len()];
            return self.hand_out.batch(jobs, outcomes);
        }
        match self.attempt(&jobs) {
            Ok(outcomes) => self.hand_out.batch(jobs, outcomes),
            Err(Failed::Commit(why)) => {
                let outcomes = vec![Outcome::Unavailable(why); jobs.len()];
                self.hand_out.batch(jobs, outcomes);
            }
            Err(Failed::Statement(error)) => {
                self.undo(&error);
                self.run_alone(jobs);
            }
        }
    }

    /// Runs each record in a transaction of its own, so that one that cannot be stored harms no other.
    fn run_alone(&mut self, jobs: Vec<Job<T>>) {
        let mut full = None;
        for job in jobs {
            let jobs = vec![job];
            let outcomes = match full.map_or_else(|| self.mend(), Err) {
                Ok(()) => match self.attempt(&jobs) {
                    Ok(outcomes) => outcomes,
                    Err(Failed::Commit(why)) => vec![Outcome::Unavailable(why)],
                    Err(Failed::Statement(error)) => {
                        self.undo(&error);
                        // A full disk fails all that follow too, each at the price of a try.
                        full = Some(error.reason()).filter(|why| *why == Unavailable::DiskFull);
                        vec![Outcome::Unavailable(error.reason())]
                    }
                },
                Err(why) => vec![Outcome::Unavailable(why)],
            };
            self.hand_out.batch(jobs, outcomes);
        }
    }

    /// One transaction with all of these records.
    fn attempt(&mut self, jobs: &[Job<T>]) -> Result<Vec<Outcome>, Failed> {
        let began = Instant::now();
        self.backend.begin()?;
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let outcome = check::run(&mut *self.backend, &mut self.heads, &self.limits, &job.record)?;
            outcomes.push(outcome);
        }
        if self.purging == Purging::Running {
            self.purging = still(self.backend.purge(PURGE_ROWS_BESIDE)?);
        }
        self.backend.flush()?;
        self.commit()?;
        self.stats.committed(jobs.len(), began.elapsed());
        if jobs.iter().any(|job| forgets(&job.record)) {
            self.purging = Purging::Running;
        }
        Ok(outcomes)
    }

    /// Commits, and if that fails finds out whether it took place all the same.
    fn commit(&mut self) -> Result<(), Failed> {
        let Err(error) = self.backend.commit() else {
            if std::mem::take(&mut self.failing) {
                tracing::info!("the store can write again");
            }
            return Ok(());
        };
        self.note(&error);
        self.heads.clear();
        match self.recover() {
            Ok(LastCommit::Applied) => Ok(()),
            Ok(LastCommit::NotApplied) | Err(_) => Err(Failed::Commit(error.reason())),
        }
    }

    /// Undoes the open transaction. After anything worse than a full disk the connection is not trusted any more.
    fn undo(&mut self, error: &StoreError) {
        self.note(error);
        self.heads.clear();
        if self.purging == Purging::Running {
            // It may be what failed, and must not fail the next batch too.
            self.purging = Purging::Paused;
        }
        let undone = self.backend.rollback();
        if undone.is_err() || error.reason() != Unavailable::DiskFull {
            // A failure is noted there, and the next record tries again.
            let _ = self.recover();
        }
    }

    /// Recovers a broken backend before it is used again.
    fn mend(&mut self) -> Result<(), Unavailable> {
        if !self.broken {
            return Ok(());
        }
        self.recover().map(|_| ()).map_err(|error| error.reason())
    }

    fn recover(&mut self) -> Result<LastCommit, StoreError> {
        let last = self.backend.recover();
        self.broken = last.is_err();
        if let Err(error) = &last {
            self.note(error);
        }
        last
    }

    fn note(&mut self, error: &StoreError) {
        self.stats.failed();
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(why = %error, "the store cannot write; nothing is confirmed until it can");
        }
    }

    fn purge_alone(&mut self) {
        self.purging = Purging::Paused;
        if self.mend().is_err() {
            return;
        }
        let purged = self.backend.begin().and_then(|()| self.backend.purge(PURGE_ROWS_ALONE));
        match purged {
            // Nothing was to be removed.
            Ok(Purge::Finished) => match self.backend.rollback() {
                Ok(()) => self.purging = Purging::Finished,
                Err(error) => self.undo(&error),
            },
            Ok(Purge::More) if self.commit().is_ok() => self.purging = Purging::Running,
            Ok(Purge::More) => {}
            Err(error) => self.undo(&error),
        }
    }
}

/// Whether a record may leave rows to be removed in pieces.
fn forgets(record: &Record) -> bool {
    record.ops.iter().any(|op| match op {
        Op::ForgetAccount { .. } => true,
        Op::Node { change, .. } => matches!(
            **change,
            NodeChange::Delete | NodeChange::Purge | NodeChange::PurgeButNewest | NodeChange::Trim { .. }
        ),
        _ => false,
    })
}

fn still(purge: Purge) -> Purging {
    match purge {
        Purge::More => Purging::Running,
        Purge::Finished => Purging::Finished,
    }
}

/// Whatever ends the thread, nobody waits for it.
struct AbandonOnExit<'a, T>(&'a Queue<T>, &'a HandOut<T>);

impl<T> Drop for AbandonOnExit<'_, T> {
    fn drop(&mut self) {
        self.0.abandon();
        self.1.refuse_late(self.0);
    }
}
