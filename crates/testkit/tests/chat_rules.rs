//! Messages, requests and presence of people who are there, over the wire: RFC 6120 section 8, RFC 6121 sections 4 and 8.
#![allow(clippy::unwrap_used)]

use metronome_testkit::{Client, Sasl, Server, Setup, on_both_stores};

/// A session that is available with this priority; what others show it meanwhile is passed over.
fn online(server: &Server, name: &str, resource: &str, priority: i8) -> Client {
    let mut client = Client::login(server, name, resource);
    client.send(&format!("<presence><priority>{priority}</priority></presence>"));
    client.wait_for(&format!("<presence from='{name}@localhost/{resource}'"));
    client
}

/// Passes over the presence of the account's other sessions.
fn settle(clients: &mut [&mut Client]) {
    for client in clients {
        client.send("<iq type='get' id='settle' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
        client.wait_for("<iq type='result' id='settle'");
    }
}

#[test]
fn two_people_with_two_devices_each_write_to_and_fro() {
    on_both_stores(|server| {
        let mut devices = [
            online(server, "alice", "phone", 0),
            online(server, "alice", "desk", 0),
            online(server, "bob", "phone", 0),
            online(server, "bob", "desk", 0),
        ];
        settle(&mut devices.each_mut());
        let [alice_phone, alice_desk, bob_phone, bob_desk] = &mut devices;
        for round in 0..3 {
            alice_phone.send(&format!(
                "<message to='bob@localhost' type='chat' id='p{round}'><body>ping {round}</body></message>"
            ));
            for bob in [&mut *bob_phone, &mut *bob_desk] {
                bob.expect(&format!("<message from='alice@localhost/phone' to='bob@localhost' type='chat' id='p{round}'><body>ping {round}</body>"));
            }
            bob_desk.send(&format!(
                "<message to='alice@localhost' type='chat' id='q{round}'><body>pong {round}</body></message>"
            ));
            for alice in [&mut *alice_phone, &mut *alice_desk] {
                alice.expect(&format!(
                    "<message from='bob@localhost/desk' to='alice@localhost' id='q{round}'><body>pong {round}</body>"
                ));
            }
        }
        for device in &mut devices {
            device.expect_nothing_before_ping();
        }
    });
}

#[test]
fn a_bare_address_reaches_the_highest_priority_and_never_a_negative_one() {
    on_both_stores(|server| {
        let mut low = online(server, "bob", "low", 1);
        let mut high = online(server, "bob", "high", 10);
        let mut off = online(server, "bob", "off", -1);
        let mut alice = Client::login(server, "alice", "phone");
        settle(&mut [&mut low, &mut high, &mut off]);
        alice.send("<message to='bob@localhost' type='chat' id='1'><body>one</body></message>");
        high.expect("<message id='1'><body>one</body>");
        // The highest goes below zero: the next is there.
        high.send("<presence><priority>-5</priority></presence>");
        high.wait_for("<presence from='bob@localhost/high'");
        alice.send("<message to='bob@localhost' type='chat' id='2'><body>two</body></message>");
        low.wait_for("<message id='2'><body>two</body>");
        alice.send("<message to='bob@localhost/off' type='chat' id='3'><body>three</body></message>");
        off.wait_for("<message id='3'><body>three</body>");
        // All are negative: it is kept, and comes with the next priority that is not.
        low.send("<presence type='unavailable'/>");
        low.expect_nothing_before_ping();
        alice.send("<message to='bob@localhost' type='chat' id='4'><body>four</body></message>");
        alice.expect_nothing_before_ping();
        off.wait_for("<presence type='unavailable' from='bob@localhost/low'");
        off.expect_nothing_before_ping();
        high.send("<presence/>");
        high.wait_for("<message id='4'><body>four</body>");
    });
}

#[test]
fn a_headline_reaches_all_who_are_not_negative_and_is_not_kept() {
    on_both_stores(|server| {
        let mut low = online(server, "bob", "low", 0);
        let mut high = online(server, "bob", "high", 10);
        let mut off = online(server, "bob", "off", -1);
        let mut alice = Client::login(server, "alice", "phone");
        settle(&mut [&mut low, &mut high, &mut off]);
        alice.send("<message to='bob@localhost' type='headline' id='h'><body>news</body></message>");
        for bob in [&mut low, &mut high] {
            let seen = bob.expect("<message type='headline' id='h'><body>news</body>");
            assert!(!seen.contains("stanza-id"), "what is not kept has no archive id: {seen}");
        }
        off.expect_nothing_before_ping();
        alice.send("<message to='carol@localhost' type='headline' id='h'><body>news</body></message>");
        alice.expect_nothing_before_ping();
        let mut carol = Client::login(server, "carol", "phone");
        carol.available();
        carol.expect_nothing_before_ping();
    });
}

#[test]
fn a_full_address_reaches_its_session_and_falls_back_when_it_is_gone() {
    on_both_stores(|server| {
        let mut phone = online(server, "bob", "phone", 0);
        let mut desk = online(server, "bob", "desk", 5);
        let mut alice = Client::login(server, "alice", "phone");
        settle(&mut [&mut phone, &mut desk]);
        alice.send("<message to='bob@localhost/phone' type='chat' id='1'><body>to the phone</body></message>");
        phone.expect("<message to='bob@localhost/phone' id='1'><body>to the phone</body>");
        desk.expect_nothing_before_ping();
        // A chat for a resource that is not there is for the account; a room's message is not, and the room is told.
        alice.send("<message to='bob@localhost/car' type='chat' id='2'><body>to the car</body></message>");
        desk.expect("<message to='bob@localhost/car' id='2'><body>to the car</body>");
        alice.send("<message to='bob@localhost/car' type='groupchat' id='3'><body>room</body></message>");
        alice.expect("<message type='error' from='bob@localhost/car' id='3'><service-unavailable");
        alice.send("<message to='bob@localhost' type='groupchat' id='4'><body>room</body></message>");
        alice.expect("<message type='error' from='bob@localhost' id='4'><service-unavailable");
        alice.send("<message to='bob@localhost/phone' type='groupchat' id='5'><body>room</body></message>");
        phone.expect("<message type='groupchat' id='5'>");
        // An error is for the resource that caused it, and is never answered.
        let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        alice.send(&format!("<message to='bob@localhost/phone' type='error' id='6'>{error}</message>"));
        phone.expect("<message type='error' from='alice@localhost/phone' id='6'><gone");
        for nowhere in ["bob@localhost", "bob@localhost/car", "nobody@localhost", "elsewhere.example"] {
            alice.send(&format!("<message to='{nowhere}' type='error' id='7'>{error}</message>"));
        }
        alice.expect_nothing_before_ping();
        desk.expect_nothing_before_ping();
    });
}

#[test]
fn messages_to_nobody_to_the_host_and_to_elsewhere_come_back() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for (to, error) in [
            ("nobody@localhost", "service-unavailable"),
            ("localhost", "service-unavailable"),
            ("bob@elsewhere.example", "remote-server-not-found"),
        ] {
            alice.send(&format!("<message to='{to}' type='chat' id='m'><body>words</body></message>"));
            alice.expect(&format!(
                "<message type='error' from='{to}' to='alice@localhost/phone' id='m'><{error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
            ));
            alice.send(&format!("<iq to='{to}' type='get' id='i'><unknown xmlns='urn:example:unknown'/></iq>"));
            alice.expect(&format!("<iq type='error' from='{to}' id='i'><{error}"));
        }
        alice.send("<message to='a@b@c' type='chat' id='m'><body>words</body></message>");
        alice.expect("<message type='error' id='m'><jid-malformed");
        alice.send("<iq to='@localhost' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
        alice.expect("<iq type='error' id='i'><jid-malformed");
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn a_message_to_oneself_reaches_ones_own_devices_once() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone", 0);
        let mut desk = online(server, "alice", "desk", 0);
        settle(&mut [&mut phone, &mut desk]);
        for to in ["to='alice@localhost'", ""] {
            phone.send(&format!("<message {to} type='chat' id='note'><body>note</body></message>"));
            phone.expect("<message from='alice@localhost/phone' id='note'><body>note</body>");
            desk.expect("<message from='alice@localhost/phone' id='note'><body>note</body>");
        }
        phone.send("<message to='alice@localhost/desk' type='chat' id='own'><body>own</body></message>");
        desk.expect("<message id='own'><body>own</body>");
        phone.expect_nothing_before_ping();
    });
}

