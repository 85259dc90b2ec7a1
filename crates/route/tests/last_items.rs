//! Who comes is told the newest item of each node that its client wants and that it may read (XEP-0163 section 4.3.4), once.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_host::interests::{Announcement, Wants};
use metronome_model::{Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;
use world::{Client, World};

const MOOD: &str = "urn:xmpp:mood";
const BOTH: Subscription = Subscription { to: true, from: true, ..Subscription::NONE };

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

/// A world in which everybody knows what clients with this `ver` want.
async fn world() -> World {
    let world = World::new().await;
    let now_ms = world.server.clock.steady_ms();
    for (ver, node) in [("mood", MOOD), ("tune", "urn:xmpp:tune")] {
        let name = format!("ver sha-1 {ver}");
        let announcement = Announcement { name: name.clone().into(), node: "urn:app".into() };
        let _ = world.server.interests.meet(&announcement, &jid("carol@localhost/c"), &jid("localhost"), now_ms);
        world.server.interests.learned(&name, Wants::new(vec![node.into()]), now_ms);
    }
    world
}

fn caps(ver: &str) -> String {
    format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:app' ver='{ver}'/>")
}

/// A session that becomes available with these capabilities.
async fn come(world: &World, jid: &str, ver: &str) -> Client {
    let mut client = world.connect(jid).await;
    client.send(&format!("<presence>{}</presence>", caps(ver)));
    client.turn().await;
    client
}

async fn publish(client: &mut Client, item: &str, options: &str) {
    client.send(&format!(
        "<iq type='set' id='publish'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{MOOD}'>\
         <item id='{item}'><mood xmlns='{MOOD}'><happy/></mood></item></publish>{options}</pubsub></iq>"
    ));
    let answer = client.until("</iq>").await;
    assert!(answer.contains("type='result'"), "{answer}");
}

fn access(model: &str) -> String {
    format!(
        "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
         <field var='pubsub#access_model'><value>{model}</value></field></x></publish-options>"
    )
}

async fn befriend(world: &World, owner: &str, contact: &str) {
    let contact = Contact { subscription: BOTH, listed: Listed::Yes, version: 1, ..Contact::unknown(jid(contact)) };
    let op = Op::SetContact { owner: world.id(owner).await, contact: Box::new(contact) };
    assert!(world.server.commit(Record::of(op)).await.is_done());
}

async fn friends(world: &World) {
    befriend(world, "alice", "bob@localhost").await;
    befriend(world, "bob", "alice@localhost").await;
}

/// What a client is told, once nothing more comes.
async fn told(client: &mut Client) -> String {
    for _ in 0..100 {
        client.turn().await;
    }
    std::mem::take(&mut client.text)
}

#[tokio::test]
async fn the_owners_own_clients_are_told_once_for_each_resource() {
    let world = world().await;
    let mut phone = world.available("alice@localhost/phone").await;
    publish(&mut phone, "one", "").await;
    publish(&mut phone, "two", "").await;
    let mut desk = come(&world, "alice@localhost/desk", "mood").await;
    let text = desk.until("</message>").await;
    assert!(text.contains("type='headline'") && text.contains("to='alice@localhost/desk'"), "{text}");
    assert!(text.contains("<message from='alice@localhost'") && text.contains("<item id='two'"), "{text}");
    assert!(!told(&mut desk).await.contains("<event"), "the newest item only");
    desk.send(&format!("<presence><show>away</show>{}</presence>", caps("mood")));
    assert!(!told(&mut desk).await.contains("<event"));
    desk.send("<presence type='unavailable'/>");
    desk.send(&format!("<presence>{}</presence>", caps("mood")));
    assert!(told(&mut desk).await.contains("<item id='two'"), "it has come anew");
    let mut other = come(&world, "alice@localhost/other", "tune").await;
    assert!(!told(&mut other).await.contains("<event"), "it wants something else");
}

#[tokio::test]
async fn contacts_are_told_whether_the_owner_is_there_or_not_and_strangers_are_not() {
    let world = world().await;
    friends(&world).await;
    let mut alice = world.available("alice@localhost/a").await;
    publish(&mut alice, "one", "").await;
    let mut bob = come(&world, "bob@localhost/b", "mood").await;
    assert!(bob.until("</message>").await.contains("<message from='alice@localhost'"));
    let mut carol = come(&world, "carol@localhost/c", "mood").await;
    assert!(!told(&mut carol).await.contains("<event"));
    alice.lose();
    let mut bob = come(&world, "bob@localhost/b2", "mood").await;
    assert!(bob.until("</message>").await.contains("<item id='one'"));
}

#[tokio::test]
async fn what_a_contact_may_not_read_is_not_told() {
    let world = world().await;
    friends(&world).await;
    let mut alice = world.available("alice@localhost/a").await;
    publish(&mut alice, "one", &access("whitelist")).await;
    let mut bob = come(&world, "bob@localhost/b", "mood").await;
    assert!(!told(&mut bob).await.contains("<event"));
    let mut own = come(&world, "alice@localhost/own", "mood").await;
    assert!(own.until("</message>").await.contains("<item id='one'"));
}

#[tokio::test]
async fn whoever_is_let_in_while_online_is_told_then() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    publish(&mut alice, "one", "").await;
    let mut bob = come(&world, "bob@localhost/b", "mood").await;
    bob.send("<presence to='alice@localhost' type='subscribe'/>");
    assert!(!bob.settled().await.contains("<event"));
    alice.until("type='subscribe'").await;
    assert!(!told(&mut bob).await.contains("<event"));
    alice.send("<presence to='bob@localhost' type='subscribed'/>");
    alice.settled().await;
    assert!(bob.until("</message>").await.contains("<item id='one'"));
}

