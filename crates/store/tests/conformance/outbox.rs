//! Stanzas that wait for other servers.

use std::sync::Arc;

use metronome_model::{Op, Outgoing, Record, Unavailable};
use metronome_proto::jid::Jid;

use crate::world::{World, done, message, read, sent, stanza};

over_each_backend!(
    rows_come_back_in_their_order_and_by_pair,
    a_row_is_stored_with_the_rest_of_its_record_or_not_at_all,
    what_is_done_with_goes_pair_by_pair,
    what_waits_is_added_up_by_sender_and_server,
    numbers_go_on_whatever_fails,
    numbers_go_on_behind_rows_of_an_earlier_process,
    rows_outlive_their_sender,
    a_page_ends_at_its_bounds,
);

const LOCAL: &str = "example.org";

fn enqueue(from: &str, to: &str, body: &str) -> Op {
    let xml = format!("<message from='{from}' to='{to}'><body>{body}</body></message>");
    Op::Enqueue { at_ms: 1_000, stanza: Arc::new(stanza(&xml)) }
}

fn dequeue(remote: &str, to: u64) -> Op {
    Op::Dequeue { local: LOCAL.into(), remote: remote.into(), to }
}

/// Ids and bodies of all that waits for a server.
fn waiting(world: &World, remote: &str) -> Vec<(u64, String)> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = read(world.store.outbox(LOCAL, remote, after, 2));
        let Some(last) = page.last() else { return all };
        after = last.id;
        all.extend(
            page.iter().map(|row| (row.id, row.stanza.child("jabber:client", "body").unwrap().text().into_owned())),
        );
    }
}

fn rows_come_back_in_their_order_and_by_pair(world: &mut World) {
    assert_eq!(read(world.store.outbox(LOCAL, "a.example", 0, 10)).len(), 0);
    assert_eq!(world.one(enqueue("alice@example.org/x", "bob@a.example", "one")), done(&[1]));
    assert_eq!(world.one(enqueue("alice@example.org", "bob@b.example/y", "two")), done(&[2]));
    assert_eq!(world.one(enqueue("carol@example.org", "a.example", "three")), done(&[3]));
    assert_eq!(world.one(enqueue("carol@other.example", "bob@a.example", "four")), done(&[4]));
    world.reopen();
    assert_eq!(waiting(world, "a.example"), [(1, "one".into()), (3, "three".into())]);
    assert_eq!(waiting(world, "b.example"), [(2, "two".into())]);
    assert_eq!(read(world.store.outbox("other.example", "a.example", 0, 10))[0].id, 4);
    assert_eq!(read(world.store.outbox(LOCAL, "a.example", 1, 10))[0].id, 3, "behind a row");
    let row = &read(world.store.outbox(LOCAL, "a.example", 0, 1))[0];
    assert_eq!((row.at_ms, row.stanza.from.as_str()), (1_000, "alice@example.org/x"));
    assert_eq!(row.stanza.to.as_ref().map(Jid::as_str), Some("bob@a.example"));
}

fn a_row_is_stored_with_the_rest_of_its_record_or_not_at_all(world: &mut World) {
    let alice = world.add("alice", 1);
    let (bob, mut record) = (world.add("bob", 2), Record::default());
    record.push(sent(alice, bob, "hello").ops.remove(0));
    record.push(enqueue("alice@example.org/x", "bob@a.example", "hello"));
    // The archive has numbers of its own, and the ids come in the order of the changes.
    assert_eq!(world.one(enqueue("alice@example.org/x", "bob@a.example", "before")), done(&[1]));
    assert_eq!(world.commit(record.clone()), done(&[1, 2]));
    world.forget(alice);
    assert!(!world.commit(record).is_done(), "its archive is gone");
    assert_eq!(waiting(world, "a.example").len(), 2);
}

