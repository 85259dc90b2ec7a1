//! Searching archives page by page, and changing what is in them: messages replaced and removed.

use std::sync::Arc;

use fastrand::Rng;
use metronome_model::{AccountId, ArchivedRow, Direction, Keep, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_store::Counts;
use metronome_store::archive::{Count, Filter, Found, From, Page, Place, Rest, Search};

use crate::world::{World, body, done, ids, message, read, received, seen, sent, stanza, table_sizes, without_unseen};

over_each_backend!(
    pages_go_forward_and_backward,
    every_page_is_what_a_list_would_give,
    messages_with_an_address_are_found,
    what_was_written_to_oneself_is_found_by_the_own_address,
    times_are_found_though_they_do_not_grow,
    ids_that_are_not_there_are_unknown,
    rows_kept_until_they_are_seen_are_in_no_archive,
    a_page_has_a_bound_in_bytes_and_a_message,
    the_ends_of_an_archive_are_told,
    a_replaced_message_keeps_its_place,
    removed_messages_are_gone_and_their_ids_stay_used,
    unseen_messages_are_not_removed,
    what_a_record_removes_does_not_touch_what_it_adds,
);

const START_MS: u64 = 1_700_000_000_000;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

/// A message that is not waiting for anybody.
fn row(owner: AccountId, direction: Direction, at_ms: u64, stanza: &Arc<Stanza>) -> Op {
    Op::Append { owner, at_ms, direction, keep: Keep::Archive, unseen: false, stanza: Arc::clone(stanza) }
}

fn chat(from: &str, to: &str, body: &str) -> Arc<Stanza> {
    Arc::new(stanza(&format!("<message from='{from}' to='{to}' id='{body}'><body>{body}</body></message>")))
}

fn page(world: &World, owner: AccountId, search: Search) -> Page {
    match read(world.store.search(owner, search)) {
        Found::Page(page) => page,
        Found::Unknown => panic!("all ids are known"),
    }
}

/// All rows that a search finds, however many reads it takes.
fn all(world: &World, owner: AccountId, mut search: Search) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let Page { rows, rest, .. } = page(world, owner, search.clone());
        found.extend(ids(&rows));
        match rest {
            Rest::Unsearched { at, skip } => {
                search.skip = skip;
                match search.from {
                    From::First => search.after = at,
                    From::Last => search.before = at,
                }
            }
            _ => break,
        }
    }
    found.sort_unstable();
    found
}

fn fill(world: &mut World, owner: AccountId, count: u64) {
    let records =
        (1..=count).map(|n| Record::of(row(owner, Direction::Received, START_MS + n, &message(&n.to_string()))));
    assert!(world.batch(records.collect()).iter().all(Outcome::is_done));
}

fn pages_go_forward_and_backward(world: &mut World) {
    let bob = world.add("bob", 2);
    fill(world, bob, 10);
    let search = |after, before, from| {
        let Page { rows, rest, count } =
            page(world, bob, Search { after, before, from, rows_max: 4, counted_max: 99, ..Search::default() });
        (ids(&rows), rest, count.map(|count| (count.all, count.index)))
    };
    assert_eq!(search(0, u64::MAX, From::First), (vec![1, 2, 3, 4], Rest::More, Some((10, 0))));
    assert_eq!(search(4, u64::MAX, From::First), (vec![5, 6, 7, 8], Rest::More, Some((10, 4))));
    assert_eq!(search(8, u64::MAX, From::First), (vec![9, 10], Rest::Nothing, Some((10, 8))));
    assert_eq!(search(10, u64::MAX, From::First), (vec![], Rest::Nothing, Some((10, 0))));
    assert_eq!(search(0, u64::MAX, From::Last), (vec![7, 8, 9, 10], Rest::More, Some((10, 6))));
    assert_eq!(search(0, 7, From::Last), (vec![3, 4, 5, 6], Rest::More, Some((10, 2))));
    assert_eq!(search(0, 3, From::Last), (vec![1, 2], Rest::Nothing, Some((10, 0))));
    let index = page(world, bob, Search { skip: 8, rows_max: 9, counted_max: 99, ..Search::default() });
    assert_eq!((ids(&index.rows), index.count), (vec![9, 10], Some(Count { all: 10, index: 8 })));
    let counted = page(world, bob, Search { rows_max: 0, counted_max: 99, ..Search::default() });
    assert_eq!((counted.rows.len(), counted.count), (0, Some(Count { all: 10, index: 0 })));
    let nobody = crate::world::id(99);
    assert_eq!(ids(&page(world, nobody, Search::default()).rows), [0; 0]);
}

