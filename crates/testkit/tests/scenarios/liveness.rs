//! How streams end: closed by either side, by a dead peer, by a full network, by the end of the server (RFC 6120 section 4.4).

use std::time::Duration;

use metronome_testkit::{Backend, Client, ServerPings, Setup, WAIT, on_both_stores, on_both_stores_with};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn a_closed_stream_is_closed_by_the_server_too() {
    on_both_stores(|server| {
        let client = Client::login(server, "alice", "phone");
        assert!(client.close().is_empty());
        assert_eq!(server.figure("sessions"), 0);
    });
}

#[test]
fn what_was_sent_before_the_close_is_answered_before_the_end() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let mut alice = Client::login(server, "alice", "phone");
        alice.send(
            "<message to='bob@localhost' type='chat' id='last'><body>bye</body></message>\
             <iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>",
        );
        alice.expect("<iq type='result' id='ping'");
        alice.expect("</stream:stream>");
        bob.expect("<message id='last'><body>bye</body>");
    });
}

#[test]
fn nothing_behind_the_end_of_a_stream_counts() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let mut alice = Client::login(server, "alice", "phone");
        alice.send("</stream:stream><message to='bob@localhost' type='chat' id='late'><body>late</body></message>");
        alice.expect("</stream:stream>");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_client_that_ends_the_connection_without_a_word_is_gone() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut client = Client::login(&server, "alice", "phone");
    client.end_connection();
    let from = server.log().len();
    Client::login(&server, "alice", "tablet").drop_connection();
    let gone = server.log().wait_for(from, "a session is over jid=\"alice@localhost/tablet\"", WAIT);
    assert!(gone.is_some(), "{}", server.log().tail(10));
    server.expect_log("a session is over jid=\"alice@localhost/phone\"");
    assert_eq!(server.figure("sessions"), 0);
}

#[test]
fn a_silent_client_gets_a_ping_and_stays_if_it_answers() {
    on_both_stores_with("limits.c2s.idle = \"1 s\"\nlimits.c2s.answer = \"1 s\"", |server| {
        let mut client = Client::login(server, "alice", "phone");
        client.server_pings(ServerPings::Shown);
        for _ in 0..2 {
            let ping = client.expect("<iq type='get' from='localhost'><ping xmlns='urn:xmpp:ping'");
            let id = ping.attribute("id").unwrap();
            client.send(&format!("<iq type='result' id='{id}'/>"));
        }
        client.expect("<iq type='get'");
        client.expect_stream_error("connection-timeout");
        assert_eq!(server.figure("sessions"), 0);
    });
}

#[test]
fn a_space_between_stanzas_is_a_sign_of_life() {
    let options = "limits.c2s.idle = \"2 s\"\nlimits.c2s.answer = \"60 s\"";
    let server = Setup::default().store(Backend::Memory).options(options).start();
    let mut client = Client::login(&server, "alice", "phone");
    client.server_pings(ServerPings::Shown);
    for _ in 0..8 {
        client.send(" ");
        assert_eq!(client.next_within(Duration::from_millis(400)), None);
    }
    client.expect_nothing_before_ping();
}

#[test]
fn a_peer_whose_network_has_gone_is_noticed() {
    // The socket stays open and nobody reads or answers, as after a cable was pulled.
    let options = "limits.c2s.idle = \"1 s\"\nlimits.c2s.answer = \"1 s\"";
    let server = Setup::default().store(Backend::Memory).options(options).start();
    let _silent = Client::login(&server, "alice", "phone");
    server.expect_log("a session is over jid=\"alice@localhost/phone\"");
}

#[test]
fn everyone_gets_system_shutdown_at_sigterm() {
    on_both_stores(|server| {
        let mut sessions: Vec<_> =
            ["alice", "bob", "carol"].map(|name| Client::login(server, name, "phone")).into_iter().collect();
        server.signal(Signal::TERM);
        for session in &mut sessions {
            session.expect_stream_error("system-shutdown");
        }
        drop(sessions);
        assert!(server.wait_for_exit(WAIT).success());
    });
}

#[test]
fn the_control_socket_stops_the_server_as_sigterm_does() {
    let mut server = Setup::default().start();
    let mut session = Client::login(&server, "alice", "phone");
    server.control().run("stop", json!({}));
    session.expect_stream_error("system-shutdown");
    drop(session);
    assert!(server.wait_for_exit(WAIT).success());
}

#[test]
fn nobody_gets_in_while_the_server_stops() {
    let mut server = Setup::default().store(Backend::Memory).start();
    // A client that does not let go keeps the server waiting for a while.
    let _holder = Client::login(&server, "alice", "phone");
    let dial = server.dial();
    server.signal(Signal::TERM);
    server.expect_log("the server is stopping");
    let late = dial.try_clear().map(|mut client| {
        let _ = client.try_send(Client::header("localhost").as_bytes());
        client.drain(WAIT)
    });
    assert!(late.as_ref().map_or(true, |said| !said.contains("<stream:features>")), "{late:?}");
    assert!(server.wait_for_exit(Duration::from_secs(15)).success());
}

#[test]
fn accounts_outlive_a_restart_and_a_crash() {
    let mut server = Setup::default().start();
    server.restart();
    Client::login(&server, "alice", "phone").close();
    server.crash();
    Client::login(&server, "alice", "phone").close();
}

#[test]
fn a_killed_session_gets_a_stream_error() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        let mut desk = Client::login(server, "alice", "desk");
        server.control().run("session kill", json!({ "jid": "alice@localhost/phone" }));
        phone.expect_stream_error("policy-violation");
        desk.expect_nothing_before_ping();
    });
}

#[test]
fn bad_xml_in_a_session_ends_that_stream_alone() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        for (wrong, condition) in [
            ("<message><body>&unknown;</body></message>", "restricted-xml"),
            ("<message></body>", "not-well-formed"),
            ("<message to='bob@localhost' from='@'><body>x</body></message>", "invalid-from"),
            ("text", "bad-format"),
            ("<foo/>", "unsupported-stanza-type"),
        ] {
            let mut alice = Client::login(server, "alice", "phone");
            alice.send(&format!("<message to='bob@localhost' type='chat' id='before'><body>x</body></message>{wrong}"));
            alice.expect_stream_error(condition);
            bob.expect("<message id='before' from='alice@localhost/phone'");
        }
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_stanza_that_is_too_large_gets_policy_violation_and_one_that_fits_does_not() {
    let options = "limits.c2s.stanza = \"10000 B\"";
    let server = Setup::default().store(Backend::Memory).options(options).start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let mut alice = Client::login(&server, "alice", "phone");
    let message =
        |bytes: usize| format!("<message to='bob@localhost' type='chat'><body>{}</body></message>", "x".repeat(bytes));
    alice.send(&message(9_900));
    bob.expect("<message from='alice@localhost/phone'");
    alice.send(&message(10_000));
    alice.expect_stream_error("policy-violation");
    bob.expect_nothing_before_ping();
}

#[test]
fn a_sender_cannot_be_forged() {
    // RFC 6120 section 8.1.2.1 lets a server put the true address in the place of a false one.
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let mut alice = Client::login(server, "alice", "phone");
        for from in ["carol@localhost/x", "alice@localhost/other", "alice@localhost", "localhost", "bob@localhost/desk"]
        {
            alice.send(&format!("<message to='bob@localhost' type='chat' from='{from}'><body>x</body></message>"));
            bob.expect("<message from='alice@localhost/phone' to='bob@localhost'><body>x</body>");
        }
    });
}
