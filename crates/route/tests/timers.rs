//! What happens by the clock, which these tests move by hand: signs of life, and who is given up.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_route::timers;
use world::World;

const MINUTE_MS: u64 = 60_000;

#[tokio::test]
async fn a_silent_client_is_asked_and_given_up_without_an_answer() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    world.tick().await;
    assert_eq!(alice.so_far().await, "", "nothing waits for proof, and she was heard just now");
    world.server.clock.advance(5 * MINUTE_MS + 1);
    world.tick().await;
    alice.until("<ping xmlns='urn:xmpp:ping'/></iq>").await;
    world.server.clock.advance(MINUTE_MS / 2);
    world.tick().await;
    assert!(!alice.session.is_closing());
    world.server.clock.advance(MINUTE_MS);
    world.tick().await;
    assert!(alice.session.is_closing());
}

#[tokio::test]
async fn a_client_that_answers_stays_and_is_asked_again() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    for number in 1..=3 {
        world.server.clock.advance(5 * MINUTE_MS + 1);
        world.tick().await;
        alice.until(&format!("id='server-ping-{number}'")).await;
        // `net` notes that something was read.
        alice.session.heard(world.server.clock.steady_ms());
        alice.send(&format!("<iq type='result' to='localhost' id='server-ping-{number}'/>"));
        world.server.clock.advance(2 * MINUTE_MS);
        world.tick().await;
        assert!(!alice.session.is_closing());
    }
}

#[tokio::test]
async fn a_client_that_gets_messages_is_asked_at_the_next_tick_and_once() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send("<message to='bob@localhost' type='chat'><body>hi</body></message>");
    alice.settled().await;
    timers::tick(&world.server);
    timers::tick(&world.server);
    bob.until("id='server-ping-1'").await;
    assert!(!bob.so_far().await.contains("server-ping-2"), "one ping at a time");
    assert_eq!(alice.so_far().await, "", "who only writes is not asked");
}

#[tokio::test]
async fn a_message_without_an_archive_id_asks_for_no_proof() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    alice.send("<message to='bob@localhost' type='headline'><body>hi</body></message>");
    alice.settled().await;
    world.tick().await;
    assert!(!bob.so_far().await.contains("server-ping"));
}