/// A naive archive.
struct Model {
    rows: Vec<(u64, u64, String)>,
}

impl Model {
    fn page(&self, search: &Search) -> (Vec<u64>, bool) {
        let Filter { with, from_ms, to_ms, above, below, only } = &search.filter;
        let fits = |(id, at_ms, peer): &&(u64, u64, String)| {
            let peer = jid(peer);
            id > above
                && id < below
                && at_ms >= from_ms
                && at_ms <= to_ms
                && only.as_ref().is_none_or(|only| only.contains(id))
                && with.as_ref().is_none_or(|with| if with.is_full() { *with == peer } else { with.same_bare(&peer) })
        };
        let found: Vec<u64> = self.rows.iter().filter(fits).map(|(id, ..)| *id).collect();
        let mut found: Vec<u64> = found.into_iter().filter(|id| *id > search.after && *id < search.before).collect();
        if search.from == From::Last {
            found.reverse();
        }
        let found: Vec<u64> = found.into_iter().skip(search.skip as usize).collect();
        let mut page: Vec<u64> = found.iter().copied().take(search.rows_max).collect();
        page.sort_unstable();
        (page, found.len() > search.rows_max)
    }
}

fn every_page_is_what_a_list_would_give(world: &mut World) {
    const PEERS: [&str; 4] = ["a@example.com/x", "a@example.com/y", "b@example.com/x", "c@example.com"];
    let bob = world.add("bob", 2);
    let mut random = Rng::with_seed(11);
    let mut model = Model { rows: Vec::new() };
    let mut records = Vec::new();
    for id in 1..=3000 {
        let (peer, at_ms) = (PEERS[random.usize(..4)], START_MS + id * 10 - random.u64(..50));
        let (stanza, direction) = match random.bool() {
            true => (chat("bob@example.org/home", peer, "x"), Direction::Sent),
            false => (chat(peer, "bob@example.org", "x"), Direction::Received),
        };
        records.push(Record::of(row(bob, direction, at_ms, &stanza)));
        model.rows.push((id, at_ms, peer.to_owned()));
    }
    for part in records.chunks(500) {
        assert!(world.batch(part.to_vec()).iter().all(Outcome::is_done));
    }
    let removed = (random.u64(1..400), random.u64(400..900));
    world.one(Op::Remove { owner: bob, ids: vec![removed] });
    model.rows.retain(|(id, ..)| *id < removed.0 || *id > removed.1);
    world.reopen();
    for _ in 0..400 {
        let mut id = |none: u64| if random.bool() { none } else { random.u64(..3100) };
        let (above, after, below, before) = (id(0), id(0), id(u64::MAX), id(u64::MAX));
        let mut at = |none: u64| if random.bool() { none } else { START_MS + random.u64(..31_000) };
        let (from_ms, to_ms) = (at(0), at(u64::MAX));
        let with = jid(PEERS[random.usize(..4)]);
        let with = [None, Some(with.bare()), Some(with)][random.usize(..3)].clone();
        let filter = Filter {
            with,
            from_ms,
            to_ms,
            above,
            below,
            only: (random.u8(..8) == 0).then(|| (0..20).map(|_| random.u64(..3100)).collect()),
        };
        let from = if random.bool() { From::First } else { From::Last };
        let (skip, rows_max) = (if random.bool() { 0 } else { random.u64(..20) }, random.usize(1..60));
        let search = Search { filter, after, before, from, skip, rows_max, counted_max: 5000, ..Search::default() };
        let (expected, more) = model.page(&search);
        let Page { rows, rest, count } = page(world, bob, search.clone());
        assert_eq!((ids(&rows), rest == Rest::More), (expected, more), "{search:?}");
        if let Some(count) = count {
            let whole = Search { after: 0, before: u64::MAX, skip: 0, rows_max: usize::MAX, ..search.clone() };
            let whole = model.page(&whole).0;
            assert_eq!(count.all, whole.len() as u64, "{search:?}");
            let first = rows.first().map_or(0, |row| row.id);
            let index = whole.iter().position(|id| *id == first).unwrap_or(0);
            assert_eq!(count.index, index as u64, "{search:?}");
        }
        let places = read(world.store.places(bob, search.filter.clone(), 9));
        let expected = model.page(&Search { filter: search.filter, rows_max: 9, ..Search::default() }).0;
        assert_eq!(places.iter().map(|place| place.id).collect::<Vec<_>>(), expected);
    }
}

