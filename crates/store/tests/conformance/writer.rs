//! Order, batches, permits, and the end of the writer.

use metronome_model::{Op, Outcome, Record, Unavailable};
use metronome_store::WriterLimits;

use crate::world::{World, done, id, ids, read, received, sent};

over_each_backend!(
    commit_order_is_the_order_of_submission,
    what_waits_shares_one_commit,
    a_refused_record_harms_no_other_of_its_batch,
    nothing_is_written_when_nothing_is_to_commit,
    everything_submitted_before_a_shutdown_is_committed,
    what_is_submitted_after_a_shutdown_is_refused,
    what_is_submitted_while_the_writer_ends_is_refused_behind_the_rest,
    a_permit_returns_when_it_is_dropped,
    nobody_reads_what_is_not_committed,
    bulk_work_goes_behind_what_waits,
    a_panic_behind_the_writer_does_not_stop_it,
);

fn commit_order_is_the_order_of_submission(world: &mut World) {
    let bob = world.add("bob", 2);
    let owners: Vec<_> = (3..9).map(|n| world.add(&format!("user{n}"), n)).collect();
    let first = world.submit(Record::default());
    assert_eq!(world.decided().0, first);
    for n in 0..600 {
        let op = Op::SetMeta { key: "n", value: [n as u8].into() };
        let from = owners[n % owners.len()];
        world.submit(if n % 30 == 0 { sent(from, bob, &n.to_string()) } else { Record::of(op) });
    }
    for n in 0..600 {
        let (number, outcome) = world.decided();
        assert_eq!(number, first + 1 + n);
        assert!(outcome.is_done());
    }
    let bodies: Vec<_> = read(world.store.unseen(bob, 0, 99)).iter().map(crate::world::body).collect();
    assert_eq!(bodies, (0..20).map(|n| (n * 30).to_string()).collect::<Vec<_>>());
}

fn what_waits_shares_one_commit(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let commits = world.faults.commits();
    let outcomes = world.batch((0..20).map(|_| sent(alice, bob, "hello")).collect());
    assert_eq!(outcomes, (1..=20).map(|n| done(&[n, n])).collect::<Vec<_>>());
    // One for the record that made the others wait, one for all of them.
    assert_eq!(world.faults.commits(), commits + 2);
}

fn a_refused_record_harms_no_other_of_its_batch(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let batch = vec![
        sent(alice, bob, "one"),
        sent(alice, id(9), "to nobody"),
        Record::of(crate::world::add("bob", 4)),
        sent(bob, alice, "two"),
        Record::default(),
    ];
    let outcomes = world.batch(batch);
    assert_eq!(outcomes, [done(&[1, 1]), Outcome::Gone, Outcome::Conflict, done(&[2, 2]), done(&[])]);
}

fn nothing_is_written_when_nothing_is_to_commit(world: &mut World) {
    let bob = world.add("bob", 2);
    world.one(received(bob, "hello"));
    world.reopen();
    world.one(Op::SetMeta { key: "k", value: [1].into() });
    let commits = world.faults.commits();
    let log = world.file().map(|file| std::fs::metadata(file.with_extension("sqlite-wal")).unwrap());
    assert_eq!(world.one(received(id(9), "to nobody")), Outcome::Gone);
    assert_eq!(world.commit(Record::default()), done(&[]));
    assert_eq!(world.one(crate::world::seen(bob, &[(7, 9)])), done(&[]));
    assert_eq!(world.faults.commits(), commits);
    if let (Some(file), Some(log)) = (world.file(), log) {
        let now = std::fs::metadata(file.with_extension("sqlite-wal")).unwrap();
        assert_eq!((now.len(), now.modified().unwrap()), (log.len(), log.modified().unwrap()));
    }
}

fn everything_submitted_before_a_shutdown_is_committed(world: &mut World) {
    let bob = world.add("bob", 2);
    for n in 0..10 {
        world.submit(Record::of(received(bob, &n.to_string())));
    }
    world.writer.as_ref().unwrap().shutdown();
    (0..10).for_each(|_| assert!(world.decided().1.is_done()));
    assert_eq!(world.unseen(bob).len(), 10);
}

