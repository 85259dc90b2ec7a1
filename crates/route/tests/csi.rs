//! XEP-0352: what a client is spared while nobody looks at it, and that what matters comes behind all that waited, in order.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::HashMap;

use fastrand::Rng;
use metronome_features::csi;
use metronome_host::switches::{Position, Switch};
use metronome_model::{Op, Record};
use world::{Client, World, bodies, ids};

const STATE: &str =
    "<message to='bob@localhost/b' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>";

fn say(client: &Client, name: &str) {
    let activity = csi::activity(&client.server, &client.session, name).unwrap();
    client.session.set_activity(activity);
}

/// Everything that was written by now. Asks for nothing, since an answer would let go what waits.
async fn written(client: &mut Client) -> String {
    for _ in 0..20 {
        client.turn().await;
    }
    std::mem::take(&mut client.text)
}

/// Presence for bob, who is in no roster: sent directly.
async fn show(client: &mut Client, content: &str) {
    client.send(&format!("<presence to='bob@localhost/b'>{content}</presence>"));
    client.settled().await;
}

async fn people(settings: &[(&str, &str)]) -> (World, Client, Client, Client) {
    let world = World::with(settings, metronome_features::ALL).await;
    let (alice, carol) = (world.available("alice@localhost/a").await, world.available("carol@localhost/c").await);
    let mut bob = world.available("bob@localhost/b").await;
    bob.so_far().await;
    (world, alice, carol, bob)
}

#[tokio::test]
async fn presence_waits_the_latest_of_each_and_a_message_lets_it_go() {
    let (_world, mut alice, mut carol, mut bob) = people(&[]).await;
    say(&bob, "inactive");
    show(&mut alice, "<status>1</status>").await;
    show(&mut carol, "<status>2</status>").await;
    show(&mut alice, "<status>3</status>").await;
    alice.send(STATE);
    alice.settled().await;
    assert_eq!(written(&mut bob).await, "");
    carol.send("<message to='bob@localhost' type='chat'><body>hi</body></message>");
    carol.settled().await;
    let text = bob.until("<body>hi</body>").await;
    assert!(!text.contains("<status>1") && !text.contains("composing"), "{text}");
    let (third, second, hi) = (text.find("<status>3"), text.find("<status>2"), text.find("<body>hi"));
    assert!(third.is_some() && third < second && second < hi, "{text}");
    // What comes behind waits again, and leaves before whatever the client asks once somebody looks.
    written(&mut bob).await;
    show(&mut alice, "<status>4</status>").await;
    assert_eq!(written(&mut bob).await, "");
    say(&bob, "active");
    let text = bob.so_far().await;
    assert!(text.contains("<status>4</status>"), "{text}");
    show(&mut alice, "<status>5</status>").await;
    assert!(written(&mut bob).await.contains("<status>5</status>"));
}

#[tokio::test]
async fn a_goodbye_waits_in_the_place_of_what_it_takes_back() {
    let (_world, mut alice, mut carol, mut bob) = people(&[]).await;
    say(&bob, "inactive");
    show(&mut alice, "<status>here</status>").await;
    alice.send("<presence type='unavailable' to='bob@localhost/b'/>");
    alice.settled().await;
    assert_eq!(written(&mut bob).await, "");
    carol.send("<message to='bob@localhost' type='chat'><body>hi</body></message>");
    carol.settled().await;
    let text = bob.until("<body>hi</body>").await;
    assert!(text.contains("<presence from='alice@localhost/a' type='unavailable'") && !text.contains("here"), "{text}");
}