fn messages_with_an_address_are_found(world: &mut World) {
    let bob = world.add("bob", 2);
    for (from, to, direction) in [
        ("alice@example.org/a", "bob@example.org", Direction::Received),
        ("bob@example.org/home", "alice@example.org", Direction::Sent),
        ("bob@example.org/home", "alice@example.org/b", Direction::Sent),
        ("carol@example.org/a", "bob@example.org/home", Direction::Received),
    ] {
        assert!(world.one(row(bob, direction, 1, &chat(from, to, "hi"))).is_done());
    }
    let with = |address: &str| {
        let filter = Filter { with: Some(jid(address)), ..Filter::default() };
        all(world, bob, Search { filter, ..Search::default() })
    };
    assert_eq!(with("alice@example.org"), [1, 2, 3]);
    assert_eq!(with("alice@example.org/a"), [1]);
    assert_eq!(with("alice@example.org/b"), [3]);
    assert_eq!(with("carol@example.org"), [4]);
    assert_eq!(with("example.org"), [0; 0]);
    assert_eq!(with("dave@example.org"), [0; 0]);
}

fn what_was_written_to_oneself_is_found_by_the_own_address(world: &mut World) {
    let bob = world.add("bob", 2);
    let own = "bob@example.org";
    world.one(row(bob, Direction::Received, 1, &chat("alice@example.org/a", own, "hi")));
    world.one(row(bob, Direction::Sent, 1, &chat("bob@example.org/a", "alice@example.org", "hi")));
    world.one(row(bob, Direction::Received, 1, &chat("bob@example.org/a", own, "hi")));
    world.one(row(bob, Direction::Received, 1, &chat("bob@example.org/b", "bob@example.org/c", "hi")));
    let with = |address: &str| {
        let filter = Filter { with: Some(jid(address)), ..Filter::default() };
        all(world, bob, Search { filter, ..Search::default() })
    };
    assert_eq!(with(own), [3, 4]);
    assert_eq!(with("bob@example.org/a"), [3]);
    assert_eq!(with("bob@example.org/c"), [4]);
}

fn times_are_found_though_they_do_not_grow(world: &mut World) {
    let bob = world.add("bob", 2);
    // The clock was set back in the middle.
    let times: Vec<u64> = (0..2500).map(|n| if n < 1200 { 5000 + n } else { 1000 + n }).collect();
    for part in times.chunks(500) {
        let records = part.iter().map(|at_ms| Record::of(row(bob, Direction::Received, *at_ms, &message("x"))));
        assert!(world.batch(records.collect()).iter().all(Outcome::is_done));
    }
    let between = |from_ms, to_ms| {
        let filter = Filter { from_ms, to_ms, ..Filter::default() };
        all(world, bob, Search { filter, rows_max: usize::MAX, ..Search::default() })
    };
    for (from_ms, to_ms) in [(0, u64::MAX), (5100, 5110), (2000, 2300), (3400, 5050), (9000, 9999), (7, 3)] {
        let expected: Vec<u64> =
            (1..).zip(&times).filter(|(_, at)| (from_ms..=to_ms).contains(*at)).map(|(id, _)| id).collect();
        assert_eq!(between(from_ms, to_ms), expected, "{from_ms} {to_ms}");
    }
}

