//! What waits for the writer: interactive records, and bulk work behind them.
//! Bounded by the writer's permits, without which nothing can be pushed.

use std::collections::VecDeque;
use std::time::Duration;

use metronome_model::Record;
use parking_lot::{Condvar, Mutex};

use super::{Permit, WriterLimits};

/// Records of bulk work in one batch, so that a long list of them neither delays the others nor waits for ever.
const BULK_RECORDS_MAX: usize = 16;

/// An emptied queue keeps room for this many records.
const CAPACITY_KEPT: usize = 1024;

/// A record on its way, with what travels beside it.
pub(super) struct Job<T> {
    pub(super) permit: Permit,
    pub(super) record: Record,
    pub(super) load: T,
}

/// Which of the two orders a record belongs to.
#[derive(Clone, Copy)]
pub(super) enum Lane {
    Interactive,
    Bulk,
}

/// How long the thread waits for records.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    For(Duration),
    Forever,
}

/// Who looks after a job that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The thread: it takes it, or refuses it before it ends.
    ToThread,
    /// The thread is gone: whoever pushed sees to it that what is late is refused.
    ToNobody,
}

/// What the thread got.
pub(super) enum Taken<T> {
    Batch(Vec<Job<T>>),
    Nothing,
    Closed,
}

/// The queue between submitters and the writer's thread.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    interactive: VecDeque<Job<T>>,
    bulk: VecDeque<Job<T>>,
    /// What came after the end, to be refused.
    late: Vec<Job<T>>,
    closed: bool,
    /// The thread is gone.
    abandoned: bool,
    /// Whether the thread sleeps: spares the submitters a system call while it works.
    asleep: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Queue<T> {
        let state = State {
            interactive: VecDeque::new(),
            bulk: VecDeque::new(),
            late: Vec::new(),
            closed: false,
            abandoned: false,
            asleep: false,
        };
        Queue { state: Mutex::new(state), filled: Condvar::new() }
    }

    /// Adds a job; if the queue is closed, to those that [`Queue::take_late`] gives.
    pub(super) fn push(&self, lane: Lane, job: Job<T>) -> Pushed {
        let mut state = self.state.lock();
        match lane {
            _ if state.closed => state.late.push(job),
            Lane::Interactive => state.interactive.push_back(job),
            Lane::Bulk => state.bulk.push_back(job),
        }
        if state.abandoned {
            return Pushed::ToNobody;
        }
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.filled.notify_one();
        }
        Pushed::ToThread
    }

    /// From now on what is pushed is late; what is queued still comes out.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.asleep = false;
        drop(state);
        self.filled.notify_one();
    }

    /// Closes the queue for a thread that is gone: what is in it is late too.
    pub(super) fn abandon(&self) {
        self.close();
        let state = &mut *self.state.lock();
        state.abandoned = true;
        let left = state.interactive.drain(..).chain(state.bulk.drain(..)).collect();
        let late = std::mem::replace(&mut state.late, left);
        state.late.extend(late);
    }

    /// Whether something waits to be refused.
    pub(super) fn has_late(&self) -> bool {
        !self.state.lock().late.is_empty()
    }

    /// What came after the end.
    pub(super) fn take_late(&self) -> Vec<Job<T>> {
        std::mem::take(&mut self.state.lock().late)
    }

    /// How many jobs wait for the thread.
    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.interactive.len() + state.bulk.len()
    }

    /// The next batch, within the limits.
    pub(super) fn take(&self, limits: &WriterLimits, patience: Patience) -> Taken<T> {
        let mut state = self.state.lock();
        while state.is_empty() {
            if state.closed {
                return Taken::Closed;
            }
            state.asleep = true;
            match patience {
                Patience::None => {
                    state.asleep = false;
                    return Taken::Nothing;
                }
                Patience::Forever => self.filled.wait(&mut state),
                Patience::For(time) => {
                    if self.filled.wait_for(&mut state, time).timed_out() && state.is_empty() {
                        state.asleep = false;
                        return Taken::Nothing;
                    }
                }
            }
        }
        Taken::Batch(state.cut(limits))
    }
}

