//! A disk that fails and stalls: what senders hear, what recipients see, and what goes on meanwhile.
#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use futures_util::FutureExt;
use metronome_host::server::Load;
use metronome_model::{Op, Record, Unavailable};
use metronome_route::inflight::ENTRIES_MAX;
use metronome_route::resumables;
use world::{World, bodies, ids};

const PING: &str = "<iq type='get' to='localhost' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";

fn chat(to: &str, body: impl std::fmt::Display) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_the_sender_and_nobody_saw_the_message() {
    for (why, condition) in [
        (Unavailable::DiskFull, "<resource-constraint"),
        (Unavailable::Disk, "<internal-server-error"),
        (Unavailable::Corrupt, "<internal-server-error"),
    ] {
        let world = World::new().await;
        let (mut alice, mut bob) =
            (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
        world.faults.fail_commits(1, why);
        alice.send(&chat("bob@localhost", "lost"));
        let answer = alice.settled().await;
        assert!(
            answer.contains("type='error'") && answer.contains(condition) && answer.contains("id='lost'"),
            "{answer}"
        );
        assert!(answer.contains("type='wait'"), "the sender may try again: {answer}");
        assert!(world.rows("bob").await.is_empty() && world.rows("alice").await.is_empty());

        // The same disk a moment later.
        alice.send(&chat("bob@localhost", "kept"));
        assert_eq!(alice.settled().await, "");
        let seen = bob.until("</message>").await;
        assert_eq!(bodies(&seen), ["kept"]);
        assert_eq!(world.unseen("bob").await.len(), 1);
    }
}

#[tokio::test]
async fn an_append_that_fails_in_its_batch_is_tried_alone_and_harms_no_other() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    world.faults.stall();
    for body in ["1", "2", "3"] {
        alice.send(&chat("bob@localhost", body));
    }
    world.faults.fail_appends(1, Unavailable::Disk);
    world.faults.release();
    assert_eq!(alice.settled().await, "", "one failure of a batch is mended by trying its records one by one");
    let seen = bob.until("<body>3</body>").await;
    assert_eq!(bodies(&seen), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_an_error() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    world.faults.fail_commits_after_storing(1, Unavailable::Disk);
    alice.send(&chat("bob@localhost", "once"));
    assert_eq!(alice.settled().await, "");
    bob.until("</message>").await;
    assert_eq!(bob.so_far().await, "");
    assert_eq!((world.rows("bob").await.len(), world.rows("alice").await.len()), (1, 1));
}

#[tokio::test]
async fn while_the_disk_stalls_pings_are_answered_until_64_stanzas_wait() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    world.faults.stall();
    for number in 0..ENTRIES_MAX - 1 {
        alice.send(&chat("bob@localhost", number));
        if number == 0 {
            alice.turn().await;
            let faults = world.faults.clone();
            tokio::task::spawn_blocking(move || faults.wait_until_stalled()).await.unwrap();
        }
    }
    assert!(alice.list.has_room());
    alice.send(PING);
    alice.until("id='p' type='result'/>").await;
    // A settled stanza in the middle keeps its place until those before it are settled.
    alice.turn().await;
    assert!(!alice.list.has_room(), "the 65th stanza is not read");
    // Nobody has seen what is not stored, and other streams go on.
    assert_eq!(bob.so_far().await, "");
    world.faults.release();
    assert_eq!(alice.settled().await, "");
    assert!(alice.list.has_room());
    bob.wait(|bob| bodies(&bob.text).len() == ENTRIES_MAX - 1).await;
    let seen = std::mem::take(&mut bob.text);
    assert_eq!(bodies(&seen), (0..ENTRIES_MAX - 1).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(ids(&seen).is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn what_is_not_stored_waits_for_its_own_address_only() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut bob = world.available("bob@localhost/b").await;
    let mut carol = world.available("carol@localhost/c").await;
    world.faults.stall();
    let state = |to: &str| {
        format!("<message to='{to}' type='chat'><paused xmlns='http://jabber.org/protocol/chatstates'/></message>")
    };
    alice.send(&chat("bob@localhost", "first"));
    alice.send(&state("bob@localhost"));
    alice.send(&state("carol@localhost"));
    alice.turn().await;
    // Carol gets hers though the disk stands still; Bob's stands behind the message before it.
    carol.until("<paused").await;
    assert_eq!(bob.so_far().await, "");
    world.faults.release();
    alice.settled().await;
    let seen = bob.until("</message>").await + &bob.until("</message>").await;
    assert!(seen.find("first").unwrap() < seen.find("<paused").unwrap(), "{seen}");
}

#[tokio::test]
async fn a_stored_message_does_not_overtake_one_that_is_not_stored() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut bob = world.available("bob@localhost/b").await;
    world.faults.stall();
    let words =
        |body: &str, hint: &str| format!("<message to='bob@localhost' type='chat'><body>{body}</body>{hint}</message>");
    alice.send(&words("1", ""));
    alice.turn().await;
    alice.send(&words("2", "<no-store xmlns='urn:xmpp:hints'/>"));
    alice.send(&words("3", ""));
    alice.send("<iq type='get' to='bob@localhost' id='ask'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.send(&words("4", ""));
    alice.turn().await;
    world.faults.release();
    alice.settled().await;
    let seen = bob.until("<body>4</body>").await;
    assert_eq!(bodies(&seen), ["1", "2", "3", "4"]);
    bob.until("</message>").await;
    // Once more with all of it read before the commit begins.
    for number in 0..40 {
        alice
            .send(&words(&number.to_string(), if number % 3 == 2 { "<no-store xmlns='urn:xmpp:hints'/>" } else { "" }));
    }
    alice.settled().await;
    bob.wait(|bob| bodies(&bob.text).len() == 40).await;
    assert_eq!(bodies(&bob.text), (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn presence_waits_for_everything_before_it_and_everything_behind_it_waits() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut other = world.available("alice@localhost/other").await;
    let mut carol = world.available("carol@localhost/c").await;
    alice.until("a@localhost/other' to='alice@localhost'/>".trim_start_matches('a')).await;
    other.until("from='alice@localhost/a' to='alice@localhost'/>").await;
    world.faults.stall();
    alice.send(&chat("bob@localhost", "stored"));
    alice.send("<presence><show>away</show></presence>");
    alice.send("<message to='carol@localhost' type='headline'><body>behind</body></message>");
    alice.send(PING);
    alice.until("id='p' type='result'/>").await;
    assert_eq!(other.so_far().await, "");
    assert_eq!(carol.so_far().await, "");
    world.faults.release();
    alice.settled().await;
    other.until("<show>away</show>").await;
    carol.until("behind").await;
}

#[tokio::test]
async fn a_request_to_an_account_is_answered_behind_the_messages_before_it() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    world.faults.stall();
    alice.send(&chat("bob@localhost", "m"));
    alice.send("<iq type='get' to='bob@localhost' id='ask'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.send(PING);
    // The answer of the host overtakes, the account's does not.
    let first = alice.until("id='p' type='result'/>").await;
    assert!(!first.contains("id='ask'"), "{first}");
    assert_eq!(alice.so_far().await, "");
    world.faults.release();
    let answer = alice.settled().await;
    assert!(answer.contains("id='ask'") && answer.contains("<service-unavailable"), "{answer}");
}

#[tokio::test]
async fn a_stream_that_ends_settles_what_it_had_sent() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    world.faults.stall();
    alice.send(&chat("bob@localhost", "1"));
    alice.send(&chat("bob@localhost", "2"));
    alice.turn().await;
    metronome_route::presence::gone(&world.server, &alice.session);
    alice.session.shut();
    world.faults.release();
    alice.settled().await;
    assert_eq!(world.unseen("bob").await.len(), 2);
}

#[tokio::test]
async fn when_the_writer_has_no_room_streams_wait_and_nothing_is_lost() {
    const SESSIONS: usize = 70;
    let world = World::with(&[("limits.c2s.sessions", "100")], metronome_features::ALL).await;
    let mut bob = world.available("bob@localhost/b").await;
    let padding = "x".repeat(240_000);
    world.faults.stall();
    let mut senders = Vec::new();
    for number in 0..SESSIONS {
        let mut sender = world.connect(&format!("alice@localhost/{number}")).await;
        for part in 0..3 {
            sender
                .send_waiting(&format!(
                    "<message to='bob@localhost' type='chat'><p>{padding}</p><body>{number}-{part}</body></message>"
                ))
                .await;
            sender.turn().await;
            if !sender.list.has_room() {
                break;
            }
        }
        senders.push(sender);
    }
    assert!(world.server.writer.try_permit(1024 * 1024).is_none(), "the bound is reached");
    // The host answers all the same.
    let last = senders.last_mut().unwrap();
    if last.list.has_room() {
        last.so_far().await;
    }
    assert_eq!(bob.so_far().await, "");
    world.faults.release();
    for sender in &mut senders {
        assert_eq!(sender.settled().await, "");
    }
    world.all_permits().await;
    let kept = world.rows("bob").await.len();
    bob.wait(|bob| bob.text.len() > kept * padding.len() && bob.session.outbox_bytes() == 0).await;
    assert_eq!(ids(&bob.text).len(), kept);
    let mut next = vec![0; SESSIONS];
    for body in bodies(&bob.text) {
        let (session, part) = body.split_once('-').unwrap();
        let session: usize = session.parse().unwrap();
        assert_eq!(part.parse::<usize>().unwrap(), next[session]);
        next[session] += 1;
    }
    assert!(next.iter().all(|&count| count > 0), "{next:?}");
}

#[tokio::test]
async fn an_account_deleted_meanwhile_gets_nothing_and_the_sender_hears_of_it() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let bob = world.id("bob").await;
    // Its facts are known from an earlier message.
    alice.send(&chat("bob@localhost", "earlier"));
    alice.settled().await;
    world.faults.stall();
    let permit = world.server.writer.permit(512).await;
    world.server.writer.submit(permit, Record::of(Op::ForgetAccount { id: bob }), Load::Quiet);
    alice.send(&chat("bob@localhost", "late"));
    alice.turn().await;
    world.faults.release();
    let answer = alice.settled().await;
    assert!(answer.contains("id='late'") && answer.contains("<service-unavailable"), "{answer}");
    assert_eq!(world.rows("alice").await.len(), 1, "the sender's row is not kept alone");
}

#[tokio::test]
async fn a_login_while_the_disk_stalls_is_answered_and_gets_its_messages_later() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    world.faults.stall();
    alice.send(&chat("bob@localhost", "2"));
    alice.turn().await;
    let mut bob = world.connect("bob@localhost/b").await;
    bob.send("<presence/>");
    let seen = bob.so_far().await;
    assert!(seen.contains("<presence from='bob@localhost/b'"), "{seen}");
    world.faults.release();
    let seen = bob.until("<body>2</body>").await;
    assert_eq!(bodies(&seen), ["1", "2"]);
    alice.settled().await;
}

#[tokio::test]
async fn a_stream_is_called_stored_after_its_commit_and_not_if_that_fails() {
    let world = World::new().await;
    let alice = world.available("alice@localhost/a").await;
    let store = |token| resumables::store(&world.server, &alice.session, [token; 32], Duration::from_secs(60)).unwrap();
    world.faults.stall();
    let (number, mut stored) = store(1);
    let faults = world.faults.clone();
    tokio::task::spawn_blocking(move || faults.wait_until_stalled()).await.unwrap();
    assert_eq!((&mut stored).now_or_never(), None, "it was submitted, and is not durable");
    world.faults.release();
    assert!(stored.await);
    world.faults.fail_commits(1, Unavailable::DiskFull);
    assert!(!store(2).1.await);
    let streams = world.server.store.resumables().await.unwrap();
    assert_eq!(streams.iter().map(|stream| stream.number).collect::<Vec<_>>(), [number]);
}
