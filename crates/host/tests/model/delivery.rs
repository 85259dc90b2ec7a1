//! A session between the store and live delivery. The store is a list, the worker and the session's task are threads.
//! Whatever the schedule, a session gets every message once, in the order of their ids.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use metronome_proto::jid::Jid;
use shuttle::rand::Rng as _;
use shuttle::sync::mpsc;
use shuttle::thread;

use crate::announcement::Announcement;
use crate::binding::bound;
use crate::check;
use crate::outbox::{Drained, Frame};
use crate::session::{CatchUp, From, Offered, Presence, Session};
use crate::sync::Mutex;

/// With this many bytes a few messages fill an outbox, so sessions fall back to the store and come out again.
const LARGE: usize = 300 * 1024;
const SMALL: usize = 16;

static BODY: [u8; LARGE] = [0; LARGE];

/// One committed row: its id, and whether it is for this session at all.
#[derive(Clone, Copy)]
struct Row {
    id: u64,
    received: bool,
}

type Store = Arc<Mutex<Vec<Row>>>;

fn frame(id: u64, bytes: usize) -> Frame {
    Frame { head: id.to_be_bytes().to_vec().into(), body: bytes::Bytes::from_static(&BODY[..bytes - 8]) }
}

fn available(priority: i8) -> Presence {
    let announcement = Announcement::unavailable(&Jid::parse("alice@localhost/x").unwrap());
    Presence { priority, announcement }
}

/// The session's task as `net` runs it: pages from the store and frames to the socket, until `done` says so.
struct Task {
    session: Arc<Session>,
    store: Store,
    bytes: usize,
    page: usize,
    /// Priorities that the client still sends, each at a moment of shuttle's choice. They are set by the session's own
    /// task, as everything that a client does.
    presences: Vec<i8>,
    written: Vec<u64>,
}

impl Task {
    fn new(session: &Arc<Session>, store: &Store, bytes: usize) -> Task {
        let (session, store) = (session.clone(), store.clone());
        Task { session, store, bytes, page: 2, presences: Vec::new(), written: Vec::new() }
    }

