//! Section 3 and 4: what is counted, and when it is acknowledged.

use metronome_testkit::{Client, on_both_stores};

use crate::{bodies, chat, managed, next, quiet};

// XEP-0198 example 7
// XEP-0198 example 20
// XEP-0198 example 21
// XEP-0198 example 22
// XEP-0198 example 23
// XEP-0198 example 24
// XEP-0198 example 25
// XEP-0198 example 26
#[test]
fn every_stanza_counts_and_nothing_else_does() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        // What came before does not count.
        alice.send("<iq type='get' id='before' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
        alice.expect("<iq type='result' id='before'");
        alice.enable();
        assert_eq!(alice.handled().0, 0);
        alice.send(&chat("bob@localhost", 1));
        alice.send("<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
        alice.send("<message to='bob@localhost' type='bad'/>");
        // An answer to nothing, and one that is refused as it is read.
        alice.send("<iq type='result' id='nothing' to='localhost'/>");
        alice.send("<iq type='get' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
        alice.send("<a xmlns='urn:xmpp:sm:3' h='0'/>");
        let (h, _) = alice.handled();
        assert_eq!(h, 5);
        alice.send(" \n");
        alice.send(&chat("nobody@localhost", 2));
        let (h, before) = alice.handled();
        assert_eq!(h, 6, "an error is an answer");
        assert!(before.iter().any(|seen| seen.fits("<message type='error' id='2'")));
    });
}

// XEP-0198 example 1
// XEP-0198 example 5
#[test]
fn it_is_announced_and_fails_before_there_is_a_resource() {
    on_both_stores(|server| {
        let mut alice = Client::direct_tls(server);
        alice.authenticate("alice");
        assert!(alice.transcript().iter().any(|line| line.contains("<sm xmlns='urn:xmpp:sm:3'/>")));
        alice.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        alice.expect("<failed xmlns='urn:xmpp:sm:3'><unexpected-request");
        alice.bind("phone");
        alice.enable();
        assert_eq!(alice.handled().0, 0);
    });
}

// XEP-0198 example 2
// XEP-0198 example 3
// XEP-0198 example 18
// XEP-0198 example 19
#[test]
fn a_stream_may_be_managed_without_resumption() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for no in ["", "resume='false'", "resume='0'"] {
            let mut other = Client::login(server, "alice", "other");
            other.send(&format!("<enable xmlns='urn:xmpp:sm:3' {no}/>"));
            let enabled = other.expect("<enabled xmlns='urn:xmpp:sm:3'");
            assert!(enabled.attribute("id").is_none() && enabled.attribute("resume").is_none(), "{enabled}");
            other.available();
            assert_eq!(other.handled().0, 1);
            other.drop_connection();
        }
        alice.send("<enable xmlns='urn:xmpp:sm:3' resume='1' max='5'/>");
        let enabled = alice.expect("<enabled xmlns='urn:xmpp:sm:3' resume='true'");
        assert_eq!(enabled.attribute("max").as_deref(), Some("5"), "for as long as it asks for");
    });
}

#[test]
fn what_is_acknowledged_does_not_come_to_the_next_session_and_the_rest_does() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, _) = managed(server, "alice", "phone");
        for number in 0..3 {
            bob.send(&chat("alice@localhost", number));
        }
        assert_eq!(bodies(&mut alice, 3), ["0", "1", "2"]);
        // Its own presence, and two messages.
        alice.acknowledge(3);
        assert_eq!(alice.handled().0, 1);
        // Ended without a word: not resumed, but replaced.
        let mut again = Client::login(server, "alice", "phone");
        alice.wait_for("<stream:error><conflict");
        again.available();
        assert_eq!(next(&mut again).text_of("body").as_deref(), Some("2"));
        quiet(&mut again);
    });
}

#[test]
fn a_client_that_never_asks_is_told_now_and_then() {
    on_both_stores(|server| {
        let (mut alice, _) = managed(server, "alice", "phone");
        for number in 0..200 {
            alice.send(&chat("bob@localhost", number));
        }
        let mut told = Vec::new();
        while told.last().is_none_or(|h| *h < 128) {
            let answer = alice.wait_for("<a xmlns='urn:xmpp:sm:3'");
            told.push(answer.attribute("h").and_then(|h| h.parse::<u32>().ok()).unwrap());
        }
        assert!(told.is_sorted() && told.len() <= 4, "{told:?}");
        while alice.handled().0 != 201 {}
        // A few are told as well, in time.
        alice.send(&chat("bob@localhost", 200));
        let mut next = || alice.wait_for("<a xmlns='urn:xmpp:sm:3'").attribute("h");
        let mut h = next();
        // The others may have been told in time as well, before this one came.
        while h.as_deref() == Some("201") {
            h = next();
        }
        assert_eq!(h.as_deref(), Some("202"));
    });
}
