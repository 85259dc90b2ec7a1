//! Blocks between admission, commit and delivery: whatever order the disk makes of it, nothing comes behind the answer, and a block
//! that is not durable blocks nobody.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_model::Unavailable;
use world::{Client, World, bodies};

const BLOCK: &str = "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='bob@localhost'/></block></iq>";
const LIST: &str = "<iq type='get' id='l'><blocklist xmlns='urn:xmpp:blocking'/></iq>";

fn chat(body: &str) -> String {
    format!("<message to='alice@localhost' type='chat' id='{body}'><body>{body}</body></message>")
}

/// What a client has sent is with the writer, whose disk stalls.
async fn submitted(client: &mut Client) {
    for _ in 0..20 {
        client.turn().await;
    }
}

#[tokio::test]
async fn a_message_that_was_admitted_before_a_block_is_not_delivered_behind_it() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    // What bob's admission must know of alice is in memory; so nothing but the order of the commits counts.
    bob.send(&chat("before"));
    assert_eq!(bob.settled().await, "");
    alice.until("</message>").await;
    world.faults.stall();
    alice.send(BLOCK);
    submitted(&mut alice).await;
    bob.send(&chat("late"));
    submitted(&mut bob).await;
    world.faults.release();
    alice.until("id='b' type='result'/>").await;
    assert_eq!(bob.settled().await, "", "it is stored: no error can follow");
    assert_eq!(bodies(&alice.so_far().await), Vec::<String>::new());
    bob.send(&chat("refused"));
    assert!(bob.settled().await.contains("<service-unavailable"));
    assert_eq!(world.rows("alice").await.len(), 2, "what was refused is not kept");
}

#[tokio::test]
async fn a_block_that_is_not_durable_blocks_nobody() {
    let world = World::new().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    world.faults.fail_commits(1, Unavailable::Disk);
    alice.send(BLOCK);
    let answer = alice.settled().await;
    assert!(answer.contains("type='error'") && answer.contains("type='wait'"), "{answer}");
    bob.send(&chat("heard"));
    assert_eq!(bob.settled().await, "");
    assert_eq!(bodies(&alice.until("</message>").await), ["heard"]);
    alice.send(LIST);
    let list = alice.until("</iq>").await;
    assert!(list.contains("<blocklist xmlns='urn:xmpp:blocking'/>"), "{list}");
    alice.send(BLOCK);
    alice.settled().await;
    bob.send(&chat("refused"));
    assert!(bob.settled().await.contains("<service-unavailable"));
}
