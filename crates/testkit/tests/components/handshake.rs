//! Section 3: the header, the proof, and what is told to those who cannot give it.

use metronome_testkit::{Client, Component, SECRET, Setup};

use crate::{GATEWAY, server};

// XEP-0114 example 1
// XEP-0114 example 2
// XEP-0114 example 3
// XEP-0114 example 4
#[test]
fn a_component_that_knows_the_secret_gets_in() {
    let server = server();
    let mut component = server.dial_as_component().clear();
    component.send(&Component::header(GATEWAY));
    let header = component.expect("<stream:stream xmlns='jabber:component:accept' from='gw.localhost'");
    assert!(header.attribute("id").unwrap().len() > 8);
    assert_eq!(header.attribute("version"), None, "its protocol has no features to wait for");
    drop(component);
    Component::connect(&server, GATEWAY).nothing_before_ping();
}

#[test]
fn a_wrong_secret_is_not_authorized() {
    let server = server();
    for secret in ["", "another", "a <secret> & mor", "A <SECRET> & MORE"] {
        let mut component = server.dial_as_component().clear();
        Component::open(&mut component, GATEWAY, secret);
        component.expect_stream_error("not-authorized");
    }
    Component::connect(&server, GATEWAY);
}

#[test]
fn whoever_guesses_too_often_is_told_the_same_and_not_looked_at() {
    let server = Setup::default().component(GATEWAY).options("[limits.login_failures]\nper_ip = \"3/min\"").start();
    for _ in 0..3 {
        let mut component = server.dial_as_component().clear();
        Component::open(&mut component, GATEWAY, "another");
        component.expect_stream_error("not-authorized");
    }
    let mut component = server.dial_as_component().clear();
    Component::open(&mut component, GATEWAY, SECRET);
    component.expect_stream_error("not-authorized");
}

#[test]
fn a_component_without_a_secret_in_the_configuration_cannot_get_in() {
    let server =
        Setup::default().component(GATEWAY).options("[host.\"gw.localhost\".component]\nsecret = \"\"").start();
    server.expect_log("the component gw.localhost cannot connect");
    let mut component = server.dial_as_component().clear();
    Component::open(&mut component, GATEWAY, "");
    component.expect_stream_error("not-authorized");
}

#[test]
fn only_components_of_the_configuration_are_known() {
    let server = server();
    for domain in ["elsewhere.localhost", "localhost", "x.gw.localhost"] {
        let mut component = server.dial_as_component().clear();
        component.send(&Component::header(domain));
        component.expect_stream_error("host-unknown");
    }
}

#[test]
fn a_header_that_is_not_a_components_gets_its_own_error() {
    let server = server();
    for (header, condition) in [
        (Client::header(GATEWAY), "invalid-namespace"),
        (Component::header(GATEWAY).replace("component:accept", "component:connect"), "invalid-namespace"),
        (Component::header(GATEWAY).replace(" to='gw.localhost'", ""), "improper-addressing"),
        (Component::header("gw@localhost@x"), "improper-addressing"),
    ] {
        let mut component = server.dial_as_component().clear();
        component.send(&header);
        component.expect_stream_error(condition);
    }
}

#[test]
fn a_component_can_encrypt() {
    let server = server();
    let mut component = Component::direct_tls(&server, GATEWAY);
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<message to='x@gw.localhost' type='chat'><body>over TLS</body></message>");
    component.expect("<message from='alice@localhost/phone' to='x@gw.localhost'><body>over TLS</body>");
}

#[test]
fn there_is_nothing_for_a_client_at_the_domain_of_a_component() {
    let server = server();
    let mut client = server.dial().clear();
    client.send(&Client::header(GATEWAY));
    client.expect_stream_error("host-unknown");
}
