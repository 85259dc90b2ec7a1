//! What clients want to hear of is learned from their capabilities (XEP-0115, XEP-0390): one is asked for all, and only what is proved counts
//! for others.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_model::{Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;
use world::{Client, World};

/// What [`FEATURES`] hash to, as the one document has it and as the other has it.
const VER: &str = "IZLpgEG5sAVLgJYfN6qA26sxVCo=";
const SET: &str = "5MqJY3P7fnIONapKq5dvam6xS3qm0DgYwHlX70tF73w=";
const FEATURES: &str = "<identity category='client' type='pc'/><feature var='urn:xmpp:mood+notify'/><feature var='urn:xmpp:avatar:metadata+notify'/>";
const MOOD: &str = "urn:xmpp:mood";
const TUNE: &str = "<identity category='client' type='pc'/><feature var='urn:xmpp:tune+notify'/>";

fn presence(hash: &str, ver: &str) -> String {
    format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='{hash}' node='urn:app' ver='{ver}'/></presence>"
    )
}

/// Reads the server's question and answers it.
async fn answer(client: &mut Client, node: &str, features: &str) {
    let question =
        client.until(&format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/></iq>")).await;
    let id = id_of(&question);
    client.send(&format!(
        "<iq type='result' to='localhost' id='{id}'><query xmlns='http://jabber.org/protocol/disco#info' node='{node}'>{features}</query></iq>"
    ));
    client.settled().await;
}

fn id_of(question: &str) -> &str {
    let iq = &question[question.rfind("<iq ").unwrap()..];
    iq.split("id='").nth(1).unwrap().split('\'').next().unwrap()
}

/// Waits until it is known whether the client wants the node.
async fn until_it_wants(client: &mut Client, node: &str) {
    while !client.session.wants_node(node) {
        client.turn().await;
    }
}

async fn is_asked(client: &mut Client) -> bool {
    client.so_far().await.contains("disco#info")
}

#[tokio::test]
async fn one_of_a_hundred_clients_is_asked_and_all_get_what_they_want() {
    let world = World::new().await;
    let mut clients = Vec::new();
    for number in 0..100 {
        let name = format!("user{number}");
        world.add(&name).await;
        let mut client = world.connect(&format!("{name}@localhost/a")).await;
        client.send(&presence("sha-1", VER));
        client.settled().await;
        clients.push(client);
    }
    let mut asked = 0;
    for client in &mut clients {
        client.turn().await;
    }
    let (first, others) = clients.split_first_mut().unwrap();
    for other in others.iter_mut() {
        asked += usize::from(is_asked(other).await);
    }
    assert_eq!(asked, 0);
    // It need not be the first question that leaves: the first client is the one that was asked.
    answer(first, &format!("urn:app#{VER}"), FEATURES).await;
    until_it_wants(first, MOOD).await;
    assert!(others.iter().all(|client| client.session.wants_node(MOOD) && !client.session.wants_node("urn:other")));
    // Who comes later is not asked at all, and neither is who says the same again.
    let mut later = world.connect("bob@localhost/b").await;
    later.send(&presence("sha-1", VER));
    later.settled().await;
    assert!(later.session.wants_node(MOOD));
    first.send(&presence("sha-1", VER));
    first.settled().await;
    first.send("<presence><show>away</show></presence>");
    first.settled().await;
    assert!(first.session.wants_node(MOOD), "it need not say each time what it can do");
    first.send("<presence type='unavailable'/>");
    first.settled().await;
    assert!(!first.session.wants_node(MOOD));
    assert_eq!(world.server.asked.count(), 0);
}

#[tokio::test]
async fn what_a_liar_tells_counts_for_itself_alone() {
    let world = World::new().await;
    let mut mallory = world.connect("alice@localhost/m").await;
    let mut bob = world.connect("bob@localhost/b").await;
    mallory.send(&presence("sha-1", VER));
    mallory.settled().await;
    bob.send(&presence("sha-1", VER));
    bob.settled().await;
    answer(&mut mallory, &format!("urn:app#{VER}"), TUNE).await;
    until_it_wants(&mut mallory, "urn:xmpp:tune").await;
    assert!(!bob.session.wants_node("urn:xmpp:tune"));
    // The next one who has announced it is asked.
    answer(&mut bob, &format!("urn:app#{VER}"), FEATURES).await;
    until_it_wants(&mut bob, MOOD).await;
    assert!(!mallory.session.wants_node(MOOD) && mallory.session.wants_node("urn:xmpp:tune"));
}

/// XEP-0115 section 9.1: the same string, told as something else.
#[tokio::test]
async fn a_poisoned_answer_hides_nothing_from_others() {
    let world = World::new().await;
    let mut mallory = world.connect("alice@localhost/m").await;
    mallory.send(&presence("sha-1", VER));
    mallory.settled().await;
    let poison = "<identity category='client' type='pc'/><x xmlns='jabber:x:data' type='result'>\
        <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:avatar:metadata+notify</value></field><field var='urn:xmpp:mood+notify'/></x>";
    answer(&mut mallory, &format!("urn:app#{VER}"), poison).await;
    let mut bob = world.connect("bob@localhost/b").await;
    bob.send(&presence("sha-1", VER));
    bob.settled().await;
    answer(&mut bob, &format!("urn:app#{VER}"), FEATURES).await;
    until_it_wants(&mut bob, MOOD).await;
}

#[tokio::test]
async fn a_client_that_never_answers_holds_nobody_up_for_ever() {
    let world = World::new().await;
    let mut silent = world.connect("alice@localhost/s").await;
    let mut bob = world.connect("bob@localhost/b").await;
    for client in [&mut silent, &mut bob] {
        client.send(&presence("sha-1", VER));
        client.settled().await;
    }
    silent.until("disco#info").await;
    assert!(!is_asked(&mut bob).await);
    world.server.clock.advance(31_000);
    world.tick().await;
    answer(&mut bob, &format!("urn:app#{VER}"), FEATURES).await;
    until_it_wants(&mut bob, MOOD).await;
    assert!(silent.session.wants_node(MOOD), "what is proved counts for all that announce it");
}

#[tokio::test]
async fn what_cannot_be_proved_is_asked_of_each_and_one_without_a_hash_is_not_asked() {
    let world = World::new().await;
    for name in ["alice", "bob"] {
        let mut client = world.connect(&format!("{name}@localhost/x")).await;
        client.send(&presence("md5", VER));
        client.settled().await;
        answer(&mut client, &format!("urn:app#{VER}"), FEATURES).await;
        until_it_wants(&mut client, MOOD).await;
    }
    let mut old = world.connect("carol@localhost/x").await;
    old.send("<presence><c xmlns='http://jabber.org/protocol/caps' node='urn:app' ver='1.0'/></presence>");
    old.settled().await;
    assert!(!is_asked(&mut old).await);
}

/// XEP-0390 section 6: its hashes count before those of the older document, and what is known of the one says nothing of the other.
#[tokio::test]
async fn the_newer_document_counts_where_both_are_followed() {
    let world = World::new().await;
    let mut alice = world.connect("alice@localhost/a").await;
    let both = format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:app' ver='{VER}'/><c xmlns='urn:xmpp:caps'>\
         <hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>x</hash><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{SET}</hash></c></presence>"
    );
    alice.send(&both);
    alice.settled().await;
    answer(&mut alice, &format!("urn:xmpp:caps#sha-256.{SET}"), FEATURES).await;
    until_it_wants(&mut alice, MOOD).await;
    let mut bob = world.connect("bob@localhost/b").await;
    bob.send(&presence("sha-1", VER));
    bob.settled().await;
    bob.until("disco#info").await;
    assert!(!bob.session.wants_node(MOOD));
}

