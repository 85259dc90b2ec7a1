//! Group commit: the one way to change a store. Everything that has queued up goes into one transaction with one
//! fsync; the next batch forms while this one syncs, so there is no timer and a lone record waits for nobody.
//! `route` submits an envelope with each record and gets it back, in commit order, in the function given at start.

mod batch;
mod check;
mod hand_out;
mod heads;
mod queue;
mod stats;

use std::sync::Arc;
use std::thread::JoinHandle;

use metronome_model::{Outcome, Record};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::StoreError;
use crate::backend::Backend;
use batch::Batches;
use hand_out::HandOut;
use queue::{Job, Lane, Pushed, Queue};
pub use stats::Stats;

/// Every record pays at least this much, for its place in the queue.
const PERMIT_BYTES_MIN: usize = 512;

/// The bounds of a writer.
#[derive(Clone, Copy, Debug)]
pub struct WriterLimits {
    /// Records in one commit.
    pub batch_records_max: usize,
    /// Bytes of permits in one commit; a single larger record is a batch of its own.
    pub batch_bytes_max: usize,
    /// Bytes of all permits that are out: what waits for the disk and what is committed but not yet delivered.
    /// Behind it submitters wait.
    pub permit_bytes_max: usize,
    /// Unseen rows of one archive; beyond it an unseen `Append` is `Full`.
    pub unseen_max: u64,
    /// Memory for the ends of archives; beyond it those used least recently are read again when needed.
    pub heads_bytes_max: usize,
}

impl Default for WriterLimits {
    fn default() -> WriterLimits {
        WriterLimits {
            batch_records_max: 1000,
            batch_bytes_max: 1024 * 1024,
            permit_bytes_max: 32 * 1024 * 1024,
            unseen_max: 10_000,
            heads_bytes_max: 4 * 1024 * 1024,
        }
    }
}

/// The right to have this many bytes on the way through the writer and the delivery behind it. They are free again
/// when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _held: OwnedSemaphorePermit,
    bytes: usize,
}

impl Permit {
    /// What it was charged in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A record that was decided, with what was submitted beside it.
#[derive(Debug)]
pub struct Committed<T> {
    /// What was submitted with the record.
    pub load: T,
    /// What became of the record.
    pub outcome: Outcome,
    /// To be kept until the record's last part is delivered.
    pub permit: Permit,
}

/// The writer of a store: a queue and the thread that empties it. `T` travels beside each record.
///
/// Dropping it shuts it down.
pub struct Writer<T: Send + 'static> {
    queue: Arc<Queue<T>>,
    hand_out: Arc<HandOut<T>>,
    permits: Arc<Semaphore>,
    permit_bytes_max: usize,
    stats: Arc<Stats>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Send + 'static> Writer<T> {
    /// Starts the thread. After each commit it calls `committed` with the batch, in commit order, which is the order
    /// of submission; while that runs no other batch is committed, so it should only hand things on. What is submitted after
    /// [`Writer::shutdown`] comes last, refused.
    ///
    /// Fails only if the system has no thread to give.
    pub fn start(
        backend: Box<dyn Backend>,
        limits: WriterLimits,
        committed: impl FnMut(Vec<Committed<T>>) + Send + 'static,
    ) -> Result<Writer<T>, StoreError> {
        let queue = Arc::new(Queue::new());
        let hand_out = Arc::new(HandOut::new(Box::new(committed)));
        let stats = Arc::new(Stats::default());
        let batches = Batches::new(backend, limits, Arc::clone(&queue), Arc::clone(&hand_out), Arc::clone(&stats));
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || batches.run())
            .map_err(|_| StoreError::Refused { detail: "the system has no thread for the writer" })?;
        let permit_bytes_max = limits.permit_bytes_max.clamp(PERMIT_BYTES_MIN, u32::MAX as usize);
        let permits = Arc::new(Semaphore::new(permit_bytes_max));
        Ok(Writer { queue, hand_out, permits, permit_bytes_max, stats, thread: Mutex::new(Some(thread)) })
    }

    /// A permit for a record of about `bytes` in memory, if one is free now. A record beyond the writer's whole bound
    /// is charged that bound.
    pub fn try_permit(&self, bytes: usize) -> Option<Permit> {
        let bytes = self.charge(bytes);
        let held = Arc::clone(&self.permits).try_acquire_many_owned(bytes as u32).ok()?;
        Some(Permit { _held: held, bytes })
    }

    /// A permit as of [`Writer::try_permit`], waiting for it; whoever asked first gets it first.
    pub async fn permit(&self, bytes: usize) -> Permit {
        let bytes = self.charge(bytes);
        let held = Arc::clone(&self.permits).acquire_many_owned(bytes as u32).await;
        Permit { _held: held.expect("the writer's semaphore is never closed"), bytes }
    }

    /// Queues a record behind all submitted before it. Never blocks.
    ///
    /// After [`Writer::shutdown`] nothing of it is stored and its outcome is `Unavailable(Stopping)`, which may be handed out by
    /// this call.
    pub fn submit(&self, permit: Permit, record: Record, load: T) {
        self.push(Lane::Interactive, Job { permit, record, load });
    }

    /// Queues a record of bulk work, such as the removal of many accounts: such records keep their order among
    /// themselves, and a batch takes a few of them behind its interactive ones.
    pub fn submit_bulk(&self, permit: Permit, record: Record, load: T) {
        self.push(Lane::Bulk, Job { permit, record, load });
    }

    /// What it has done so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Records that wait for the disk.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of all permits that are out; see [`WriterLimits::permit_bytes_max`].
    pub fn permit_bytes(&self) -> usize {
        self.permit_bytes_max.saturating_sub(self.permits.available_permits())
    }

    /// Waits until everything submitted before is committed and the thread has ended; later submissions are refused.
    /// Blocks the calling thread. A second call returns at once.
    pub fn shutdown(&self) {
        self.queue.close();
        let Some(thread) = self.thread.lock().take() else { return };
        // The last owner of the writer may be what the writer itself hands out.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the store's writer had stopped with a panic");
        }
    }

    fn push(&self, lane: Lane, job: Job<T>) {
        if self.queue.push(lane, job) == Pushed::ToNobody {
            self.hand_out.refuse_late(&self.queue);
        }
    }

    fn charge(&self, bytes: usize) -> usize {
        bytes.clamp(PERMIT_BYTES_MIN, self.permit_bytes_max)
    }
}

impl<T: Send + 'static> Drop for Writer<T> {
    fn drop(&mut self) {
        self.shutdown();
    }
}
