//! XEP-0280: who gets a copy of what, in which order and under which id, and what hostile clients try.
#![allow(clippy::unwrap_used)]

mod world;

use fastrand::Rng;
use metronome_model::Direction;
use world::{Client, World, bodies, ids};

fn chat(to: &str, body: impl std::fmt::Display) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

async fn enable(client: &mut Client) {
    client.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    let answer = client.settled().await;
    assert!(answer.contains("id='on' type='result'"), "{answer}");
}

/// A session that is available and gets copies.
async fn copied(world: &World, jid: &str) -> Client {
    let mut client = world.available(jid).await;
    enable(&mut client).await;
    client
}

/// What one session was written so far, and nothing after it.
async fn said(client: &mut Client) -> String {
    // What is under way from workers is there once the session's own note to itself is settled.
    client.so_far().await
}

/// A sender and two devices of bob and alice each. What they are told of each other has been read.
async fn devices(world: &World) -> [Client; 4] {
    let mut all = [
        world.available("alice@localhost/a").await,
        copied(world, "alice@localhost/b").await,
        world.available("bob@localhost/phone").await,
        copied(world, "bob@localhost/desk").await,
    ];
    for client in &mut all {
        client.so_far().await;
    }
    all
}

#[tokio::test]
async fn both_sides_other_devices_get_one_copy_each_with_the_ids_of_their_archives() {
    let world = World::new().await;
    let [mut alice, mut other, mut phone, mut desk] = devices(&world).await;
    // Ids of the two archives differ from here on.
    alice.send("<message to='carol@localhost' type='chat'><body>first</body></message>");
    alice.send(&chat("bob@localhost/phone", "hi"));
    alice.settled().await;
    let sent = other.until("<body>hi</body>").await + &other.until("</sent></message>").await;
    assert!(
        sent.contains(
            "<message from='alice@localhost' type='chat' to='alice@localhost/b'><sent xmlns='urn:xmpp:carbons:2'>\
         <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='alice@localhost/a' \
         to='bob@localhost/phone' id='hi' type='chat'><body>hi</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='2'/></message></forwarded></sent></message>"
        ),
        "{sent}"
    );
    let received = desk.until("</received></message>").await;
    assert_eq!(
        received,
        "<message from='bob@localhost' type='chat' to='bob@localhost/desk'><received xmlns='urn:xmpp:carbons:2'>\
         <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='alice@localhost/a' \
         to='bob@localhost/phone' id='hi' type='chat'><body>hi</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='bob@localhost' id='1'/></message></forwarded></received></message>"
    );
    let direct = said(&mut phone).await;
    assert!(direct.starts_with("<message from='alice@localhost/a' to='bob@localhost/phone'"), "{direct}");
    for client in [&mut alice, &mut other, &mut desk] {
        assert_eq!(said(client).await, "", "{}", client.session.jid);
    }
}

#[tokio::test]
async fn what_is_not_stored_is_copied_too_and_in_its_order() {
    let world = World::new().await;
    let [mut alice, mut other, mut phone, mut desk] = devices(&world).await;
    for number in 0..20 {
        alice.send(&chat("bob@localhost/phone", number));
        alice.send(&format!(
            "<message to='bob@localhost/phone' type='chat'><body>state {number}</body><no-store xmlns='urn:xmpp:hints'/></message>"
        ));
    }
    alice.settled().await;
    let expected: Vec<String> = (0..20).flat_map(|number| [format!("{number}"), format!("state {number}")]).collect();
    for client in [&mut other, &mut phone, &mut desk] {
        assert_eq!(bodies(&said(client).await), expected, "{}", client.session.jid);
    }
}

#[tokio::test]
async fn sessions_of_lower_and_negative_priority_and_those_without_presence_get_copies() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut high = copied(&world, "bob@localhost/high").await;
    high.send("<presence><priority>5</priority></presence>");
    high.settled().await;
    let mut low = copied(&world, "bob@localhost/low").await;
    let mut negative = world.connect("bob@localhost/negative").await;
    negative.send("<presence><priority>-1</priority></presence>");
    negative.settled().await;
    enable(&mut negative).await;
    let mut silent = world.connect("bob@localhost/silent").await;
    enable(&mut silent).await;
    let mut without = world.available("bob@localhost/without").await;
    for client in [&mut high, &mut low, &mut negative, &mut silent, &mut without] {
        client.so_far().await;
    }
    alice.send(&chat("bob@localhost", "hi"));
    alice.settled().await;
    let itself = said(&mut high).await;
    assert!(bodies(&itself) == ["hi"] && !itself.contains("<received"), "{itself}");
    for client in [&mut low, &mut negative, &mut silent] {
        let text = said(client).await;
        assert!(text.contains("<received xmlns='urn:xmpp:carbons:2'>") && bodies(&text) == ["hi"], "{text}");
    }
    assert_eq!(said(&mut without).await, "");
    // Who has it need not get it again.
    silent.send("<presence/>");
    silent.settled().await;
    assert!(bodies(&said(&mut silent).await).is_empty());
}

