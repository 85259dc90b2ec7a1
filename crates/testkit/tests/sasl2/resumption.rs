//! XEP-0198 section 11: stream management that begins with the resource, and streams that are taken up again with the login.

use metronome_testkit::{Client, Given, on_both_stores, user_agent};

use super::*;

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

fn resume(previd: &str, h: u32) -> String {
    format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='{h}'/>")
}

/// A phone whose stream can be resumed; its name, and a token.
fn managed(server: &Server, username: &str) -> (Client, String, Given) {
    let inside = user_agent(PHONE) + &bind("phone", ENABLE) + &request_token(UNBOUND);
    let (client, success) = logged_in(server, username, &inside);
    assert!(success.contains("<enabled xmlns='urn:xmpp:sm:3'"), "{success}");
    let name = success.attribute_of("enabled", "id").unwrap();
    let given = Given::of(&success, UNBOUND);
    (client, name, given)
}

#[test]
fn stream_management_begins_with_the_resource_and_counts_from_there() {
    on_both_stores(|server| {
        let (mut alice, _, _) = managed(server, "alice");
        alice.send("<presence/><message to='bob@localhost' type='chat'><body>1</body></message>");
        alice.expect("<presence");
        assert_eq!(alice.handled().0, 2);
        alice.acknowledge(1);
        // It cannot be enabled once more.
        alice.send(ENABLE);
        alice.wait_for("<stream:error><policy-violation");
    });
}

// XEP-0198 example 27
#[test]
fn what_has_begun_is_not_offered_again() {
    let server = server();
    for (enable, is_offered) in [(ENABLE, false), ("", true)] {
        let offered = Client::direct_tls(&server).open_as("alice");
        assert!(
            offered.contains("<sm xmlns='urn:xmpp:sm:3'/>") && offered.contains("<feature var='urn:xmpp:sm:3'/>"),
            "{offered}"
        );
        let mut client = Client::direct_tls(&server);
        client.log_in_second("alice", &bind("phone", enable));
        let features = client.expect("<stream:features");
        assert_eq!(features.contains("<sm xmlns='urn:xmpp:sm:3'/>"), is_offered, "{features}");
        assert!(!features.contains("urn:ietf:params:xml:ns:xmpp-bind"), "{features}");
    }
}

#[test]
fn a_lost_stream_is_resumed_in_one_round_trip_by_a_token() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, name, given) = managed(server, "alice");
        let jid = alice.available().attribute("from").unwrap();
        alice.drop_connection();
        bob.send("<message to='alice@localhost' type='chat'><body>while you were away</body></message>");
        settled(&mut bob, "alice@localhost");
        let mut again = Client::direct_tls(server);
        let uses = phone_uses("") + &resume(&name, 1);
        again.open_as("alice");
        again.prove("alice", &given, &uses);
        again.send("<message to='bob@localhost' type='chat'><body>I am back</body></message>");
        let success = again.expect("<success xmlns='urn:xmpp:sasl:2'");
        assert_eq!(success.attribute_of("resumed", "previd").as_ref(), Some(&name), "{success}");
        assert_eq!(success.text_of("authorization-identifier"), Some(jid.clone()));
        assert!(!success.contains("<bound"), "whoever is resumed has a resource: {success}");
        // No features: the stream goes on where it was.
        again.expect("<message from='bob@localhost/desk'><body>while you were away</body>");
        bob.available();
        bob.wait_for(&format!("<message from='{jid}'><body>I am back</body>"));
    });
}

// XEP-0198 example 28
// XEP-0198 example 30
#[test]
fn whoever_cannot_resume_is_bound_and_told_so() {
    on_both_stores(|server| {
        let (_bob, of_bob, _) = managed(server, "bob");
        for name in ["no-such-stream", of_bob.as_str()] {
            let inside = user_agent(PHONE) + &resume(name, 0) + &bind("phone", ENABLE);
            let (mut alice, success) = logged_in(server, "alice", &inside);
            let failed =
                "<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
            assert!(success.contains(&format!("{failed}<bound xmlns='urn:xmpp:bind:0'>")), "{success}");
            alice.expect_nothing_before_ping();
        }
        let (mut alice, success) = logged_in(server, "alice", &resume("no-such-stream", 0));
        assert!(success.contains("<failed xmlns='urn:xmpp:sm:3'>") && !success.contains("<bound"), "{success}");
        alice.bind("desk");
    });
}

#[test]
fn a_failed_login_resumes_nothing() {
    let server = server();
    let (mut alice, name, given) = managed(&server, "alice");
    let mut thief = Client::direct_tls(&server);
    thief.open_as("alice");
    let guess = Given { token: "x".repeat(43), ..given };
    thief.prove("alice", &guess, &(phone_uses("") + &resume(&name, 0)));
    let failure = thief.expect_second_failure("not-authorized");
    assert!(!failure.contains("urn:xmpp:sm:3"), "{failure}");
    alice.expect_nothing_before_ping();
}

// XEP-0198 example 29
// XEP-0198 example 31
#[test]
fn what_is_malformed_is_answered_where_it_was_asked() {
    let server = server();
    let inside = bind("phone", "<enable xmlns='urn:xmpp:sm:3' resume='perhaps'/>");
    let (mut alice, success) = logged_in(&server, "alice", &inside);
    assert!(success.contains("<failed xmlns='urn:xmpp:sm:3'><bad-request"), "{success}");
    alice.expect_nothing_before_ping();
    let both = resume("no-such-stream", 0) + &inside;
    let (_, success) = logged_in(&server, "alice", &both);
    let (resumption, bound) = success.split_once("<bound xmlns='urn:xmpp:bind:0'>").unwrap();
    assert!(resumption.contains("<failed xmlns='urn:xmpp:sm:3'><item-not-found"), "{success}");
    assert!(bound.contains("<failed xmlns='urn:xmpp:sm:3'><bad-request"), "{success}");
    for h in ["", "h=''", "h='-1'", "h='4294967296'", "h='x'"] {
        let inside = format!("<resume xmlns='urn:xmpp:sm:3' previd='x' {h}/>") + &bind("phone", "");
        let (_, success) = logged_in(&server, "alice", &inside);
        assert!(success.contains("<failed xmlns='urn:xmpp:sm:3'><bad-request"), "{success}");
    }
}