impl<T> State<T> {
    fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.bulk.is_empty()
    }

    fn cut(&mut self, limits: &WriterLimits) -> Vec<Job<T>> {
        let mut room = Room { records: limits.batch_records_max, bytes: limits.batch_bytes_max };
        let mut batch = Vec::with_capacity(room.records.min(self.interactive.len() + BULK_RECORDS_MAX));
        room.fill(&mut batch, &mut self.interactive);
        room.records = room.records.min(BULK_RECORDS_MAX);
        room.fill(&mut batch, &mut self.bulk);
        for queue in [&mut self.interactive, &mut self.bulk] {
            if queue.is_empty() && queue.capacity() > CAPACITY_KEPT {
                queue.shrink_to(CAPACITY_KEPT);
            }
        }
        batch
    }
}

/// What still fits into a batch.
struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    fn fill<T>(&mut self, batch: &mut Vec<Job<T>>, queue: &mut VecDeque<Job<T>>) {
        while let Some(job) = queue.front() {
            let bytes = job.permit.bytes();
            if !batch.is_empty() && (self.records == 0 || bytes > self.bytes) {
                // A batch that is full for one lane is full for the other too.
                *self = Room { records: 0, bytes: 0 };
                return;
            }
            self.records = self.records.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(bytes);
            batch.extend(queue.pop_front());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    fn job(load: usize, bytes: usize) -> Job<usize> {
        let held = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Job { permit: Permit { _held: held, bytes }, record: Record::default(), load }
    }

    fn taken(queue: &Queue<usize>, limits: &WriterLimits) -> Vec<usize> {
        match queue.take(limits, Patience::None) {
            Taken::Batch(jobs) => jobs.into_iter().map(|job| job.load).collect(),
            Taken::Nothing | Taken::Closed => Vec::new(),
        }
    }

    #[test]
    fn a_batch_ends_at_its_bounds_and_loses_nothing() {
        let limits = WriterLimits { batch_records_max: 3, batch_bytes_max: 100, ..WriterLimits::default() };
        let queue = Queue::new();
        for (load, bytes) in [(1, 30), (2, 30), (3, 30), (4, 60), (5, 60), (6, 500), (7, 1)].into_iter() {
            queue.push(Lane::Interactive, job(load, bytes));
        }
        assert_eq!(taken(&queue, &limits), [1, 2, 3], "three records");
        assert_eq!(taken(&queue, &limits), [4], "a hundred bytes");
        assert_eq!(taken(&queue, &limits), [5]);
        assert_eq!(taken(&queue, &limits), [6], "one that is larger goes alone");
        assert_eq!(taken(&queue, &limits), [7]);
        assert_eq!(taken(&queue, &limits), [0; 0]);
    }

    #[test]
    fn bulk_work_gets_a_small_part_of_each_batch() {
        let limits = WriterLimits::default();
        let queue = Queue::new();
        for load in 0..BULK_RECORDS_MAX * 2 {
            queue.push(Lane::Bulk, job(load, 1));
        }
        queue.push(Lane::Interactive, job(100, 1));
        let first = taken(&queue, &limits);
        assert_eq!((first[0], first.len()), (100, 1 + BULK_RECORDS_MAX));
        queue.push(Lane::Interactive, job(101, 1));
        assert_eq!(taken(&queue, &limits)[..2], [101, BULK_RECORDS_MAX]);
    }

    #[test]
    fn a_closed_queue_is_emptied_and_what_comes_later_is_late() {
        let queue = Queue::new();
        let late = |queue: &Queue<usize>| queue.take_late().into_iter().map(|job| job.load).collect::<Vec<_>>();
        queue.push(Lane::Interactive, job(1, 1));
        queue.close();
        assert_eq!(queue.push(Lane::Interactive, job(2, 1)), Pushed::ToThread);
        assert_eq!(taken(&queue, &WriterLimits::default()), [1]);
        assert!(matches!(queue.take(&WriterLimits::default(), Patience::Forever), Taken::Closed));
        assert_eq!(late(&queue), [2]);
        queue.abandon();
        assert_eq!(queue.push(Lane::Bulk, job(3, 1)), Pushed::ToNobody);
        assert_eq!(late(&queue), [3]);
        assert!(!queue.has_late());
    }

    #[test]
    fn what_a_lost_thread_leaves_behind_is_late_before_what_came_later() {
        let queue = Queue::new();
        for (lane, load) in [(Lane::Interactive, 1), (Lane::Bulk, 3), (Lane::Interactive, 2)] {
            queue.push(lane, job(load, 1));
        }
        queue.close();
        queue.push(Lane::Interactive, job(4, 1));
        queue.abandon();
        let late: Vec<_> = queue.take_late().into_iter().map(|job| job.load).collect();
        assert_eq!(late, [1, 2, 3, 4]);
    }
}
