//! Sessions that nobody resumes: what becomes of what was on its way to them.

use metronome_testkit::{Client, Seen, Server, on_both_stores_with};

use crate::{befriend, chat, managed, next};

const SHORT: &str = "stream_management.resume = \"1 s\"";

/// Bob, and alice under stream management, who see each other.
fn both(server: &Server) -> (Client, Client) {
    let mut bob = Client::login(server, "bob", "desk");
    bob.available();
    let (mut alice, _) = managed(server, "alice", "phone");
    alice.wait_for("<presence from='bob@localhost/desk'");
    bob.wait_for("<presence from='alice@localhost/phone'");
    (bob, alice)
}

/// The next stanza that is no presence.
fn answer(client: &mut Client) -> Seen {
    loop {
        let seen = next(client);
        if !seen.fits("<presence") {
            return seen;
        }
    }
}

#[test]
fn requests_come_back_when_nobody_resumes_the_session_that_they_waited_for() {
    on_both_stores_with(SHORT, |server| {
        befriend(server);
        let (mut bob, mut alice) = both(server);
        // One that was written and not acknowledged, and others that come while there is no connection.
        bob.send("<iq type='get' id='written' to='alice@localhost/phone'><query xmlns='jabber:iq:version'/></iq>");
        alice.wait_for("<iq type='get' id='written'");
        alice.drop_connection();
        for stanza in [
            "<iq type='set' id='waited' to='alice@localhost/phone'><query xmlns='urn:x'/></iq>",
            "<iq type='result' id='answer' to='alice@localhost/phone'/>",
            "<message to='alice@localhost/phone' type='chat' id='unkept'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>",
            "<message to='alice@localhost/phone' type='headline' id='headline'><body>x</body></message>",
            "<message to='alice@localhost/phone' type='chat' id='state'><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
        ] {
            bob.send(stanza);
        }
        bob.send(&chat("alice@localhost/phone", "kept"));
        for error in
            ["<iq type='error' id='written'", "<iq type='error' id='waited'", "<message type='error' id='unkept'"]
        {
            let seen = answer(&mut bob);
            assert!(seen.fits(error) && seen.contains("service-unavailable"), "{seen}");
            assert_eq!(seen.attribute("from").as_deref(), Some("alice@localhost/phone"));
        }
        // Nothing comes of answers, of headlines, or of what is stored.
        bob.expect_nothing_before_ping();
        let mut alice = Client::login(server, "alice", "phone");
        alice.available();
        assert_eq!(alice.wait_for("<message").text_of("body").as_deref(), Some("kept"));
    });
}

#[test]
fn requests_come_back_when_another_takes_the_place_of_a_session_that_waits() {
    on_both_stores_with("", |server| {
        befriend(server);
        let (mut bob, alice) = both(server);
        alice.drop_connection();
        bob.send("<iq type='get' id='v' to='alice@localhost/phone'><query xmlns='jabber:iq:version'/></iq>");
        bob.settle("alice@localhost");
        let _again = Client::login(server, "alice", "phone");
        let seen = bob.wait_for("<iq type='error' id='v'");
        assert!(seen.contains("service-unavailable"), "{seen}");
    });
}

#[test]
fn what_was_acknowledged_does_not_come_back() {
    on_both_stores_with(SHORT, |server| {
        befriend(server);
        let (mut bob, mut alice) = both(server);
        bob.send("<iq type='get' id='had' to='alice@localhost/phone'><query xmlns='jabber:iq:version'/></iq>");
        alice.wait_for("<iq type='get' id='had'");
        alice.acknowledge(3);
        alice.handled();
        alice.drop_connection();
        bob.send("<iq type='get' id='not' to='alice@localhost/phone'><query xmlns='jabber:iq:version'/></iq>");
        let seen = answer(&mut bob);
        assert!(seen.fits("<iq type='error' id='not'"), "{seen}");
        bob.expect_nothing_before_ping();
    });
}
