//! XEP-0077 section 3.1: somebody without an account makes one, within the limits that the administrator set.

use metronome_testkit::{Backend, Client, Dial, Sasl, Setup};
use serde_json::json;

use super::{can_log_in, expect_refused, open, open_with, send_fields, send_set, stranger, stranger_at};

const FEATURE: &str = "<register xmlns='http://jabber.org/features/iq-register'/>";

#[test]
fn a_form_and_the_older_fields_are_offered_on_an_encrypted_stream() {
    let server = open().start();
    let mut client = Client::connect(&server);
    assert!(!client.open().contains("iq-register"), "not where others can read the password");
    let mut client = Client::direct_tls(&server);
    assert!(client.open().contains(FEATURE));
    for to in ["", " to='localhost'"] {
        client.send(&format!("<iq type='get' id='get'{to}><query xmlns='jabber:iq:register'/></iq>"));
        let query = client.expect("<iq type='result' id='get' from='localhost'><query xmlns='jabber:iq:register'");
        assert!(query.attribute("to").is_none(), "nobody has an address yet: {query}");
        for part in
            ["<instructions>", "<username/>", "<password/>", "<x xmlns='jabber:x:data' type='form'>", "var='FORM_TYPE'"]
        {
            assert!(query.contains(part), "{part} in {query}");
        }
        assert!(!query.contains("<registered/>"));
    }
}

/// Logs in on the stream on which the account was made, and binds.
#[track_caller]
fn goes_on(mut client: Client, username: &str, password: &str) {
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-512", username, password)).fits("<success"));
    client.open();
    assert!(client.bind("phone").starts_with(&format!("{username}@localhost/")));
    client.expect_nothing_before_ping();
}

#[test]
fn the_older_fields_make_an_account() {
    let server = open().start();
    let mut client = stranger(&server);
    send_fields(&mut client, "bill", "Call1ope");
    let result = client.expect("<iq type='result' id='set' from='localhost'");
    assert!(result.attribute("to").is_none() && !result.contains("query"), "{result}");
    goes_on(client, "bill", "Call1ope");
}

#[test]
fn a_form_makes_an_account() {
    let server = open().start();
    let mut client = stranger(&server);
    send_set(
        &mut client,
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>\
         <field var='username'><value>bill</value></field><field var='password'><value>Call1ope</value></field></x>",
    );
    client.expect("<iq type='result' id='set'");
    goes_on(client, "bill", "Call1ope");
}

#[test]
fn an_account_is_durable_before_anybody_hears_of_it() {
    let mut server = open().store(Backend::Sqlite).start();
    let mut client = stranger(&server);
    send_fields(&mut client, "bill", "Call1ope");
    client.expect("<iq type='result' id='set'");
    server.crash();
    assert!(can_log_in(&server, "bill", "Call1ope"));
}

#[test]
fn nobody_makes_an_account_unless_the_administrator_lets_them() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut client = Client::direct_tls(&server);
    assert!(!client.open().contains("iq-register"));
    client.send("<iq type='get' id='get'><query xmlns='jabber:iq:register'/></iq>");
    client.expect("<iq type='error' id='get' from='localhost'><service-unavailable");
    send_fields(&mut client, "bill", "Call1ope");
    expect_refused(&mut client, "cancel", "service-unavailable");
    goes_on(client, "alice", "alice-secret");
    // A reload opens it for streams that are there already.
    let mut client = stranger(&server);
    server.write_options("registration.open = true");
    server.control().run("reload", json!({}));
    send_fields(&mut client, "bill", "Call1ope");
    client.expect("<iq type='result' id='set'");
}

#[test]
fn each_domain_is_opened_by_itself() {
    let server = open_with("[host.\"closed.example\".registration]\nopen = false").domain("closed.example").start();
    let mut client = server.dial().domain("closed.example").direct();
    assert!(!client.open().contains("iq-register"));
    send_fields(&mut client, "bill", "Call1ope");
    expect_refused(&mut client, "cancel", "service-unavailable");
    let mut client = stranger(&server);
    send_fields(&mut client, "bill", "Call1ope");
    client.expect("<iq type='result' id='set'");
}