#[tokio::test]
async fn a_client_that_invents_names_is_asked_a_few_times_at_once() {
    let world = World::new().await;
    let mut mallory = world.connect("alice@localhost/m").await;
    for number in 0..100 {
        mallory.send(&presence("sha-1", &format!("{number}")));
        mallory.settled().await;
    }
    mallory.turn().await;
    assert_eq!(world.server.asked.count(), metronome_host::interests::QUESTIONS_OF_ACCOUNT_MAX);
    mallory.lose();
}

const BOTH: Subscription = Subscription { to: true, from: true, ..Subscription::NONE };

#[tokio::test]
async fn clients_of_contacts_elsewhere_are_asked_by_whom_they_have_shown_themselves_to() {
    let world = World::new().await;
    world.federate().await;
    let owner = world.id("alice").await;
    let dave = Contact {
        subscription: BOTH,
        listed: Listed::Yes,
        version: 1,
        ..Contact::unknown(Jid::parse("dave@far.example").unwrap())
    };
    assert!(world.server.commit(Record::of(Op::SetContact { owner, contact: Box::new(dave) })).await.is_done());
    let mut far = world.far("far.example");
    let _alice = world.available("alice@localhost/a").await;
    far.settled().await;
    let c = format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:app' ver='{VER}'/>");
    // Nobody asks who is not a contact.
    far.send(&format!("<presence from='mallory@far.example/x' to='alice@localhost'>{c}</presence>"));
    far.settled().await;
    far.send(&format!("<presence from='dave@far.example/d' to='alice@localhost'>{c}</presence>"));
    let question = far.until("</iq>").await;
    assert!(
        question.contains("from='alice@localhost' to='dave@far.example/d'") && !question.contains("mallory"),
        "{question}"
    );
    let id = id_of(&question);
    far.send(&format!(
        "<iq type='result' from='dave@far.example/d' to='alice@localhost' id='{id}'>\
         <query xmlns='http://jabber.org/protocol/disco#info'>{FEATURES}</query></iq>"
    ));
    let wanting = || world.server.remote_clients.wanting(owner, MOOD);
    while wanting().is_empty() {
        far.settled().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(wanting()[0].as_str(), "dave@far.example/d");
    far.send("<presence type='unavailable' from='dave@far.example/d' to='alice@localhost'/>");
    far.settled().await;
    assert!(wanting().is_empty());
    assert_eq!(world.server.remote_clients.memory_usage(), 0);
}
