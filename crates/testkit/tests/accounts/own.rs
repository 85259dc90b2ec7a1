//! XEP-0077 for somebody who has an account: what it is told, another password (section 3.3), and the end of the account (section 3.2).

use metronome_testkit::{Backend, Client, Setup, on_both_stores};
use serde_json::json;

use super::{can_log_in, expect_refused, log_in, open, send_fields, send_set, stranger};

fn send_to(client: &mut Client, to: &str, inside: &str) {
    client.send(&format!("<iq type='set' id='set' to='{to}'><query xmlns='jabber:iq:register'>{inside}</query></iq>"));
}

#[test]
fn an_account_is_told_that_it_is_one() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    for to in ["", " to='localhost'", " to='alice@localhost'"] {
        alice.send(&format!("<iq type='get' id='get'{to}><query xmlns='jabber:iq:register'/></iq>"));
        let told = alice.expect("<iq type='result' id='get'><query xmlns='jabber:iq:register'");
        assert!(told.contains("<registered/>") && told.contains("<username>alice</username>"), "{told}");
        assert!(told.contains("<password/>"), "nobody knows the password: {told}");
    }
    alice.send("<iq type='get' id='info' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    assert!(alice.expect("<iq type='result' id='info'").contains("<feature var='jabber:iq:register'/>"));
}

#[test]
fn another_password_ends_all_sessions_but_the_one_that_asked() {
    on_both_stores(|server| {
        for (number, to) in ["localhost", "alice@localhost"].into_iter().enumerate() {
            let (old, new) = match number {
                0 => ("alice-secret".to_owned(), "Passw0rd-1".to_owned()),
                _ => (format!("Passw0rd-{number}"), format!("Passw0rd-{}", number + 1)),
            };
            let mut phone = log_in(server, "alice", &old, "phone");
            let mut desk = log_in(server, "alice", &old, "desk");
            let mut bob = Client::login(server, "bob", "desk");
            send_to(&mut phone, to, &format!("<username>alice</username><password>{new}</password>"));
            phone.expect("<iq type='result' id='set'");
            desk.expect_stream_error("reset");
            phone.expect_nothing_before_ping();
            bob.expect_nothing_before_ping();
            assert!(can_log_in(server, "alice", &new) && !can_log_in(server, "alice", &old));
        }
    });
}

#[test]
fn a_form_and_a_request_without_address_change_the_password_too() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    send_set(
        &mut alice,
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>\
         <field var='username'><value>Alice</value></field><field var='password'><value>Passw0rd-1</value></field></x>",
    );
    alice.expect("<iq type='result' id='set'");
    assert!(can_log_in(&server, "alice", "Passw0rd-1"));
}

#[test]
fn a_new_password_is_durable_before_anybody_hears_of_it() {
    let mut server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    send_fields(&mut alice, "alice", "Passw0rd-1");
    alice.expect("<iq type='result' id='set'");
    server.crash();
    assert!(can_log_in(&server, "alice", "Passw0rd-1") && !can_log_in(&server, "alice", "alice-secret"));
}

#[test]
fn an_empty_weak_or_foreign_change_leaves_the_password_as_it_is() {
    let server = open().start();
    let mut alice = Client::login(&server, "alice", "phone");
    for (inside, condition) in [
        ("<username>alice</username><password/>", "bad-request"),
        ("<username>alice</username><password></password>", "bad-request"),
        ("<username>alice</username>", "bad-request"),
        ("<password>Passw0rd</password>", "bad-request"),
        ("<username>bob</username><password>Passw0rd</password>", "bad-request"),
        ("<username>newcomer</username><password>Passw0rd</password>", "bad-request"),
        ("", "bad-request"),
        ("<x xmlns='jabber:x:data' type='cancel'/>", "bad-request"),
        ("<username>alice</username><password>password</password>", "not-acceptable"),
        ("<username>alice</username><password>Sh0rt</password>", "not-acceptable"),
    ] {
        send_set(&mut alice, inside);
        expect_refused(&mut alice, "modify", condition);
    }
    alice.send("<iq type='set' id='set'><query xmlns='jabber:iq:register'/><query xmlns='jabber:iq:register'/></iq>");
    alice.expect("<iq type='error' id='set'><bad-request");
    for (name, password) in [("alice", "alice-secret"), ("bob", "bob-secret")] {
        assert!(can_log_in(&server, name, password), "{name}");
    }
    assert!(!can_log_in(&server, "newcomer", "Passw0rd"));
}

#[test]
fn a_password_is_not_changed_where_others_can_read_it() {
    let server = Setup::default().store(Backend::Memory).options("tls.require_c2s = false").start();
    let mut alice = Client::connect(&server);
    alice.log_in("alice", "phone");
    send_fields(&mut alice, "alice", "Passw0rd");
    expect_refused(&mut alice, "auth", "not-authorized");
    assert!(can_log_in(&server, "alice", "alice-secret"));
}

