use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use metronome_model::OutboxRow;
use metronome_proto::stanza::{IqType, Kind, Stanza};

use super::*;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn stanza(id: impl ToString) -> Arc<Stanza> {
    let stanza = Stanza::new(Kind::Iq(IqType::Get), jid("alice@localhost/a"));
    Arc::new(stanza.with_to(jid("far.example")).with_id(&id.to_string()))
}

fn row(id: u64) -> OutboxRow {
    OutboxRow { id, at_ms: id, stanza: (*stanza(id)).clone() }
}

fn remotes() -> (Remotes, Arc<Remote>) {
    let remotes = Remotes::default();
    let remote = remotes.of(&jid("localhost"), &jid("far.example")).unwrap();
    (remotes, remote)
}

fn wanted(remotes: &Remotes) -> bool {
    remotes.poll_wanted(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, text: "the test says so" }
}

/// The ids of what is written now.
fn drain(carrier: &Carrier) -> Vec<String> {
    let mut out = Vec::new();
    let _ = carrier.poll_drain(&mut Context::from_waker(Waker::noop()), &mut out, usize::MAX);
    let text = String::from_utf8(out).unwrap();
    let ids = text.split(" id='").skip(1).filter_map(|rest| Some(rest.split('\'').next()?.to_owned()));
    ids.collect()
}

/// Reads the whole backlog as far as the store has it.
fn read(carrier: &Carrier, stored: &[u64]) {
    while let Some(read) = carrier.reads() {
        let page = stored.iter().filter(|id| **id > read.after).take(2).map(|id| row(*id));
        carrier.fill(read, page.collect());
    }
}

#[test]
fn a_pair_is_wanted_once_for_all_that_waits() {
    let (remotes, remote) = remotes();
    assert!(!wanted(&remotes));
    assert_eq!(remote.push(stanza("a")), Pushed::Queued);
    assert_eq!(remote.push(stanza("b")), Pushed::Queued);
    assert!(wanted(&remotes) && !wanted(&remotes));
    let carrier = remote.carry().unwrap();
    assert_eq!(drain(&carrier), ["a", "b"]);
    assert_eq!(remotes.memory_usage(), 0);
    // A stream that the remote has opened meanwhile carries it.
    drop(carrier);
    assert!(!wanted(&remotes), "nothing waits");
    assert_eq!(remote.push(stanza("c")), Pushed::Queued);
    let _carrier = remote.carry().unwrap();
    assert!(!wanted(&remotes));
}

#[test]
fn rows_come_in_their_order_whatever_is_lost_between() {
    for arrives in 0..=6 {
        let (remotes, remote) = remotes();
        let carrier = remote.carry().unwrap();
        for id in 1..=6 {
            remote.push_stored(id, 0, stanza(id));
        }
        assert_eq!(drain(&carrier).len(), 6);
        carrier.arrived(arrives);
        drop(carrier);
        assert_eq!(wanted(&remotes), arrives < 6);
        remote.push_stored(7, 0, stanza(7));
        assert_eq!(remote.push(stanza("volatile")), Pushed::Queued);
        let carrier = remote.carry().unwrap();
        let mut all = Vec::new();
        for _ in 0..4 {
            all.extend(drain(&carrier));
            read(&carrier, &[1, 2, 3, 4, 5, 6]);
        }
        let mut expected: Vec<String> = (arrives + 1..=7).map(|id| id.to_string()).collect();
        expected.push("volatile".into());
        assert_eq!(all, expected);
        assert!(carrier.wants_proof());
        carrier.closed_in_order();
        assert_eq!((remote.take_done(), remote.take_done(), remote.report().rows), (Some(7), None, 0));
    }
}

