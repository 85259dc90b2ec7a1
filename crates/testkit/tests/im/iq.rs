//! Sections 8.2.3 of RFC 6120 and 8.5 of RFC 6121 for iqs: requests and answers between clients, and what the server answers.

use metronome_testkit::{Client, Seen, on_both_stores};

use crate::{befriend, interested, online, pass, quiet, say, subscribe};

const VERSION: &str = "<query xmlns='jabber:iq:version'/>";

fn iq(kind: &str, to: &str, id: &str, payload: &str) -> String {
    format!("<iq type='{kind}' to='{to}' id='{id}'>{payload}</iq>")
}

/// Alice and bob, who see each other.
fn friends(server: &metronome_testkit::Server) -> (Client, Client) {
    let mut alice = online(server, "alice", "phone");
    let mut bob = online(server, "bob", "desk");
    befriend(&mut alice, &mut bob);
    pass(&mut [&mut alice, &mut bob]);
    (alice, bob)
}

#[test]
fn section_8_5_3_1_a_request_to_a_full_address_is_relayed_and_its_answer_comes_back() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        alice.send(&iq("get", "bob@localhost/desk", "q1", VERSION));
        let asked = bob.expect("<iq type='get' from='alice@localhost/phone' to='bob@localhost/desk' id='q1'>");
        assert!(asked.contains("<query xmlns='jabber:iq:version'"), "{asked}");
        bob.send(&iq(
            "result",
            "alice@localhost/phone",
            "q1",
            "<query xmlns='jabber:iq:version'><name>bob &amp; co</name><version>1</version></query>",
        ));
        let answer = alice.expect("<iq type='result' from='bob@localhost/desk' to='alice@localhost/phone' id='q1'>");
        assert_eq!(answer.text_of("name").unwrap(), "bob & co");
        // A set with an error, this time the other way round, with odd ids.
        bob.send(&iq("set", "alice@localhost/phone", "&apos;&quot;&lt;", "<do xmlns='urn:example:do' what='&lt;'/>"));
        let asked = alice.expect("<iq type='set' from='bob@localhost/desk' to='alice@localhost/phone'>");
        assert_eq!(asked.attribute("id").unwrap(), "'\"<");
        alice.send(
            "<iq type='error' to='bob@localhost/desk' id='&apos;&quot;&lt;'><do xmlns='urn:example:do'/><error type='cancel'>\
             <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><mine xmlns='urn:example:mine'/></error></iq>",
        );
        let error = bob.expect("<iq type='error' from='alice@localhost/phone' to='bob@localhost/desk'><not-allowed");
        assert!(error.contains("<mine xmlns='urn:example:mine'"), "{error}");
        quiet(&mut [&mut alice, &mut bob]);
    });
}

#[test]
fn section_8_5_3_1_even_what_the_server_knows_is_the_clients_to_answer_at_a_full_address() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        for payload in [
            "<ping xmlns='urn:xmpp:ping'/>",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
            "<query xmlns='jabber:iq:roster'/>",
            "<vCard xmlns='vcard-temp'/>",
            "<query xmlns='jabber:iq:last'/>",
        ] {
            alice.send(&iq("get", "bob@localhost/desk", "q", payload));
            bob.expect("<iq type='get' from='alice@localhost/phone' to='bob@localhost/desk' id='q'>");
            bob.send(&iq("result", "alice@localhost/phone", "q", "<mine xmlns='urn:example:mine'/>"));
            alice.expect("<iq type='result' from='bob@localhost/desk' id='q'><mine");
        }
    });
}

#[test]
fn section_8_5_3_1_requests_and_answers_keep_their_order() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        for number in 0..50 {
            alice.send(&iq("get", "bob@localhost/desk", &format!("q{number}"), VERSION));
            if number % 10 == 0 {
                alice.send(&format!("<message to='bob@localhost/desk' id='m{number}'><body>{number}</body></message>"));
            }
        }
        for number in 0..50 {
            bob.expect(&format!("<iq type='get' id='q{number}'"));
            bob.send(&iq("result", "alice@localhost/phone", &format!("q{number}"), ""));
            if number % 10 == 0 {
                bob.expect(&format!("<message id='m{number}'>"));
            }
        }
        for number in 0..50 {
            alice.expect(&format!("<iq type='result' from='bob@localhost/desk' id='q{number}'"));
        }
    });
}