fn what_is_done_with_goes_pair_by_pair(world: &mut World) {
    for (to, body) in [("a.example", "1"), ("b.example", "2"), ("a.example", "3"), ("a.example", "4")] {
        world.one(enqueue("alice@example.org", to, body));
    }
    assert_eq!(world.one(dequeue("a.example", 3)), done(&[]));
    world.reopen();
    assert_eq!(waiting(world, "a.example"), [(4, "4".into())]);
    assert_eq!(waiting(world, "b.example"), [(2, "2".into())]);
    assert_eq!(world.one(dequeue("b.example", u64::MAX)), done(&[]));
    assert_eq!(waiting(world, "b.example"), []);
    assert_eq!(world.one(dequeue("c.example", 9)), done(&[]), "nothing waits there");
}

fn what_waits_is_added_up_by_sender_and_server(world: &mut World) {
    for (from, to) in [
        ("carol@example.org/x", "bob@a.example"),
        ("alice@example.org/x", "bob@a.example/y"),
        ("alice@example.org/z", "a.example"),
        ("alice@example.org/z", "b.example"),
    ] {
        world.one(enqueue(from, to, "x"));
    }
    world.reopen();
    let outgoing = |sender: &str, remote: &str, rows, newest| Outgoing {
        sender: Jid::parse(sender).unwrap(),
        remote: Jid::parse(remote).unwrap(),
        rows,
        newest,
        oldest_ms: 1_000,
    };
    let expected = [
        outgoing("alice@example.org", "a.example", 2, 3),
        outgoing("alice@example.org", "b.example", 1, 4),
        outgoing("carol@example.org", "a.example", 1, 1),
    ];
    assert_eq!(read(world.store.outgoing()), expected);
}

fn numbers_go_on_whatever_fails(world: &mut World) {
    assert_eq!(world.one(enqueue("alice@example.org", "a.example", "1")), done(&[1]));
    world.one(dequeue("a.example", 1));
    world.faults.fail_commits(1, Unavailable::Disk);
    assert!(!world.one(enqueue("alice@example.org", "a.example", "lost")).is_done());
    world.faults.stop_failing();
    let outcome = world.one(enqueue("alice@example.org", "a.example", "2"));
    assert!(outcome.is_done());
    let now = waiting(world, "a.example");
    assert!(now.len() == 1 && now[0].0 > 1 && now[0].1 == "2", "{now:?}: no number is given twice");
}

/// Whoever has sent the rows knows how far it is, and would take a lower number for one of those.
fn numbers_go_on_behind_rows_of_an_earlier_process(world: &mut World) {
    for body in ["1", "2"] {
        world.one(enqueue("alice@example.org", "a.example", body));
    }
    world.reopen();
    assert_eq!(world.one(dequeue("a.example", 2)), done(&[]));
    assert_eq!(world.one(enqueue("alice@example.org", "a.example", "3")), done(&[3]));
}

fn rows_outlive_their_sender(world: &mut World) {
    let alice = world.add("alice", 1);
    let mut record = Record::of(enqueue("alice@example.org", "bob@a.example", "goodbye"));
    record.push(Op::ForgetAccount { id: alice });
    assert_eq!(world.commit(record), done(&[1]));
    world.finish_purge();
    assert_eq!(waiting(world, "a.example"), [(1, "goodbye".into())]);
}

fn a_page_ends_at_its_bounds(world: &mut World) {
    let long = "x".repeat(300 * 1024);
    for _ in 0..8 {
        let stanza = Arc::new((*message(&long)).clone().with_to(Jid::parse("bob@a.example").unwrap()));
        assert!(world.one(Op::Enqueue { at_ms: 1, stanza }).is_done());
    }
    let page = read(world.store.outbox(LOCAL, "a.example", 0, 100));
    assert_eq!(page.len(), 4, "a page ends behind a mebibyte");
    assert_eq!(read(world.store.outbox(LOCAL, "a.example", 4, 2)).len(), 2);
}