fn what_is_submitted_after_a_shutdown_is_refused(world: &mut World) {
    let bob = world.add("bob", 2);
    let refused = Outcome::Unavailable(Unavailable::Stopping);
    // A second shutdown does nothing.
    for _ in 0..2 {
        world.writer.as_ref().unwrap().shutdown();
        assert_eq!(world.one(received(bob, "late")), refused);
        let writer = world.writer.as_ref().unwrap();
        writer.submit_bulk(writer.try_permit(1).unwrap(), Record::of(received(bob, "later")), 999);
        assert_eq!(world.decided(), (999, refused.clone()));
    }
    assert_eq!(world.unseen(bob), [0; 0]);
    let all = WriterLimits::default().permit_bytes_max;
    assert!(world.writer.as_ref().unwrap().try_permit(all).is_some(), "their permits have returned");
}

fn what_is_submitted_while_the_writer_ends_is_refused_behind_the_rest(world: &mut World) {
    let bob = world.add("bob", 2);
    world.faults.stall();
    let first = world.submit(Record::of(received(bob, "first")));
    world.faults.wait_until_stalled();
    let second = world.submit(Record::of(received(bob, "second")));
    let (writer, faults) = (world.writer.take().unwrap(), world.faults.clone());
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| writer.shutdown());
        // Somewhere among these the end comes.
        let late: Vec<_> = (0..200)
            .map(|n| {
                writer.submit(writer.try_permit(1).unwrap(), Record::of(received(bob, "late")), 1000 + n);
                std::thread::yield_now();
                1000 + n
            })
            .collect();
        faults.release();
        ending.join().unwrap();
        let decided: Vec<_> = (0..202).map(|_| world.decided()).collect();
        assert_eq!(decided.iter().map(|(load, _)| *load).collect::<Vec<_>>(), [vec![first, second], late].concat());
        let stored = decided.iter().take_while(|(_, outcome)| outcome.is_done()).count();
        let refused = Outcome::Unavailable(Unavailable::Stopping);
        assert!(
            stored >= 2
                && decided[stored..].iter().all(|(_, outcome)| *outcome == refused || *outcome == Outcome::Full)
        );
    });
}

fn a_permit_returns_when_it_is_dropped(world: &mut World) {
    let writer = world.writer.as_ref().unwrap();
    let all = WriterLimits::default().permit_bytes_max;
    let whole = writer.try_permit(usize::MAX).unwrap();
    assert_eq!(whole.bytes(), all);
    assert!(writer.try_permit(1).is_none());
    let waiting = writer.permit(1);
    drop(whole);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let small = runtime.block_on(waiting);
    assert!(writer.try_permit(all).is_none());
    drop(small);
    assert!(writer.try_permit(all).is_some());
}

fn nobody_reads_what_is_not_committed(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.faults.stall();
    world.submit(sent(alice, bob, "hello"));
    world.faults.wait_until_stalled();
    assert_eq!(world.unseen(bob), [0; 0]);
    assert_eq!(world.archive(alice), [""; 0]);
    world.faults.release();
    assert!(world.decided().1.is_done());
    assert_eq!(world.unseen(bob), [1]);
}

fn bulk_work_goes_behind_what_waits(world: &mut World) {
    let bob = world.add("bob", 2);
    world.faults.stall();
    let first = world.submit(Record::of(received(bob, "first")));
    world.faults.wait_until_stalled();
    let writer = world.writer.as_ref().unwrap();
    writer.submit_bulk(writer.try_permit(1).unwrap(), Record::of(received(bob, "bulk")), 999);
    let second = world.submit(Record::of(received(bob, "second")));
    world.faults.release();
    assert_eq!([world.decided().0, world.decided().0, world.decided().0], [first, second, 999]);
    assert_eq!(ids(&read(world.store.unseen(bob, 0, 9))), [1, 2, 3]);
}

fn a_panic_behind_the_writer_does_not_stop_it(_: &mut World) {
    let (tell, told) = std::sync::mpsc::channel();
    let backend = metronome_store::backend::memory::open().backend;
    let writer = metronome_store::Writer::start(backend, WriterLimits::default(), move |batch| {
        assert!(batch[0].load != 1, "this panic is part of the test");
        tell.send(batch[0].load).unwrap();
    });
    let writer = writer.unwrap();
    writer.submit(writer.try_permit(1).unwrap(), Record::default(), 1);
    let whole = WriterLimits::default().permit_bytes_max;
    // The permit of the first comes back although nobody took it.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    writer.submit(runtime.block_on(writer.permit(whole)), Record::default(), 2);
    assert_eq!(told.recv().unwrap(), 2);
}
