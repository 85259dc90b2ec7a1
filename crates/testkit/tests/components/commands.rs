//! Components that are added, changed and removed while the server runs.

use metronome_testkit::{Component, Server, Setup, online};
use serde_json::{Value, json};

use crate::{GATEWAY, server};

/// The secret that a command has told.
fn told(answer: &Value) -> String {
    let text = answer.as_str().unwrap();
    text.rsplit(' ').next().unwrap().to_owned()
}

/// Connects with this secret, and demands this to begin with.
#[track_caller]
fn tries(server: &Server, secret: &str, answer: &str) {
    let mut client = server.dial_as_component().clear();
    Component::open(&mut client, "new.localhost", secret);
    match answer {
        "handshake" => drop(client.expect("<handshake>")),
        error => drop(client.expect_stream_error(error)),
    }
}

#[test]
fn a_component_that_was_added_gets_in_by_the_secret_that_was_told_also_after_a_restart() {
    let mut server = server();
    let secret = told(&server.control().run("component add", json!({ "domain": "New.localhost" })));
    assert!(secret.len() >= 32, "{secret}");
    tries(&server, &secret, "handshake");
    tries(&server, "another", "not-authorized");
    let listed = server.control().run("component list", json!({}));
    assert_eq!(listed[1]["component"], "new.localhost", "{listed}");
    server.control().run("reload", json!({}));
    tries(&server, &secret, "handshake");
    server.crash();
    tries(&server, &secret, "handshake");
    assert!(!server.log().text().contains(&secret));
}

#[test]
fn a_secret_may_be_given_and_changed() {
    let server = server();
    server.control().run("component add", json!({ "domain": "new.localhost", "secret": "first" }));
    tries(&server, "first", "handshake");
    server.control().run("component secret", json!({ "domain": "new.localhost", "secret": "second" }));
    tries(&server, "first", "not-authorized");
    tries(&server, "second", "handshake");
    let made = told(&server.control().run("component secret", json!({ "domain": "new.localhost" })));
    tries(&server, &made, "handshake");
    for wrong in [json!({ "domain": "new.localhost", "secret": "" }), json!({ "domain": "a@b", "secret": "x" })] {
        assert_ne!(server.control().ask("component secret", wrong)["exit"], 0);
    }
}

#[test]
fn a_component_that_is_removed_is_thrown_out_and_what_waits_for_it_comes_back() {
    let mut server = server();
    server.control().run("component add", json!({ "domain": "new.localhost", "secret": "x" }));
    let mut client = server.dial_as_component().clear();
    Component::open(&mut client, "new.localhost", "x");
    client.expect("<handshake>");
    server.control().run("component remove", json!({ "domain": "new.localhost" }));
    client.expect_stream_error("host-gone");
    server.restart();
    let mut client = server.dial_as_component().clear();
    client.send(&Component::header("new.localhost"));
    client.expect_stream_error("host-unknown");
    let mut alice = online(&server, "alice", "phone");
    alice.send("<iq to='new.localhost' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.wait_for("<iq type='error' id='p'");
}

#[test]
fn what_is_something_else_already_is_left_alone() {
    let server = Setup::default().domain("served.example").component(GATEWAY).start();
    let problem = |command: &str, domain: &str| {
        let reply = server.control().ask(command, json!({ "domain": domain }));
        assert_eq!(reply["exit"], 1, "{reply}");
        reply.to_string()
    };
    assert!(problem("component add", "served.example").contains("is served already"));
    assert!(problem("component add", GATEWAY).contains("is the domain of a component"));
    for command in ["component secret", "component remove"] {
        assert!(problem(command, GATEWAY).contains("the configuration names"));
        assert!(problem(command, "served.example").contains("and not of a component"));
        assert!(problem(command, "unknown.example").contains("not the domain of a component"));
    }
    server.control().run("component add", json!({ "domain": "new.localhost" }));
    let reply = server.control().ask("host add", json!({ "name": "new.localhost" }));
    assert!(reply.to_string().contains("metronomectl component remove new.localhost"), "{reply}");
}

#[test]
fn the_configuration_counts_where_it_names_a_component_that_was_added() {
    let server = server();
    server.control().run("component add", json!({ "domain": "new.localhost", "secret": "added" }));
    server.write_options("components = [\"new.localhost\"]\n[host.\"new.localhost\".component]\nsecret = \"written\"");
    server.control().run("reload", json!({}));
    tries(&server, "added", "not-authorized");
    tries(&server, "written", "handshake");
}
