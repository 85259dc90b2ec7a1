//! Sections 5 and 8.5 for messages: every type to every kind of address.

use metronome_testkit::{Client, Seen, on_both_stores};

use crate::{befriend, interested, online, online_at, pass, quiet};

const ERROR: &str = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

/// A message of this type with an id and a body to the same effect; an error has an error in it as well.
fn message(kind: &str, to: &str, id: &str) -> String {
    let error = if kind == "error" { ERROR } else { "" };
    format!("<message type='{kind}' to='{to}' id='{id}'><body>{id}</body>{error}</message>")
}

/// Sends it and waits until it is settled; answers what came back.
fn send(alice: &mut Client, kind: &str, to: &str, id: &str) -> Vec<Seen> {
    alice.send(&message(kind, to, id));
    alice.settle(to)
}

/// Demands the error that says that nobody was there to take it.
#[track_caller]
fn refused(back: &[Seen], to: &str, id: &str) {
    let [error] = back else { panic!("one error was expected: {back:?}") };
    let pattern = format!(
        "<message type='error' from='{to}' to='alice@localhost/phone' id='{id}'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
    );
    assert!(error.fits(&pattern), "{error}");
}

#[test]
fn section_5_2_a_message_arrives_as_it_was_sent() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        alice.send(
            "<message to='bob@localhost/desk' type='chat' id='m1' xml:lang='en'><subject>S</subject>\
             <subject xml:lang='cs'>P</subject><body>I implore thee &amp; &lt;you&gt;</body>\
             <body xml:lang='cs'>prosim</body><thread parent='t0'>t1</thread>\
             <x xmlns='urn:example:x'><y xmlns='urn:example:y' a='b'/></x></message>",
        );
        let seen = bob.expect(
            "<message from='alice@localhost/phone' to='bob@localhost/desk' type='chat' id='m1' xml:lang='en'>\
             <subject>S</subject>",
        );
        for part in [
            "<subject xml:lang='cs'>P</subject>",
            "<body>I implore thee &amp; &lt;you&gt;</body>",
            "<body xml:lang='cs'>prosim</body>",
            "<thread parent='t0'>t1</thread>",
            "<y xmlns='urn:example:y' a='b'",
        ] {
            assert!(seen.contains(part), "{part} in {seen}");
        }
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_5_2_2_no_type_and_an_unknown_one_mean_normal() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        for kind in ["", "type='normal'", "type='nonsense'", "type=''"] {
            alice.send(&format!("<message {kind} to='bob@localhost' id='n'><body>words</body></message>"));
            let seen = bob.expect("<message from='alice@localhost/phone' to='bob@localhost' id='n'><body>words</body>");
            assert!(seen.attribute("type").is_none_or(|kind| kind == "normal"), "{seen}");
        }
    });
}

#[test]
fn section_8_5_1_messages_to_no_account_come_back_as_from_one_that_takes_none() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        for to in ["nobody@localhost", "nobody@localhost/desk"] {
            for kind in ["chat", "normal", "groupchat"] {
                refused(&send(&mut alice, kind, to, kind), to, kind);
            }
            let back = send(&mut alice, "headline", to, "headline");
            assert!(back.iter().all(|seen| seen.fits("<message type='error'><service-unavailable")), "{back:?}");
            assert_eq!(send(&mut alice, "error", to, "error").len(), 0, "an error is never answered");
        }
    });
}

#[test]
fn section_8_5_2_1_1_chat_and_normal_to_a_bare_address_reach_the_highest_priority() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut one = online_at(server, "bob", "one", 5);
        let mut other = online_at(server, "bob", "other", 5);
        let mut low = online_at(server, "bob", "low", 4);
        let mut negative = online_at(server, "bob", "negative", -1);
        let mut connected = interested(server, "bob", "connected");
        pass(&mut [&mut one, &mut other, &mut low, &mut negative]);
        for kind in ["chat", "normal"] {
            assert_eq!(send(&mut alice, kind, "bob@localhost", kind).len(), 0);
            for bob in [&mut one, &mut other] {
                // The address stays what it was.
                bob.expect(&format!("<message to='bob@localhost' id='{kind}'><body>{kind}</body>"));
            }
            quiet(&mut [&mut low, &mut negative, &mut connected]);
        }
    });
}

#[test]
fn section_8_5_2_1_1_a_headline_to_a_bare_address_reaches_all_who_are_not_negative() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut high = online_at(server, "bob", "high", 5);
        let mut low = online_at(server, "bob", "low", 0);
        let mut negative = online_at(server, "bob", "negative", -1);
        let mut connected = interested(server, "bob", "connected");
        pass(&mut [&mut high, &mut low, &mut negative]);
        assert_eq!(send(&mut alice, "headline", "bob@localhost", "h").len(), 0);
        for bob in [&mut high, &mut low] {
            bob.expect("<message type='headline' to='bob@localhost' id='h'><body>h</body>");
        }
        quiet(&mut [&mut negative, &mut connected]);
        // With nobody else there it vanishes.
        high.close();
        low.close();
        negative.so_far();
        assert_eq!(send(&mut alice, "headline", "bob@localhost", "h").len(), 0);
        quiet(&mut [&mut negative, &mut connected]);
    });
}