#[test]
fn what_finds_no_room_in_memory_is_read_from_the_store() {
    let (remotes, remote) = remotes();
    remotes.set_bounds(Bounds { bytes: 1500, ..Bounds::default() });
    let carrier = remote.carry().unwrap();
    for id in 1..=9 {
        remote.push_stored(id, 0, stanza(id));
    }
    assert_eq!(remote.push(stanza("volatile")), Pushed::Full);
    assert_eq!(drain(&carrier), ["1", "2", "3"]);
    let read = carrier.reads().unwrap();
    assert_eq!(read, Backlog { after: 3, end: 9 });
    assert_eq!(remote.push(stanza("volatile")), Pushed::Queued);
    // Left to the store while a page is read: what was read may not know of it.
    remotes.set_bounds(Bounds { bytes: 1, ..Bounds::default() });
    remote.push_stored(10, 0, stanza(10));
    carrier.fill(read, (4..=9).map(row).collect());
    assert_eq!(drain(&carrier), ["4", "5", "6", "7", "8", "9"]);
    let read = carrier.reads().unwrap();
    carrier.fill(read, vec![row(10)]);
    assert_eq!(drain(&carrier), ["10", "volatile"]);
    assert_eq!(carrier.reads(), None);
}

#[test]
fn what_is_read_from_the_store_keeps_to_the_room_in_memory() {
    const ROWS: u64 = 1_000;
    let (remotes, remote) = remotes();
    (1..=ROWS).for_each(|id| remote.push_stored(id, 0, stanza(id)));
    remotes.set_bounds(Bounds { bytes: 100_000, ..Bounds::default() });
    drop(remote.carry().unwrap());
    let (carrier, mut ids) = (remote.carry().unwrap(), Vec::new());
    while let Some(read) = carrier.reads() {
        carrier.fill(read, (read.after + 1..=ROWS).map(row).collect());
        assert!((1..101_000).contains(&remote.report().bytes), "{:?}", remote.report());
        if carrier.reads().is_none() {
            ids.extend(drain(&carrier));
        }
    }
    assert_eq!(ids, (1..=ROWS).map(|id| id.to_string()).collect::<Vec<_>>());
}

#[test]
fn where_others_have_all_the_room_a_little_is_read_all_the_same() {
    let (remotes, remote) = remotes();
    (1..=400).for_each(|id| remote.push_stored(id, 0, stanza(id)));
    drop(remote.carry().unwrap());
    let other = remotes.of(&jid("localhost"), &jid("other.example")).unwrap();
    assert_eq!(other.push(stanza("a")), Pushed::Queued);
    remotes.set_bounds(Bounds { all_bytes: 1, ..Bounds::default() });
    let (carrier, mut ids) = (remote.carry().unwrap(), 0);
    while let Some(read) = carrier.reads() {
        carrier.fill(read, (read.after + 1..=400).map(row).collect());
        assert!((1..67_000).contains(&remote.report().bytes) && carrier.reads().is_none());
        ids += drain(&carrier).len();
    }
    assert_eq!(ids, 400);
}

#[test]
fn a_row_that_the_store_has_lost_stops_nobody() {
    let (_, remote) = remotes();
    remote.left(&jid("alice@localhost"), 3, 3, 0);
    let carrier = remote.carry().unwrap();
    carrier.fill(carrier.reads().unwrap(), vec![row(2)]);
    carrier.fill(carrier.reads().unwrap(), Vec::new());
    remote.push_stored(4, 0, stanza(4));
    assert_eq!(drain(&carrier), ["2", "4"]);
    assert_eq!(remote.report().rows, 2);
}

#[test]
fn who_carries_first_carries_alone() {
    let (remotes, remote) = remotes();
    let first = remote.carry().unwrap();
    remote.push_stored(1, 0, stanza(1));
    assert_eq!(drain(&first), ["1"]);
    assert!(remote.carry().is_none(), "what is on its way would be sent twice");
    drop(first);
    assert!(wanted(&remotes), "nobody has proved it");
    let second = remote.carry().unwrap();
    read(&second, &[1]);
    assert_eq!(drain(&second), ["1"]);
}