fn ids_that_are_not_there_are_unknown(world: &mut World) {
    let bob = world.add("bob", 2);
    fill(world, bob, 3);
    world.one(crate::world::kept_until_seen(bob, "not archived"));
    let known = |known: &[u64]| {
        let search = Search { known: known.to_vec(), ..Search::default() };
        matches!(read(world.store.search(bob, search)), Found::Page(_))
    };
    assert!(known(&[]) && known(&[1, 3]));
    for unknown in [&[0][..], &[4], &[1, 5], &[u64::MAX], &[1 << 40]] {
        assert!(!known(unknown), "{unknown:?}");
    }
    let search = Search { known: vec![1], ..Search::default() };
    assert!(matches!(read(world.store.search(crate::world::id(99), search)), Found::Unknown));
}

fn rows_kept_until_they_are_seen_are_in_no_archive(world: &mut World) {
    let bob = world.add("bob", 2);
    assert_eq!(read(world.store.ends(bob)), None);
    world.one(crate::world::kept_until_seen(bob, "one"));
    assert_eq!(read(world.store.ends(bob)), None);
    world.one(received(bob, "two"));
    world.one(crate::world::kept_until_seen(bob, "three"));
    assert_eq!(all(world, bob, Search::default()), [2]);
    let filter = Filter { with: Some(jid("alice@example.org")), ..Filter::default() };
    assert_eq!(all(world, bob, Search { filter, ..Search::default() }), [2]);
    assert_eq!(read(world.store.ends(bob)).map(|(first, last)| (first.id, last.id)), Some((2, 2)));
    assert_eq!(world.unseen(bob), [1, 2, 3]);
}

fn a_page_has_a_bound_in_bytes_and_a_message(world: &mut World) {
    let bob = world.add("bob", 2);
    let long = "x".repeat(1000);
    (0..5).for_each(|_| drop(world.one(row(bob, Direction::Received, 1, &message(&long)))));
    let search = |bytes_max, from| {
        let page = page(world, bob, Search { bytes_max, from, ..Search::default() });
        (ids(&page.rows), page.rest)
    };
    assert_eq!(search(10, From::First), (vec![1], Rest::More));
    assert_eq!(search(2500, From::First), (vec![1, 2], Rest::More));
    assert_eq!(search(2500, From::Last), (vec![4, 5], Rest::More));
    assert_eq!(search(1 << 20, From::Last), (vec![1, 2, 3, 4, 5], Rest::Nothing));
}

fn the_ends_of_an_archive_are_told(world: &mut World) {
    let bob = world.add("bob", 2);
    fill(world, bob, 9);
    let place = |id| Place { id, at_ms: START_MS + id, unseen: false };
    assert_eq!(read(world.store.ends(bob)), Some((place(1), place(9))));
    world.one(Op::Remove { owner: bob, ids: vec![(1, 2), (9, 9)] });
    assert_eq!(read(world.store.ends(bob)), Some((place(3), place(8))));
}

