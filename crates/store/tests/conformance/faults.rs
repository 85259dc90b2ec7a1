//! Commits that fail or whose answer is lost.

use metronome_model::{Outcome, Record, Unavailable};

use crate::world::{World, done, received, sent};

over_each_backend!(
    a_failed_commit_stores_nothing_and_the_next_one_goes_on,
    a_commit_whose_answer_was_lost_counts,
    a_statement_that_fails_harms_no_other_record,
    a_full_disk_refuses_all_that_wait_and_then_goes_on,
    a_store_that_cannot_recover_refuses_until_it_can,
    refusals_of_a_failed_batch_are_not_believed,
);

fn a_failed_commit_stores_nothing_and_the_next_one_goes_on(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.commit(sent(alice, bob, "before"));
    for why in [Unavailable::Disk, Unavailable::DiskFull, Unavailable::Corrupt] {
        world.faults.fail_commits(1, why);
        assert_eq!(world.commit(sent(alice, bob, "lost")), Outcome::Unavailable(why));
        assert_eq!((world.archive(alice).len(), world.unseen(bob)), (1, vec![1]));
    }
    assert_eq!(world.commit(sent(alice, bob, "after")), done(&[2, 2]));
    world.reopen();
    assert_eq!(world.unseen(bob), [1, 2]);
}

fn a_commit_whose_answer_was_lost_counts(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.faults.fail_commits_after_storing(1, Unavailable::Disk);
    assert_eq!(world.commit(sent(alice, bob, "stored")), done(&[1, 1]));
    assert_eq!(world.commit(sent(alice, bob, "after")), done(&[2, 2]));
    assert_eq!(world.unseen(bob), [1, 2]);
}

fn a_statement_that_fails_harms_no_other_record(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    // Once in the batch, then once more when its records run alone.
    world.faults.fail_appends(2, Unavailable::Disk);
    let outcomes = world.batch((0..4).map(|_| sent(alice, bob, "hello")).collect());
    assert_eq!(outcomes[0], Outcome::Unavailable(Unavailable::Disk));
    assert_eq!(outcomes[1..], [done(&[1, 1]), done(&[2, 2]), done(&[3, 3])]);
    world.reopen();
    assert_eq!(world.unseen(bob), [1, 2, 3]);
}

fn a_full_disk_refuses_all_that_wait_and_then_goes_on(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.faults.fail_appends(2, Unavailable::DiskFull);
    let outcomes = world.batch((0..4).map(|_| sent(alice, bob, "hello")).collect());
    assert_eq!(outcomes, vec![Outcome::Unavailable(Unavailable::DiskFull); 4]);
    assert_eq!(world.commit(sent(alice, bob, "hello")), done(&[1, 1]));
}

fn a_store_that_cannot_recover_refuses_until_it_can(world: &mut World) {
    let bob = world.add("bob", 2);
    world.faults.fail_commits(1, Unavailable::Disk);
    world.faults.fail_recoveries(3, Unavailable::Disk);
    let refused = Outcome::Unavailable(Unavailable::Disk);
    // The commit and the recovery after it, then two attempts of the next records.
    for _ in 0..3 {
        assert_eq!(world.one(received(bob, "lost")), refused);
    }
    assert_eq!(world.one(received(bob, "hello")), done(&[1]));
    assert_eq!(world.unseen(bob), [1]);
}

fn refusals_of_a_failed_batch_are_not_believed(world: &mut World) {
    world.faults.stall();
    world.submit(Record::default());
    world.faults.wait_until_stalled();
    world.submit(Record::of(crate::world::add("bob", 2)));
    world.submit(Record::of(crate::world::add("bob", 3)));
    // The record that stalls takes the first failure and the two others, in one batch, the second.
    world.faults.fail_commits(2, Unavailable::Disk);
    world.faults.release();
    world.decided();
    let refused = Outcome::Unavailable(Unavailable::Disk);
    assert_eq!([world.decided().1, world.decided().1], [refused.clone(), refused]);
    assert_eq!(world.account("bob"), None);
}
