//! Appending to archives and reading them.

use std::sync::Arc;

use metronome_model::{Direction, Keep, Op, Outcome, Record};
use metronome_store::Counts;
use metronome_store::archive::PAGE_BYTES_MAX;

use crate::world::{
    UNSEEN_MAX, World, body, done, id, ids, kept_until_seen, message, read, received, seen, sent, without_unseen,
};

over_each_backend!(
    a_message_is_one_row_for_each_side,
    ids_grow_by_one,
    ids_are_not_used_again_after_rows_are_removed,
    rows_are_read_by_ranges_in_pages,
    a_page_ends_at_its_bound_in_bytes_but_has_a_row,
    too_many_unseen_rows_are_full,
    rows_that_are_not_unseen_are_never_full,
    a_record_is_all_or_nothing,
    a_record_with_several_stanzas_numbers_them_in_order,
    archives_do_not_mix,
    a_long_archive_is_found_again_at_its_end,
);

fn a_message_is_one_row_for_each_side(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    assert_eq!(world.commit(sent(alice, bob, "hello")), done(&[1, 1]));
    world.reopen();
    let at_alice = read(world.store.rows(alice, vec![(1, 9)], 9));
    let at_bob = read(world.store.rows(bob, vec![(1, 9)], 9));
    assert_eq!((at_alice.len(), at_bob.len()), (1, 1));
    assert_eq!((at_alice[0].direction, at_alice[0].unseen), (Direction::Sent, false));
    assert_eq!((at_bob[0].direction, at_bob[0].unseen), (Direction::Received, true));
    assert_eq!((at_alice[0].at_ms, at_bob[0].keep), (1_700_000_000_000, Keep::Archive));
    assert_eq!((body(&at_alice[0]), body(&at_bob[0])), ("hello".into(), "hello".into()));
}

fn ids_grow_by_one(world: &mut World) {
    let bob = world.add("bob", 2);
    for n in 1..=9 {
        assert_eq!(world.one(received(bob, "hello")), done(&[n]));
        if n % 3 == 0 {
            world.reopen();
        }
        assert_eq!(read(world.store.last_id(bob)), n);
    }
}

fn ids_are_not_used_again_after_rows_are_removed(world: &mut World) {
    let bob = world.add("bob", 2);
    (0..3).for_each(|_| drop(world.one(kept_until_seen(bob, "hello"))));
    world.one(seen(bob, &[(1, 3)]));
    assert_eq!(world.archive(bob), [""; 0]);
    assert_eq!(read(world.store.last_id(bob)), 3);
    world.reopen();
    assert_eq!(read(world.store.last_id(bob)), 3);
    assert_eq!(world.one(received(bob, "hello")), done(&[4]));
}

fn rows_are_read_by_ranges_in_pages(world: &mut World) {
    let bob = world.add("bob", 2);
    (1..=10).for_each(|n| drop(world.one(received(bob, &n.to_string()))));
    let rows = |ranges: &[(u64, u64)], limit| ids(&read(world.store.rows(bob, ranges.to_vec(), limit)));
    assert_eq!(rows(&[(3, 5)], 99), [3, 4, 5]);
    assert_eq!(rows(&[(8, u64::MAX), (1, 2)], 99), [8, 9, 10, 1, 2]);
    assert_eq!(rows(&[(2, 9), (1, 10)], 4), [2, 3, 4, 5]);
    assert_eq!(rows(&[(0, 0), (11, 20), (7, 6), (u64::MAX, u64::MAX)], 99), [0; 0]);
    assert_eq!(rows(&[], 99), [0; 0]);
    assert_eq!(ids(&read(world.store.unseen(bob, 4, 3))), [5, 6, 7]);
    assert_eq!(ids(&read(world.store.unseen(bob, u64::MAX, 3))), [0; 0]);
}

fn a_page_ends_at_its_bound_in_bytes_but_has_a_row(world: &mut World) {
    let bob = world.add("bob", 2);
    let long = "x".repeat(PAGE_BYTES_MAX / 2);
    (0..5).for_each(|_| drop(world.one(received(bob, &long))));
    assert_eq!(ids(&read(world.store.unseen(bob, 0, 99))), [1, 2]);
    assert_eq!(ids(&read(world.store.unseen(bob, 2, 99))), [3, 4]);
    assert_eq!(ids(&read(world.store.rows(bob, vec![(1, 1), (5, 5), (2, 3)], 99))), [1, 5]);
    world.one(received(bob, &"x".repeat(PAGE_BYTES_MAX * 2)));
    assert_eq!(ids(&read(world.store.unseen(bob, 5, 99))), [6]);
}