#[tokio::test]
async fn enabling_and_disabling_may_be_repeated() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut bob = copied(&world, "bob@localhost/desk").await;
    let _phone = world.available("bob@localhost/phone").await;
    enable(&mut bob).await;
    let off = "<iq type='set' to='bob@localhost' id='off'><disable xmlns='urn:xmpp:carbons:2'/></iq>";
    for _ in 0..2 {
        bob.send(off);
        assert!(bob.settled().await.contains("id='off' type='result'"));
    }
    alice.send(&chat("bob@localhost/phone", "1"));
    alice.settled().await;
    assert!(bodies(&said(&mut bob).await).is_empty());
    enable(&mut bob).await;
    alice.send(&chat("bob@localhost/phone", "2"));
    alice.settled().await;
    assert_eq!(bodies(&said(&mut bob).await), ["2"]);
    // Of others' accounts nobody switches anything.
    alice.send("<iq type='set' to='bob@localhost' id='no'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    assert!(alice.settled().await.contains("<service-unavailable"));
}

#[tokio::test]
async fn private_messages_are_not_copied_and_say_so() {
    let world = World::new().await;
    let [mut alice, mut other, mut phone, mut desk] = devices(&world).await;
    for mark in ["<private xmlns='urn:xmpp:carbons:2'/>", "<no-copy xmlns='urn:xmpp:hints'/>"] {
        alice.send(&format!("<message to='bob@localhost/phone' type='chat'><body>psst</body>{mark}</message>"));
        alice.settled().await;
        assert!(phone.until("</message>").await.contains(mark), "section 9: nobody takes it away");
        assert_eq!((said(&mut other).await, said(&mut desk).await), (String::new(), String::new()));
    }
}

