//! Section 4.6: directed presence, and section 8.5 for presence to one address.

use metronome_testkit::{Client, Seen, on_both_stores};

use crate::{befriend, interested, online, online_at, pass, quiet, say, subscribe};

fn count(came: &[Seen], pattern: &str) -> usize {
    came.iter().filter(|seen| seen.fits(pattern)).count()
}

#[test]
fn section_4_6_3_directed_presence_reaches_who_is_named_and_nobody_else() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut desk = online(server, "alice", "desk");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        pass(&mut [&mut alice, &mut desk]);
        alice.send(
            "<presence to='bob@localhost/desk' id='d1'><show>chat</show><status>for you</status>\
             <x xmlns='urn:example:x'/></presence>",
        );
        let seen =
            bob.expect("<presence from='alice@localhost/phone' to='bob@localhost/desk' id='d1'><show>chat</show>");
        assert!(seen.contains("<status>for you</status>") && seen.contains("urn:example:x"), "{seen}");
        // Nobody is subscribed by that: what comes later is for subscribers only.
        alice.send("<presence><show>away</show></presence>");
        desk.expect("<presence from='alice@localhost/phone'><show>away</show>");
        alice.expect_so_far(&["<presence from='alice@localhost/phone'><show>away</show>"]);
        quiet(&mut [&mut bob, &mut carol, &mut desk]);
        assert!(alice.roster().items.is_empty() && bob.roster().items.is_empty());
    });
}

#[test]
fn section_4_6_3_who_was_given_directed_presence_hears_of_the_end_however_it_comes() {
    on_both_stores(|server| {
        let mut bob = online(server, "bob", "desk");
        type End = fn(Client);
        let ends: [(&str, End); 4] = [
            ("unavailable", |mut client| {
                client.send("<presence type='unavailable'/>");
                client.so_far();
                client.close();
            }),
            ("closed", |client| drop(client.close())),
            ("killed", |client| client.drop_connection()),
            ("ended", |mut client| client.end_connection()),
        ];
        for to in ["bob@localhost/desk", "bob@localhost"] {
            for (how, end) in ends {
                let mut alice = online(server, "alice", "phone");
                alice.send(&format!("<presence to='{to}'/>"));
                bob.expect("<presence from='alice@localhost/phone'");
                end(alice);
                let seen = bob.next_piece();
                assert!(seen.fits("<presence type='unavailable' from='alice@localhost/phone'"), "{how}, {to}: {seen}");
                assert_eq!(seen.attribute("to").unwrap().split('/').next(), Some("bob@localhost"), "{seen}");
                bob.expect_nothing_before_ping();
            }
        }
    });
}

#[test]
fn section_4_6_2_directed_presence_needs_no_initial_presence() {
    on_both_stores(|server| {
        let mut bob = online(server, "bob", "desk");
        for killed in [true, false] {
            let mut alice = Client::login(server, "alice", "phone");
            alice.send("<presence to='bob@localhost/desk'/>");
            bob.expect("<presence from='alice@localhost/phone'");
            // It is not available by that.
            alice.settle("bob@localhost");
            bob.send("<message to='alice@localhost' type='headline'><body>news</body></message>");
            bob.settle("alice@localhost");
            alice.expect_nothing_before_ping();
            if killed {
                alice.drop_connection();
            } else {
                alice.close();
            }
            bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
            bob.expect_nothing_before_ping();
        }
    });
}

#[test]
fn section_4_6_4_directed_unavailable_presence_takes_it_back() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        for client in ["bob@localhost/desk", "carol@localhost/desk"] {
            alice.send(&format!("<presence to='{client}'/>"));
        }
        bob.expect("<presence from='alice@localhost/phone'");
        carol.expect("<presence from='alice@localhost/phone'");
        alice.send("<presence to='bob@localhost/desk' type='unavailable'><status>enough</status></presence>");
        bob.expect("<presence type='unavailable' from='alice@localhost/phone'><status>enough</status>");
        alice.settle("bob@localhost");
        quiet(&mut [&mut carol]);
        // At the end bob hears nothing more; carol does.
        alice.close();
        carol.expect("<presence type='unavailable' from='alice@localhost/phone'");
        quiet(&mut [&mut bob, &mut carol]);
    });
}

