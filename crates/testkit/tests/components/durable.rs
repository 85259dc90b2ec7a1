//! Messages for components that must not be lost: what was acknowledged to a sender is stored until the component has it.

use std::time::Duration;

use metronome_testkit::{Client, Component, ServerPings, Setup, online};
use rustix::process::Signal;

use crate::{GATEWAY, server, until_waiting};

/// A sender that hears what is settled.
fn counting(server: &metronome_testkit::Server) -> Client {
    let mut alice = Client::login(server, "alice", "phone");
    alice.send("<enable xmlns='urn:xmpp:sm:3'/>");
    alice.expect("<enabled xmlns='urn:xmpp:sm:3'");
    alice
}

fn speaks(alice: &mut Client, id: &str) {
    alice.send(&format!("<message to='x@gw.localhost' type='chat' id='{id}'><body>{id}</body></message>"));
}

#[test]
fn what_was_acknowledged_while_it_is_away_survives_a_crash_in_its_order() {
    let mut server = server();
    let mut alice = counting(&server);
    for n in 0..30 {
        speaks(&mut alice, &n.to_string());
    }
    alice.send("<r xmlns='urn:xmpp:sm:3'/>");
    alice.wait_for("<a xmlns='urn:xmpp:sm:3' h='30'");
    server.crash();
    let mut component = Component::connect(&server, GATEWAY);
    for n in 0..30 {
        component.expect(&format!("<message from='alice@localhost/phone' to='x@gw.localhost' id='{n}'"));
    }
    component.nothing_before_ping();
}

#[test]
fn what_the_component_is_not_known_to_have_comes_again_after_a_crash_and_after_a_lost_stream() {
    let mut server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.server_pings(ServerPings::Shown);
    let mut alice = online(&server, "alice", "phone");
    speaks(&mut alice, "1");
    component.expect("<message id='1'");
    // Nobody knows what became of it.
    component.expect("<iq type='get' from='localhost' to='gw.localhost'><ping xmlns='urn:xmpp:ping'");
    drop(component);
    server.expect_log("a component's stream is over");
    let mut component = Component::connect(&server, GATEWAY);
    component.server_pings(ServerPings::Shown);
    component.expect("<message id='1'");
    component.expect("<iq type='get' from='localhost'");
    server.crash();
    let mut component = Component::connect(&server, GATEWAY);
    component.expect("<message id='1'");
    component.nothing_before_ping();
}

#[test]
fn what_the_component_has_does_not_come_again() {
    let mut server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.server_pings(ServerPings::Shown);
    let mut alice = online(&server, "alice", "phone");
    speaks(&mut alice, "1");
    component.expect("<message id='1'");
    let ping = component.expect("<iq type='get' from='localhost'");
    let id = ping.attribute("id").unwrap();
    speaks(&mut alice, "2");
    component.expect("<message id='2'");
    // An answer that is an error is one as well.
    component.send(&format!(
        "<iq from='gw.localhost' to='localhost' type='error' id='{id}'><error type='cancel'>\
         <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    let second = component.expect("<iq type='get' from='localhost'");
    assert_ne!(second.attribute("id"), Some(id), "the second message has a question of its own");
    server.restart();
    let mut component = Component::connect(&server, GATEWAY);
    component.expect("<message id='2'");
    component.nothing_before_ping();
}

#[test]
fn a_server_that_stops_waits_for_the_answer_and_sends_nothing_twice() {
    let mut server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.server_pings(ServerPings::Shown);
    let mut alice = online(&server, "alice", "phone");
    speaks(&mut alice, "1");
    component.expect("<message id='1'");
    let ping = component.expect("<iq type='get' from='localhost'");
    server.signal(Signal::TERM);
    alice.wait_for("</stream:stream>");
    let id = ping.attribute("id").unwrap();
    component.send(&format!("<iq from='gw.localhost' to='localhost' type='result' id='{id}'/>"));
    component.expect_stream_error("system-shutdown");
    component.send("</stream:stream>");
    assert!(server.wait_for_exit(Duration::from_secs(15)).success());
    server.kill();
    server.start_again();
    let mut component = Component::connect(&server, GATEWAY);
    component.nothing_before_ping();
}

#[test]
fn what_the_component_says_before_it_knows_of_the_goodbye_is_taken() {
    let mut server = server();
    online(&server, "alice", "phone").close();
    let mut component = Component::connect(&server, GATEWAY);
    server.signal(Signal::TERM);
    component.expect_stream_error("system-shutdown");
    component
        .send("<message from='x@gw.localhost' to='alice@localhost' type='chat' id='last'><body>last</body></message>");
    component.send("</stream:stream>");
    assert!(server.wait_for_exit(Duration::from_secs(15)).success());
    server.kill();
    server.start_again();
    online(&server, "alice", "phone").wait_for("<message from='x@gw.localhost' to='alice@localhost' id='last'");
}

#[test]
fn what_waits_for_too_long_comes_back_to_those_who_are_not_there() {
    let server = Setup::default().component(GATEWAY).options("[component]\nkeep = \"1 s\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    speaks(&mut alice, "lost");
    until_waiting(&server, 1);
    alice.close();
    while server.control().run("component list", serde_json::json!({}))[0]["waiting"] != 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The same address, to which it comes whether it is on the disk by now or a moment later.
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<presence/>");
    alice.wait_for("<message type='error' id='lost' from='x@gw.localhost'><recipient-unavailable");
}

#[test]
fn a_restart_keeps_what_waits() {
    let mut server = server();
    let mut alice = online(&server, "alice", "phone");
    speaks(&mut alice, "1");
    alice.send("<presence to='gw.localhost' type='subscribe' id='s'/>");
    until_waiting(&server, 2);
    server.restart();
    let mut component = Component::connect(&server, GATEWAY);
    component.expect("<message id='1'");
    component.expect("<presence type='subscribe' from='alice@localhost' to='gw.localhost'");
    component.nothing_before_ping();
}
