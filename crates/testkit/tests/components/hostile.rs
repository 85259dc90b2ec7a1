//! Components that do what they must not, and those that are none.

use std::time::Duration;

use metronome_testkit::{Client, Component, Setup, online};

use crate::{GATEWAY, server};

#[test]
fn a_forged_sender_ends_the_stream_and_reaches_nobody() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    for from in
        ["bob@localhost/x", "localhost", "x@gw.localhost.example", "gw.localhost@example", "x@elsewhere.example"]
    {
        for stanza in [
            format!("<message from='{from}' to='alice@localhost' type='chat'><body>forged</body></message>"),
            format!("<presence from='{from}' to='alice@localhost' type='subscribe'/>"),
            format!(
                "<iq from='{from}' to='alice@localhost/phone' type='set' id='f'><query xmlns='jabber:iq:roster'/></iq>"
            ),
        ] {
            let mut component = Component::connect(&server, GATEWAY);
            component.send(&stanza);
            component.expect_stream_error("invalid-from");
        }
    }
    alice.expect_nothing_before_ping();
}

#[test]
fn addresses_that_are_none_and_stanzas_that_are_none() {
    let server = server();
    for (xml, condition) in [
        ("<message from='@' to='alice@localhost'/>", "invalid-from"),
        ("<stanza from='gw.localhost' to='alice@localhost'/>", "unsupported-stanza-type"),
        ("<message xmlns='jabber:server' from='gw.localhost' to='alice@localhost'/>", "unsupported-stanza-type"),
        ("<message from='gw.localhost' to='alice@localhost'><!-- --></message>", "restricted-xml"),
        ("<message></iq>", "not-well-formed"),
        ("text", "bad-format"),
    ] {
        let mut component = Component::connect(&server, GATEWAY);
        component.send(xml);
        component.expect_stream_error(condition);
    }
}

#[test]
fn a_stanza_without_a_recipient_or_with_a_wrong_one_comes_back() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.send("<message from='x@gw.localhost' id='1'><body>x</body></message>");
    component.expect("<message type='error' id='1' to='x@gw.localhost'><bad-request");
    component.send("<message from='x@gw.localhost' to='@' id='2'><body>x</body></message>");
    component.expect("<message type='error' id='2' to='x@gw.localhost'><jid-malformed");
    component.send("<iq from='x@gw.localhost' to='localhost' type='get' id='3'/>");
    component.expect("<iq type='error' id='3' to='x@gw.localhost'><bad-request");
    component.send("<message to='nobody@localhost' id='4'><body>x</body></message>");
    component.expect("<message type='error' from='nobody@localhost' to='gw.localhost' id='4'><service-unavailable");
    component.nothing_before_ping();
}

#[test]
fn before_it_has_proved_itself_a_component_says_little() {
    let server = server();
    let stanza = "<message from='x@gw.localhost' to='alice@localhost'><body>early</body></message>";
    let mut alice = online(&server, "alice", "phone");
    let mut component = server.dial_as_component().clear();
    component.send(&Component::header(GATEWAY));
    component.expect("<stream:stream");
    component.send(stanza);
    component.expect_stream_error("not-authorized");
    let mut component = server.dial_as_component().clear();
    component.send(&Component::header(GATEWAY));
    component.expect("<stream:stream");
    let _ = component.try_send(format!("<handshake>{}</handshake>", "x".repeat(20_000)).as_bytes());
    component.expect_stream_error("policy-violation");
    let mut component = server.dial_as_component().clear();
    let _ = component.try_send(format!("<stream:stream to='{}'", "x".repeat(20_000)).as_bytes());
    component.expect_stream_error("policy-violation");
    alice.expect_nothing_before_ping();
}

#[test]
fn an_endless_stanza_ends_the_stream() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.send("<message from='x@gw.localhost' to='alice@localhost'><body>");
    let mebibyte = "x".repeat(1 << 20);
    for _ in 0..4 {
        if component.try_send(mebibyte.as_bytes()).is_err() {
            break;
        }
    }
    let said = component.drain(Duration::from_secs(10));
    assert!(said.is_empty() || said.contains("policy-violation"), "{said}");
    Component::connect(&server, GATEWAY).nothing_before_ping();
}

#[test]
fn what_was_said_before_a_connection_is_cut_counts_and_half_a_stanza_does_not() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut component = Component::connect(&server, GATEWAY);
    component.send(
        "<message from='x@gw.localhost' to='alice@localhost' type='chat' id='1'><body>whole</body></message>\
         <message from='x@gw.localhost' to='alice@localhost' type='chat' id='2'><body>ha",
    );
    alice.expect("<message id='1'><body>whole</body>");
    drop(component);
    server.expect_log("a component's stream is over");
    alice.expect_nothing_before_ping();
}

#[test]
fn bytes_that_come_one_by_one_are_the_same_stream() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component
        .send_bytewise("<iq from='gw.localhost' to='localhost' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    component.expect("<iq type='result' id='1'");
}

#[test]
fn a_component_that_reads_nothing_holds_up_nobody() {
    let server = Setup::default()
        .component(GATEWAY)
        .options("[component]\nqueue = \"64 KiB\"\n[limits.c2s]\nbytes = \"1 GiB/s\"")
        .start();
    let _component = Component::connect(&server, GATEWAY);
    let mut alice = online(&server, "alice", "phone");
    let body = "x".repeat(60_000);
    let mut refused = false;
    for n in 0..400 {
        alice.send(&format!("<message to='x@gw.localhost' type='chat' id='{n}'><body>{body}</body></message>"));
        let came = alice.so_far();
        if came.iter().any(|seen| seen.fits("<message type='error'><resource-constraint")) {
            refused = true;
            break;
        }
    }
    assert!(refused, "everything was queued");
    let mut bob = online(&server, "bob", "desk");
    alice.send("<message to='bob@localhost' type='chat' id='b'><body>x</body></message>");
    bob.expect("<message id='b'");
}

#[test]
fn a_silent_component_is_asked_and_an_answer_of_any_kind_keeps_it() {
    let server = Setup::default().component(GATEWAY).options("[component]\nidle = \"500 ms\"").start();
    let mut component = Component::connect(&server, GATEWAY);
    component.server_pings(metronome_testkit::ServerPings::Shown);
    let ping = component.expect("<iq type='get' from='localhost' to='gw.localhost'><ping xmlns='urn:xmpp:ping'");
    let id = ping.attribute("id").unwrap();
    component.send(&format!(
        "<iq type='error' from='gw.localhost' to='localhost' id='{id}'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<message to='x@gw.localhost' type='chat' id='m'><body>x</body></message>");
    component.wait_for("<message id='m'");
}
