//! XEP-0424: what its author takes back is a tombstone in both archives; XEP-0308, XEP-0333 and XEP-0184: what only adds to a message is
//! a message of its own there.

use metronome_testkit::{Client, on_both_stores};

use crate::{ask, query, say, settle};

fn retract(to: &str, id: &str, own: &str) -> String {
    format!(
        "<message type='chat' to='{to}' id='{own}'><retract id='{id}' xmlns='urn:xmpp:message-retract:1'/>\
         <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/><body>/me took something back</body>\
         <store xmlns='urn:xmpp:hints'/></message>"
    )
}

// XEP-0424 example 3
// XEP-0424 example 4
// XEP-0424 example 7
#[test]
fn a_message_that_its_author_takes_back_is_a_tombstone_in_both_archives() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        say(&mut alice, "bob@localhost", "before");
        // Both at once: the retraction finds what is still on its way to the store.
        alice.send("<message type='chat' to='bob@localhost' id='wrong' xml:lang='en'><body>secret</body><x xmlns='urn:x'>secret</x></message>");
        alice.send(&retract("bob@localhost", "wrong", "r1"));
        settle(&mut alice);
        bob.wait_for("<message id='wrong'");
        assert!(bob.wait_for("<message id='r1'").contains("<retract "), "the retraction itself is delivered");
        for client in [&mut alice, &mut bob] {
            let page = query(client, "");
            assert_eq!(page.ids().len(), 3, "it keeps its place");
            let tombstone = &page.results[1];
            assert!(!tombstone.contains("secret") && !tombstone.contains("<body"), "{tombstone}");
            assert!(
                tombstone.contains("from='alice@localhost/phone' to='bob@localhost' id='wrong' type='chat'"),
                "{tombstone}"
            );
            assert_eq!(tombstone.attribute_of("retracted", "id").as_deref(), Some("r1"));
            assert!(tombstone.attribute_of("retracted", "stamp").is_some(), "{tombstone}");
            assert!(page.results[2].contains("<retract "), "the retraction is in the archive too");
        }
    });
}

#[test]
fn nobody_takes_back_what_somebody_else_wrote() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        let mut carol = Client::login(server, "carol", "desk");
        say(&mut alice, "bob@localhost", "alices");
        say(&mut bob, "alice@localhost", "bobs");
        for (client, to, id) in [
            (&mut bob, "alice@localhost", "alices"),
            (&mut alice, "bob@localhost", "bobs"),
            (&mut carol, "bob@localhost", "alices"),
            (&mut Client::login(server, "carol", "phone"), "alice@localhost", "bobs"),
        ] {
            client.send(&retract(to, id, "r"));
            settle(client);
        }
        for client in [&mut alice, &mut bob] {
            let page = query(client, "");
            assert_eq!(page.bodies()[..2], ["alices", "bobs"]);
            assert!(page.results.iter().all(|result| !result.contains("<retracted")));
        }
    });
}

#[test]
fn a_retraction_that_is_not_one_changes_nothing() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "one");
        let no_store = retract("bob@localhost", "one", "r1").replace("<store ", "<no-store ");
        for wrong in [
            retract("bob@localhost", "two", "r1"),
            retract("carol@localhost", "one", "r1"),
            retract("bob@localhost", "", "r1"),
            retract("bob@localhost", "one", "r1").replace(" id='r1'", ""),
            retract("bob@localhost", "one", "r1").replace("'chat'", "'headline'"),
            retract("bob@localhost", "one", "r1").replace("message-retract:1", "message-retract:0"),
            // A tombstone is only where the retraction is.
            no_store,
        ] {
            alice.send(&wrong);
            settle(&mut alice);
        }
        let page = query(&mut alice, "");
        assert_eq!(page.bodies()[0], "one");
        assert!(page.results.iter().all(|result| !result.contains("<retracted")));
        // A retraction cannot be taken back, and saying it twice does no harm.
        for own in ["r2", "r3"] {
            alice.send(&retract("bob@localhost", "one", own));
            settle(&mut alice);
        }
        alice.send(&retract("bob@localhost", "r2", "r4"));
        settle(&mut alice);
        let page = query(&mut alice, "");
        assert_eq!(page.results[0].attribute_of("retracted", "id").as_deref(), Some("r2"));
        assert_eq!(page.results.iter().filter(|result| result.contains("<retracted")).count(), 1);
    });
}

#[test]
fn what_one_wrote_to_oneself_is_taken_back_too() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "alice@localhost", "note");
        alice.send(&retract("alice@localhost", "note", "r1"));
        settle(&mut alice);
        let page = query(&mut alice, "");
        assert!(
            page.results[0].contains("<retracted") && !page.results[0].contains("note</body>"),
            "{}",
            page.results[0]
        );
    });
}

#[test]
fn an_old_message_is_taken_back_behind_many_others() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "old");
        for n in 0..130 {
            alice.send(&format!("<message to='bob@localhost' type='chat' id='m{n}'><body>{n}</body></message>"));
        }
        alice.send(&retract("bob@localhost", "old", "r1"));
        settle(&mut alice);
        let page = query(&mut alice, "");
        assert_eq!(page.results[0].attribute_of("retracted", "id").as_deref(), Some("r1"));
    });
}

// XEP-0424 example 1
// XEP-0424 example 2
// XEP-0424 example 5
// XEP-0424 example 6
#[test]
fn tombstones_are_announced() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let own = ask(&mut alice, "get", "alice@localhost", disco);
        for feature in ["urn:xmpp:message-retract:1", "urn:xmpp:message-retract:1#tombstone"] {
            assert!(own.contains(&format!("<feature var='{feature}'/>")), "{own}");
        }
        assert!(ask(&mut alice, "get", "localhost", disco).contains("<feature var='urn:xmpp:message-retract:1'/>"));
    });
}

#[test]
fn corrections_markers_and_receipts_are_messages_of_their_own() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        say(&mut alice, "bob@localhost", "helo");
        alice.send(
            "<message to='bob@localhost' type='chat' id='m2'><body>hello</body><replace id='helo' xmlns='urn:xmpp:message-correct:0'/></message>",
        );
        settle(&mut alice);
        for (id, payload) in [
            ("m3", "<received xmlns='urn:xmpp:receipts' id='helo'/>"),
            ("m4", "<displayed xmlns='urn:xmpp:chat-markers:0' id='m2'/>"),
            ("m5", "<reactions xmlns='urn:xmpp:reactions:0' id='m2'><reaction>+</reaction></reactions>"),
        ] {
            bob.send(&format!("<message to='alice@localhost' type='chat' id='{id}'>{payload}</message>"));
            settle(&mut bob);
        }
        for client in [&mut alice, &mut bob] {
            let page = query(client, "");
            let message = |at: usize| &page.results[at];
            assert_eq!(page.results.len(), 5);
            assert!(
                message(0).contains("<body>helo</body>"),
                "what was corrected stays: the correction tells which it is"
            );
            assert!(
                message(1).contains("<body>hello</body>") && message(1).contains("<replace id='helo'"),
                "{}",
                message(1)
            );
            for (at, what) in [(2, "<received "), (3, "<displayed "), (4, "<reactions ")] {
                assert!(message(at).contains(what), "{}", message(at));
            }
        }
    });
}
