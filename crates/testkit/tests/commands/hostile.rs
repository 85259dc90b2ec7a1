//! Requests that nobody sends by mistake alone.

use metronome_testkit::Client;
use serde_json::json;

use crate::{COMMANDS, admin, ask, execute, form, go_on, own, problem, send, server, session, status};

fn bad(problem: &str) -> (String, Option<String>) {
    ("bad-request".to_owned(), Some(problem.to_owned()))
}

fn expired() -> (String, Option<String>) {
    ("not-allowed".to_owned(), Some("session-expired".to_owned()))
}

#[test]
fn a_session_belongs_to_the_full_address_that_began_it() {
    let server = server();
    server.control().run("user role", json!({ "jid": "bob@localhost", "role": "admin" }));
    let mut alice = Client::login(&server, "alice", "phone");
    let mut desk = Client::login(&server, "alice", "desk");
    let mut bob = Client::login(&server, "bob", "phone");
    let mut carol = Client::login(&server, "carol", "phone");
    let begun = execute(&mut alice, &admin("disable-user"));
    let who = form(&[("accountjids", "carol@localhost")]);
    for other in [&mut desk, &mut bob, &mut carol] {
        for action in ["complete", "cancel", "prev"] {
            assert_eq!(problem(&go_on(other, &begun, action, &who)), expired(), "{action}");
        }
    }
    // The same name of a later session is not the same session.
    drop(desk);
    alice.close();
    let mut again = Client::login(&server, "alice", "phone");
    assert_eq!(problem(&go_on(&mut again, &begun, "complete", &who)), expired());
    let accounts = server.control().run("user list", json!({ "host": "localhost" })).to_string();
    assert!(!accounts.contains("disabled"), "{accounts}");
}

#[test]
fn ids_cannot_be_guessed_and_are_not_told_apart() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let ids: Vec<String> = (0..20).map(|_| session(&execute(&mut alice, &admin("disable-user")))).collect();
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len());
    assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
    let node = admin("disable-user");
    let made_up = "0123456789abcdef0123456789abcdef";
    let unknown = send(&mut alice, "localhost", &node, &format!("sessionid='{made_up}'"), "");
    let mut bob = Client::login(&server, "bob", "phone");
    server.control().run("user role", json!({ "jid": "bob@localhost", "role": "admin" }));
    let foreign = send(&mut bob, "localhost", &node, &format!("sessionid='{}'", ids[19]), "");
    assert_eq!(unknown.replace("alice@", "bob@"), foreign.to_string());
    assert_eq!(problem(&send(&mut alice, "localhost", &node, "sessionid='x'", "")), bad("bad-sessionid"));
}

#[test]
fn wrong_steps_are_refused_and_change_nothing() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let node = admin("delete-user");
    for action in ["next", "prev", "complete", "cancel"] {
        let refused = send(&mut alice, "localhost", &node, &format!("action='{action}'"), "");
        assert_eq!(problem(&refused), bad("bad-action"), "{action} begins nothing");
    }
    for action in ["", "Execute", "delete"] {
        let refused = send(&mut alice, "localhost", &node, &format!("action='{action}'"), "");
        assert_eq!(problem(&refused), bad("malformed-action"), "{action}");
    }
    assert_eq!(
        problem(&ask(&mut alice, "set", "localhost", &format!("<command xmlns='{COMMANDS}'/>"))).0,
        "bad-request"
    );
    let mut carol = Client::login(&server, "carol", "phone");
    let which = form(&[("name", "b.example")]);
    let begun = execute(&mut carol, &own("host-disable"));
    assert_eq!(problem(&go_on(&mut carol, &begun, "complete", &which)), bad("bad-action"), "it is not to be skipped");
    assert_eq!(problem(&go_on(&mut carol, &begun, "prev", &which)), bad("bad-action"));
    assert_eq!(problem(&go_on(&mut carol, &begun, "next", "")), bad("bad-payload"));
    let other = format!("sessionid='{}'", session(&begun));
    assert_eq!(problem(&send(&mut carol, "localhost", &own("host-enable"), &other, &which)), bad("bad-sessionid"));
    assert_eq!(problem(&send(&mut carol, "b.example", &own("host-disable"), &other, &which)), bad("bad-sessionid"));
    let sure = go_on(&mut carol, &begun, "next", &which);
    assert_eq!(status(&sure), "executing", "the session has outlived all of that");
    assert_eq!(problem(&go_on(&mut carol, &sure, "next", "")), bad("bad-action"));
    assert_eq!(status(&go_on(&mut carol, &sure, "complete", "")), "completed");
    assert_eq!(problem(&go_on(&mut carol, &sure, "complete", "")), expired(), "once is enough");
}

