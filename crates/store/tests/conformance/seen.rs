//! Clearing the mark `unseen`.

use metronome_model::{Outcome, Record};
use metronome_store::Counts;

use crate::world::{World, done, ids, kept_until_seen, read, received, seen, sent};

over_each_backend!(
    seen_rows_stay_but_are_not_unseen,
    seen_ranges_may_have_gaps_and_come_in_any_order,
    rows_kept_until_seen_are_removed,
    seen_twice_changes_nothing,
    ids_to_come_are_not_seen_beforehand,
    a_record_sees_only_what_was_there_before_it,
    unseen_rows_keep_their_order_across_a_gap,
    a_shared_stanza_outlives_one_side,
);

fn seen_rows_stay_but_are_not_unseen(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    (0..5).for_each(|_| drop(world.commit(sent(alice, bob, "hello"))));
    assert_eq!(world.one(seen(bob, &[(1, 3)])), done(&[]));
    world.reopen();
    assert_eq!(world.unseen(bob), [4, 5]);
    let rows = read(world.store.rows(bob, vec![(1, 5)], 9));
    assert_eq!(rows.iter().map(|row| row.unseen).collect::<Vec<_>>(), [false, false, false, true, true]);
    assert_eq!(read(world.store.counts(bob)), Counts { last_id: 5, rows: 5, unseen: 2 });
}

fn seen_ranges_may_have_gaps_and_come_in_any_order(world: &mut World) {
    let bob = world.add("bob", 2);
    (0..12).for_each(|_| drop(world.one(received(bob, "hello"))));
    world.one(seen(bob, &[(8, 9), (3, 4)]));
    assert_eq!(world.unseen(bob), [1, 2, 5, 6, 7, 10, 11, 12]);
    world.reopen();
    world.one(seen(bob, &[(2, 2), (5, 10)]));
    assert_eq!(world.unseen(bob), [1, 11, 12]);
    world.one(seen(bob, &[(1, 1)]));
    assert_eq!(world.unseen(bob), [11, 12]);
    world.reopen();
    world.one(seen(bob, &[(12, 12), (11, 11)]));
    assert_eq!(world.unseen(bob), [0; 0]);
    assert_eq!(read(world.store.counts(bob)), Counts { last_id: 12, rows: 12, unseen: 0 });
}

fn rows_kept_until_seen_are_removed(world: &mut World) {
    let bob = world.add("bob", 2);
    for text in ["one", "two", "three", "four"] {
        world.one(kept_until_seen(bob, text));
        world.one(received(bob, text));
    }
    world.one(seen(bob, &[(3, 6)]));
    assert_eq!(ids(&read(world.store.rows(bob, vec![(1, 99)], 99))), [1, 2, 4, 6, 7, 8]);
    assert_eq!(world.unseen(bob), [1, 2, 7, 8]);
    world.one(seen(bob, &[(1, 8)]));
    world.reopen();
    assert_eq!(ids(&read(world.store.rows(bob, vec![(1, 99)], 99))), [2, 4, 6, 8]);
    assert_eq!(world.unseen(bob), [0; 0]);
}

fn seen_twice_changes_nothing(world: &mut World) {
    let bob = world.add("bob", 2);
    (0..4).for_each(|_| drop(world.one(kept_until_seen(bob, "hello"))));
    world.one(seen(bob, &[(2, 3)]));
    let commits = world.faults.commits();
    assert_eq!(world.one(seen(bob, &[(2, 3)])), done(&[]));
    assert_eq!(world.one(seen(bob, &[(9, 12)])), done(&[]));
    assert_eq!(world.faults.commits(), commits);
    assert_eq!(world.unseen(bob), [1, 4]);
}

fn ids_to_come_are_not_seen_beforehand(world: &mut World) {
    let bob = world.add("bob", 2);
    world.one(received(bob, "hello"));
    world.one(seen(bob, &[(1, u64::MAX)]));
    world.one(received(bob, "again"));
    assert_eq!(world.unseen(bob), [2]);
}

fn a_record_sees_only_what_was_there_before_it(world: &mut World) {
    let bob = world.add("bob", 2);
    world.one(received(bob, "hello"));
    let mut record = Record::of(received(bob, "with it"));
    record.push(seen(bob, &[(1, 2)]));
    assert!(matches!(world.commit(record), Outcome::Done { .. }));
    assert_eq!(world.unseen(bob), [2]);
    assert_eq!(read(world.store.counts(bob)), Counts { last_id: 2, rows: 2, unseen: 1 });
}

fn unseen_rows_keep_their_order_across_a_gap(world: &mut World) {
    let bob = world.add("bob", 2);
    (0..6).for_each(|_| drop(world.one(received(bob, "hello"))));
    world.one(seen(bob, &[(3, 3)]));
    (0..2).for_each(|_| drop(world.one(received(bob, "hello"))));
    assert_eq!(ids(&read(world.store.unseen(bob, 1, 3))), [2, 4, 5]);
    assert_eq!(ids(&read(world.store.unseen(bob, 5, 9))), [6, 7, 8]);
}

fn a_shared_stanza_outlives_one_side(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let mut record = sent(alice, bob, "hello");
    let metronome_model::Op::Append { keep, .. } = &mut record.ops[1] else { panic!("not an append") };
    *keep = metronome_model::Keep::UntilSeen;
    world.commit(record);
    world.one(seen(bob, &[(1, 1)]));
    assert_eq!(world.archive(bob), [""; 0]);
    assert_eq!(world.archive(alice).len(), 1);
    world.forget(alice);
    world.finish_purge();
    if let Some(file) = world.file() {
        assert_eq!(crate::world::table_sizes(&file)["stanzas"], 0);
    }
}