#[test]
fn section_8_5_3_1_a_request_to_another_resource_of_ones_own() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = online(server, "alice", "desk");
        pass(&mut [&mut phone, &mut desk]);
        phone.send(&iq("get", "alice@localhost/desk", "own", VERSION));
        desk.expect("<iq type='get' from='alice@localhost/phone' to='alice@localhost/desk' id='own'");
        desk.send(&iq("result", "alice@localhost/phone", "own", ""));
        phone.expect("<iq type='result' from='alice@localhost/desk' id='own'");
        // And to itself.
        phone.send(&iq("get", "alice@localhost/phone", "self", VERSION));
        phone.expect("<iq type='get' from='alice@localhost/phone' to='alice@localhost/phone' id='self'");
        phone.send(&iq("result", "alice@localhost/phone", "self", ""));
        phone.expect("<iq type='result' from='alice@localhost/phone' id='self'");
        quiet(&mut [&mut phone, &mut desk]);
    });
}

#[test]
fn section_8_5_3_1_directed_presence_lets_a_stranger_ask() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        bob.send("<presence to='alice@localhost/phone'/>");
        alice.expect("<presence from='bob@localhost/desk'");
        alice.send(&iq("get", "bob@localhost/desk", "q", VERSION));
        bob.expect("<iq type='get' from='alice@localhost/phone' id='q'");
        bob.send(&iq("result", "alice@localhost/phone", "q", ""));
        alice.expect("<iq type='result' from='bob@localhost/desk' id='q'");
    });
}

#[test]
fn section_8_5_3_1_a_request_needs_that_the_one_who_is_asked_shows_their_presence() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        // Alice sees bob: she may ask him, and he may not ask her.
        subscribe(&mut alice, &mut bob);
        alice.send(&iq("get", "bob@localhost/desk", "q", VERSION));
        bob.expect("<iq type='get' from='alice@localhost/phone' id='q'");
        // He may answer, though.
        bob.send(&iq("result", "alice@localhost/phone", "q", ""));
        alice.expect("<iq type='result' from='bob@localhost/desk' id='q'");
        bob.send(&iq("get", "alice@localhost/phone", "q", VERSION));
        bob.expect("<iq type='error' from='alice@localhost/phone' id='q'><service-unavailable");
        alice.expect_nothing_before_ping();
        // With the subscription and with directed presence the right ends.
        say(&mut bob, "unsubscribed", "alice@localhost");
        pass(&mut [&mut alice, &mut bob]);
        alice.send(&iq("get", "bob@localhost/desk", "q", VERSION));
        alice.expect("<iq type='error' from='bob@localhost/desk' id='q'><service-unavailable");
        bob.send("<presence to='alice@localhost'/>");
        alice.expect("<presence from='bob@localhost/desk'");
        alice.send(&iq("get", "bob@localhost/desk", "q", VERSION));
        bob.expect("<iq type='get' from='alice@localhost/phone' id='q'");
        bob.send("<presence type='unavailable' to='alice@localhost'/>");
        alice.expect("<presence type='unavailable' from='bob@localhost/desk'");
        alice.send(&iq("get", "bob@localhost/desk", "q", VERSION));
        alice.expect("<iq type='error' from='bob@localhost/desk' id='q'><service-unavailable");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_5_3_1_a_stranger_cannot_find_out_who_is_there_by_asking() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut ask = |to: &str| {
            alice.send(&iq("get", to, "q", VERSION));
            let answer = alice.expect(&format!("<iq type='error' from='{to}' id='q'><service-unavailable"));
            answer.replace(to, "*")
        };
        let there = ask("bob@localhost/desk");
        assert_eq!(there, ask("bob@localhost/gone"));
        assert_eq!(there, ask("nobody@localhost/desk"));
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_5_3_2_3_a_request_to_a_resource_that_is_gone_is_refused() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        for (kind, to) in [
            ("get", "bob@localhost/gone"),
            ("set", "bob@localhost/gone"),
            ("get", "carol@localhost/desk"),
            ("get", "nobody@localhost/desk"),
            ("set", "nobody@localhost/desk"),
        ] {
            alice.send(&iq(kind, to, "q", VERSION));
            alice.expect(&format!(
                "<iq type='error' from='{to}' to='alice@localhost/phone' id='q'><service-unavailable"
            ));
        }
        // Answers are never answered.
        for kind in ["result", "error"] {
            for to in ["bob@localhost/gone", "nobody@localhost/desk", "carol@localhost/desk"] {
                alice.send(&iq(kind, to, "q", ""));
            }
        }
        alice.settle("bob@localhost");
        quiet(&mut [&mut alice, &mut bob]);
    });
}