fn too_many_unseen_rows_are_full(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    for n in 1..=UNSEEN_MAX {
        assert_eq!(world.commit(sent(alice, bob, "hello")), done(&[n, n]));
    }
    assert_eq!(world.commit(sent(alice, bob, "one too many")), Outcome::Full);
    world.reopen();
    assert_eq!(world.commit(sent(alice, bob, "one too many")), Outcome::Full);
    assert_eq!(read(world.store.last_id(alice)), UNSEEN_MAX);
    world.one(seen(bob, &[(5, 5)]));
    assert_eq!(world.commit(sent(alice, bob, "fits")), done(&[UNSEEN_MAX + 1, UNSEEN_MAX + 1]));
    assert_eq!(world.commit(sent(alice, bob, "one too many")), Outcome::Full);
}

fn rows_that_are_not_unseen_are_never_full(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    (0..UNSEEN_MAX).for_each(|_| drop(world.one(received(alice, "hello"))));
    assert_eq!(world.commit(sent(alice, bob, "hello")), done(&[UNSEEN_MAX + 1, 1]));
}

fn a_record_is_all_or_nothing(world: &mut World) {
    let alice = world.add("alice", 1);
    assert_eq!(world.commit(sent(alice, id(2), "hello")), Outcome::Gone);
    let mut record = Record::of(received(alice, "first"));
    record.push(Op::SetMeta { key: "k", value: [1].into() });
    record.push(Op::SetRole { id: id(7), role: metronome_model::Role::Admin });
    assert_eq!(world.commit(record), Outcome::Gone);
    assert_eq!(world.archive(alice), [""; 0]);
    assert_eq!(read(world.store.meta("k")), None);
    assert_eq!(world.one(received(alice, "hello")), done(&[1]));
}

fn a_record_with_several_stanzas_numbers_them_in_order(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let (one, two) = (message("one"), message("two"));
    let mut record = Record::default();
    for (owner, stanza) in [(alice, &one), (bob, &two), (alice, &two), (bob, &one), (alice, &one)] {
        let (direction, keep, stanza) = (Direction::Received, Keep::Archive, Arc::clone(stanza));
        record.push(Op::Append { owner, at_ms: 1, direction, keep, unseen: true, stanza });
    }
    assert_eq!(world.commit(record), done(&[1, 1, 2, 2, 3]));
    let bodies = |owner| read(world.store.unseen(owner, 0, 9)).iter().map(body).collect::<Vec<_>>();
    assert_eq!(bodies(alice), ["one", "two", "one"]);
    assert_eq!(bodies(bob), ["two", "one"]);
}

fn archives_do_not_mix(world: &mut World) {
    let owners: Vec<_> = (1..=40).map(|n| world.add(&format!("user{n}"), n)).collect();
    for round in 1..=3 {
        for owner in &owners {
            assert_eq!(world.one(received(*owner, &format!("{owner}"))), done(&[round]));
        }
    }
    for owner in owners {
        let rows = read(world.store.rows(owner, vec![(0, u64::MAX)], 99));
        assert_eq!(ids(&rows), [1, 2, 3]);
        assert!(rows.iter().all(|row| body(row) == owner.to_string() && row.owner == owner));
        assert_eq!(read(world.store.counts(owner)), Counts { last_id: 3, rows: 3, unseen: 3 });
        assert_eq!(read(world.store.unseen_count(owner)), 3);
    }
}

fn a_long_archive_is_found_again_at_its_end(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.one(received(alice, "first"));
    for _ in 0..3 {
        let many: Vec<_> = (0..900).map(|_| without_unseen(sent(alice, bob, "hello"))).collect();
        assert!(world.batch(many).iter().all(Outcome::is_done));
        world.reopen();
        world.one(received(alice, "again"));
    }
    world.reopen();
    assert_eq!(read(world.store.counts(alice)), Counts { last_id: 2704, rows: 2704, unseen: 4 });
    assert_eq!(world.unseen(alice), [1, 902, 1803, 2704]);
    world.one(seen(alice, &[(1, 902)]));
    assert_eq!(world.one(received(alice, "last")), done(&[2705]));
    assert_eq!(world.unseen(alice), [1803, 2704, 2705]);
}
