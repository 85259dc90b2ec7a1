//! XEP-0480: keys for a mechanism that an account has none for, computed by a client with the password.

use metronome_sasl::client::salted_password;
use metronome_sasl::{Hash, Password};
use metronome_testkit::{Client, Given, Sasl, Setup, base64, unbase64, user_agent};
use serde_json::json;

use super::*;

const TASK: &str = "UPGR-SCRAM-SHA-384";
const UPGRADE: &str = "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-384</upgrade>";
const NEXT: &str = "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-384'/>";

/// A server whose accounts have no keys for a mechanism that it has begun to offer.
fn upgradable() -> Server {
    let server = Setup::default().start();
    server.write_options("auth.mechanisms = [\"SCRAM-SHA-384\", \"SCRAM-SHA-256\", \"PLAIN\"]");
    server.control().run("reload", json!({}));
    server
}

fn alice(mechanism: &str) -> Sasl<'_> {
    Sasl::new(mechanism, "alice", "alice-secret")
}

/// A client in front of the task, with what was said before it.
fn asked(server: &Server) -> (Client, Seen) {
    let mut client = Client::direct_tls(server);
    let features = client.open_as("alice");
    assert!(features.contains(&format!("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>{TASK}</upgrade>")), "{features}");
    let inside = user_agent(PHONE) + UPGRADE + &bind("phone", "") + &request_token(UNBOUND);
    let outcome = client.second(&alice("SCRAM-SHA-256"), &inside);
    (client, outcome)
}

fn computed(challenge: &Seen) -> String {
    let salt = unbase64(&challenge.text_of("salt").unwrap());
    let iterations = challenge.attribute_of("salt", "iterations").unwrap().parse().unwrap();
    let hash = salted_password(Hash::Sha384, &Password::new("alice-secret").unwrap(), &salt, iterations);
    task_data(&base64(hash))
}

fn task_data(hash: &str) -> String {
    format!("<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>{hash}</hash></task-data>")
}

fn can_log_in(server: &Server, mechanism: &str) -> bool {
    let mut client = Client::direct_tls(server);
    client.open_as("alice");
    client.second(&alice(mechanism), "").fits("<success")
}

#[test]
fn a_client_with_the_password_makes_keys_for_another_mechanism() {
    let mut server = upgradable();
    assert!(!can_log_in(&server, "SCRAM-SHA-384"));
    let (mut client, outcome) = asked(&server);
    assert!(
        outcome.fits(&format!("<continue xmlns='urn:xmpp:sasl:2'><tasks><task>{TASK}</task></tasks>")),
        "{outcome}"
    );
    client.send(NEXT);
    let challenge = client.expect("<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0'");
    client.send(&computed(&challenge));
    let success = client.expect("<success xmlns='urn:xmpp:sasl:2'");
    assert!(!success.contains("additional-data"), "it was said before: {success}");
    assert!(success.contains("<bound") && success.contains("<token"), "{success}");
    assert!(can_log_in(&server, "SCRAM-SHA-384") && can_log_in(&server, "SCRAM-SHA-256"));
    // Nothing has ended: the token is of the same password.
    Client::direct_tls(&server).log_in_by_token("alice", &Given::of(&success, UNBOUND), &phone_uses(""));
    // Once it is done there is no task.
    let (_, outcome) = asked(&server);
    assert!(outcome.fits("<success"), "{outcome}");
    server.restart();
    assert!(can_log_in(&server, "SCRAM-SHA-384"));
}

#[test]
fn a_task_that_is_not_done_ends_the_attempt_and_changes_nothing() {
    let server = upgradable();
    for (said, condition) in [
        ("<abort xmlns='urn:xmpp:sasl:2'/>", "aborted"),
        ("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-512'/>", "malformed-request"),
    ] {
        let (mut client, _) = asked(&server);
        client.send(said);
        client.expect_second_failure(condition);
    }
    for hash in ["", "AAAA", "!", &base64([7; 49])] {
        let (mut client, _) = asked(&server);
        client.send(NEXT);
        client.expect("<task-data");
        client.send(&task_data(hash));
        client.expect_second_failure("malformed-request");
    }
    let (mut client, _) = asked(&server);
    client.send("<message to='bob@localhost'><body>already</body></message>");
    client.expect_stream_error("not-authorized");
    assert!(!can_log_in(&server, "SCRAM-SHA-384"));
}

#[test]
fn a_token_is_not_the_password() {
    let server = upgradable();
    let (_, success) = logged_in(&server, "alice", &phone_wants(UNBOUND));
    let given = Given::of(&success, UNBOUND);
    let success = Client::direct_tls(&server).log_in_by_token("alice", &given, &(phone_uses("") + UPGRADE));
    assert!(success.fits("<success"), "no task: {success}");
}

#[test]
fn a_password_that_changes_meanwhile_gets_no_keys_of_the_old_one() {
    let server = upgradable();
    let (mut client, _) = asked(&server);
    client.send(NEXT);
    let challenge = client.expect("<task-data");
    server.write_options("auth.mechanisms = [\"SCRAM-SHA-256\"]");
    server.control().run("reload", json!({}));
    server.control().run("user passwd", json!({ "jid": "alice@localhost", "password": "another-secret" }));
    client.send(&computed(&challenge));
    client.expect_second_failure("not-authorized");
    server.write_options("auth.mechanisms = [\"SCRAM-SHA-384\", \"SCRAM-SHA-256\"]");
    server.control().run("reload", json!({}));
    assert!(!can_log_in(&server, "SCRAM-SHA-384"));
}
