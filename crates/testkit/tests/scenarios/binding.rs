//! Resource binding (RFC 6120 section 7): which address a session gets, and what happens when it is taken.

use metronome_testkit::{Backend, Client, Sasl, Server, Setup, on_both_stores, on_both_stores_with};

fn authenticated(server: &Server) -> Client {
    let mut client = Client::direct_tls(server);
    client.open();
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
    let features = client.open();
    assert!(features.contains("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'"), "{features}");
    client
}

fn with_policy(policy: &str) -> Server {
    Setup::default().store(Backend::Memory).options(&format!("sessions.conflict = \"{policy}\"")).start()
}

#[test]
fn a_given_resource_is_bound() {
    on_both_stores(|server| {
        assert_eq!(authenticated(server).bind("phone"), "alice@localhost/phone");
        assert_eq!(authenticated(server).bind("Büro 1 📱"), "alice@localhost/Büro 1 📱");
    });
}

#[test]
fn without_a_resource_the_server_makes_one_that_cannot_be_guessed() {
    on_both_stores(|server| {
        let mut seen: Vec<String> = Vec::new();
        let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
        let empty = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind>";
        for payload in [bind, empty, bind] {
            let mut client = authenticated(server);
            client.send(&format!("<iq type='set' id='b'>{payload}</iq>"));
            let bound = client.expect("<iq type='result' id='b'");
            // Who it is the client reads in there, so it comes from nobody and to nobody (section 7.6).
            assert!(!bound.contains("from=") && !bound.contains("to="), "{bound}");
            let jid = bound.text_of("jid").unwrap();
            let resource = jid.strip_prefix("alice@localhost/").unwrap().to_owned();
            assert!(resource.len() >= 16 && !seen.contains(&resource), "{resource}");
            seen.push(resource);
        }
    });
}

#[test]
fn a_resource_that_is_none_gets_bad_request_and_another_may_follow() {
    let server = with_policy("kick-old");
    let mut client = authenticated(&server);
    let long = "x".repeat(1024);
    for wrong in [long.as_str(), "\u{7f}"] {
        client.send(&format!(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{wrong}</resource></bind></iq>"
        ));
        client.expect("<iq type='error' id='b'><bad-request");
    }
    client.bind("right");
}

#[test]
fn by_default_the_newcomer_replaces_the_older_session() {
    on_both_stores(|server| {
        let mut older = Client::login(server, "alice", "phone");
        let mut newer = Client::login(server, "alice", "phone");
        older.expect_stream_error("conflict");
        newer.expect_nothing_before_ping();
        newer.available();
    });
}

#[test]
fn kick_old_replaces_the_older_session() {
    let server = with_policy("kick-old");
    let mut older = Client::login(&server, "alice", "phone");
    assert_eq!(authenticated(&server).bind("phone"), "alice@localhost/phone");
    older.expect_stream_error("conflict");
}

#[test]
fn kick_new_refuses_the_newcomer() {
    let server = with_policy("kick-new");
    let mut older = Client::login(&server, "alice", "phone");
    let mut newer = authenticated(&server);
    newer.send(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>phone</resource></bind></iq>",
    );
    newer.expect("<iq type='error' id='b'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'");
    assert_eq!(newer.bind("desk"), "alice@localhost/desk");
    older.expect_nothing_before_ping();
}

#[test]
fn random_gives_the_newcomer_a_resource_of_its_own() {
    let server = with_policy("random");
    let mut older = Client::login(&server, "alice", "phone");
    let jid = authenticated(&server).bind("phone");
    assert!(jid.starts_with("alice@localhost/") && jid != "alice@localhost/phone", "{jid}");
    older.expect_nothing_before_ping();
}

#[test]
fn increment_numbers_the_newcomer() {
    let server = with_policy("increment");
    let _clients: Vec<_> = ["alice@localhost/phone", "alice@localhost/phone #2", "alice@localhost/phone #3"]
        .map(|expected| {
            let mut client = authenticated(&server);
            let jid = client.bind("phone");
            assert!(jid == expected || jid.starts_with("alice@localhost/phone"), "{jid}");
            (client, jid)
        })
        .into_iter()
        .collect();
    let mut jids: Vec<_> = _clients.iter().map(|(_, jid)| jid.clone()).collect();
    jids.dedup();
    assert_eq!(jids.len(), 3, "{jids:?}");
}

#[test]
fn the_eleventh_session_of_an_account_gets_resource_constraint() {
    on_both_stores(|server| {
        let mut sessions: Vec<_> = (0..10).map(|at| Client::login(server, "alice", &format!("r{at}"))).collect();
        let mut eleventh = authenticated(server);
        eleventh.send(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r10</resource></bind></iq>",
        );
        eleventh.expect("<iq type='error' id='b'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'");
        for session in &mut sessions {
            session.expect_nothing_before_ping();
        }
        // Bob has sessions of his own, and a place that is given back can be had.
        Client::login(server, "bob", "desk");
        sessions.pop().unwrap().close();
        eleventh.bind("r10");
    });
}

#[test]
fn how_many_sessions_there_may_be_is_an_option() {
    on_both_stores_with("limits.c2s.sessions = 1", |server| {
        let _first = Client::login(server, "alice", "one");
        let mut second = authenticated(server);
        second.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        second.expect("<iq type='error' id='b'><resource-constraint");
    });
}

#[test]
fn the_session_request_of_old_clients_is_answered() {
    let server = with_policy("kick-old");
    let mut client = authenticated(&server);
    client.bind("old");
    client.send("<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    client.expect("<iq type='result' id='s'");
    client.send("<iq type='set' id='s2' to='localhost'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    client.expect("<iq type='result' id='s2'");
}

#[test]
fn the_session_feature_is_optional() {
    let server = with_policy("kick-old");
    let mut client = Client::direct_tls(&server);
    client.open();
    client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
    let features = client.open();
    assert!(
        features.contains("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"),
        "{features}"
    );
    assert!(!features.contains("<mechanism"), "{features}");
}