#[test]
fn a_failure_returns_what_is_not_stored_and_pauses() {
    let (remotes, remote) = remotes();
    remote.push_stored(1, 0, stanza(1));
    assert_eq!(remote.push(stanza("a")), Pushed::Queued);
    assert!(wanted(&remotes));
    let unreachable = failure(FailureKind::Unreachable);
    assert_eq!(remote.failed(unreachable.clone(), 0).len(), 1);
    assert_eq!(remote.push(stanza("b")), Pushed::Down(unreachable.clone()));
    remote.push_stored(2, 0, stanza(2));
    assert_eq!((remotes.memory_usage(), remote.report().rows), (0, 2));
    for pause_ms in [1_000, 2_000, 4_000] {
        let now_ms = pause_ms * 10;
        remotes.tick(now_ms);
        assert!(wanted(&remotes));
        remote.failed(unreachable.clone(), now_ms);
        remotes.tick(now_ms + pause_ms);
        assert!(!wanted(&remotes), "each pause is longer");
    }
    remotes.tick(1_000_000);
    assert!(wanted(&remotes));
    let carrier = remote.carry().unwrap();
    read(&carrier, &[1, 2]);
    assert_eq!(drain(&carrier), ["1", "2"]);
    assert!(remote.failed(unreachable, 0).is_empty(), "a stream carries it after all");
    assert_eq!(remote.push(stanza("c")), Pushed::Queued);
}

#[test]
fn rows_that_have_waited_too_long_are_given_up_once_and_never_while_a_stream_may_write_them() {
    let (remotes, remote) = remotes();
    for id in 1..=3 {
        remote.push_stored(id, id * 100, stanza(id));
    }
    assert_eq!(remote.overdue_after(250), None, "nobody has tried yet");
    remote.failed(failure(FailureKind::Unreachable), 0);
    assert_eq!(remote.overdue_after(100), None);
    assert_eq!(remote.overdue_after(250), Some((0, 250)));
    assert!(remote.begin_giving_up(250) && !remote.begin_giving_up(250));
    assert!(remote.give_up(&[row(1), row(2)], 300));
    remote.end_giving_up();
    assert_eq!((remote.overdue_after(250), remote.report().rows), (None, 1));
    let carrier = remote.carry().unwrap();
    assert!(!remote.give_up(&[row(3)], 0));
    read(&carrier, &[1, 2, 3]);
    assert_eq!(drain(&carrier), ["3"]);
    drop(carrier);
    assert!(wanted(&remotes));
    remote.failed(failure(FailureKind::NoServer), 0);
    assert_eq!(remote.overdue_after(0), Some((2, u64::MAX)), "there is nobody to wait for");
    assert!(matches!(remote.refuse_stored(&jid("alice@localhost")), Err(Pushed::Down(_))));
}

#[test]
fn what_an_earlier_process_has_left_is_tried_before_it_is_given_up() {
    let (_, remote) = remotes();
    remote.left(&jid("alice@localhost"), 1, 1, 5);
    assert_eq!(remote.overdue_after(1_000), None);
    // A stream that ends without proof deserves another one, and is no reason to go on for ever.
    for is_over in [false, true] {
        let carrier = remote.carry().unwrap();
        read(&carrier, &[1]);
        assert_eq!(drain(&carrier), ["1"]);
        drop(carrier);
        assert_eq!(remote.overdue_after(1_000).is_some(), is_over);
    }
    remote.push_stored(2, 0, stanza(2));
    let carrier = remote.carry().unwrap();
    read(&carrier, &[1]);
    drain(&carrier);
    carrier.arrived(1);
    drop(carrier);
    assert_eq!(remote.overdue_after(1_000), None, "something has arrived");
}