#[test]
fn a_spoofed_sender_is_replaced_and_an_impossible_one_ends_the_stream() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk", 0);
        for from in ["carol@localhost/desk", "alice@localhost", "alice@localhost/other", "localhost"] {
            alice.send(&format!("<message from='{from}' to='bob@localhost' id='s'><body>it is me</body></message>"));
            bob.expect("<message from='alice@localhost/phone' id='s'><body>it is me</body>");
        }
        alice.send("<message from='a@b@c' to='bob@localhost'><body>it is me</body></message>");
        alice.expect_stream_error("invalid-from");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_request_is_checked_before_it_is_answered() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        alice.send(&format!("<iq type='set' to='localhost' id='1'>{ping}{ping}</iq>"));
        alice.expect("<iq type='error' id='1'><bad-request");
        alice.send("<iq type='get' to='localhost' id='2'/>");
        alice.expect("<iq type='error' id='2'><bad-request");
        alice.send(&format!("<iq type='get' to='localhost'>{ping}</iq>"));
        alice.expect("<iq type='error'><bad-request");
        for kind in ["type='ask'", ""] {
            alice.send(&format!("<iq {kind} to='localhost' id='3'>{ping}</iq>"));
            alice.expect("<iq type='error' id='3'><bad-request");
        }
        // A ping is got, not set; and what nobody knows is not there.
        alice.send(&format!("<iq type='set' to='localhost' id='4'>{ping}</iq>"));
        alice.expect("<iq type='error' id='4' from='localhost'><service-unavailable");
        // Answers that nobody asked for vanish, malformed ones too.
        for answer in [
            "<iq type='result' to='localhost' id='none'/>",
            "<iq type='result' to='bob@localhost' id='none'/>",
            "<iq type='result' id='server-ping-77'/>",
            "<iq type='error' to='localhost' id='none'/>",
        ] {
            alice.send(answer);
        }
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn requests_to_an_account_are_answered_in_their_order() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk", 0);
        for number in 0..20 {
            alice.send(&format!(
                "<message to='bob@localhost' id='m{number}'><body>{number}</body></message>\
                 <iq to='bob@localhost' type='get' id='i{number}'><vCard xmlns='vcard-temp'/></iq>"
            ));
        }
        for number in 0..20 {
            alice.expect(&format!("<iq type='error' from='bob@localhost' id='i{number}'><service-unavailable"));
            bob.expect(&format!("<message id='m{number}'>"));
        }
    });
}

