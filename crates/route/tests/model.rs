//! A model of the workers' queue under shuttle, compiled from its very source file with other locks.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

#[path = "../src/queue.rs"]
mod queue;
#[path = "../../host/tests/model/sync.rs"]
mod sync;

use std::future::poll_fn;
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use queue::Queue;

/// Schedules tried for each model.
const SCHEDULES: usize = 500;

fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(SCHEDULES), config.clone()).run(model.clone());
    Runner::new(PctScheduler::new(3, SCHEDULES), config).run(model);
}

#[test]
fn a_worker_gets_each_owners_records_in_commit_order_and_is_always_woken() {
    check(|| {
        const OWNERS: usize = 3;
        const RECORDS: usize = 8;
        let queues: Arc<[Queue<(usize, usize)>]> = (0..2).map(|_| Queue::default()).collect();
        let writer = {
            let queues = queues.clone();
            thread::spawn(move || {
                // Batches of three, dealt out to the owners' workers as `Workers::committed` does.
                let records: Vec<_> = (0..RECORDS).map(|number| (number % OWNERS, number)).collect();
                for batch in records.chunks(3) {
                    for (index, queue) in queues.iter().enumerate() {
                        queue.push(batch.iter().copied().filter(|(owner, _)| owner % 2 == index).collect());
                    }
                }
            })
        };
        let workers: Vec<_> = (0..2)
            .map(|index| {
                let queues = queues.clone();
                let expected = (0..RECORDS).filter(|number| number % OWNERS % 2 == index).count();
                thread::spawn(move || {
                    let mut done = Vec::new();
                    let mut turn = Vec::new();
                    // A lost wake-up would be a deadlock here.
                    while done.len() < expected {
                        shuttle::future::block_on(poll_fn(|cx| queues[index].poll_take(cx, &mut turn, 2)));
                        assert!(!turn.is_empty() && turn.len() <= 2);
                        done.append(&mut turn);
                    }
                    done
                })
            })
            .collect();
        writer.join().unwrap();
        for (index, worker) in workers.into_iter().enumerate() {
            let done = worker.join().unwrap();
            assert!(done.iter().all(|(owner, _)| owner % 2 == index));
            for owner in 0..OWNERS {
                let numbers: Vec<_> = done.iter().filter(|record| record.0 == owner).map(|record| record.1).collect();
                assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            }
        }
    });
}