#[test]
fn a_password_is_changed_only_so_often() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    for number in 0..5 {
        send_fields(&mut alice, "alice", &format!("Passw0rd-{number}"));
        alice.expect("<iq type='result' id='set'");
    }
    send_fields(&mut alice, "alice", "Passw0rd-5");
    expect_refused(&mut alice, "wait", "resource-constraint");
    let mut bob = Client::login(&server, "bob", "phone");
    send_fields(&mut bob, "bob", "Passw0rd-0");
    bob.expect("<iq type='result' id='set'");
    assert!(can_log_in(&server, "alice", "Passw0rd-4"));
}

#[test]
fn nobody_has_an_account_at_another_domain() {
    let server = open().domain("other.example").start();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<iq type='get' id='get' to='other.example'><query xmlns='jabber:iq:register'/></iq>");
    alice.expect("<iq type='error' id='get'><service-unavailable");
    for inside in ["<remove/>", "<username>alice</username><password>Passw0rd</password>"] {
        send_to(&mut alice, "other.example", inside);
        expect_refused(&mut alice, "cancel", "service-unavailable");
        send_to(&mut alice, "bob@localhost", inside);
        alice.expect("<iq type='error' id='set'><service-unavailable");
    }
    assert!(can_log_in(&server, "alice", "alice-secret"));
}

#[test]
fn a_removal_is_answered_and_then_ends_all_sessions() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        let mut desk = Client::login(server, "alice", "desk");
        desk.available();
        send_set(&mut phone, "<remove/>");
        phone.expect("<iq type='result' id='set'");
        phone.expect_stream_error("not-authorized");
        desk.expect_stream_error("not-authorized");
        assert!(!can_log_in(server, "alice", "alice-secret"));
        // Whoever has the name next is somebody else.
        let mut bob = Client::login(server, "bob", "desk");
        bob.send("<message to='alice@localhost' type='chat' id='m1'><body>too late</body></message>");
        bob.expect("<message type='error' id='m1'><service-unavailable");
    });
}

#[test]
fn a_removal_is_durable_and_its_name_is_free() {
    let mut server = open().store(Backend::Sqlite).start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<message to='alice@localhost' type='chat' id='m1'><body>for the first alice</body></message>");
    bob.expect_nothing_before_ping();
    let mut alice = Client::login(&server, "alice", "phone");
    send_set(&mut alice, "<remove/>");
    alice.expect("<iq type='result' id='set'");
    server.crash();
    assert!(!can_log_in(&server, "alice", "alice-secret"));
    let mut client = stranger(&server);
    send_fields(&mut client, "alice", "Passw0rd");
    client.expect("<iq type='result' id='set'");
    let mut other = log_in(&server, "alice", "Passw0rd", "phone");
    assert!(other.roster().lines().is_empty());
    other.available();
    other.expect_nothing_before_ping();
}

#[test]
fn a_removal_stands_alone() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    for inside in
        ["<remove/><username>alice</username>", "<remove/><remove/>", "<password>Passw0rd</password><remove/>"]
    {
        send_set(&mut alice, inside);
        expect_refused(&mut alice, "modify", "bad-request");
    }
    assert!(can_log_in(&server, "alice", "alice-secret"));
}

#[test]
fn removing_twice_removes_once() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let remove = "<iq type='set' id='set'><query xmlns='jabber:iq:register'><remove/></query></iq>";
        alice.send(&remove.repeat(3));
        alice.expect("<iq type='result' id='set'");
        loop {
            let seen = alice.next_piece();
            if seen.fits("<stream:error") {
                assert!(seen.contains("<not-authorized"), "{seen}");
                break;
            }
            assert!(seen.fits("<iq type='error' id='set'><not-allowed"), "{seen}");
        }
        let accounts = server.control().run("user list", json!({}));
        assert_eq!(accounts.as_array().unwrap().len(), 2, "{accounts}");
    });
}

#[test]
fn a_disabled_account_is_disconnected_and_cannot_come_back_until_it_is_enabled() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut phone = Client::login(&server, "alice", "phone");
    let mut desk = Client::login(&server, "alice", "desk");
    server.control().run("user disable", json!({ "jid": "alice@localhost" }));
    phone.expect_stream_error("not-authorized");
    desk.expect_stream_error("not-authorized");
    assert!(!can_log_in(&server, "alice", "alice-secret"));
    server.control().run("user enable", json!({ "jid": "alice@localhost" }));
    assert!(can_log_in(&server, "alice", "alice-secret"));
}
