//! Handing out what became of records: the function given at start, called by one thread at a time.
//! As long as the writer's thread lives it is that thread; later, whoever submits what nobody will store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use metronome_model::{Outcome, Unavailable};
use parking_lot::Mutex;

use super::Committed;
use super::queue::{Job, Queue};

/// Gets batches in commit order.
type Run<T> = Box<dyn FnMut(Vec<Committed<T>>) + Send>;

/// The function given at start.
pub(super) struct HandOut<T> {
    run: Mutex<Run<T>>,
}

impl<T> HandOut<T> {
    pub(super) fn new(run: Run<T>) -> HandOut<T> {
        HandOut { run: Mutex::new(run) }
    }

    /// Hands out a batch; there is one outcome for each job.
    pub(super) fn batch(&self, jobs: Vec<Job<T>>, outcomes: Vec<Outcome>) {
        call(&mut self.run.lock(), jobs, outcomes);
    }

    /// Refuses what came after the end. Blocks nobody: who finds another at it leaves the work to that one.
    pub(super) fn refuse_late(&self, queue: &Queue<T>) {
        while queue.has_late() {
            let Some(mut run) = self.run.try_lock() else { return };
            let jobs = queue.take_late();
            let outcomes = vec![Outcome::Unavailable(Unavailable::Stopping); jobs.len()];
            call(&mut run, jobs, outcomes);
            // Free again before the next look, or what came in between would wait for ever.
            drop(run);
        }
    }
}

fn call<T>(run: &mut Run<T>, jobs: Vec<Job<T>>, outcomes: Vec<Outcome>) {
    let batch = jobs.into_iter().zip(outcomes);
    let batch = batch.map(|(job, outcome)| Committed { load: job.load, outcome, permit: job.permit }).collect();
    // The writer must outlive whatever goes wrong behind it.
    if catch_unwind(AssertUnwindSafe(|| run(batch))).is_err() {
        tracing::error!("handing out a committed batch panicked");
    }
}