#[test]
fn section_8_5_2_1_1_groupchat_and_errors_to_a_bare_address_reach_nobody() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        refused(&send(&mut alice, "groupchat", "bob@localhost", "g"), "bob@localhost", "g");
        assert_eq!(send(&mut alice, "error", "bob@localhost", "e").len(), 0);
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_5_2_2_1_with_nobody_there_chat_and_normal_wait_and_the_rest_is_as_it_would_be() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        for kind in ["chat", "normal"] {
            assert_eq!(send(&mut alice, kind, "bob@localhost", kind).len(), 0);
        }
        refused(&send(&mut alice, "groupchat", "bob@localhost", "g"), "bob@localhost", "g");
        assert_eq!(send(&mut alice, "headline", "bob@localhost", "h").len(), 0);
        assert_eq!(send(&mut alice, "error", "bob@localhost", "e").len(), 0);
        // Connected is not there, and below zero is not either.
        let mut bob = interested(server, "bob", "desk");
        assert_eq!(send(&mut alice, "chat", "bob@localhost", "more").len(), 0);
        bob.send("<presence><priority>-1</priority></presence>");
        bob.expect_so_far(&["<presence from='bob@localhost/desk'"]);
        assert_eq!(send(&mut alice, "chat", "bob@localhost", "last").len(), 0);
        bob.expect_nothing_before_ping();
        bob.send("<presence/>");
        bob.expect("<presence from='bob@localhost/desk'");
        for id in ["chat", "normal", "more", "last"] {
            bob.expect(&format!("<message to='bob@localhost' id='{id}'><body>{id}</body>"));
        }
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_5_3_1_every_type_to_a_connected_full_address_reaches_that_resource() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut high = online_at(server, "bob", "high", 5);
        let mut negative = online_at(server, "bob", "negative", -1);
        let mut connected = interested(server, "bob", "connected");
        pass(&mut [&mut high, &mut negative]);
        for (bob, resource) in [(&mut negative, "negative"), (&mut connected, "connected")] {
            let to = format!("bob@localhost/{resource}");
            for kind in ["chat", "normal", "headline", "groupchat", "error"] {
                assert_eq!(send(&mut alice, kind, &to, kind).len(), 0, "{kind} to {to}");
                bob.expect(&format!("<message from='alice@localhost/phone' to='{to}' id='{kind}'><body>{kind}</body>"));
            }
        }
        quiet(&mut [&mut high, &mut negative, &mut connected]);
    });
}

#[test]
fn section_8_5_3_2_1_a_message_to_a_resource_that_is_gone() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut high = online_at(server, "bob", "high", 5);
        let mut low = online_at(server, "bob", "low", 0);
        pass(&mut [&mut high, &mut low]);
        let to = "bob@localhost/gone";
        // A conversation goes on with the account.
        for kind in ["chat", "normal"] {
            assert_eq!(send(&mut alice, kind, to, kind).len(), 0);
            high.expect(&format!("<message to='{to}' id='{kind}'><body>{kind}</body>"));
        }
        refused(&send(&mut alice, "groupchat", to, "g"), to, "g");
        let back = send(&mut alice, "headline", to, "h");
        assert!(back.iter().all(|seen| seen.fits("<message type='error'")), "{back:?}");
        assert_eq!(send(&mut alice, "error", to, "e").len(), 0);
        quiet(&mut [&mut high, &mut low]);
        // With nobody there it waits.
        high.close();
        low.close();
        assert_eq!(send(&mut alice, "chat", to, "later").len(), 0);
        refused(&send(&mut alice, "groupchat", to, "g"), to, "g");
        let mut bob = interested(server, "bob", "desk");
        bob.send("<presence/>");
        bob.wait_for(&format!("<message to='{to}' id='later'><body>later</body>"));
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_1_a_message_without_an_address_is_for_ones_own_account() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = online(server, "alice", "desk");
        pass(&mut [&mut phone, &mut desk]);
        phone.send("<message id='note' type='chat'><body>note</body></message>");
        for alice in [&mut phone, &mut desk] {
            alice.expect("<message from='alice@localhost/phone' id='note'><body>note</body>");
        }
        quiet(&mut [&mut phone, &mut desk]);
    });
}

#[test]
fn section_8_5_a_subscription_makes_no_difference_to_messages() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        pass(&mut [&mut alice, &mut bob]);
        for kind in ["chat", "normal", "headline"] {
            assert_eq!(send(&mut alice, kind, "bob@localhost", kind).len(), 0);
            bob.expect(&format!("<message to='bob@localhost' id='{kind}'>"));
        }
        refused(&send(&mut alice, "groupchat", "bob@localhost", "g"), "bob@localhost", "g");
        bob.expect_nothing_before_ping();
    });
}