#[test]
fn a_taken_name_is_a_conflict_in_whatever_way_it_is_written() {
    let server = open().start();
    for name in ["alice", "ALICE", "ａｌｉｃｅ"] {
        let mut client = stranger(&server);
        send_fields(&mut client, name, "Passw0rd");
        expect_refused(&mut client, "cancel", "conflict");
        send_fields(&mut client, "somebody-else", "passw0rd");
        expect_refused(&mut client, "modify", "not-acceptable");
    }
    assert!(can_log_in(&server, "alice", "alice-secret"), "hers is as it was");
}

#[test]
fn what_is_missing_empty_or_no_name_is_not_acceptable() {
    let server = open().start();
    for inside in [
        "",
        "<username>bill</username>",
        "<username>bill</username><password/>",
        "<username>bill</username><password></password>",
        "<password>Passw0rd</password>",
        "<username/><password>Passw0rd</password>",
        "<username>a b</username><password>Passw0rd</password>",
        "<username>bill@localhost</username><password>Passw0rd</password>",
        "<username>bill/phone</username><password>Passw0rd</password>",
        "<x xmlns='jabber:x:data' type='submit'><field var='username'><value>bill</value></field></x>",
    ] {
        let mut client = stranger(&server);
        send_set(&mut client, inside);
        expect_refused(&mut client, "modify", "not-acceptable");
    }
    let accounts = server.control().run("user list", json!({}));
    assert_eq!(accounts.as_array().unwrap().len(), 3, "{accounts}");
}

#[test]
fn names_that_speak_for_the_server_and_those_of_guests_are_reserved() {
    let server = open_with("registration.reserved = [\"root\", \"Straße\"]").start();
    for name in ["root", "ROOT", "straße", "guest-0123456789abcdef0123456789abcdef"] {
        let mut client = stranger(&server);
        send_fields(&mut client, name, "Passw0rd");
        expect_refused(&mut client, "modify", "not-acceptable");
    }
    server.control().add_user("root@localhost");
    let guest = json!({ "jid": "guest-0123456789abcdef0123456789abcdef@localhost", "password": "x" });
    assert_eq!(server.control().ask("user add", guest)["exit"], 1);
}

#[test]
fn a_password_follows_the_policy_and_an_administrator_need_not() {
    let server = open_with("registration.password.max = 30").start();
    let long = format!("Passw0rd{}", "x".repeat(23));
    for weak in ["password", "Password", "passw0rd", "P4ssw-r", &long] {
        let mut client = stranger(&server);
        send_fields(&mut client, "bill", weak);
        expect_refused(&mut client, "modify", "not-acceptable");
    }
    let mut client = stranger(&server);
    send_fields(&mut client, "bill", "Passw0rd");
    client.expect("<iq type='result' id='set'");
    server.control().run("user passwd", json!({ "jid": "bill@localhost", "password": "x" }));
    assert!(can_log_in(&server, "bill", "x"));
}

#[test]
fn one_stream_makes_one_account_and_has_so_many_attempts() {
    let server = open().start();
    let mut client = stranger(&server);
    for _ in 0..5 {
        send_fields(&mut client, "alice", "Passw0rd");
        expect_refused(&mut client, "cancel", "conflict");
    }
    send_fields(&mut client, "bill", "Passw0rd");
    assert!(expect_refused(&mut client, "modify", "not-acceptable").contains("too many attempts"));
    let mut client = stranger(&server);
    send_fields(&mut client, "bill", "Passw0rd");
    client.expect("<iq type='result' id='set'");
    send_fields(&mut client, "will", "Passw0rd");
    expect_refused(&mut client, "modify", "not-acceptable");
    goes_on(client, "bill", "Passw0rd");
}

/// Makes an account, or demands the refusal.
#[track_caller]
fn make(dial: &Dial, name: &str, refused: Option<(&str, &str)>) {
    let mut client = stranger_at(dial);
    send_fields(&mut client, name, "Passw0rd");
    match refused {
        Some((kind, condition)) => drop(expect_refused(&mut client, kind, condition)),
        None => drop(client.expect("<iq type='result' id='set'")),
    }
}