#[test]
fn what_is_too_large_is_not_written_and_goes_back_when_its_turn_is_there() {
    let (remotes, remote) = remotes();
    let alice = jid("alice@localhost");
    let mut carrier = remote.carry().unwrap();
    carrier.set_stanza_bytes_max(200);
    let long = "x".repeat(200);
    remote.push_stored(1, 0, stanza(1));
    remote.push_stored(2, 0, stanza(&long));
    assert_eq!(remote.push(stanza(&long)), Pushed::Queued);
    remote.push_stored(3, 0, stanza(3));
    assert_eq!(drain(&carrier), ["1", "3"]);
    assert_eq!((carrier.take_too_large().len(), carrier.take_too_large().len()), (1, 0));
    assert_eq!((carrier.written(), remote.begin_returning()), (2, None));
    carrier.arrived(2);
    assert_eq!((remote.take_done(), remote.begin_returning()), (Some(1), Some(2)));
    // The stream is lost meanwhile, and the next one reads it again before it has gone back.
    drop(carrier);
    let mut carrier = remote.carry().unwrap();
    carrier.set_stanza_bytes_max(200);
    carrier.fill(carrier.reads().unwrap(), vec![row(2), row(3)]);
    remote.returned(2, &alice);
    remote.end_giving_up();
    assert_eq!(drain(&carrier), ["3"]);
    carrier.arrived(1);
    assert_eq!((remote.take_done(), remote.report().rows, remotes.memory_usage()), (Some(3), 0, 0));
    assert!(remote.refuse_stored(&alice).is_ok() && !carrier.wants_proof());
}

#[test]
fn accounts_and_pairs_have_their_bounds() {
    let (remotes, remote) = remotes();
    remotes.set_bounds(Bounds { rows: 3, rows_of_account: 2, all_bytes: 1200, ..Bounds::default() });
    let (alice, bob) = (jid("alice@localhost/a"), jid("bob@localhost"));
    remote.push_stored(1, 0, stanza(1));
    assert!(remote.refuse_stored(&alice).is_ok());
    remote.push_stored(2, 0, stanza(2));
    assert_eq!(remote.refuse_stored(&alice), Err(Pushed::Full));
    assert!(remote.refuse_stored(&bob).is_ok());
    remote.push_stored(3, 0, stanza(3));
    assert_eq!(remote.refuse_stored(&bob), Err(Pushed::Full));
    let other = remotes.of(&jid("localhost"), &jid("b.example")).unwrap();
    assert_eq!(other.push(stanza("x")), Pushed::Full, "all pairs together have too much");
    let carrier = remote.carry().unwrap();
    drain(&carrier);
    carrier.arrived(3);
    assert!(remote.refuse_stored(&alice).is_ok() && other.push(stanza("x")) == Pushed::Queued);
}

/// Fills pairs of this sender with domains of these names until one of them takes no more, and says how many stanzas there were.
fn fill(remotes: &Remotes, from: &str, domains: &[String]) -> usize {
    let mut count = 0;
    for domain in domains {
        let pair = remotes.of(&jid("localhost"), &jid(domain)).unwrap();
        loop {
            let stanza = Stanza::new(Kind::Iq(IqType::Get), jid(from)).with_to(jid(domain));
            match pair.push(Arc::new(stanza)) {
                Pushed::Queued => count += 1,
                _ => break,
            }
        }
    }
    count
}

#[test]
fn who_writes_to_many_servers_has_a_share_of_what_waits_and_others_go_on() {
    let remotes = Remotes::default();
    remotes.set_bounds(Bounds { bytes: 10_000, all_bytes: 80_000, ..Bounds::default() });
    let domains = |zone: &str| (0..20).map(|at| format!("{at}.{zone}")).collect::<Vec<_>>();
    let greedy = fill(&remotes, "greedy@localhost/a", &domains("a.example"));
    assert!((15..25).contains(&greedy), "an eighth of all, and not {greedy} stanzas");
    assert_eq!(fill(&remotes, "greedy@localhost/b", &domains("b.example")), 0, "whatever resource it is");
    assert_eq!(fill(&remotes, "other@localhost/a", &domains("c.example")), greedy);
    // A component is one, whatever addresses it has; and of the addresses of a served domain each is one.
    remotes.set_components(["gw.localhost"].into_iter());
    assert_eq!(fill(&remotes, "x@gw.localhost", &domains("d.example")), greedy);
    assert_eq!(fill(&remotes, "y@gw.localhost", &domains("e.example")), 0);
}

