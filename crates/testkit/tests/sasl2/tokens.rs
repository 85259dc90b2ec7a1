//! XEP-0484: tokens instead of passwords, and when they end.

use metronome_testkit::{Client, Given, Setup, on_both_stores, user_agent};
use serde_json::json;

use super::*;

/// A token for the phone of this user.
fn given(server: &Server, username: &str, mechanism: &str) -> Given {
    let (_, success) = logged_in(server, username, &phone_wants(mechanism));
    assert!(success.attribute_of("token", "expiry").is_some_and(|expiry| expiry.ends_with('Z')), "{success}");
    Given::of(&success, mechanism)
}

/// Uses a token; answers the condition of the failure.
fn refused(server: &Server, username: &str, given: &Given, inside: &str) -> String {
    let mut client = Client::direct_tls(server);
    client.open_as(username);
    client.prove(username, given, inside);
    let failure = client.next_piece();
    assert!(failure.fits("<failure xmlns='urn:xmpp:sasl:2'"), "{failure}");
    failure.split(['<', ' ', '/', '>']).nth(4).unwrap().to_owned()
}

fn log_in(server: &Server, given: &Given, attributes: &str) -> Seen {
    Client::direct_tls(server).log_in_by_token("alice", given, &phone_uses(attributes))
}

#[test]
fn a_token_logs_in_and_binds_in_one_round_trip() {
    on_both_stores(|server| {
        for mechanism in [UNBOUND, BOUND[0], BOUND[1]] {
            let given = given(server, "alice", mechanism);
            for _ in 0..2 {
                let success = log_in(server, &given, "");
                assert!(success.contains("<bound xmlns='urn:xmpp:bind:0'") && !success.contains("<token"), "{success}");
            }
        }
    });
}

#[test]
fn a_token_outlives_the_server() {
    let mut server = Setup::default().start();
    let given = given(&server, "alice", UNBOUND);
    server.crash();
    log_in(&server, &given, "count='1'");
    server.restart();
    assert_eq!(refused(&server, "alice", &given, &phone_uses("count='1'")), "not-authorized");
    log_in(&server, &given, "count='2'");
}

#[test]
fn a_count_that_does_not_grow_is_a_replay() {
    on_both_stores(|server| {
        let given = given(server, "alice", UNBOUND);
        log_in(server, &given, "count='5'");
        for count in [5, 4, 0] {
            let inside = phone_uses(&format!("count='{count}'"));
            assert_eq!(refused(server, "alice", &given, &inside), "not-authorized", "{count}");
        }
        log_in(server, &given, "count='6'");
        assert_eq!(refused(server, "alice", &given, &phone_uses("count='-1'")), "malformed-request");
    });
}

#[test]
fn a_token_is_for_its_client_its_account_and_its_mechanism() {
    let server = server();
    let phone = given(&server, "alice", UNBOUND);
    let other_client = phone_uses("").replace(PHONE, DESK);
    assert_eq!(refused(&server, "alice", &phone, &other_client), "not-authorized");
    assert_eq!(refused(&server, "bob", &phone, &phone_uses("")), "not-authorized");
    assert_eq!(refused(&server, "nobody", &phone, &phone_uses("")), "not-authorized");
    for mechanism in BOUND {
        let bound = Given { mechanism: mechanism.to_owned(), ..phone.clone() };
        assert_eq!(refused(&server, "alice", &bound, &phone_uses("")), "not-authorized");
        let downgraded = Given { mechanism: UNBOUND.to_owned(), ..given(&server, "bob", mechanism) };
        assert_eq!(refused(&server, "bob", &downgraded, &phone_uses("")), "not-authorized", "{mechanism}");
    }
    let nobody = "<fast xmlns='urn:xmpp:fast:0'/>";
    assert_eq!(refused(&server, "alice", &phone, nobody), "not-authorized");
    // Without its element a token is no mechanism of the list.
    assert_eq!(refused(&server, "alice", &phone, &user_agent(PHONE)), "invalid-mechanism");
    log_in(&server, &phone, "");
}

