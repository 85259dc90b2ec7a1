//! Everything at once on several threads: each client is a task that runs only when it is woken, so a wake-up that is lost
//! anywhere between reading and writing ends these tests.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::HashMap;

use world::{World, bodies};

const SENDERS: usize = 6;
const MESSAGES: usize = 1500;

fn message(to: &str, sender: usize, number: usize) -> String {
    let content = match number % 5 {
        3 => "<no-store xmlns='urn:xmpp:hints'/>",
        _ => "",
    };
    format!("<message to='{to}' type='chat'><body>{sender}-{number}</body>{content}</message>")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_senders_and_recipients_on_many_threads_lose_no_wake_up() {
    let world = World::with(&[("limits.c2s.sessions", "20")], metronome_features::ALL).await;
    let mut recipients = Vec::new();
    for name in ["bob", "carol"] {
        let mut client = world.available(&format!("{name}@localhost/r")).await;
        recipients.push(tokio::spawn(async move {
            let mut next: HashMap<usize, usize> = HashMap::new();
            for _ in 0..SENDERS * MESSAGES / 2 {
                let text = client.until("</message>").await;
                let body = bodies(&text)[0];
                let (sender, number) = body.split_once('-').unwrap();
                let (sender, number): (usize, usize) = (sender.parse().unwrap(), number.parse().unwrap());
                let earlier = next.insert(sender, number);
                assert!(earlier.is_none_or(|earlier| earlier < number), "{body} behind {earlier:?}");
            }
            assert_eq!(client.so_far().await, "");
        }));
    }
    let mut senders = Vec::new();
    for sender in 0..SENDERS {
        let mut client = world.connect(&format!("alice@localhost/{sender}")).await;
        senders.push(tokio::spawn(async move {
            for number in 0..MESSAGES {
                let to = ["bob@localhost", "carol@localhost/r"][number % 2];
                client.send_waiting(&message(to, sender, number)).await;
                if number % 70 == sender {
                    assert_eq!(client.settled().await, "");
                }
            }
            assert_eq!(client.settled().await, "");
        }));
    }
    for task in senders.into_iter().chain(recipients) {
        task.await.unwrap();
    }
    world.all_permits().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn recipients_that_come_and_go_on_many_threads_get_everything_stored() {
    let world = World::new().await;
    let mut alice = world.connect("alice@localhost/a").await;
    let sender = tokio::spawn(async move {
        for number in 0..MESSAGES * 2 {
            alice
                .send_waiting(&format!("<message to='bob@localhost' type='chat'><body>{number}</body></message>"))
                .await;
        }
        assert_eq!(alice.settled().await, "");
    });
    // Each session reads some and is lost; what it had comes again to the next one, and nothing is left out.
    let mut last = 0;
    for session in 0..10 {
        let mut bob = world.connect(&format!("bob@localhost/{session}")).await;
        bob.send("<presence/>");
        bob.until("/>").await;
        for expected in 0..last + 40 {
            let text = bob.until("</message>").await;
            assert_eq!(bodies(&text), [expected.to_string()]);
        }
        last += 40;
        bob.lose();
    }
    sender.await.unwrap();
    assert_eq!(world.unseen("bob").await.len(), MESSAGES * 2);
}