#[test]
fn the_host_tells_what_it_is_and_that_it_is_there() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        alice.send("<iq type='get' to='localhost' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
        let pong = alice.expect("<iq type='result' from='localhost' to='alice@localhost/phone' id='p'");
        assert!(!pong.contains("<ping"), "an answer to a ping is empty: {pong}");
        alice.send("<iq type='get' to='localhost' id='v'><query xmlns='jabber:iq:version'/></iq>");
        let version = alice.expect("<iq type='result' id='v'");
        assert_eq!(version.text_of("name").unwrap(), "metronome");
        assert!(!version.text_of("version").unwrap().is_empty());
        alice.send("<iq type='get' to='localhost' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        let info = alice.expect("<iq type='result' id='d'><identity");
        assert_eq!(info.attribute_of("identity", "category").unwrap(), "server");
        for var in ["http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "jabber:iq:version"] {
            assert!(info.contains(&format!("var='{var}'")), "{var} is announced: {info}");
        }
        alice.send(
            "<iq type='get' to='localhost' id='n'><query xmlns='http://jabber.org/protocol/disco#info' node='x'/></iq>",
        );
        alice.expect("<iq type='error' id='n'><item-not-found");
        alice.send("<iq type='get' id='a'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
        let own = alice.expect("<iq type='result' id='a'><identity");
        assert_eq!(own.attribute_of("identity", "category").unwrap(), "account");
        assert!(own.contains("var='urn:xmpp:sid:0'"), "{own}");
    });
}