#[tokio::test]
async fn what_answers_the_client_does_not_wait() {
    let (_world, mut alice, _carol, mut bob) = people(&[]).await;
    say(&bob, "inactive");
    show(&mut alice, "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>").await;
    assert!(written(&mut bob).await.contains("code='110'"), "a room has let it in");
    alice.send(
        "<presence type='error' to='bob@localhost/b'><error type='cancel'>\
         <conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
    );
    alice.settled().await;
    assert!(written(&mut bob).await.contains("<conflict"));
    bob.send("<iq type='get' to='localhost' id='q'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(written(&mut bob).await.contains("id='q'"));
}

#[tokio::test]
async fn the_servers_own_pings_let_nothing_go() {
    let (world, mut alice, _carol, mut bob) = people(&[]).await;
    say(&bob, "inactive");
    show(&mut alice, "<status>1</status>").await;
    world.server.clock.advance(6 * 60_000);
    world.tick().await;
    let text = written(&mut bob).await;
    assert!(text.contains("server-ping-") && !text.contains("<status>"), "{text}");
}

#[tokio::test]
async fn so_much_waits_and_no_more() {
    let (_world, mut alice, _carol, mut bob) = people(&[("csi.held", "3"), ("csi.chat_states", "\"hold\"")]).await;
    say(&bob, "inactive");
    show(&mut alice, "").await;
    alice.send(STATE);
    alice.send(STATE);
    alice.settled().await;
    assert_eq!(written(&mut bob).await, "");
    alice.send("<message to='bob@localhost/b' type='groupchat'><body>hi all</body></message>");
    alice.settled().await;
    let text = written(&mut bob).await;
    assert_eq!(
        (text.matches("<presence").count(), text.matches("composing").count(), text.matches("hi all").count()),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn rooms_are_heard_when_they_mention_their_occupant() {
    // Alice's client plays a room; bob is Bobby there.
    let (_world, mut alice, _carol, mut bob) = people(&[]).await;
    bob.send("<presence to='alice@localhost/Bobby'/>");
    bob.settled().await;
    say(&bob, "inactive");
    let room = |body: &str| format!("<message to='bob@localhost/b' type='groupchat'><body>{body}</body></message>");
    alice.send(&room("hello all"));
    alice.send(&room("bobbysocks"));
    alice.settled().await;
    assert_eq!(written(&mut bob).await, "");
    alice.send(&room("bobby: are you there?"));
    alice.settled().await;
    let text = written(&mut bob).await;
    assert_eq!(bodies(&text), ["hello all", "bobbysocks", "bobby: are you there?"]);
}

#[tokio::test]
async fn the_owner_sets_what_waits() {
    let (world, mut alice, _carol, mut bob) = people(&[]).await;
    let owner = world.id("bob").await;
    for document in
        [Switch::InactiveChatStates.document(Some(Position::On)), Switch::InactiveRooms.document(Some(Position::Off))]
    {
        world.server.commit(Record::of(Op::SetDocument { owner, document: Box::new(document) })).await;
    }
    let jid = bob.session.jid.bare();
    world.server.facts.forget(jid.as_str());
    world.server.facts.of(&*world.server.store, &jid).await.unwrap();
    say(&bob, "inactive");
    alice.send(STATE);
    alice.settled().await;
    assert_eq!(written(&mut bob).await, "");
    alice.send("<message to='bob@localhost/b' type='groupchat'><body>hello all</body></message>");
    alice.settled().await;
    let text = written(&mut bob).await;
    assert!(text.find("composing") < text.find("hello all") && text.contains("composing"), "{text}");
}

#[tokio::test]
async fn a_service_is_told_when_nobody_looks() {
    let (world, mut alice, _carol, mut bob) = people(&[]).await;
    let mut service = world.connect("carol@localhost/push").await;
    bob.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='carol@localhost/push' node='n'/></iq>");
    bob.settled().await;
    alice.send("<message to='bob@localhost' type='chat'><body>1</body></message>");
    alice.settled().await;
    assert_eq!(service.so_far().await, "");
    say(&bob, "inactive");
    alice.send("<message to='bob@localhost' type='chat'><body>2</body></message>");
    alice.settled().await;
    service.until("</pubsub></iq>").await;
    bob.until("<body>2</body>").await;
}

/// Whatever a client says about itself and whenever, messages come once and in order, and of presence the last is what is.
#[tokio::test]
async fn random_states_lose_no_message_and_end_with_what_is() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let (world, alice, carol, mut bob) = people(&[("csi.chat_states", "\"hold\"")]).await;
        bob.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
        bob.settled().await;
        let mut others = [alice, carol];
        let (mut sent, mut last) = (0, HashMap::new());
        for step in 0..100 {
            let other = &mut others[rng.usize(0..2)];
            if !other.list.has_room() {
                other.settled().await;
            }
            match rng.u32(0..12) {
                0 => say(&bob, "inactive"),
                1 => say(&bob, "active"),
                2 => bob.reads = !bob.reads,
                3 => bob.turn().await,
                4 => other.send(STATE),
                5 => {
                    sent += 1;
                    other.send("<message to='bob@localhost' type='chat'><body>words</body></message>");
                }
                6 => other.send("<message to='bob@localhost/b' type='groupchat'><body>room</body></message>"),
                7 => other.send("<iq type='get' to='bob@localhost' id='q'><ping xmlns='urn:xmpp:ping'/></iq>"),
                _ => {
                    last.insert(other.session.jid.clone(), step);
                    other.send(&format!("<presence to='bob@localhost/b'><status>{step}</status></presence>"));
                }
            }
        }
        for other in &mut others {
            other.settled().await;
        }
        bob.reads = true;
        say(&bob, "active");
        let text = bob.so_far().await;
        let got = ids(&text);
        assert!(got.len() == sent && got.is_sorted_by(|a, b| a < b), "seed {seed}: {got:?} of {sent}");
        for (jid, step) in last {
            let shown = text.rfind(&format!("<presence from='{jid}'")).map(|at| &text[at..]);
            let status = shown.and_then(|shown| shown.split("<status>").nth(1)?.split('<').next());
            assert_eq!(status, Some(&*step.to_string()), "seed {seed}: {jid}");
        }
        assert_eq!(bob.session.outbox_bytes(), 0);
        drop(world);
    }
}
