//! XEP-0357: which services are told of what, how often, and what ends it. The service is a client like any other.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_host::switches::{Position, Switch};
use metronome_model::{Op, Record};
use world::{Client, World};

const SERVICE: &str = "carol@localhost/push";

fn chat(to: &str, content: &str) -> String {
    format!("<message to='{to}' type='chat'>{content}</message>")
}

async fn enable(client: &mut Client, node: &str) -> String {
    client
        .send(&format!("<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='{node}'/></iq>"));
    client.settled().await
}

/// Bob's phone enables the node `n` and leaves.
async fn away(world: &World) {
    let mut phone = world.connect("bob@localhost/phone").await;
    assert!(enable(&mut phone, "n").await.contains("id='on' type='result'"));
    phone.lose();
}

/// The next notification: its id and its text.
async fn notification(service: &mut Client) -> (String, String) {
    let text = service.until("</pubsub></iq>").await;
    let iq = text[text.rfind("<iq ").unwrap()..].to_owned();
    let id = iq.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    (id, iq)
}

fn count_of(notification: &str) -> u64 {
    let rest = notification.split("<field var='message-count'><value>").nth(1).unwrap();
    rest.split('<').next().unwrap().parse().unwrap()
}

async fn answer(service: &mut Client, id: &str) {
    service.send(&format!("<iq type='result' to='localhost' id='{id}'/>"));
    service.settled().await;
}