#[tokio::test]
async fn a_client_that_must_be_asked_first_is_told_once_it_has_answered() {
    const VER: &str = "IZLpgEG5sAVLgJYfN6qA26sxVCo=";
    const FEATURES: &str = "<identity category='client' type='pc'/><feature var='urn:xmpp:mood+notify'/>\
        <feature var='urn:xmpp:avatar:metadata+notify'/>";
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    publish(&mut alice, "one", "").await;
    let mut desk = come(&world, "alice@localhost/desk", VER).await;
    let question = desk.until("disco#info' node=").await;
    assert!(!question.contains("<event"), "{question}");
    let iq = &question[question.rfind("<iq ").unwrap()..];
    let id = iq.split("id='").nth(1).unwrap().split('\'').next().unwrap();
    desk.send(&format!(
        "<iq type='result' to='localhost' id='{id}'><query xmlns='http://jabber.org/protocol/disco#info'>{FEATURES}</query></iq>"
    ));
    assert!(desk.until("</message>").await.contains("<item id='one'"));
}

#[tokio::test]
async fn clients_elsewhere_are_told_when_they_show_themselves() {
    let world = world().await;
    world.federate().await;
    befriend(&world, "alice", "dave@far.example").await;
    let mut far = world.far("far.example");
    let mut alice = world.available("alice@localhost/a").await;
    far.settled().await;
    publish(&mut alice, "one", "").await;
    let here = |from: &str| format!("<presence from='{from}' to='alice@localhost'>{}</presence>", caps("mood"));
    far.send(&here("mallory@far.example/m"));
    far.send(&here("dave@far.example/d"));
    let text = far.until("</message>").await;
    assert!(text.contains("to='dave@far.example/d'") && text.contains("<item id='one'"), "{text}");
    // Now it hears of what is published as well, and not of what was before.
    far.send(&here("dave@far.example/d"));
    publish(&mut alice, "two", "").await;
    let text = far.until("</message>").await;
    assert!(text.contains("<item id='two'") && !text.contains("<item id='one'"), "{text}");
    // Also while the account is away.
    far.send("<presence type='unavailable' from='dave@far.example/d' to='alice@localhost'/>");
    far.settled().await;
    alice.lose();
    far.send(&here("mallory@far.example/m"));
    far.send(&here("dave@far.example/again"));
    let text = far.until("</message>").await;
    assert!(text.contains("to='dave@far.example/again'") && text.contains("<item id='two'"), "{text}");
    assert!(!text.contains("mallory"), "{text}");
}

/// What was learned to be nothing is known until something is published.
#[tokio::test]
async fn an_account_without_nodes_costs_one_look() {
    let world = world().await;
    let owner = world.id("alice").await;
    let mut alice = come(&world, "alice@localhost/a", "mood").await;
    told(&mut alice).await;
    assert!(world.server.nodes.names(owner).is_some_and(|names| names.is_empty()));
    publish(&mut alice, "one", "").await;
    let mut desk = come(&world, "alice@localhost/desk", "mood").await;
    assert!(desk.until("</message>").await.contains("<item id='one'"));
    assert_eq!(world.server.nodes.names(owner).unwrap().len(), 1);
    // For a client that announces nothing, only its own account is asked about: its presence carries the hash of an avatar.
    let bob = world.available("bob@localhost/b").await;
    assert!(world.server.nodes.names(bob.session.account).is_some_and(|names| names.is_empty()));
}
