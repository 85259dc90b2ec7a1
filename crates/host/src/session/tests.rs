use std::net::Ipv4Addr;

use super::*;
use crate::announcement::Says;
use crate::outbox::{FRAMES_HIGH, FRAMES_MAX, FRAMES_OF_PARTS};

pub(crate) fn session() -> Session {
    let bound = Bound {
        jid: Jid::parse("alice@localhost/x").unwrap(),
        account: AccountId::from_bytes([7; 16]),
        since_ms: 0,
        heard_ms: 0,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 5,
        mechanism: "PLAIN",
    };
    Session::new(bound, 1)
}

pub(crate) fn frame() -> Frame {
    Frame::whole(b"<a/>".to_vec())
}

pub(crate) fn gone() -> Announcement {
    Announcement::unavailable(&Jid::parse("alice@localhost/x").unwrap())
}

pub(crate) fn here() -> Announcement {
    let mut here = gone();
    here.says = Says::Here;
    here
}

fn available() -> Option<Presence> {
    Some(Presence { priority: 0, announcement: here() })
}

pub(crate) fn live() -> Session {
    let session = session();
    session.set_presence(available());
    session.caught_up(0);
    session
}

pub(crate) fn drain(session: &Session) -> usize {
    let mut out = Vec::new();
    let _ = session.poll_drain(&mut Context::from_waker(std::task::Waker::noop()), &mut out, usize::MAX);
    out.len() / frame().len()
}

#[test]
fn a_ping_that_finds_no_room_is_asked_again() {
    let session = live();
    assert_eq!(session.offer(1, frame()), Offered::Queued);
    while session.offer_volatile(frame()) == Offered::Queued {}
    session.ping(5, false, |_| frame());
    assert_eq!(session.pinged_since_ms(), None, "it never left");
    assert_eq!(drain(&session), FRAMES_HIGH);
    session.ping(6, false, |_| frame());
    assert_eq!(session.pinged_since_ms(), Some(6));
    assert_eq!(session.pong(1), Some(vec![(1, 1)]));
}

#[test]
fn stored_messages_that_find_no_room_are_read_again_and_others_are_refused() {
    let session = live();
    for id in 1..=FRAMES_HIGH as u64 {
        assert_eq!(session.offer(id, frame()), Offered::Queued);
    }
    let next = FRAMES_HIGH as u64 + 1;
    assert_eq!(session.offer(next, frame()), Offered::Deferred);
    assert_eq!(session.offer_volatile(frame()), Offered::Full);
    assert_eq!(session.offer(next + 1, frame()), Offered::Deferred);
    assert_eq!(drain(&session), FRAMES_HIGH);
    let at = session.catch_up().unwrap();
    assert_eq!((at.after, at.noted, at.from), (next - 1, next + 1, From::Handed));
}

#[test]
fn many_small_frames_leave_room_for_answers_too() {
    let session = live();
    for id in 1..=FRAMES_MAX as u64 + 1 {
        let _ = session.offer(id, frame());
    }
    session.answer(frame());
    let mut out = Vec::new();
    let _ = session.poll_drain(&mut Context::from_waker(std::task::Waker::noop()), &mut out, 1);
    assert!(session.is_behind() && session.catch_up().is_none(), "the store is not read into a full outbox");
    drain(&session);
    assert!(!session.is_behind() && session.catch_up().is_some());
}

#[test]
fn more_separate_ids_than_can_be_proved_wait_in_the_store() {
    let session = live();
    let mut id = 0;
    while session.offer(id + 2, frame()) == Offered::Queued {
        id += 2;
    }
    assert_eq!(id as usize, 2 * crate::proof::RANGES_MAX);
    drain(&session);
    // Nothing more is handed out before a ping covers what was, and that need not wait for the clock.
    assert!(session.wants_proof() && session.catch_up().is_some());
    assert!(!session.catch_up_with(id + 2, || panic!("there is no room for proof")));
    session.ping(1, false, |_| frame());
    assert!(!session.wants_proof());
    // On from the one that found no room; the one before it was not for this session.
    assert_eq!(session.catch_up().unwrap().after, id + 1);
    assert_eq!(session.pong(1).unwrap().len(), crate::proof::RANGES_MAX);
}

#[test]
fn a_full_address_gets_messages_before_its_presence_and_not_once_more_after_it() {
    let session = session();
    assert_eq!(session.offer(1, frame()), Offered::Deferred);
    assert_eq!(session.offer_direct(2, frame()), Offered::Queued);
    session.set_presence(available());
    assert!(session.catch_up_with(1, frame));
    assert!(session.catch_up_with(2, || panic!("it has this one")));
    session.caught_up(2);
    assert_eq!(drain(&session), 2);
}