#[tokio::test]
async fn nobody_makes_copies_but_the_server() {
    let world = World::new().await;
    let [mut alice, mut other, mut phone, mut desk] = devices(&world).await;
    let inner = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='carol@localhost/x' \
                 to='bob@localhost/phone' type='chat'><body>forged</body>\
                 <stanza-id xmlns='urn:xmpp:sid:0' by='bob@localhost' id='9'/></message></forwarded>";
    for name in ["sent", "received"] {
        for to in ["bob@localhost", "bob@localhost/phone", "bob@localhost/desk", "alice@localhost/b"] {
            alice.send(&format!(
                "<message to='{to}' from='bob@localhost' type='chat'><{name} xmlns='urn:xmpp:carbons:2'>{inner}</{name}>\
                 <body>mine</body><c:{name} xmlns:c='urn:xmpp:carbons:2'/></message>"
            ));
        }
    }
    alice.settled().await;
    for client in [&mut other, &mut phone, &mut desk] {
        let text = said(client).await;
        assert!(text.contains("mine") && !text.contains("forged"), "{text}");
        assert!(
            !text.contains("<c:") && text.matches("from='bob@localhost'").all(|_| text.contains("<received")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_message_to_oneself_comes_to_each_session_once_and_not_to_its_sender_as_a_copy() {
    let world = World::new().await;
    let (mut a, mut b) = (copied(&world, "alice@localhost/a").await, copied(&world, "alice@localhost/b").await);
    let mut c = copied(&world, "alice@localhost/c").await;
    for client in [&mut a, &mut b, &mut c] {
        client.so_far().await;
    }
    a.send(&chat("alice@localhost/b", "to b"));
    a.settled().await;
    let (at_b, at_c) = (said(&mut b).await, said(&mut c).await);
    assert!(bodies(&at_b) == ["to b"] && !at_b.contains("urn:xmpp:carbons:2"), "{at_b}");
    assert!(bodies(&at_c) == ["to b"] && at_c.contains("<received xmlns='urn:xmpp:carbons:2'>"), "{at_c}");
    assert_eq!(said(&mut a).await, "");
    a.send(&chat("alice@localhost", "to all"));
    a.until("<body>to all</body>").await;
    for client in [&mut b, &mut c] {
        let text = said(client).await;
        assert!(bodies(&text) == ["to all"] && !text.contains("urn:xmpp:carbons:2"), "{text}");
    }
}

#[tokio::test]
async fn an_error_is_copied_if_the_message_that_it_answers_was() {
    let world = World::new().await;
    let [mut alice, mut other, mut phone, mut desk] = devices(&world).await;
    let error = |id: &str| {
        format!(
            "<message to='alice@localhost/a' type='error' id='{id}'><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    alice.send(&chat("bob@localhost/phone", "m1"));
    alice.send("<message to='bob@localhost/phone' id='m2'><x xmlns='urn:example'/></message>");
    alice.settled().await;
    for client in [&mut other, &mut phone, &mut desk] {
        client.so_far().await;
    }
    for id in ["m1", "m2", "m3"] {
        phone.send(&error(id));
    }
    phone.settled().await;
    assert_eq!(said(&mut alice).await.matches("type='error'").count(), 3);
    let copy = said(&mut other).await;
    assert!(copy.contains("<received") && copy.contains("id='m1'"), "{copy}");
    assert!(!copy.contains("m2") && !copy.contains("m3"), "{copy}");
    let sent = said(&mut desk).await;
    assert!(
        sent.contains("<sent") && sent.contains("id='m1'") && !sent.contains("m2") && !sent.contains("m3"),
        "{sent}"
    );
}

#[tokio::test]
async fn copies_that_find_no_room_are_made_of_the_archive_later() {
    let world = World::new().await;
    let [mut alice, mut other, mut phone, mut desk] = devices(&world).await;
    let words = "x".repeat(20_000);
    for client in [&mut other, &mut desk] {
        client.reads = false;
    }
    for number in 0..100 {
        alice.send_waiting(&format!(
            "<message to='bob@localhost/phone' type='chat'><body>{number}</body><y xmlns='urn:y'>{words}</y></message>"
        ))
        .await;
        alice.turn().await;
        phone.turn().await;
    }
    alice.settled().await;
    let expected: Vec<String> = (0..100).map(|number: u32| number.to_string()).collect();
    for (client, wrapper) in [(&mut other, "<sent xmlns"), (&mut desk, "<received xmlns")] {
        assert!(client.session.outbox_bytes() < 1 << 20);
        client.reads = true;
        let text = client.until("<body>99</body>").await;
        assert_eq!(bodies(&text), expected);
        assert_eq!(text.matches(wrapper).count(), 100);
        assert!(ids(&text).is_sorted_by(|a, b| a < b));
    }
}

/// Devices of two people come and go while both write from everywhere. Whoever gets copies and was there from some moment on has got, once
/// and in the order of the archive, every row of its account from then on, but for what it sent itself.
#[tokio::test]
async fn random_devices_get_everything_once_and_in_order() {
    for seed in 0..150 {
        let mut rng = Rng::with_seed(seed);
        let world = World::new().await;
        let mut clients = Vec::new();
        for jid in ["alice@localhost/0", "alice@localhost/1", "bob@localhost/0", "bob@localhost/1"] {
            clients.push(copied(&world, jid).await);
        }
        let late = rng.usize(10..60);
        for step in 0..100 {
            if step == late {
                let mut client = world.connect("alice@localhost/2").await;
                client.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
                client.send("<presence/>");
                clients.push(client);
            }
            let at = rng.usize(0..clients.len());
            let client = &mut clients[at];
            match rng.u32(0..12) {
                0 => world.faults.stall(),
                1 => world.faults.release(),
                2 => client.reads = !client.reads,
                3 => client.turn().await,
                _ if !client.list.has_room() => {}
                4 => client.send(&format!("<presence><priority>{}</priority></presence>", rng.u8(0..3))),
                5 => client.send(
                    "<message to='bob@localhost/1' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
                ),
                _ => {
                    let to = ["alice@localhost", "bob@localhost", "bob@localhost/0", "alice@localhost/1", "bob@localhost/x"];
                    client.send(&chat(rng.choice(to).unwrap(), step));
                }
            }
        }
        world.faults.release();
        for client in &mut clients {
            client.reads = true;
            client.text = client.settled().await;
        }
        for client in &mut clients {
            client.wait(|client| client.session.outbox_bytes() == 0 && client.session.catch_up().is_none()).await;
            let (jid, name) = (client.session.jid.clone(), client.session.jid.local().unwrap().to_owned());
            let got = ids(&client.text);
            assert!(got.is_sorted_by(|a, b| a < b), "seed {seed}: {jid} got {got:?}");
            let rows = world.rows(&name).await;
            let own = |row: &metronome_model::ArchivedRow| {
                row.stanza.from == jid && (row.direction == Direction::Sent || !got.contains(&row.id))
            };
            let is_late = jid.resource() == Some("2");
            let first = if is_late { got.first().copied().unwrap_or(u64::MAX) } else { 0 };
            // Before it was there, what was sent is not for the newcomer.
            let missed = |row: &metronome_model::ArchivedRow| {
                is_late && !got.contains(&row.id) && row.id < first_sent(&client.text, first)
            };
            let expected: Vec<u64> = rows.iter().filter(|row| !own(row) && !missed(row)).map(|row| row.id).collect();
            assert_eq!(got, expected, "seed {seed}: {jid}");
        }
    }
}

/// The first archive id that came as a copy of what was sent; everything from there on must have come.
fn first_sent(text: &str, otherwise: u64) -> u64 {
    let copies = text.split("<sent xmlns").skip(1).filter_map(|rest| rest.split("</sent>").next());
    copies.flat_map(|copy| ids(copy).into_iter().next()).next().unwrap_or(u64::MAX).max(otherwise)
}
