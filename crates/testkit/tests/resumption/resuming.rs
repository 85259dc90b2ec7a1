//! Section 5: another connection takes the place of one that was lost.

use metronome_testkit::{Client, on_both_stores, on_both_stores_with};

use crate::{befriend, bodies, chat, ends_with, managed, next, quiet};

// XEP-0198 example 4
// XEP-0198 example 8
// XEP-0198 example 9
// XEP-0198 example 12
// XEP-0198 example 13
#[test]
fn what_was_not_acknowledged_comes_again_in_its_order_and_then_what_came_meanwhile() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, previd) = managed(server, "alice", "phone");
        for number in 0..4 {
            bob.send(&chat("alice@localhost", number));
            // Not stored, so it is kept as it is.
            bob.send(&format!("<message to='{}' type='headline'><body>h{number}</body></message>", alice.jid()));
        }
        let all = ["0", "h0", "1", "h1", "2", "h2", "3", "h3"];
        assert_eq!(bodies(&mut alice, 8), all);
        alice.drop_connection();
        bob.send(&chat("alice@localhost", 4));
        bob.send("<message to='alice@localhost/phone' type='headline'><body>h4</body></message>");
        bob.settle("alice@localhost");
        // Its presence and three messages were had.
        let (mut alice, handled) = Client::resume(server, "alice", &previd, 4);
        assert_eq!(handled, 1);
        let mut came = bodies(&mut alice, 7);
        assert_eq!(came[..5], all[3..]);
        came[5..].sort();
        assert_eq!(came[5..], ["4", "h4"]);
        bob.send(&chat("alice@localhost", 5));
        assert_eq!(bodies(&mut alice, 1), ["5"]);
        // The numbers go on where they were: presence, ten messages and one more.
        alice.acknowledge(12);
        alice.send(&chat("bob@localhost", "back"));
        assert_eq!(alice.handled().0, 2);
        alice.send("<a xmlns='urn:xmpp:sm:3' h='13'/>");
        ends_with(&mut alice, "undefined-condition");
    });
}

#[test]
fn nobody_sees_a_session_go_that_comes_back() {
    on_both_stores(|server| {
        befriend(server);
        let mut bob = Client::login(server, "bob", "desk");
        let (alice, previd) = managed(server, "alice", "phone");
        bob.send("<presence/>");
        bob.wait_for("<presence from='alice@localhost/phone'");
        alice.drop_connection();
        // A request to her waits for her.
        bob.send("<iq type='get' id='v' to='alice@localhost/phone'><query xmlns='jabber:iq:version'/></iq>");
        let (mut alice, _) = Client::resume(server, "alice", &previd, 1);
        alice.wait_for("<iq type='get' id='v'");
        alice.send("<iq type='result' id='v' to='bob@localhost/desk'/>");
        for seen in bob.settle("alice@localhost") {
            assert!(!seen.fits("<presence type='unavailable'"), "{seen}");
        }
        alice.close();
        bob.wait_for("<presence type='unavailable' from='alice@localhost/phone'");
    });
}

// XEP-0198 example 14
#[test]
fn a_session_that_nobody_comes_for_ends_and_its_messages_go_to_the_next() {
    on_both_stores_with("stream_management.resume = \"1 s\"", |server| {
        befriend(server);
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, previd) = managed(server, "alice", "phone");
        bob.send("<presence/>");
        bob.wait_for("<presence from='alice@localhost/phone'");
        bob.send(&chat("alice@localhost", "unheard"));
        alice.wait_for("<message");
        alice.drop_connection();
        bob.wait_for("<presence type='unavailable' from='alice@localhost/phone'");
        let mut alice = Client::direct_tls(server);
        alice.authenticate("alice");
        alice.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='1'/>"));
        // It hears how many of its stanzas were handled before the session ended: its presence.
        alice.expect("<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found");
        // On the same stream it may bind a resource (section 5).
        alice.bind("phone");
        alice.available();
        alice.wait_for("<message");
    });
}

// XEP-0198 example 15
#[test]
fn a_stream_is_resumed_while_its_connection_lives_and_again_and_again() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, previd) = managed(server, "alice", "phone");
        for number in 0..3 {
            bob.send(&chat("alice@localhost", number));
            let (mut next, handled) = Client::resume(server, "alice", &previd, 1 + number);
            assert_eq!(handled, 1);
            assert_eq!(bodies(&mut next, 1), [number.to_string()]);
            alice.wait_for("<stream:error><conflict");
            alice = next;
        }
        quiet(&mut alice);
    });
}