#[test]
fn malformed_and_oversized_forms_are_refused() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let begun = execute(&mut alice, &admin("disable-user"));
    let many =
        |count: usize, inside: &str| format!("<x xmlns='jabber:x:data' type='submit'>{}</x>", inside.repeat(count));
    for form in [
        "<x xmlns='jabber:x:data'/>".to_owned(),
        "<x xmlns='jabber:x:data' type='result'/>".to_owned(),
        "<x xmlns='jabber:x:data' type='form'/>".to_owned(),
        many(101, "<field var='a'/>"),
        many(1, &format!("<field var='accountjids'>{}</field>", "<value>a@b</value>".repeat(1001))),
    ] {
        let refused = go_on(&mut alice, &begun, "complete", &form);
        assert_eq!(problem(&refused), bad("bad-payload"), "{form:.80}");
    }
    for (value, why) in [
        ("", "is missing"),
        ("a@b/c d e", "is not"),
        ("@", "is not"),
        (&*format!("{}@localhost", "a".repeat(4000)), "is longer than"),
    ] {
        let again = go_on(&mut alice, &begun, "complete", &form(&[("accountjids", value)]));
        assert_eq!(status(&again), "executing");
        assert!(again.contains("<note type='error'>") && again.contains(why), "{value:.20} {again:.400}");
    }
    let hundred_and_one =
        many(1, &format!("<field var='accountjids'>{}</field>", "<value>a@localhost</value>".repeat(101)));
    let again = go_on(&mut alice, &begun, "complete", &hundred_and_one);
    assert!(again.contains("<note type='error'>more than 100 at a time</note>"), "{again:.400}");
    // What the form does not have is passed over, also where the command itself has it.
    let list = execute(&mut alice, &own("session-list"));
    let sneaky = go_on(&mut alice, &list, "complete", &form(&[("host", "b.example"), ("FORM_TYPE", "x"), ("jid", "")]));
    assert_eq!(status(&sneaky), "completed");
    assert!(sneaky.contains("alice@localhost/phone"), "{sneaky}");
}

#[test]
fn hundreds_of_sessions_take_the_place_of_each_other() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut desk = Client::login(&server, "alice", "desk");
    let kept = execute(&mut desk, &admin("disable-user"));
    let first = execute(&mut alice, &admin("disable-user"));
    let payload = format!("<command xmlns='{COMMANDS}' node='{}'/>", admin("disable-user"));
    for number in 0..300 {
        alice.send(&format!("<iq type='set' id='n{number}' to='localhost'>{payload}</iq>"));
    }
    let last = (0..300).map(|number| alice.wait_for(&format!("<iq id='n{number}'"))).last().unwrap();
    assert_eq!(problem(&go_on(&mut alice, &first, "cancel", "")), expired());
    assert_eq!(status(&go_on(&mut alice, &last, "cancel", "")), "canceled");
    assert_eq!(status(&go_on(&mut desk, &kept, "cancel", "")), "canceled", "other sessions do not notice");
}

#[test]
fn a_refused_request_is_not_sent_back() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    let secret = form(&[("accountjid", "bob@localhost"), ("password", "hunter2-secret")]);
    for (node, attributes) in [
        (admin("change-user-password"), ""),
        (own("nothing"), ""),
        (admin("change-user-password"), "action='x'"),
        (admin("change-user-password"), "sessionid='0123456789abcdef0123456789abcdef'"),
    ] {
        let refused = send(&mut bob, "localhost", &node, attributes, &secret);
        assert!(refused.fits("<iq type='error'") && !refused.contains("hunter2"), "{refused}");
    }
    assert!(!server.log().text().contains("hunter2"));
}