#[test]
fn every_stored_message_tells_its_archive_id_and_nobody_else_may() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk", 0);
        let mut last = 0;
        for number in 0..5 {
            alice.send(
                "<message to='bob@localhost' type='chat' id='m'><body>words</body>\
                 <stanza-id xmlns='urn:xmpp:sid:0' by='bob@localhost' id='evil'/>\
                 <stanza-id xmlns='urn:xmpp:sid:0' by='localhost' id='evil'/>\
                 <stanza-id xmlns='urn:xmpp:sid:0' by='carol@localhost' id='evil'/>\
                 <stanza-id xmlns='urn:xmpp:sid:0' by='room@elsewhere.example' id='kept'/>\
                 <origin-id xmlns='urn:xmpp:sid:0' id='mine'/></message>",
            );
            let seen = bob.expect("<message id='m'><body>words</body>");
            assert!(!seen.contains("evil") && seen.contains("id='kept'") && seen.contains("id='mine'"), "{seen}");
            assert_eq!(seen.matches("by='bob@localhost'").count(), 1, "{seen}");
            let id = seen.split("by='bob@localhost'").nth(1).and_then(|rest| rest.split('\'').nth(1)).unwrap();
            let id: u64 = id.parse().unwrap();
            assert!(number == 0 || id > last, "ids grow: {id} after {last}");
            last = id;
        }
    });
}

#[test]
fn a_message_without_a_language_has_that_of_its_stream() {
    on_both_stores(|server| {
        let mut bob = online(server, "bob", "desk", 0);
        let mut alice = Client::direct_tls(server);
        alice.open();
        assert!(alice.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
        alice.send(&Client::header("localhost").replace("version='1.0'>", "version='1.0' xml:lang='de'>"));
        alice.expect("<stream:stream");
        alice.expect("<stream:features");
        alice.bind("phone");
        alice.send("<message to='bob@localhost' id='1'><body>Hallo</body></message>");
        bob.expect("<message id='1' xml:lang='de'>");
        alice.send("<message to='bob@localhost' id='2' xml:lang='fr'><body>Salut</body></message>");
        bob.expect("<message id='2' xml:lang='fr'>");
    });
}

#[test]
fn ones_own_devices_see_each_other_come_and_go() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone", 0);
        let mut desk = Client::login(server, "alice", "desk");
        desk.send("<presence><show>dnd</show><priority>3</priority></presence>");
        desk.expect_all(&[
            "<presence from='alice@localhost/phone'",
            "<presence from='alice@localhost/desk'><show>dnd</show>",
        ]);
        phone.expect("<presence from='alice@localhost/desk' to='alice@localhost'><show>dnd</show>");
        desk.send("<presence type='unavailable'><status>bye</status></presence>");
        phone.expect("<presence type='unavailable' from='alice@localhost/desk'><status>bye</status>");
        desk.expect_nothing_before_ping();
        desk.send("<presence/>");
        phone.expect("<presence from='alice@localhost/desk'");
        // A graceful close, a lost connection and a replaced session all tell.
        desk.close();
        phone.expect("<presence type='unavailable' from='alice@localhost/desk'");
        let tablet = online(server, "alice", "tablet", 0);
        phone.expect("<presence from='alice@localhost/tablet'");
        tablet.drop_connection();
        phone.expect("<presence type='unavailable' from='alice@localhost/tablet'");
        let mut older = online(server, "alice", "car", 0);
        phone.expect("<presence from='alice@localhost/car'");
        let mut newer = Client::login(server, "alice", "car");
        phone.expect("<presence type='unavailable' from='alice@localhost/car'");
        older.expect("<presence from='alice@localhost/phone'");
        older.expect_stream_error("conflict");
        newer.expect_nothing_before_ping();
        phone.expect_nothing_before_ping();
        // Nobody else is shown any of it.
        let mut bob = online(server, "bob", "desk", 0);
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_priority_out_of_range_is_a_bad_request() {
    let server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    for priority in ["128", "-129", "high", ""] {
        alice.send(&format!("<presence id='p'><priority>{priority}</priority></presence>"));
        alice.expect("<presence type='error' id='p'><bad-request");
    }
    alice.send("<presence id='p' type='maybe'/>");
    alice.expect("<presence type='error' id='p'><bad-request");
    alice.send("<message to='alice@localhost' id='m'><body>not available yet</body></message>");
    alice.expect_nothing_before_ping();
}