    fn with_presences(mut self, presences: &[i8]) -> Task {
        self.presences = presences.iter().rev().copied().collect();
        self
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut moved = !self.presences.is_empty();
        if moved && shuttle::rand::thread_rng().gen_bool(0.4) {
            self.session.set_presence(self.presences.pop().map(available));
        }
        if let Some(at) = self.session.catch_up() {
            self.read_page(at);
            moved = true;
        }
        let mut out = Vec::new();
        match self.session.poll_drain(cx, &mut out, 1) {
            Poll::Ready(Drained::Frames) => {
                for frame in out.chunks(self.bytes) {
                    self.written.push(u64::from_be_bytes(frame[..8].try_into().unwrap()));
                }
                Poll::Ready(Some(()))
            }
            Poll::Ready(Drained::Closing(_)) => Poll::Ready(None),
            Poll::Pending if moved => Poll::Ready(Some(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// One page, as `route::catch_up` reads it: the read sees one committed state, then the rows are handed over.
    fn read_page(&self, at: CatchUp) {
        let rows: Vec<Row> = {
            let store = self.store.lock();
            // Nothing is proved in these models, so every row is unseen still.
            store.iter().filter(|row| row.id > at.after).take(self.page).copied().collect()
        };
        assert!(matches!(at.from, From::Unseen | From::Handed));
        if rows.is_empty() {
            return self.session.caught_up(at.noted);
        }
        for row in rows {
            let went = match row.received {
                true => self.session.catch_up_with(row.id, || frame(row.id, self.bytes)),
                false => self.session.pass_over(row.id),
            };
            if !went {
                return;
            }
        }
    }

    /// Runs until `until` ids are written or the session is closed. A lost wake-up is a deadlock, which shuttle reports.
    fn run(mut self, until: usize) -> Vec<u64> {
        shuttle::future::block_on(poll_fn(|cx| {
            loop {
                if self.written.len() >= until && self.presences.is_empty() {
                    return Poll::Ready(());
                }
                match self.poll_once(cx) {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }));
        self.written
    }
}

fn new_session() -> Arc<Session> {
    Arc::new(Session::new(bound("x"), 1))
}

/// Commits `rows` in batches of two and hands each batch to the worker, as the writer does.
fn write(store: &Store, rows: Vec<Row>, worker: mpsc::Sender<Vec<Row>>) -> thread::JoinHandle<()> {
    let store = store.clone();
    thread::spawn(move || {
        for batch in rows.chunks(2) {
            store.lock().extend_from_slice(batch);
            worker.send(batch.to_vec()).unwrap();
        }
    })
}

/// Offers what was committed, in commit order, while `offer` agrees.
fn work(
    committed: mpsc::Receiver<Vec<Row>>,
    mut offer: impl FnMut(Row) -> Offered + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while let Ok(batch) = committed.recv() {
            for row in batch.into_iter().filter(|row| row.received) {
                let offered = offer(row);
                assert_ne!(offered, Offered::Full, "a stored message is never refused");
            }
        }
    })
}

fn received(ids: std::ops::RangeInclusive<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, received: true }).collect()
}

/// Every row of `rows` while the session becomes available: exactly once each, ids growing.
fn deliver_all(rows: Vec<Row>, bytes: usize, presences: &'static [i8]) {
    check(move || {
        let (session, store) = (new_session(), Store::default());
        let expected: Vec<u64> = rows.iter().filter(|row| row.received).map(|row| row.id).collect();
        let (sender, committed) = mpsc::channel();
        let writer = write(&store, rows.clone(), sender);
        let worker = {
            let session = session.clone();
            work(committed, move |row| session.offer(row.id, frame(row.id, bytes)))
        };
        let written = Task::new(&session, &store, bytes).with_presences(presences).run(expected.len());
        writer.join().unwrap();
        worker.join().unwrap();
        assert_eq!(written, expected);
        assert_eq!(session.outbox_bytes(), 0, "nothing was queued twice");
    });
}

#[test]
fn a_session_that_becomes_available_gets_each_message_once_in_order() {
    deliver_all(received(1..=6), SMALL, &[0]);
}

#[test]
fn rows_that_are_not_for_the_session_neither_stop_nor_confuse_it() {
    deliver_all((1..=8).map(|id| Row { id, received: id % 3 != 0 }).collect(), SMALL, &[0]);
}

#[test]
fn a_session_that_cannot_keep_up_reads_what_it_missed_from_the_store() {
    deliver_all(received(1..=9), LARGE, &[0]);
}

#[test]
fn a_session_that_goes_away_for_a_moment_gets_each_message_once() {
    deliver_all(received(1..=6), SMALL, &[0, -1, 5]);
}

#[test]
fn a_session_that_goes_away_with_a_full_outbox_gets_each_message_once() {
    deliver_all(received(1..=8), LARGE, &[0, -1, 0]);
}

#[test]
fn what_its_full_address_got_early_is_not_given_again() {
    check(|| {
        const LAST: u64 = 6;
        let (session, store) = (new_session(), Store::default());
        let (sender, committed) = mpsc::channel();
        let writer = write(&store, received(1..=LAST), sender);
        let worker = {
            let session = session.clone();
            work(committed, move |row| match row.id % 2 {
                0 => session.offer_direct(row.id, frame(row.id, SMALL)),
                _ => session.offer(row.id, frame(row.id, SMALL)),
            })
        };
        let mut written = Task::new(&session, &store, SMALL).with_presences(&[0]).run(LAST as usize);
        writer.join().unwrap();
        worker.join().unwrap();
        assert_eq!(session.outbox_bytes(), 0);
        // What came to the full address before the session was available came early; nothing else left its order.
        assert!(written.iter().filter(|id| **id % 2 == 1).is_sorted(), "{written:?}");
        written.sort_unstable();
        assert_eq!(written, (1..=LAST).collect::<Vec<_>>());
    });
}

#[test]
fn a_session_that_ends_has_got_a_run_without_gaps() {
    check(|| {
        let (session, store) = (new_session(), Store::default());
        let (sender, committed) = mpsc::channel();
        let writer = write(&store, received(1..=6), sender);
        let worker = {
            let session = session.clone();
            work(committed, move |row| session.offer(row.id, frame(row.id, SMALL)))
        };
        session.set_presence(Some(available(0)));
        let end = {
            let session = session.clone();
            thread::spawn(move || session.end())
        };
        let written = Task::new(&session, &store, SMALL).run(usize::MAX);
        writer.join().unwrap();
        worker.join().unwrap();
        end.join().unwrap();
        assert_eq!(written, (1..=written.len() as u64).collect::<Vec<_>>());
        assert_eq!(session.offer(99, frame(99, SMALL)), Offered::Gone, "an ended session takes nothing");
        // What it got is what a graceful close proves, no more and no less.
        let proved: Vec<u64> = session.proved_by_close().into_iter().flat_map(|(first, last)| first..=last).collect();
        assert_eq!(proved, written);
    });
}

#[test]
fn proof_covers_what_was_written_before_its_ping_only() {
    check(|| {
        let (session, store) = (new_session(), Store::default());
        session.set_presence(Some(available(0)));
        session.caught_up(0);
        let (sender, committed) = mpsc::channel();
        let writer = write(&store, received(1..=4), sender);
        let worker = {
            let session = session.clone();
            work(committed, move |row| session.offer(row.id, frame(row.id, SMALL)))
        };
        let clock = {
            let session = session.clone();
            // A ping is a frame like any other; this one is told by an id that no message has.
            thread::spawn(move || (0..3).for_each(|_| session.ping(0, false, |number| frame(1000 + number, SMALL))))
        };
        let mut task = Task::new(&session, &store, SMALL);
        let mut proved = Vec::new();
        let mut messages = 0;
        shuttle::future::block_on(poll_fn(|cx| {
            while messages < 4 {
                if task.poll_once(cx).is_pending() {
                    return Poll::Pending;
                }
                messages = task.written.iter().filter(|id| **id < 1000).count();
                if let Some(number) = task.written.last().and_then(|last| last.checked_sub(1000)) {
                    let before: Vec<u64> = task.written.iter().filter(|id| **id < 1000).copied().collect();
                    proved.extend(session.pong(number).unwrap_or_default());
                    let ids = proved.iter().flat_map(|&(first, last)| first..=last).collect::<Vec<_>>();
                    assert_eq!(ids, before, "an answer proves all that was written before its ping");
                }
            }
            Poll::Ready(())
        }));
        writer.join().unwrap();
        worker.join().unwrap();
        clock.join().unwrap();
    });
}
