//! Delivery in process: what a panic does, when messages are seen, and what archives with other settings keep.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use metronome_model::{Direction, Keep};
use world::{World, bodies, ids};

fn chat(to: &str, body: impl std::fmt::Display) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("this recipient's task cannot be woken");
    }
}

#[tokio::test]
async fn a_delivery_that_panics_settles_its_stanza_and_the_next_goes_on() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    let waker = Waker::from(Arc::new(Panics));
    let _ = bob.session.poll_drain(&mut Context::from_waker(&waker), &mut Vec::new(), 1);
    alice.send(&chat("bob@localhost", "1"));
    alice.send(&chat("bob@localhost", "2"));
    assert_eq!(alice.settled().await, "", "once a row exists no error goes back");
    assert_eq!(world.server.counters.panics.get(), 1);
    let seen = bob.until("<body>2</body>").await;
    assert_eq!(bodies(&seen), ["1", "2"]);
}

#[tokio::test]
async fn what_an_answered_ping_covers_is_seen_and_nothing_else() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    world.tick().await;
    bob.until("id='server-ping-1'").await;
    alice.send(&chat("bob@localhost", "2"));
    alice.settled().await;
    bob.send("<iq type='result' to='localhost' id='server-ping-1'/>");
    world.tick().await;
    let unseen: Vec<u64> = world.unseen("bob").await.iter().map(|row| row.id).collect();
    assert_eq!(unseen, [2]);
    // An error to a ping proves as much: the client has read up to it.
    bob.until("id='server-ping-2'").await;
    bob.send(
        "<iq type='error' to='localhost' id='server-ping-2'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
    world.tick().await;
    assert!(world.unseen("bob").await.is_empty());
    assert_eq!(world.rows("bob").await.len(), 2, "the archive keeps what was seen");
}

#[tokio::test]
async fn what_was_proved_while_unavailable_does_not_come_again() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    bob.until("<body>1</body>").await;
    bob.send("<presence type='unavailable'/>");
    bob.settled().await;
    alice.send(&chat("bob@localhost/b", "2"));
    alice.settled().await;
    world.tick().await;
    bob.until("id='server-ping-1'").await;
    bob.send("<iq type='result' to='localhost' id='server-ping-1'/>");
    // At once, before the proof has reached the store.
    bob.send("<presence/>");
    alice.send(&chat("bob@localhost", "3"));
    alice.settled().await;
    assert_eq!(bodies(&bob.until("<body>3</body>").await), ["3"]);
}

#[tokio::test]
async fn an_answer_to_no_ping_of_ours_proves_nothing() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    for forged in [
        "<iq type='result' to='localhost' id='server-ping-1'/>",
        "<iq type='result' to='alice@localhost/a' id='server-ping-1'/>",
        "<iq type='result' id='server-ping-99999999999999999999'/>",
    ] {
        bob.send(forged);
    }
    world.tick().await;
    bob.send("<iq type='result' to='localhost' id='server-ping-2'/>");
    world.tick().await;
    assert_eq!(world.unseen("bob").await.len(), 1);
}

#[tokio::test]
async fn what_was_just_proved_is_not_delivered_to_the_next_session() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send(&chat("bob@localhost", "seen"));
    alice.settled().await;
    world.tick().await;
    bob.until("id='server-ping-1'").await;
    alice.send(&chat("bob@localhost", "unseen"));
    alice.settled().await;
    // The answer is noted, and its batch has not been written when the session is over and the next begins.
    bob.send("<iq type='result' to='localhost' id='server-ping-1'/>");
    bob.lose();
    let mut again = world.connect("bob@localhost/again").await;
    again.send("<presence/>");
    again.until("<body>unseen</body>").await;
    assert_eq!(again.text.matches("<body>").count(), 0);
    assert!(!again.text.contains("<body>seen"));
    let mut third = world.connect("bob@localhost/third").await;
    third.send("<presence/>");
    let seen = third.until("<body>unseen</body>").await;
    assert_eq!(bodies(&seen), ["unseen"]);
}

#[tokio::test]
async fn the_fourth_unseen_message_of_three_comes_back() {
    let world = World::with(&[("archive.unseen", "3")], metronome_features::ALL).await;
    let mut alice = world.available("alice@localhost/a").await;
    for number in 1..=4 {
        alice.send(&chat("bob@localhost", number));
    }
    let answer = alice.settled().await;
    assert!(answer.contains("id='4'") && answer.contains("<service-unavailable"), "{answer}");
    assert_eq!(answer.matches("type='error'").count(), 1, "{answer}");
    assert_eq!(world.unseen("bob").await.len(), 3);
    // All or nothing: a message that the recipient has no room for is not in the sender's archive either.
    assert_eq!(world.rows("alice").await.len(), 3);
}

#[tokio::test]
async fn with_the_archive_off_a_message_stays_until_it_was_seen() {
    let world = World::with(&[("archive.users", "\"off\"")], metronome_features::ALL).await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    assert!(world.rows("alice").await.is_empty(), "the sender keeps nothing");
    let rows = world.rows("bob").await;
    assert_eq!((rows.len(), rows[0].keep, rows[0].unseen), (1, Keep::UntilSeen, true));
    world.tick().await;
    bob.until("id='server-ping-1'").await;
    bob.send("<iq type='result' to='localhost' id='server-ping-1'/>");
    world.tick().await;
    assert!(world.rows("bob").await.is_empty());
}

#[tokio::test]
async fn with_volatile_storage_nothing_is_written() {
    let world = World::with(&[("storage.messages", "\"volatile\"")], metronome_features::ALL).await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    let before = world.faults.commits();
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    bob.until("</message>").await;
    assert_eq!((world.faults.commits(), world.rows("bob").await.len()), (before, 0));
}

