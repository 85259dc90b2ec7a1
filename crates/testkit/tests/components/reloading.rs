//! Components that come and go with a reload, and a server that ends.

use metronome_testkit::{Component, Setup, online};
use serde_json::json;

use crate::{GATEWAY, server, until_waiting};

#[test]
fn a_reload_adds_components_and_ends_those_that_are_gone() {
    let server = server();
    let mut gateway = Component::connect(&server, GATEWAY);
    server.write_options(
        "components = [\"new.localhost\"]\n[host.\"new.localhost\".component]\nsecret = \"a <secret> & more\"",
    );
    server.control().run("reload", json!({}));
    gateway.expect_stream_error("host-gone");
    let mut added = Component::connect(&server, "new.localhost");
    added.nothing_before_ping();
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='x@new.localhost' type='chat' id='1'><body>x</body></message>");
    added.expect("<message id='1'");
    let listed = server.control().run("component list", json!({}));
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let mut old = server.dial_as_component().clear();
    old.send(&Component::header(GATEWAY));
    old.expect_stream_error("host-unknown");
}

#[test]
fn what_waits_for_a_component_that_is_removed_comes_back() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='x@gw.localhost' type='chat' id='1'><body>x</body></message>");
    until_waiting(&server, 1);
    server.write_options("components = []");
    server.control().run("reload", json!({}));
    alice.wait_for("<message type='error' id='1' from='x@gw.localhost'");
}

#[test]
fn a_new_secret_counts_for_new_streams() {
    let server = server();
    let mut old = Component::connect(&server, GATEWAY);
    server.write_options("[host.\"gw.localhost\".component]\nsecret = \"new\"");
    server.control().run("reload", json!({}));
    old.nothing_before_ping();
    let mut wrong = server.dial_as_component().clear();
    Component::open(&mut wrong, GATEWAY, metronome_testkit::SECRET);
    wrong.expect_stream_error("not-authorized");
    let mut right = server.dial_as_component().clear();
    Component::open(&mut right, GATEWAY, "new");
    right.expect("<handshake>");
}

#[test]
fn a_server_that_stops_says_so() {
    let mut server = server();
    let mut component = Component::connect(&server, GATEWAY);
    server.stop();
    component.expect_stream_error("system-shutdown");
}

#[test]
fn a_domain_is_served_or_a_components_and_not_both() {
    let server = Setup::default().domain("other.example").start();
    server.write_options("components = [\"other.example\"]");
    let reply = server.control().ask("reload", json!({}));
    assert_ne!(reply["exit"], 0);
    assert!(reply.to_string().contains("serves itself"), "{reply}");
}

#[test]
fn host_commands_leave_components_alone() {
    let server = server();
    for command in ["host add", "host disable", "host enable", "host remove"] {
        let reply = server.control().ask(command, json!({ "name": GATEWAY }));
        assert!(reply.to_string().contains("the domain of a component"), "{command}: {reply}");
    }
    let reply = server.control().ask("user add", json!({ "jid": "x@gw.localhost", "password": "a long enough one" }));
    assert_ne!(reply["exit"], 0, "{reply}");
}

#[test]
fn a_secret_is_not_shown() {
    let server = server();
    assert!(!server.log().text().contains(metronome_testkit::SECRET));
}
