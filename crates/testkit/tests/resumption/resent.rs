//! What a client sends again in another session, because its stream was lost before it heard that it was handled.

use metronome_testkit::{Client, Server, Setup, on_both_stores};

use crate::{bodies, managed};

fn message(id: &str, body: &str) -> String {
    format!(
        "<message to='bob@localhost' type='chat' id='{id}'><body>{body}</body>\
         <origin-id xmlns='urn:xmpp:sid:0' id='{id}'/></message>"
    )
}

/// Two messages of alice's have come to bob, and her client has heard of none of them.
fn two_sent(server: &Server) -> Client {
    let mut bob = Client::login(server, "bob", "desk");
    bob.available();
    let (mut alice, _) = managed(server, "alice", "phone");
    alice.send(&message("a", "first"));
    alice.send(&message("b", "second"));
    assert_eq!(bodies(&mut bob, 2), ["first", "second"]);
    alice.drop_connection();
    bob
}

#[test]
fn what_is_sent_again_in_a_new_session_comes_once() {
    on_both_stores(|server| {
        let mut bob = two_sent(server);
        // The session that was lost still waits.
        let mut alice = Client::login(server, "alice", "tablet");
        alice.enable();
        let delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/></message>";
        let delayed = message("b", "second").replace("</message>", delay);
        for stanza in [message("a", "first"), delayed, message("c", "third")] {
            alice.send(&stanza);
        }
        assert_eq!(bodies(&mut bob, 1), ["third"]);
        assert_eq!(alice.handled().0, 3, "they count all the same");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn other_words_are_another_message_and_so_is_what_one_session_says_twice() {
    on_both_stores(|server| {
        let mut bob = two_sent(server);
        let mut alice = Client::login(server, "alice", "phone");
        for stanza in [message("b", "other words"), message("c", "third"), message("c", "third")] {
            alice.send(&stanza);
        }
        assert_eq!(bodies(&mut bob, 3), ["other words", "third", "third"]);
    });
}

#[test]
fn what_is_sent_again_after_a_crash_without_resuming_comes_once() {
    let mut server = Setup::default().start();
    let bob = two_sent(&server);
    server.crash();
    drop(bob);
    let mut alice = Client::login(&server, "alice", "phone");
    for stanza in [message("a", "first"), message("b", "second"), message("c", "third")] {
        alice.send(&stanza);
    }
    alice.settle("bob@localhost");
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    assert_eq!(bodies(&mut bob, 3), ["first", "second", "third"], "he had not acknowledged the first two");
    bob.expect_nothing_before_ping();
}