#[test]
fn domains_that_come_from_one_household_have_a_share_together() {
    let remotes = Remotes::default();
    remotes.set_bounds(Bounds { bytes: 10_000, all_bytes: 80_000, ..Bounds::default() });
    let domains: Vec<String> = (0..20).map(|at| format!("{at}.zone.example")).collect();
    for (at, domain) in domains.iter().enumerate() {
        remotes.comes_from(&jid(domain), format!("2001:db8::{at}").parse().unwrap());
    }
    // Many accounts of ours answer, and none of them has asked for it.
    let answered: usize = (0..20).map(|at| fill(&remotes, &format!("user{at}@localhost"), &domains[at..=at])).sum();
    assert!((15..25).contains(&answered), "{answered}");
    assert!(fill(&remotes, "user1@localhost", &["elsewhere.example".to_owned()]) > 0);
    let payer = |domain: &str| remotes.of(&jid("localhost"), &jid(domain)).unwrap().payer();
    assert_eq!(payer(&domains[0]), payer(&domains[19]));
    assert_ne!(payer(&domains[0]), payer("elsewhere.example"));
}

#[test]
fn whoever_pays_is_whoever_began_and_room_comes_back() {
    let (remotes, remote) = remotes();
    remotes.set_bounds(Bounds { bytes: 1_000, all_bytes: 2_000, ..Bounds::default() });
    assert_eq!(remote.push(stanza("1")), Pushed::Queued);
    let first = remote.payer();
    let carrier = remote.carry().unwrap();
    drain(&carrier);
    let of_bob = Stanza::new(Kind::Iq(IqType::Get), jid("bob@localhost")).with_to(jid("far.example"));
    assert_eq!(remote.push(Arc::new(of_bob)), Pushed::Queued);
    assert_ne!(remote.payer(), first);
    let other = remotes.of(&jid("localhost"), &jid("b.example")).unwrap();
    assert_eq!(other.push(stanza("2")), Pushed::Queued);
    assert_eq!(other.payer(), first);
}

#[test]
fn a_pair_of_no_use_is_forgotten_and_one_with_rows_is_not() {
    let (remotes, remote) = remotes();
    remote.push_stored(1, 0, stanza(1));
    drop(remote);
    remotes.of(&jid("localhost"), &jid("b.example")).unwrap();
    assert!(wanted(&remotes));
    remotes.tick(UNUSED_MS);
    let left: Vec<_> = remotes.all().iter().map(|remote| remote.remote.to_string()).collect();
    assert_eq!(left, ["far.example"]);
}

#[test]
fn a_pair_that_somebody_holds_is_not_forgotten() {
    let (remotes, remote) = remotes();
    for n in 1..PAIRS_MAX {
        remotes.of(&jid("localhost"), &jid(&format!("{n}.example"))).unwrap();
    }
    remotes.of(&jid("localhost"), &jid("one-more.example")).unwrap();
    assert_eq!(remotes.all().len(), 2, "those of no use make room");
    remotes.tick(UNUSED_MS);
    // Between the admission of a stanza and its commit.
    let same = remotes.of(&jid("localhost"), &jid("far.example")).unwrap();
    assert!(Arc::ptr_eq(&remote, &same));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn whoever_waits_is_woken() {
    let (remotes, remote) = remotes();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(remotes.poll_wanted(&mut cx).is_pending());
    remote.push_stored(1, 0, stanza(1));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "the dialler");
    let carrier = remote.carry().unwrap();
    let mut out = Vec::new();
    assert!(carrier.poll_drain(&mut cx, &mut out, 1000).is_ready());
    assert!(carrier.poll_drain(&mut cx, &mut out, 1000).is_pending());
    carrier.arrived(1);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "proof is nothing to write");
    remote.push_stored(2, 0, stanza(2));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 2, "the stream");
}
