//! A locked account logs in and speaks to its host and to itself, until somebody unlocks it; every door respects that.

use metronome_testkit::{Backend, Client, Server, Setup};
use serde_json::json;

use super::{can_log_in, expect_refused, send_fields};

fn run(server: &Server, command: &str) {
    server.control().run(command, json!({ "jid": "alice@localhost" }));
}

#[track_caller]
fn is_locked_in(alice: &mut Client) {
    for stanza in [
        "<message to='bob@localhost' type='chat' id='1'><body>hello</body></message>",
        "<message to='bob@localhost/desk' type='headline' id='1'><body>hello</body></message>",
        "<message to='nobody@localhost' id='1'><body>hello</body></message>",
        "<message to='somebody@elsewhere.example' id='1'><body>hello</body></message>",
        "<presence to='bob@localhost' type='subscribe' id='1'/>",
        "<presence to='bob@localhost/desk' id='1'/>",
        "<iq to='bob@localhost' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "<iq to='bob@localhost/desk' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    ] {
        alice.send(stanza);
        let answer = alice.next_piece();
        let forbidden = "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'";
        assert!(
            answer.attribute("type").as_deref() == Some("error") && answer.contains(forbidden),
            "{stanza}\n   {answer}"
        );
    }
    alice.send("<iq to='localhost' type='get' id='2'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    alice.expect("<iq type='result' id='2'");
    alice.send("<iq type='get' id='3'><query xmlns='jabber:iq:roster'/></iq>");
    alice.expect("<iq type='result' id='3'");
}

#[test]
fn a_locked_users_stanzas_to_others_are_forbidden() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let mut before = Client::login(&server, "alice", "phone");
    run(&server, "user lock");
    is_locked_in(&mut before);
    let mut after = Client::login(&server, "alice", "desk");
    is_locked_in(&mut after);
    bob.expect_nothing_before_ping();
    run(&server, "user unlock");
    for (number, alice) in [&mut before, &mut after].into_iter().enumerate() {
        alice.send(&format!("<message to='bob@localhost' type='chat' id='m{number}'><body>hello</body></message>"));
        bob.expect(&format!("<message id='m{number}'"));
    }
}

#[test]
fn a_locked_account_can_change_its_password_and_delete_itself() {
    let server = Setup::default().store(Backend::Memory).start();
    run(&server, "user lock");
    let mut alice = Client::login(&server, "alice", "phone");
    send_fields(&mut alice, "alice", "passw0rd");
    expect_refused(&mut alice, "modify", "not-acceptable");
    send_fields(&mut alice, "alice", "Passw0rd");
    alice.expect("<iq type='result' id='set'");
    is_locked_in(&mut alice);
    super::send_set(&mut alice, "<remove/>");
    alice.expect("<iq type='result' id='set'");
    alice.expect_stream_error("not-authorized");
}

#[test]
fn nobody_reaches_a_locked_account() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.available();
    run(&server, "user lock");
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<message to='alice@localhost' type='chat' id='m1'><body>hello</body></message>");
    bob.expect("<message type='error' id='m1'><service-unavailable");
    alice.expect_nothing_before_ping();
}

#[test]
fn the_lock_survives_a_restart() {
    let mut server = Setup::default().store(Backend::Sqlite).start();
    run(&server, "user lock");
    server.crash();
    is_locked_in(&mut Client::login(&server, "alice", "phone"));
    let accounts = server.control().run("user list", json!({ "host": "localhost" }));
    let states: Vec<_> =
        accounts.as_array().unwrap().iter().map(|account| account["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["locked", "active", "active"]);
}

#[test]
fn who_is_locked_and_disabled_stays_so_behind_a_restart_and_is_nobody_to_others() {
    let mut server = Setup::default().store(Backend::Sqlite).start();
    run(&server, "user lock");
    let mut alice = Client::login(&server, "alice", "phone");
    run(&server, "user disable");
    alice.expect_stream_error("not-authorized");
    server.crash();
    assert!(!can_log_in(&server, "alice", "alice-secret"));
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<message to='alice@localhost' type='chat' id='m1'><body>hello</body></message>");
    bob.expect("<message type='error' id='m1'><service-unavailable");
    run(&server, "user enable");
    is_locked_in(&mut Client::login(&server, "alice", "phone"));
}

#[test]
fn locking_and_disabling_do_not_undo_each_other() {
    let server = Setup::default().store(Backend::Memory).start();
    let state = || {
        let accounts = server.control().run("user list", json!({ "host": "localhost" }));
        accounts[0]["state"].as_str().unwrap().to_owned()
    };
    let refused = |command: &str| {
        let reply = server.control().ask(command, json!({ "jid": "alice@localhost" }));
        assert_eq!(reply["exit"], 1, "{command}: {reply}");
    };
    run(&server, "user lock");
    run(&server, "user lock");
    refused("user enable");
    assert!(can_log_in(&server, "alice", "alice-secret"));
    run(&server, "user disable");
    assert_eq!(state(), "locked-and-disabled");
    assert!(!can_log_in(&server, "alice", "alice-secret"));
    run(&server, "user enable");
    assert_eq!(state(), "locked");
    is_locked_in(&mut Client::login(&server, "alice", "phone"));
    // And while it is disabled.
    for (command, wanted) in [
        ("user disable", "locked-and-disabled"),
        ("user disable", "locked-and-disabled"),
        ("user lock", "locked-and-disabled"),
        ("user unlock", "disabled"),
        ("user unlock", "disabled"),
        ("user disable", "disabled"),
        ("user lock", "locked-and-disabled"),
    ] {
        run(&server, command);
        assert_eq!(state(), wanted, "after {command}");
        assert!(!can_log_in(&server, "alice", "alice-secret"), "after {command}");
    }
    run(&server, "user enable");
    run(&server, "user unlock");
    assert_eq!(state(), "active");
    assert!(can_log_in(&server, "alice", "alice-secret"));
    let nobody = server.control().ask("user lock", json!({ "jid": "nobody@localhost" }));
    assert_eq!(nobody["exit"], 1, "{nobody}");
}
