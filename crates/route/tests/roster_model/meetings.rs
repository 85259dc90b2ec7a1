//! Two things at the same moment: whichever the server takes for the first, nothing falls between them.

use std::path::Path;
use std::sync::Arc;

use crate::moments::PATIENCE;
use crate::view::{Cache, View};
use crate::world::{Client, World};

const ROUNDS: usize = 400;

async fn settled(mut client: Client, xml: &str) -> (Client, String) {
    client.send(xml);
    let text = client.settled().await;
    (client, text)
}

/// A request and the first presence of who is asked: the request is heard of at once, or with what has waited.
pub async fn of_a_request_and_a_first_presence(file: &Path) {
    let world = Arc::new(World::on_disk(file).await);
    let mut carol = world.connect("carol@localhost/c").await;
    // Somebody waits already, so that there is something to be read.
    carol.send("<presence type='subscribe' to='bob@localhost'/>");
    carol.settled().await;
    let mut alice = world.connect("alice@localhost/a").await;
    for round in 0..ROUNDS {
        let bob = world.connect(&format!("bob@localhost/{round}")).await;
        let asking = tokio::spawn(settled(alice, "<presence type='subscribe' to='bob@localhost'/>"));
        let coming = tokio::spawn(settled(bob, "<presence/>"));
        let (mut bob, mut text) = coming.await.unwrap();
        alice = asking.await.unwrap().0;
        text.push_str(&bob.so_far().await);
        let mut view = View::new(Cache::default());
        view.read(&text);
        view.told.sort();
        view.told.dedup();
        assert_eq!(view.told, ["subscribe alice@localhost", "subscribe carol@localhost"], "round {round}");
        bob.lose();
        alice.send("<presence type='unsubscribe' to='bob@localhost'/>");
        alice.settled().await;
    }
}

/// An approval and the first presence of who has asked; then its end and another presence: who may see in the end sees, and
/// nobody else.
pub async fn of_an_approval_and_presence(file: &Path) {
    let world = Arc::new(World::on_disk(file).await);
    let mut bob = world.available("bob@localhost/b").await;
    for round in 0..ROUNDS {
        let mut alice = world.connect(&format!("alice@localhost/{round}")).await;
        alice.send("<presence type='subscribe' to='bob@localhost'/>");
        alice.settled().await;
        let approving = tokio::spawn(settled(bob, "<presence type='subscribed' to='alice@localhost'/>"));
        let coming = tokio::spawn(settled(alice, "<presence/>"));
        let (mut alice, mut first) = coming.await.unwrap();
        (bob, _) = approving.await.unwrap();
        first.push_str(&alice.so_far().await);
        let status = format!("<presence><status>{round}</status></presence>");
        let ending = tokio::spawn(settled(alice, "<presence type='unsubscribe' to='bob@localhost'/>"));
        (bob, _) = settled(bob, &status).await;
        let (mut alice, second) = ending.await.unwrap();
        let mut view = View::new(Cache::default());
        view.read(&first);
        assert!(view.sees.contains_key("bob@localhost/b"), "round {round}: {first}");
        view.read(&second);
        view.read(&alice.so_far().await);
        assert!(!view.sees.contains_key("bob@localhost/b"), "round {round}: {first} {second}");
        alice.lose();
    }
}

/// The same, where the first presence has come a little further each time when the request is decided and done as a whole.
pub async fn of_a_request_and_each_moment_of_a_first_presence(file: &Path) {
    let world = World::on_disk(file).await;
    let mut carol = world.connect("carol@localhost/c").await;
    carol.send("<presence type='subscribe' to='bob@localhost'/>");
    carol.settled().await;
    let mut alice = world.connect("alice@localhost/a").await;
    for moment in 0..10 {
        for others in [0, 1] {
            // With another session of his there, what is known of bob's contacts is in memory already.
            let other = if others == 1 { Some(world.available("bob@localhost/other").await) } else { None };
            let mut bob = world.connect(&format!("bob@localhost/{moment}")).await;
            bob.send("<presence/>");
            for _ in 0..moment {
                bob.turn().await;
            }
            alice.send("<presence type='subscribe' to='bob@localhost'/>");
            // Where bob's task has the lock that alice's waits for, his must go on first.
            let _ = tokio::time::timeout(PATIENCE, alice.settled()).await;
            let mut view = View::new(Cache::default());
            view.read(&bob.settled().await);
            alice.settled().await;
            view.read(&bob.so_far().await);
            view.told.sort();
            view.told.dedup();
            assert_eq!(
                view.told,
                ["subscribe alice@localhost", "subscribe carol@localhost"],
                "moment {moment}, {others}"
            );
            bob.lose();
            other.into_iter().for_each(Client::lose);
            alice.send("<presence type='unsubscribe' to='bob@localhost'/>");
            alice.settled().await;
        }
    }
}
