//! Tickets: each settles exactly once, and whoever waits for them is always woken.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use shuttle::thread;

use crate::check;
use crate::tickets::{Settled, Tickets};

#[test]
fn every_ticket_settles_once_and_wakes_who_waits() {
    check(|| {
        const COUNT: u64 = 6;
        let tickets = Arc::new(Tickets::default());
        let mut own = Vec::new();
        let mut threads = Vec::new();
        for worker in 0..2 {
            let held: Vec<_> = (0..COUNT).filter(|number| number % 3 == worker).map(|n| tickets.ticket(n)).collect();
            threads.push(thread::spawn(move || held.into_iter().for_each(drop)));
        }
        // The rest is settled by the stream itself, without a word.
        own.extend((0..COUNT).filter(|number| number % 3 == 2).map(|n| tickets.ticket(n)));
        own.into_iter().for_each(|ticket| ticket.redeem());

        let mut settled = Vec::new();
        // Without a wake-up this would be a deadlock, which the model reports.
        shuttle::future::block_on(poll_fn(|cx| {
            loop {
                if settled.len() == 4 {
                    return Poll::Ready(());
                }
                tickets.take(&mut settled);
                if settled.len() < 4 && tickets.poll_take(cx, &mut settled).is_pending() {
                    return Poll::Pending;
                }
            }
        }));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        tickets.take(&mut settled);
        let mut settled: Vec<u64> = settled.iter().map(|settled| settled.number).collect();
        settled.sort_unstable();
        assert_eq!(settled, [0, 1, 3, 4]);
    });
}

#[test]
fn a_ticket_that_panics_away_wakes_who_waits() {
    check(|| {
        let tickets = Arc::new(Tickets::default());
        let ticket = tickets.ticket(9);
        let worker = thread::spawn(move || {
            // As a worker does with a delivery that panics: caught, with the ticket inside.
            let held = std::panic::AssertUnwindSafe(ticket);
            let moved = move || {
                let _held = held;
            };
            moved();
        });
        let mut settled = Vec::new();
        shuttle::future::block_on(poll_fn(|cx| tickets.poll_take(cx, &mut settled)));
        worker.join().unwrap();
        assert!(matches!(settled[..], [Settled { number: 9, .. }]));
    });
}