const TOO_OFTEN: Option<(&str, &str)> = Some(("wait", "not-acceptable"));
const TURNED_AWAY: Option<(&str, &str)> = Some(("cancel", "not-acceptable"));

#[test]
fn an_address_makes_so_many_accounts_in_its_time_and_allowed_ones_any_number() {
    let options = "registration.per_address = \"1/d\"\nregistration.allow = [\"127.0.0.16/28\"]";
    let server = open_with(options).start();
    let from = |address: &str| server.dial().from(address);
    make(&from("127.0.0.2"), "a1", None);
    make(&from("127.0.0.2"), "a2", TOO_OFTEN);
    make(&from("127.0.0.3"), "a3", None);
    for number in 0..3 {
        make(&from("127.0.0.17"), &format!("b{number}"), None);
    }
    make(&from("127.0.0.32"), "c1", None);
    make(&from("127.0.0.32"), "c2", TOO_OFTEN);
}

#[test]
fn what_failed_costs_an_address_nothing_but_its_tries() {
    let server = open_with("registration.per_address = \"1/d\"").start();
    let dial = server.dial().from("127.0.0.2");
    for number in 0..9 {
        make(&dial, ["alice", "bob", "carol"][number % 3], Some(("cancel", "conflict")));
    }
    make(&dial, "bill", None);
    make(&dial, "alice", TOO_OFTEN);
    make(&server.dial().from("127.0.0.3"), "alice", Some(("cancel", "conflict")));
}

#[test]
fn denied_networks_make_none_and_with_allowed_only_all_others_neither() {
    let options = "registration.deny = [\"127.0.0.8/29\"]\nregistration.allow = [\"127.0.0.9\", \"127.0.0.16/28\"]";
    let server = open_with(options).start();
    let from = |address: &str| server.dial().from(address);
    make(&from("127.0.0.8"), "a1", TURNED_AWAY);
    make(&from("127.0.0.9"), "a2", TURNED_AWAY);
    make(&from("127.0.0.7"), "a3", None);
    let mut client = stranger_at(&from("127.0.0.15"));
    client.send("<iq type='get' id='get'><query xmlns='jabber:iq:register'/></iq>");
    client.expect("<iq type='error' id='get'><error type='cancel'><not-acceptable");
    server.write_options(&format!("registration.open = true\nregistration.allowed_only = true\n{options}"));
    server.control().run("reload", json!({}));
    make(&from("127.0.0.7"), "b1", TURNED_AWAY);
    make(&from("127.0.0.16"), "b2", None);
}

#[test]
fn all_newcomers_together_make_so_many_accounts() {
    let server = open_with("registration.total = \"2/d\"").start();
    let from = |address: &str| server.dial().from(address);
    make(&from("127.0.0.2"), "a1", None);
    make(&from("127.0.0.3"), "alice", Some(("cancel", "conflict")));
    make(&from("127.0.0.4"), "a2", None);
    make(&from("127.0.0.5"), "a3", Some(("wait", "resource-constraint")));
    server.control().add_user("dave@localhost");
}

#[test]
fn without_tls_nobody_sends_a_password_unless_the_administrator_says_so() {
    let server = open_with("tls.require_c2s = false").start();
    let mut client = Client::connect(&server);
    assert!(!client.open().contains("iq-register"));
    send_fields(&mut client, "bill", "Passw0rd");
    expect_refused(&mut client, "auth", "not-authorized");
    let server = open_with("tls.require_c2s = false\nauth.plain_without_tls = true").start();
    let mut client = Client::connect(&server);
    assert!(client.open().contains(FEATURE));
    send_fields(&mut client, "bill", "Passw0rd");
    client.expect("<iq type='result' id='set'");
    goes_on(client, "bill", "Passw0rd");
}

#[test]
fn a_stream_that_makes_an_account_can_encrypt_first_with_starttls() {
    let server = open().start();
    let mut client = server.dial().starttls();
    assert!(client.open().contains(FEATURE));
    send_fields(&mut client, "bill", "Passw0rd");
    client.expect("<iq type='result' id='set'");
    goes_on(client, "bill", "Passw0rd");
}