fn a_replaced_message_keeps_its_place(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    for n in 1..=3 {
        assert_eq!(world.commit(sent(alice, bob, &n.to_string())), done(&[n, n]));
    }
    let empty =
        Arc::new(stanza("<message from='alice@example.org/a' to='bob@example.org'><body>gone</body></message>"));
    assert_eq!(world.one(Op::Replace { owner: bob, id: 2, stanza: Arc::clone(&empty) }), done(&[]));
    // Rows that are not there are passed over.
    for id in [0, 4, u64::MAX] {
        assert_eq!(world.one(Op::Replace { owner: bob, id, stanza: Arc::clone(&empty) }), done(&[]));
    }
    let bodies = |world: &World, owner| {
        let page = page(world, owner, Search::default());
        page.rows.iter().map(body).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(bodies(world, bob), ["1", "gone", "3"]);
        assert_eq!(bodies(world, alice), ["1", "2", "3"]);
        assert_eq!(world.unseen(bob), [1, 2, 3]);
        world.reopen();
    }
    world.one(Op::Replace { owner: alice, id: 2, stanza: empty });
    assert_eq!(bodies(world, alice), ["1", "gone", "3"]);
    let Some(file) = world.file() else { return };
    assert_eq!(table_sizes(&file)["stanzas"], 4, "nobody points to the former one any more");
}

fn removed_messages_are_gone_and_their_ids_stay_used(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    for n in 1..=5 {
        assert_eq!(world.commit(without_unseen(sent(alice, bob, "hello"))), done(&[n, n]));
    }
    assert_eq!(world.one(Op::Remove { owner: bob, ids: vec![(0, 2), (5, u64::MAX), (9, 8)] }), done(&[]));
    assert_eq!(ids(&rows(world, bob)), [3, 4]);
    assert_eq!(ids(&rows(world, alice)), [1, 2, 3, 4, 5]);
    world.reopen();
    assert_eq!(world.one(Op::Remove { owner: bob, ids: vec![(1, 9)] }), done(&[]));
    assert_eq!(read(world.store.counts(bob)), Counts { last_id: 5, rows: 0, unseen: 0 });
    world.reopen();
    assert_eq!(world.one(received(bob, "new")), done(&[6]));
    world.one(seen(bob, &[(6, 6)]));
    world.one(Op::Remove { owner: bob, ids: vec![(6, 6)] });
    world.one(Op::Remove { owner: alice, ids: vec![(1, 5)] });
    let Some(file) = world.file() else { return };
    let sizes = table_sizes(&file);
    assert_eq!(["archive", "stanzas", "archive_peers", "archive_times"].map(|table| sizes[table]), [0; 4]);
    assert_eq!(world.commit(sent(alice, bob, "again")), done(&[6, 7]));
    assert_eq!(ids(&rows(world, bob)), [7]);
}

fn rows(world: &World, owner: AccountId) -> Vec<ArchivedRow> {
    page(world, owner, Search::default()).rows
}

fn unseen_messages_are_not_removed(world: &mut World) {
    let bob = world.add("bob", 2);
    (1..=4).for_each(|n| assert_eq!(world.one(received(bob, "hello")), done(&[n])));
    world.one(seen(bob, &[(1, 1), (3, 3)]));
    let places = read(world.store.places(bob, Filter::default(), 9));
    assert_eq!(places.iter().map(|place| place.unseen).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(world.one(Op::Remove { owner: bob, ids: vec![(1, 4)] }), done(&[]));
    assert_eq!(world.unseen(bob), [2, 4]);
    assert_eq!(read(world.store.counts(bob)), Counts { last_id: 4, rows: 2, unseen: 2 });
    world.reopen();
    world.one(seen(bob, &[(2, 4)]));
    assert_eq!(world.one(Op::Remove { owner: bob, ids: vec![(1, 4)] }), done(&[]));
    assert_eq!(world.archive(bob), [""; 0]);
}

fn what_a_record_removes_does_not_touch_what_it_adds(world: &mut World) {
    let bob = world.add("bob", 2);
    fill(world, bob, 2);
    let mut record = Record::of(Op::Remove { owner: bob, ids: vec![(1, 99)] });
    record.push(row(bob, Direction::Received, 1, &message("new")));
    record.push(Op::Replace { owner: bob, id: 3, stanza: message("not this one") });
    assert_eq!(world.commit(record), done(&[3]));
    assert_eq!(rows(world, bob).iter().map(body).collect::<Vec<_>>(), ["new"]);
    assert_eq!(world.one(Op::Remove { owner: crate::world::id(99), ids: vec![(1, 1)] }), Outcome::Gone);
}