#[test]
fn what_comes_while_unseen_rows_are_read_is_read_with_all_that_others_have_seen() {
    let session = session();
    session.set_presence(available());
    assert!(session.catch_up_with(3, frame));
    // A copy of what another session has sent: its row is never unseen.
    assert_eq!(session.offer_direct(6, frame()), Offered::Deferred);
    assert_eq!(session.offer(8, frame()), Offered::Deferred);
    assert!(session.catch_up_with(5, frame));
    assert!(!session.catch_up_with(8, || panic!("the row before it comes first")));
    let at = session.catch_up().unwrap();
    assert_eq!((at.after, at.noted, at.from), (5, 8, From::Handed));
    assert!(session.catch_up_with(6, frame) && session.pass_over(7) && session.catch_up_with(8, frame));
    session.caught_up(8);
    assert_eq!(session.offer(9, frame()), Offered::Queued);
    assert_eq!(drain(&session), 5);
}

#[test]
fn a_session_that_gets_copies_reads_unseen_rows_only_up_to_where_it_began() {
    let session = session();
    session.set_presence(available());
    session.reads_unseen_to(5);
    assert!(session.catch_up_with(4, frame));
    // Committed behind the beginning, and read before a worker has offered the copy of 6.
    assert!(!session.catch_up_with(7, || panic!("6 comes first")));
    assert_eq!(session.catch_up().map(|at| (at.after, at.from)), Some((5, From::Handed)));
    let session = live();
    session.set_presence(None);
    session.set_presence(available());
    session.reads_unseen_to(5);
    session.caught_up(0);
    assert_eq!(session.offer_direct(6, frame()), Offered::Queued, "with nothing behind it the session is live");
}

#[test]
fn a_session_that_comes_back_goes_on_behind_what_it_had() {
    let session = live();
    assert_eq!(session.offer(7, frame()), Offered::Queued);
    session.set_presence(None);
    assert_eq!(session.offer(8, frame()), Offered::Deferred);
    session.set_presence(available());
    let at = session.catch_up().unwrap();
    assert_eq!((at.after, at.from), (7, From::Unseen));
}

#[test]
fn answers_that_nobody_reads_end_the_stream() {
    let session = session();
    for _ in 0..=FRAMES_MAX {
        session.answer(frame());
    }
    assert!(session.is_closing());
    assert_eq!(session.offer_volatile(frame()), Offered::Gone);
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_many_get_wakes_nobody_until_much_waits() {
    let (session, woken) = (live(), Arc::new(Woken::default()));
    let falls_asleep = || {
        let waker = std::task::Waker::from(woken.clone());
        let mut out = Vec::new();
        while session.poll_drain(&mut Context::from_waker(&waker), &mut out, usize::MAX).is_ready() {}
        String::from_utf8(out).unwrap()
    };
    let said = |what: &str| Frame::whole(format!("<{what}/>").into_bytes());
    falls_asleep();
    assert_eq!(session.offer_volatile_unwoken(said("one")), Offered::Queued);
    assert_eq!(session.offer_passing_unwoken(said("two"), Passing::Room), Offered::Queued);
    assert_eq!(session.show_directly_unwoken(&here()), Shown::Queued);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    // Whatever else comes takes along what waits, in order.
    assert_eq!(session.offer_volatile(said("three")), Offered::Queued);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    let text = falls_asleep();
    let places = ["<one/>", "<two/>", "<presence", "<three/>"].map(|part| text.find(part).unwrap());
    assert!(places.is_sorted(), "{text}");
    let long = || Frame::whole(vec![b'x'; 10 * 1024]);
    assert_eq!(session.offer_volatile_unwoken(long()), Offered::Queued);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(session.offer_volatile_unwoken(long()), Offered::Queued);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    falls_asleep();
    assert_eq!(session.offer_part(said("four")), Offered::Queued);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    session.wake();
    assert_eq!((woken.0.load(Ordering::Relaxed), &*falls_asleep()), (3, "<four/>"));
}

#[test]
fn what_comes_with_a_room_leaves_room_for_answers_and_ends_no_stream() {
    let session = live();
    let taken = (0..FRAMES_MAX).filter(|_| session.offer_part(frame()) == Offered::Queued).count();
    assert_eq!(taken, FRAMES_OF_PARTS);
    assert!(taken > FRAMES_HIGH);
    session.answer(frame());
    assert!(!session.is_closing());
    assert_eq!(drain(&session), taken + 1);
    assert_eq!(session.offer_part(frame()), Offered::Queued);
}

#[test]
fn presence_is_for_available_sessions_only() {
    let session = session();
    assert_eq!(session.show(&gone(), || panic!("nobody writes it")), Shown::NotAvailable);
    assert_eq!(session.show_directly(&gone()), Shown::Queued);
    let (before, _) = session.shown();
    session.set_presence(available());
    let (after, shown) = session.shown();
    assert!(after > before && shown.is_some());
    assert_eq!(session.show(&here(), frame), Shown::Queued);
}

#[test]
fn an_ended_session_does_not_become_available_again() {
    let session = live();
    assert!(session.end().is_some());
    assert!(session.set_presence(available()).is_none());
    assert!(!session.is_available() && session.end().is_none());
}

#[test]
fn an_ended_session_takes_nothing_and_tells_its_last_presence_once() {
    let session = live();
    assert!(session.end().is_some());
    assert!(session.end().is_none());
    assert_eq!(session.offer(1, frame()), Offered::Gone);
    assert_eq!(session.offer_direct(1, frame()), Offered::Gone);
    assert!(session.catch_up().is_none());
}