#[test]
fn section_4_6_3_a_subscriber_that_was_given_directed_presence_hears_of_the_end_once() {
    on_both_stores(|server| {
        let mut bob = online(server, "bob", "desk");
        let mut alice = online(server, "alice", "phone");
        befriend(&mut alice, &mut bob);
        pass(&mut [&mut alice, &mut bob]);
        alice.send("<presence to='bob@localhost/desk'><show>chat</show></presence>");
        bob.expect("<presence from='alice@localhost/phone' to='bob@localhost/desk'><show>chat</show>");
        alice.send("<presence><show>away</show></presence>");
        bob.expect("<presence from='alice@localhost/phone'><show>away</show>");
        alice.drop_connection();
        bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_4_6_3_presence_that_ends_for_all_ends_for_them_too_and_begins_without_them() {
    on_both_stores(|server| {
        let mut bob = online(server, "bob", "desk");
        let mut alice = online(server, "alice", "phone");
        alice.send("<presence to='bob@localhost/desk'/>");
        bob.expect("<presence from='alice@localhost/phone'");
        alice.send("<presence type='unavailable'/>");
        bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
        alice.so_far();
        alice.send("<presence/>");
        alice.so_far();
        bob.expect_nothing_before_ping();
        alice.close();
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_4_6_5_who_may_see_and_is_given_directed_presence_while_one_is_invisible_sees_it() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        befriend(&mut alice, &mut bob);
        befriend(&mut alice, &mut carol);
        pass(&mut [&mut alice, &mut bob, &mut carol]);
        alice.send("<presence type='unavailable'/>");
        for friend in [&mut bob, &mut carol] {
            friend.expect("<presence type='unavailable' from='alice@localhost/phone'");
        }
        alice.send("<presence to='bob@localhost'/>");
        bob.expect("<presence from='alice@localhost/phone'");
        alice.settle("bob@localhost");
        carol.expect_nothing_before_ping();
        alice.drop_connection();
        bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
        quiet(&mut [&mut bob, &mut carol]);
    });
}

#[test]
fn section_8_5_2_presence_to_a_bare_address_is_for_all_available_resources() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut high = online_at(server, "bob", "high", 10);
        let mut low = online_at(server, "bob", "low", 0);
        let mut negative = online_at(server, "bob", "negative", -5);
        let mut connected = interested(server, "bob", "connected");
        pass(&mut [&mut high, &mut low, &mut negative]);
        alice.send("<presence to='bob@localhost'><show>away</show></presence>");
        for bob in [&mut high, &mut low, &mut negative] {
            bob.expect("<presence from='alice@localhost/phone' to='bob@localhost'><show>away</show>");
        }
        connected.expect_nothing_before_ping();
        alice.send("<presence to='bob@localhost' type='unavailable'/>");
        for bob in [&mut high, &mut low, &mut negative] {
            bob.expect("<presence type='unavailable' from='alice@localhost/phone' to='bob@localhost'");
        }
        connected.expect_nothing_before_ping();
    });
}

#[test]
fn section_8_5_3_1_presence_to_a_full_address_is_for_that_resource_available_or_not() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut desk = online(server, "bob", "desk");
        let mut connected = interested(server, "bob", "connected");
        for (bob, resource) in [(&mut desk, "desk"), (&mut connected, "connected")] {
            alice.send(&format!("<presence to='bob@localhost/{resource}'/>"));
            bob.expect(&format!("<presence from='alice@localhost/phone' to='bob@localhost/{resource}'"));
            alice.send(&format!("<presence to='bob@localhost/{resource}' type='unavailable'/>"));
            bob.expect(&format!(
                "<presence type='unavailable' from='alice@localhost/phone' to='bob@localhost/{resource}'"
            ));
        }
        quiet(&mut [&mut desk, &mut connected, &mut alice]);
    });
}

#[test]
fn section_8_5_presence_to_who_is_not_there_or_does_not_exist_vanishes() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        for to in
            ["bob@localhost/gone", "carol@localhost", "carol@localhost/desk", "nobody@localhost", "nobody@localhost/x"]
        {
            alice.send(&format!("<presence to='{to}'/>"));
            alice.send(&format!("<presence to='{to}' type='unavailable'/>"));
            assert_eq!(alice.settle(to).len(), 0, "{to}");
        }
        quiet(&mut [&mut alice, &mut bob]);
        // Who comes later was not given it.
        let mut carol = interested(server, "carol", "desk");
        carol.send("<presence/>");
        carol.expect_so_far(&["<presence from='carol@localhost/desk'"]);
        alice.send("<presence to='carol@localhost/late'/>");
        alice.settle("carol@localhost");
        let mut late = online(server, "carol", "late");
        alice.drop_connection();
        carol.so_far();
        let came = late.so_far();
        assert_eq!(came.len(), count(&came, "<presence type='unavailable' from='alice@localhost/phone'"), "{came:?}");
    });
}

#[test]
fn section_4_6_directed_presence_to_ones_own_resources() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = online(server, "alice", "desk");
        pass(&mut [&mut phone, &mut desk]);
        phone.send("<presence to='alice@localhost/desk'><show>xa</show></presence>");
        desk.expect("<presence from='alice@localhost/phone' to='alice@localhost/desk'><show>xa</show>");
        phone.settle("alice@localhost");
        desk.expect_nothing_before_ping();
        phone.drop_connection();
        desk.expect("<presence type='unavailable' from='alice@localhost/phone'");
        desk.expect_nothing_before_ping();
    });
}

#[test]
fn section_4_6_an_error_goes_to_the_resource_that_it_is_for_and_nowhere_else() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut desk = online(server, "bob", "desk");
        let mut phone = online(server, "bob", "phone");
        desk.so_far();
        let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        alice.send(&format!("<presence type='error' to='bob@localhost/desk' id='e'>{error}</presence>"));
        desk.expect("<presence type='error' from='alice@localhost/phone' to='bob@localhost/desk' id='e'><gone");
        for to in ["bob@localhost/gone", "carol@localhost", "nobody@localhost", "localhost"] {
            alice.send(&format!("<presence type='error' to='{to}' id='e'>{error}</presence>"));
        }
        alice.settle("bob@localhost");
        quiet(&mut [&mut alice, &mut desk, &mut phone]);
        // An error is nothing that has to be taken back.
        alice.close();
        quiet(&mut [&mut desk, &mut phone]);
    });
}

#[test]
fn section_4_6_a_request_that_is_denied_leaves_directed_presence_alone() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        subscribe(&mut bob, &mut alice);
        alice.send("<presence to='bob@localhost/desk'/>");
        bob.expect("<presence from='alice@localhost/phone'");
        say(&mut alice, "unsubscribed", "bob@localhost");
        let came = bob.so_far();
        assert_eq!(count(&came, "<presence type='unsubscribed'"), 1, "{came:?}");
        assert_eq!(count(&came, "<presence type='unavailable' from='alice@localhost/phone'"), 1, "{came:?}");
        // Whether or not bob still counts as one who was given her presence: he hears of her going at most once more.
        alice.close();
        assert!(bob.so_far().len() <= 1);
    });
}