#[test]
fn a_token_ends_with_the_password() {
    on_both_stores(|server| {
        let old = given(server, "alice", UNBOUND);
        server.control().run("user passwd", json!({ "jid": "alice@localhost", "password": "alice-secret" }));
        assert_eq!(refused(server, "alice", &old, &phone_uses("")), "credentials-expired");
        log_in(server, &given(server, "alice", UNBOUND), "");
        assert_eq!(refused(server, "alice", &old, &phone_uses("")), "not-authorized");
    });
}

#[test]
fn a_token_ends_when_the_account_is_disabled_and_rests_while_it_is_locked() {
    let server = server();
    let account = json!({ "jid": "alice@localhost" });
    let given = given(&server, "alice", UNBOUND);
    server.control().run("user lock", account.clone());
    assert_eq!(refused(&server, "alice", &given, &phone_uses("")), "credentials-expired");
    let (_, success) = logged_in(&server, "alice", &phone_wants(UNBOUND));
    assert!(!success.contains("<token"), "{success}");
    server.control().run("user unlock", account.clone());
    log_in(&server, &given, "");
    server.control().run("user disable", account.clone());
    assert_eq!(refused(&server, "alice", &given, &phone_uses("")), "account-disabled");
    server.control().run("user enable", account);
    assert_eq!(refused(&server, "alice", &given, &phone_uses("")), "credentials-expired");
}

#[test]
fn a_token_may_be_ended_by_its_client() {
    on_both_stores(|server| {
        let given = given(server, "alice", UNBOUND);
        let success = log_in(server, &given, "invalidate='true'");
        assert!(!success.contains("<token"), "{success}");
        assert_eq!(refused(server, "alice", &given, &phone_uses("")), "not-authorized");
    });
}

#[test]
fn another_token_may_be_asked_for_at_any_time() {
    on_both_stores(|server| {
        let first = given(server, "alice", UNBOUND);
        let inside = phone_uses("") + &request_token(UNBOUND);
        let second = Given::of(&Client::direct_tls(server).log_in_by_token("alice", &first, &inside), UNBOUND);
        assert_ne!(first, second);
        // It may never have arrived: the first one is still good.
        log_in(server, &first, "");
        log_in(server, &second, "");
        assert_eq!(refused(server, "alice", &first, &phone_uses("")), "not-authorized");
    });
}

#[test]
fn a_host_may_give_no_tokens() {
    let server = Setup::default().options("auth.fast = false").start();
    let mut client = Client::direct_tls(&server);
    let features = client.open_as("alice");
    assert!(features.contains("urn:xmpp:sasl:2") && !features.contains("urn:xmpp:fast:0"), "{features}");
    let (_, success) = logged_in(&server, "alice", &phone_wants(UNBOUND));
    assert!(!success.contains("<token"), "{success}");
    let made_up = Given { token: "x".repeat(43), mechanism: UNBOUND.to_owned() };
    assert_eq!(refused(&server, "alice", &made_up, &phone_uses("")), "invalid-mechanism");
}

#[test]
fn guessing_tokens_is_limited_like_guessing_passwords() {
    let server = Setup::default().options("limits.login_failures.per_ip = \"3/min\"").start();
    let given = given(&server, "alice", UNBOUND);
    let guess = Given { token: "x".repeat(43), ..given.clone() };
    for _ in 0..3 {
        assert_eq!(refused(&server, "alice", &guess, &phone_uses("")), "not-authorized");
    }
    assert_eq!(refused(&server, "alice", &given, &phone_uses("")), "temporary-auth-failure");
}

#[test]
fn s11_what_was_given_for_a_password_ends_with_it() {
    on_both_stores(|server| {
        let inside = user_agent(PHONE)
            + &bind("phone", "<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
            + &request_token(UNBOUND);
        let (phone, success) = logged_in(server, "alice", &inside);
        let stream = success.attribute_of("enabled", "id").unwrap();
        let token = Given::of(&success, UNBOUND);
        phone.drop_connection();
        server.control().run("user passwd", json!({ "jid": "alice@localhost", "password": "alice-secret" }));
        let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{stream}' h='0'/>");
        assert_eq!(refused(server, "alice", &token, &(phone_uses("") + &resume)), "credentials-expired");
        // Not even with the new password.
        let (_, success) = logged_in(server, "alice", &(user_agent(PHONE) + &resume + &bind("phone", "")));
        assert!(success.contains("<failed xmlns='urn:xmpp:sm:3'") && !success.contains("<resumed"), "{success}");
    });
}