async fn refuse(service: &mut Client, id: &str, kind: &str, condition: &str) {
    service.send(&format!(
        "<iq type='error' to='localhost' id='{id}'><error type='{kind}'>\
         <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    service.settled().await;
}

/// Waits until the account has so many services.
async fn services(world: &World, count: usize) {
    let jid = metronome_proto::jid::Jid::parse("bob@localhost").unwrap();
    loop {
        let facts = world.server.facts.of(&*world.server.store, &jid).await.unwrap().unwrap();
        if facts.services.len() == count {
            return;
        }
        tokio::task::yield_now().await;
    }
}

// XEP-0357 example 12
#[tokio::test]
async fn a_service_is_told_that_there_is_something_and_nothing_of_what_it_says() {
    let world = World::new().await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    away(&world).await;
    alice.send(&chat("bob@localhost", "<body>a secret</body>"));
    alice.settled().await;
    let (id, told) = notification(&mut service).await;
    assert!(told.starts_with("<iq from='localhost' to='carol@localhost/push'"), "{told}");
    assert!(told.contains(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item><notification xmlns='urn:xmpp:push:0'>"
    ), "{told}");
    assert_eq!(count_of(&told), 1);
    assert!(!told.contains("secret") && !told.contains("alice"), "{told}");
    answer(&mut service, &id).await;
    alice.send(&chat("bob@localhost/phone", "<encrypted xmlns='urn:xmpp:omemo:2'/>"));
    alice.settled().await;
    let (id, told) = notification(&mut service).await;
    assert_eq!(count_of(&told), 2);
    answer(&mut service, &id).await;
    // Not of what is no news, nor of what is not stored.
    for content in [
        "<received xmlns='urn:xmpp:receipts' id='1'/>",
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<body>gone</body><no-store xmlns='urn:xmpp:hints'/>",
    ] {
        alice.send(&chat("bob@localhost", content));
    }
    alice.settled().await;
    alice.send(&chat("bob@localhost", "<body>last</body>"));
    alice.settled().await;
    assert_eq!(count_of(&notification(&mut service).await.1), 4, "the receipt waits for him as well");
}

#[tokio::test]
async fn who_sees_what_comes_is_not_told_by_others() {
    let world = World::new().await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    let mut phone = world.available("bob@localhost/phone").await;
    enable(&mut phone, "n").await;
    alice.send(&chat("bob@localhost", "<body>1</body>"));
    alice.settled().await;
    phone.until("<body>1</body>").await;
    // A note to oneself is no news, whoever is away.
    phone.send(&chat("bob@localhost", "<body>note</body>"));
    phone.settled().await;
    assert_eq!(service.so_far().await, "");
    // Another of his devices is there; the phone is not.
    let mut desk = world.available("bob@localhost/desk").await;
    phone.lose();
    desk.send(&chat("bob@localhost", "<body>note</body>"));
    desk.settled().await;
    assert_eq!(service.so_far().await, "");
    alice.send(&chat("bob@localhost", "<body>2</body>"));
    alice.settled().await;
    notification(&mut service).await;
}

#[tokio::test]
async fn the_host_and_the_owner_say_what_is_told() {
    let world = World::with(&[("push.content", "\"all\"")], metronome_features::ALL).await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    away(&world).await;
    alice.send(&chat("bob@localhost", "<body>Wherefore &amp; why?</body>"));
    alice.settled().await;
    let (id, told) = notification(&mut service).await;
    assert!(told.contains("<field var='last-message-sender'><value>alice@localhost/a</value>"), "{told}");
    assert!(told.contains("<field var='last-message-body'><value>Wherefore &amp; why?</value>"), "{told}");
    answer(&mut service, &id).await;
    // Nobody on the way knows what this says; its body is a fallback.
    alice.send(&chat("bob@localhost", "<encrypted xmlns='urn:xmpp:omemo:2'/><body>I sent you an OMEMO message</body>"));
    alice.settled().await;
    let (id, told) = notification(&mut service).await;
    assert!(told.contains("last-message-sender") && !told.contains("last-message-body"), "{told}");
    answer(&mut service, &id).await;
    let (owner, jid) = (world.id("bob").await, metronome_proto::jid::Jid::parse("bob@localhost").unwrap());
    let document = Box::new(Switch::PushSender.document(Some(Position::Off)));
    world.server.commit(Record::of(Op::SetDocument { owner, document })).await;
    world.server.facts.forget(jid.as_str());
    alice.send(&chat("bob@localhost", "<body>words</body>"));
    alice.settled().await;
    let told = notification(&mut service).await.1;
    assert!(!told.contains("alice") && !told.contains("words") && told.contains("message-count"), "{told}");
}

#[tokio::test]
async fn a_service_is_told_one_thing_at_a_time() {
    let world = World::new().await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    away(&world).await;
    alice.send(&chat("bob@localhost", "<body>0</body>"));
    alice.settled().await;
    let (id, _) = notification(&mut service).await;
    for number in 1..50 {
        alice.send(&chat("bob@localhost", &format!("<body>{number}</body>")));
    }
    alice.settled().await;
    assert_eq!(service.so_far().await, "", "it has not answered yet");
    answer(&mut service, &id).await;
    assert_eq!(count_of(&notification(&mut service).await.1), 50);
}

#[tokio::test]
async fn an_error_disables_the_node_and_one_that_passes_does_not() {
    let world = World::new().await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    away(&world).await;
    for (kind, condition) in
        [("wait", "resource-constraint"), ("cancel", "service-unavailable"), ("wait", "item-not-found")]
    {
        alice.send(&chat("bob@localhost", "<body>hi</body>"));
        alice.settled().await;
        let (id, _) = notification(&mut service).await;
        refuse(&mut service, &id, kind, condition).await;
        services(&world, 1).await;
    }
    alice.send(&chat("bob@localhost", "<body>hi</body>"));
    alice.settled().await;
    let (id, _) = notification(&mut service).await;
    // Nobody else speaks for the service.
    alice.send(&format!(
        "<iq type='error' to='localhost' id='{id}'><error type='cancel'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    alice.settled().await;
    services(&world, 1).await;
    refuse(&mut service, &id, "cancel", "item-not-found").await;
    services(&world, 0).await;
    alice.send(&chat("bob@localhost", "<body>hi</body>"));
    alice.settled().await;
    assert_eq!(service.so_far().await, "");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_given_up_after_a_while() {
    let world = World::new().await;
    let mut alice = world.connect("alice@localhost/a").await;
    away(&world).await;
    services(&world, 1).await;
    for _ in 0..metronome_features::push::FAILURES_MAX {
        alice.send(&chat("bob@localhost", "<body>hi</body>"));
        alice.settled().await;
        // One after the other: of several at a time only the last counts.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        world.committed().await;
    }
    services(&world, 0).await;
}

#[tokio::test]
async fn who_does_not_answer_is_told_again_after_a_while() {
    let world = World::new().await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    away(&world).await;
    for _ in 0..2 {
        alice.send(&chat("bob@localhost", "<body>hi</body>"));
        alice.settled().await;
    }
    let (late, _) = notification(&mut service).await;
    world.server.clock.advance(31_000);
    world.tick().await;
    let (id, told) = notification(&mut service).await;
    assert_eq!(count_of(&told), 2);
    answer(&mut service, &late).await;
    answer(&mut service, &id).await;
    assert_eq!(world.server.asked.count(), 0);
}

// XEP-0357 example 8
// XEP-0357 example 10
// XEP-0357 example 11
#[tokio::test]
async fn services_are_enabled_and_disabled_by_address_and_node() {
    let world = World::with(&[("limits.push.services", "3")], metronome_features::ALL).await;
    let mut bob = world.connect("bob@localhost/phone").await;
    for node in ["a", "b", "a", "c"] {
        assert!(enable(&mut bob, node).await.contains("type='result'"));
    }
    services(&world, 3).await;
    assert!(enable(&mut bob, "d").await.contains("<resource-constraint"));
    let disable = |more: &str| format!("<iq type='set' id='off'><disable xmlns='urn:xmpp:push:0' {more}/></iq>");
    for (more, left) in [
        (format!("jid='{SERVICE}' node='b'"), 2),
        (format!("jid='{SERVICE}' node='unknown'"), 2),
        ("jid='other.example'".to_owned(), 2),
        (format!("jid='{SERVICE}'"), 0),
    ] {
        bob.send(&disable(&more));
        assert!(bob.settled().await.contains("id='off' type='result'"), "{more}");
        services(&world, left).await;
    }
    for bad in ["", "jid='a@b@c'", "node='a'"] {
        bob.send(&disable(bad));
        assert!(bob.settled().await.contains("<bad-request"), "{bad}");
        bob.send(&disable(bad).replace("disable", "enable"));
        assert!(bob.settled().await.contains("<bad-request"), "{bad}");
    }
    // Nobody enables anything for others.
    bob.send(&format!(
        "<iq type='set' to='alice@localhost' id='x'><enable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='n'/></iq>"
    ));
    assert!(bob.settled().await.contains("<service-unavailable"));
}

#[tokio::test]
async fn a_service_is_shown_the_options_that_it_asked_for() {
    let world = World::new().await;
    let (mut alice, mut service) = (world.connect("alice@localhost/a").await, world.connect(SERVICE).await);
    let mut phone = world.connect("bob@localhost/phone").await;
    let options = |secret: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>\
             http://jabber.org/protocol/pubsub#publish-options</value></field>\
             <field var='secret'><value>{secret}</value></field></x>"
        )
    };
    for secret in ["first", "second"] {
        phone.send(&format!(
            "<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='{SERVICE}' node='n'>{}</enable></iq>",
            options(secret)
        ));
        assert!(phone.settled().await.contains("type='result'"));
    }
    phone.lose();
    alice.send(&chat("bob@localhost", "<body>hi</body>"));
    alice.settled().await;
    let told = notification(&mut service).await.1;
    assert!(told.contains(&format!("<publish-options>{}</publish-options>", options("second"))), "{told}");
}