#[tokio::test]
async fn a_message_to_oneself_is_one_row() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(&chat("alice@localhost", "note"));
    alice.until("<body>note</body>").await;
    let rows = world.rows("alice").await;
    assert_eq!((rows.len(), rows[0].direction, rows[0].unseen), (1, Direction::Received, true));
}

#[tokio::test]
async fn one_message_is_one_record_with_a_row_for_each_side() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let before = world.faults.commits();
    alice.send(&chat("bob@localhost", "1"));
    alice.settled().await;
    assert_eq!(world.faults.commits(), before + 1);
    let (sent, received) = (world.rows("alice").await, world.rows("bob").await);
    assert_eq!((sent[0].direction, sent[0].unseen), (Direction::Sent, false));
    assert_eq!((received[0].direction, received[0].unseen), (Direction::Received, true));
    assert_eq!(sent[0].stanza.from.as_str(), "alice@localhost/a");
}

#[tokio::test]
async fn many_messages_of_one_sender_share_a_commit() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    world.faults.stall();
    alice.send(&chat("bob@localhost", 0));
    alice.turn().await;
    let faults = world.faults.clone();
    tokio::task::spawn_blocking(move || faults.wait_until_stalled()).await.unwrap();
    let before = world.faults.commits();
    for number in 1..50 {
        alice.send(&chat("bob@localhost", number));
    }
    alice.turn().await;
    world.faults.release();
    alice.settled().await;
    assert_eq!(world.faults.commits(), before + 2, "the one that stalled, and one for all behind it");
    let seen = bob.until("<body>49</body>").await + &bob.until("</message>").await;
    assert_eq!(ids(&seen), (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sender_that_is_gone_does_not_take_its_message_along() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    world.faults.stall();
    alice.send(&chat("bob@localhost", "last words"));
    alice.turn().await;
    alice.lose();
    world.faults.release();
    world.committed().await;
    let mut bob = world.connect("bob@localhost/b").await;
    bob.send("<presence/>");
    bob.until("<body>last words</body>").await;
}

#[tokio::test]
async fn a_talk_of_many_turns_does_not_wait_for_the_clock() {
    const TURNS: usize = 1000;
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    let mut pings = 0;
    for turn in 0..TURNS {
        alice.send(&chat("bob@localhost", turn));
        alice.settled().await;
        let seen = bob.until(&format!("<body>{turn}</body>")).await;
        for number in seen.split("server-ping-").skip(1).map(|rest| rest.split('\'').next().unwrap()) {
            bob.send(&format!("<iq type='result' to='localhost' id='server-ping-{number}'/>"));
            pings += 1;
        }
        bob.send(&chat("alice@localhost", turn));
        bob.settled().await;
        // Hers are not looked at, and she answers no ping: she falls back on the store.
        alice.text.clear();
    }
    assert!((2..20).contains(&pings), "{pings} pings for {TURNS} turns");
}

#[tokio::test]
async fn what_waits_for_the_proof_of_a_named_session_is_given_to_others_only_when_it_is_gone() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut phone = world.available("bob@localhost/phone").await;
    alice.send(&chat("bob@localhost/phone", "for the phone"));
    alice.send(&chat("bob@localhost/car", "for the car"));
    alice.settled().await;
    phone.until("<body>for the car</body>").await;
    let mut desk = world.available("bob@localhost/desk").await;
    assert_eq!(bodies(&desk.so_far().await), ["for the car"]);
    phone.lose();
    let mut tablet = world.available("bob@localhost/tablet").await;
    assert_eq!(bodies(&tablet.so_far().await), ["for the phone", "for the car"]);
    assert_eq!(bodies(&desk.so_far().await), [""; 0]);
}

#[tokio::test]
async fn answers_wait_for_a_client_that_does_not_read_them() {
    let world = World::new().await;
    let mut alice = world.connect("alice@localhost/a").await;
    let card = format!("<vCard xmlns='vcard-temp'><NOTE>{}</NOTE></vCard>", "x".repeat(60_000));
    alice.send(&format!("<iq type='set' id='set'>{card}</iq>"));
    alice.settled().await;
    alice.reads = false;
    let asked = metronome_route::inflight::ENTRIES_MAX;
    for number in 0..asked {
        alice.send(&format!("<iq type='get' id='{number}'><vCard xmlns='vcard-temp'/></iq>"));
    }
    for _ in 0..1000 {
        alice.turn().await;
    }
    assert!(alice.session.is_behind() && !alice.session.is_closing());
    alice.reads = true;
    let text = alice.settled().await;
    assert_eq!(text.matches(&card).count(), asked);
}

#[tokio::test]
async fn who_never_reads_its_answers_is_settled_all_the_same_when_it_is_gone() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.connect("alice@localhost/a").await, world.available("bob@localhost/b").await);
    let card = format!("<vCard xmlns='vcard-temp'><NOTE>{}</NOTE></vCard>", "x".repeat(60_000));
    alice.send(&format!("<iq type='set' id='set'>{card}</iq>"));
    alice.settled().await;
    alice.reads = false;
    for number in 0..30 {
        alice.send(&format!("<iq type='get' id='{number}'><vCard xmlns='vcard-temp'/></iq>"));
    }
    // It waits for the presence, which waits for all the answers.
    alice.send("<presence/>");
    alice.send(&chat("bob@localhost", "last"));
    for _ in 0..1000 {
        alice.turn().await;
    }
    assert_eq!(bob.so_far().await, "");
    alice.session.close(metronome_proto::stream::error::Condition::Reset, None);
    alice.settled().await;
    bob.until("<body>last</body>").await;
}