#[test]
fn section_8_5_3_who_asks_and_leaves_gets_no_answer_and_nobody_else_does() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        let mut desk = online(server, "alice", "desk");
        pass(&mut [&mut alice, &mut bob, &mut desk]);
        alice.send(&iq("get", "bob@localhost/desk", "q", VERSION));
        bob.expect("<iq type='get' id='q'");
        alice.drop_connection();
        bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
        bob.send(&iq("result", "alice@localhost/phone", "q", VERSION));
        bob.settle("alice@localhost");
        desk.expect("<presence type='unavailable' from='alice@localhost/phone'");
        quiet(&mut [&mut bob, &mut desk]);
        // Nor does a new session with the same address, unless the answer comes when it is there: it can tell by the id.
        let mut again = interested(server, "alice", "phone");
        again.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_5_2_requests_to_a_bare_address_are_the_servers_to_answer() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        for (kind, payload) in [
            ("get", VERSION),
            ("set", VERSION),
            ("get", "<unknown xmlns='urn:example:unknown'/>"),
            ("set", "<unknown xmlns='urn:example:unknown'/>"),
        ] {
            for to in ["bob@localhost", "carol@localhost", "nobody@localhost"] {
                alice.send(&iq(kind, to, "q", payload));
                alice.expect(&format!(
                    "<iq type='error' from='{to}' to='alice@localhost/phone' id='q'><service-unavailable"
                ));
            }
        }
        // Whatever the server answers in bob's name, his clients do not hear of it.
        alice.send(&iq("get", "bob@localhost", "d", "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
        alice.expect("<iq from='bob@localhost' to='alice@localhost/phone' id='d'");
        for kind in ["result", "error"] {
            alice.send(&iq(kind, "bob@localhost", "q", ""));
            alice.send(&iq(kind, "nobody@localhost", "q", ""));
        }
        alice.settle("bob@localhost");
        quiet(&mut [&mut alice, &mut bob]);
    });
}

#[test]
fn section_8_4_answers_that_nobody_asked_for_are_believed_by_nobody() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        for to in ["", "to='localhost'", "to='alice@localhost'", "to='bob@localhost'"] {
            for answer in ["type='result'", "type='error'"] {
                alice.send(&format!("<iq {answer} {to} id='roster'><query xmlns='jabber:iq:roster'/></iq>"));
            }
        }
        alice.settle("bob@localhost");
        quiet(&mut [&mut alice, &mut bob]);
        // To a client it is a client's: it comes with the name of who sent it, and with nobody else's.
        alice.send(
            "<iq type='result' from='localhost' to='bob@localhost/desk' id='roster'><query xmlns='jabber:iq:roster'/></iq>",
        );
        alice.settle("bob@localhost");
        let came: Vec<Seen> = bob.so_far();
        assert!(
            came.iter().all(|seen| seen.fits("<iq type='result' from='alice@localhost/phone' id='roster'")),
            "{came:?}"
        );
        assert!(bob.roster().items.len() == 1);
    });
}

#[test]
fn section_8_2_3_a_request_needs_an_id_a_type_and_one_payload_wherever_it_goes() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = friends(server);
        for to in ["bob@localhost/desk", "bob@localhost", "localhost", "alice@localhost", "nobody@localhost/x"] {
            alice.send(&format!("<iq type='get' to='{to}'>{VERSION}</iq>"));
            alice.expect("<iq type='error'><bad-request");
            alice.send(&format!("<iq to='{to}' id='q'>{VERSION}</iq>"));
            alice.expect("<iq type='error' id='q'><bad-request");
            alice.send(&format!("<iq type='ask' to='{to}' id='q'>{VERSION}</iq>"));
            alice.expect("<iq type='error' id='q'><bad-request");
            alice.send(&format!("<iq type='get' to='{to}' id='q'/>"));
            alice.expect("<iq type='error' id='q'><bad-request");
            alice.send(&format!("<iq type='get' to='{to}' id='q'>{VERSION}{VERSION}</iq>"));
            alice.expect("<iq type='error' id='q'><bad-request");
            // Malformed answers are not answered.
            alice.send(&format!("<iq type='result' to='{to}'/>"));
            alice.send(&format!("<iq type='error' to='{to}'/>"));
        }
        alice.settle("bob@localhost");
        alice.expect_nothing_before_ping();
        let came = bob.so_far();
        assert!(came.iter().all(|seen| !seen.fits("<iq type='get'") && !seen.fits("<iq type='set'")), "{came:?}");
    });
}

#[test]
fn section_8_1_a_request_without_an_address_is_for_ones_own_account() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        for to in ["", "to='alice@localhost'"] {
            alice.send(&format!("<iq type='get' {to} id='q'><unknown xmlns='urn:example:unknown'/></iq>"));
            alice.expect("<iq type='error' id='q' to='alice@localhost/phone'><service-unavailable");
            alice.send(&format!("<iq type='get' {to} id='r'><query xmlns='jabber:iq:roster'/></iq>"));
            alice.expect("<iq type='result' id='r'><query xmlns='jabber:iq:roster'");
        }
        alice.expect_nothing_before_ping();
    });
}
