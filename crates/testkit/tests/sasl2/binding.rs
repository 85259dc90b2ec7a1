//! XEP-0386: a resource in the same round trip.

use metronome_testkit::{Client, on_both_stores, user_agent};

use super::*;

#[test]
fn a_resource_is_made_of_the_tag_and_stays_the_same_for_a_client() {
    on_both_stores(|server| {
        let jid = |client: &str, tag: &str| {
            let (client, success) = logged_in(server, "alice", &(user_agent(client) + &bind(tag, "")));
            assert!(success.contains("<bound xmlns='urn:xmpp:bind:0'"), "{success}");
            client.jid().to_owned()
        };
        let first = jid(PHONE, "AwesomeXMPP");
        assert!(first.starts_with("alice@localhost/AwesomeXMPP/") && !first.contains("d4565fa7"), "{first}");
        assert_eq!(jid(PHONE, "AwesomeXMPP"), first);
        assert_eq!(jid(&PHONE.to_uppercase(), "AwesomeXMPP"), first);
        assert_ne!(jid(DESK, "AwesomeXMPP"), first);
        let untagged = jid(PHONE, "");
        assert!(first.ends_with(&untagged["alice@localhost/".len()..]), "{untagged} {first}");
        // What cannot stand in an address is left out.
        assert_eq!(jid(PHONE, &"x".repeat(1000)), untagged);
    });
}

#[test]
fn who_tells_no_id_gets_another_resource_each_time() {
    let server = server();
    let (one, _) = logged_in(&server, "alice", &bind("x", ""));
    let (mut other, _) = logged_in(&server, "alice", &bind("x", ""));
    assert_ne!(one.jid(), other.jid());
    other.expect_nothing_before_ping();
}

#[test]
fn an_earlier_session_of_the_same_client_ends() {
    let server = server();
    let (mut first, _) = logged_in(&server, "alice", &(user_agent(PHONE) + &bind("old", "")));
    let (mut second, _) = logged_in(&server, "alice", &(user_agent(PHONE) + &bind("new", "")));
    first.expect_stream_error("conflict");
    let (mut third, _) = logged_in(&server, "alice", &(user_agent(PHONE) + &bind("new", "")));
    second.expect_stream_error("conflict");
    let (_desk, _) = logged_in(&server, "alice", &(user_agent(DESK) + &bind("new", "")));
    third.expect_nothing_before_ping();
}

#[test]
fn what_is_pipelined_behind_the_login_is_kept() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let mut client = Client::direct_tls(server);
        let (_, given) = {
            let (client, success) = logged_in(server, "alice", &phone_wants(UNBOUND));
            (client, metronome_testkit::Given::of(&success, UNBOUND))
        };
        client.open_as("alice");
        client.prove("alice", &given, &phone_uses(""));
        // Neither the success nor the features are waited for.
        client.send("<presence/><message to='bob@localhost' type='chat'><body>at once</body></message>");
        let success = client.expect("<success xmlns='urn:xmpp:sasl:2'");
        let jid = success.text_of("authorization-identifier").unwrap();
        client.expect("<stream:features");
        bob.wait_for(&format!("<message from='{jid}'><body>at once</body>"));
    });
}

#[test]
fn a_request_to_bind_counts_for_nothing_if_the_login_fails() {
    let server = server();
    let (mut first, _) = logged_in(&server, "alice", &(user_agent(PHONE) + &bind("x", "")));
    let mut client = Client::direct_tls(&server);
    client.open_as("alice");
    let wrong = metronome_testkit::Sasl::new("SCRAM-SHA-256", "alice", "wrong");
    assert!(client.second(&wrong, &(user_agent(PHONE) + &bind("x", ""))).fits("<failure"));
    first.expect_nothing_before_ping();
}

#[test]
fn carbons_come_with_the_login() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let carbons = bind("phone", "<enable xmlns='urn:xmpp:carbons:2'/>");
    let (mut phone, _) = logged_in(&server, "alice", &(user_agent(PHONE) + &carbons));
    phone.available();
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send("<message to='bob@localhost' type='chat'><body>from my desk</body></message>");
    bob.wait_for("<message><body>from my desk</body>");
    phone.wait_for("<message><sent xmlns='urn:xmpp:carbons:2'");
}

#[test]
fn what_is_in_the_archive_is_told_and_not_sent() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        let message = |body: &str, hint: &str| {
            format!("<message to='alice@localhost' type='chat'><body>{body}</body>{hint}</message>")
        };
        let (mut empty, success) = logged_in(server, "alice", &bind("phone", ""));
        assert!(
            success.contains("<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'/></bound>"),
            "{success}"
        );
        empty.send("</stream:stream>");
        empty.expect_end();
        bob.send(&message("archived", ""));
        bob.send(&message("for the moment", "<no-permanent-store xmlns='urn:xmpp:hints'/>"));
        settled(&mut bob, "alice@localhost");
        let (mut alice, success) = logged_in(server, "alice", &bind("phone", ""));
        let place = success.attribute_of("end", "id").unwrap();
        assert_eq!(success.attribute_of("start", "id").as_ref(), Some(&place), "{success}");
        bob.send(&message("behind it", ""));
        settled(&mut bob, "alice@localhost");
        alice.available();
        alice.expect("<message from='bob@localhost/desk'><body>for the moment</body>");
        alice.expect("<message from='bob@localhost/desk'><body>behind it</body>");
        alice.send("<iq type='set' id='a'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query></iq>");
        alice.wait_for(&format!("<message><result xmlns='urn:xmpp:mam:2' id='{place}'"));
        alice.wait_for("<iq type='result' id='a'");
        alice.close();
        let mut desk = Client::login(server, "alice", "desk");
        desk.available();
        desk.expect_nothing_before_ping();
    });
}

#[test]
fn without_an_archive_everything_is_sent() {
    let server = Setup::default().options("archive.users = \"off\"").start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<message to='alice@localhost' type='chat'><body>hello</body></message>");
    settled(&mut bob, "alice@localhost");
    let (mut alice, _) = logged_in(&server, "alice", &bind("phone", ""));
    alice.available();
    alice.expect("<message from='bob@localhost/desk'><body>hello</body>");
}

#[test]
fn an_inactive_client_begins_inactive() {
    let server = server();
    let features = Client::direct_tls(&server).open_as("alice");
    for var in ["urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3"] {
        assert_eq!(features.matches(&format!("<feature var='{var}'/>")).count(), 1, "{features}");
    }
    let inside = user_agent(PHONE) + &bind("phone", "<inactive xmlns='urn:xmpp:csi:0'/>");
    let (mut alice, _) = logged_in(&server, "alice", &inside);
    alice.expect_nothing_before_ping();
}