#[test]
fn an_orderly_end_is_the_end() {
    on_both_stores(|server| {
        befriend(server);
        let mut bob = Client::login(server, "bob", "desk");
        let (alice, previd) = managed(server, "alice", "phone");
        bob.send("<presence/>");
        bob.wait_for("<presence from='alice@localhost/phone'");
        alice.close();
        bob.wait_for("<presence type='unavailable' from='alice@localhost/phone'");
        let mut alice = Client::direct_tls(server);
        alice.authenticate("alice");
        alice.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='1'/>"));
        alice.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
    });
}

#[test]
fn what_was_sent_before_the_loss_is_handled_and_told() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let (mut alice, previd) = managed(server, "alice", "phone");
        for number in 0..40 {
            alice.send(&chat("bob@localhost", number));
        }
        alice.drop_connection();
        let (mut alice, handled) = Client::resume(server, "alice", &previd, 1);
        // She sends again what is not handled, as clients do.
        for number in (handled - 1)..40 {
            alice.send(&chat("bob@localhost", number));
        }
        let expected: Vec<_> = (0..40).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&mut bob, 40), expected, "each once and in its order");
        bob.expect_nothing_before_ping();
        assert_eq!(alice.handled().0, 41);
    });
}

#[test]
fn two_thousand_messages_wait_for_a_stream() {
    const COUNT: usize = 2000;
    on_both_stores_with("limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"", |server| {
        let mut bob = Client::login(server, "bob", "desk");
        let (alice, previd) = managed(server, "alice", "phone");
        alice.drop_connection();
        let text = "x".repeat(1000);
        for number in 0..COUNT {
            bob.send(&format!("<message to='alice@localhost' type='chat'><body>{number} {text}</body></message>"));
        }
        bob.settle("alice@localhost");
        let (mut alice, _) = Client::resume(server, "alice", &previd, 1);
        for number in 0..COUNT {
            let seen = next(&mut alice);
            assert!(seen.text_of("body").unwrap().starts_with(&format!("{number} ")), "{number}: {seen}");
            if number % 500 == 0 {
                alice.acknowledge(2 + number as u32);
            }
        }
        quiet(&mut alice);
    });
}

#[test]
fn a_connection_that_is_lost_before_its_answers_were_read_loses_and_doubles_nothing() {
    const ASKED: usize = 120;
    on_both_stores_with("limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"", |server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let (mut alice, previd) = managed(server, "alice", "phone");
        let card = format!("<vCard xmlns='vcard-temp'><NOTE>{}</NOTE></vCard>", "x".repeat(60_000));
        alice.send(&format!("<iq type='set' id='set'>{card}</iq>"));
        alice.wait_for("<iq type='result' id='set'");
        // A request whose answer nobody reads, a message, and a ping that waits for nothing.
        let stanzas: Vec<String> = (0..ASKED)
            .flat_map(|number| {
                [
                    format!("<iq type='get' id='card-{number}'><vCard xmlns='vcard-temp'/></iq>"),
                    chat("bob@localhost", number),
                    format!("<iq type='get' id='ping-{number}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"),
                ]
            })
            .collect();
        // It may be that not all of them are taken before the connection is lost.
        let _ = alice.try_send(stanzas.concat().as_bytes());
        alice.drop_connection();
        // Before: its presence and the card.
        let (mut alice, handled) = Client::resume(server, "alice", &previd, 2);
        let again = &stanzas[handled as usize - 2..];
        let mut answers = Vec::new();
        for stanza in again {
            alice.send(stanza);
        }
        while answers.len() < 2 * ASKED {
            let seen = next(&mut alice);
            assert!(seen.fits("<iq type='result'"), "{seen}");
            answers.push(seen.attribute("id").unwrap());
        }
        let mut expected: Vec<_> =
            (0..ASKED).flat_map(|number| [format!("card-{number}"), format!("ping-{number}")]).collect();
        answers.sort();
        expected.sort();
        assert_eq!(answers, expected);
        let expected: Vec<_> = (0..ASKED).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&mut bob, ASKED), expected);
        bob.expect_nothing_before_ping();
        // Acknowledgements that nobody asked for come before the last.
        assert!((0..ASKED).any(|_| alice.handled().0 as usize == 2 + 3 * ASKED));
    });
}
