//! What broken and hostile clients make of stream management.

use metronome_testkit::{Client, Setup, on_both_stores};

use crate::{chat, ends_with, managed};

// XEP-0198 example 17
#[test]
fn numbers_that_cannot_be_end_the_stream() {
    on_both_stores(|server| {
        for (wrong, condition) in [
            ("<a xmlns='urn:xmpp:sm:3' h='2'/>", "undefined-condition"),
            ("<a xmlns='urn:xmpp:sm:3' h='4294967295'/>", "undefined-condition"),
            ("<a xmlns='urn:xmpp:sm:3' h='4294967296'/>", "invalid-xml"),
            ("<a xmlns='urn:xmpp:sm:3' h='-1'/>", "invalid-xml"),
            ("<a xmlns='urn:xmpp:sm:3' h='+1'/>", "invalid-xml"),
            ("<a xmlns='urn:xmpp:sm:3' h=''/>", "invalid-xml"),
            ("<a xmlns='urn:xmpp:sm:3'/>", "invalid-xml"),
            ("<enable xmlns='urn:xmpp:sm:3'/>", "policy-violation"),
            ("<enabled xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type"),
            ("<a xmlns='urn:xmpp:sm:2' h='1'/>", "unsupported-stanza-type"),
        ] {
            let (mut alice, _) = managed(server, "alice", "phone");
            alice.send(wrong);
            let error = ends_with(&mut alice, condition);
            let tells = error.contains("<handled-count-too-high xmlns='urn:xmpp:sm:3'");
            assert_eq!(tells, condition == "undefined-condition", "{wrong}: {error}");
        }
        let mut alice = Client::login(server, "alice", "phone");
        alice.send("<r xmlns='urn:xmpp:sm:3'/>");
        ends_with(&mut alice, "policy-violation");
    });
}

#[test]
fn a_lower_number_than_before_is_passed_over() {
    on_both_stores(|server| {
        let (mut alice, _) = managed(server, "alice", "phone");
        alice.acknowledge(1);
        alice.acknowledge(0);
        alice.acknowledge(1);
        assert_eq!(alice.handled().0, 1);
    });
}

#[test]
fn nobody_resumes_the_stream_of_another() {
    on_both_stores(|server| {
        let (alice, previd) = managed(server, "alice", "phone");
        alice.drop_connection();
        for name in [&*previd, "", "x", &"x".repeat(5000), &previd.to_uppercase()] {
            let mut bob = Client::direct_tls(server);
            bob.authenticate("bob");
            bob.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{name}' h='0'/>"));
            bob.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
            bob.bind("desk");
        }
        // It is still there for her, and a number that cannot be ends it.
        let mut alice = Client::direct_tls(server);
        alice.authenticate("alice");
        alice.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='2'/>"));
        ends_with(&mut alice, "undefined-condition");
        let mut alice = Client::direct_tls(server);
        alice.authenticate("alice");
        alice.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='1'/>"));
        alice.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
    });
}

// XEP-0198 example 16
#[test]
fn a_bound_stream_cannot_resume_another() {
    on_both_stores(|server| {
        let (alice, previd) = managed(server, "alice", "phone");
        alice.drop_connection();
        let mut other = Client::login(server, "alice", "desk");
        other.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='1'/>"));
        other.expect("<failed xmlns='urn:xmpp:sm:3'><unexpected-request");
        other.expect_nothing_before_ping();
    });
}

#[test]
fn sessions_that_wait_are_bounded_and_make_room_for_those_that_are_here() {
    let server = Setup::default().options("limits.c2s.sessions = 12").start();
    let mut streams = Vec::new();
    for number in 0..20 {
        let (alice, previd) = managed(&server, "alice", &format!("phone{number}"));
        streams.push(previd);
        alice.drop_connection();
    }
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send(&chat("bob@localhost", 1));
    desk.expect_nothing_before_ping();
    drop(Client::resume(&server, "alice", &streams[19], 1));
    let mut first = Client::direct_tls(&server);
    first.authenticate("alice");
    first.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{}' h='1'/>", streams[0]));
    first.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
}

#[test]
fn a_password_change_ends_sessions_that_wait() {
    on_both_stores(|server| {
        let (alice, previd) = managed(server, "alice", "phone");
        alice.drop_connection();
        server.control().renew_password("alice@localhost");
        let mut alice = Client::direct_tls(server);
        alice.authenticate("alice");
        alice.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='1'/>"));
        alice.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
    });
}
