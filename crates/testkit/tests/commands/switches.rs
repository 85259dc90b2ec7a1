//! What people switch on and off for themselves (XEP-0352, XEP-0357).

use metronome_testkit::{Backend, Client, Setup};
use serde_json::json;

use crate::{ask, form, go_on, own, send, server, status};

#[track_caller]
fn set(client: &mut Client, switches: &[(&str, &str)]) {
    let asked = send(client, "", &own("switch-set"), "", "");
    assert_eq!(status(&asked), "executing");
    let done = go_on(client, &asked, "complete", &form(switches));
    assert_eq!(status(&done), "completed", "{done}");
    assert!(!done.contains("type='error'"), "{done}");
}

#[test]
fn switches_outlive_a_crash_and_forms_show_them() {
    let mut server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    let fresh = send(&mut bob, "", &own("switch-set"), "", "");
    assert_eq!(fresh.matches("<value>usual</value><option").count(), 4, "{fresh}");
    set(&mut bob, &[("chat-states", "off"), ("push-sender", "off")]);
    server.crash();
    let mut bob = Client::login(&server, "bob", "phone");
    let shown = send(&mut bob, "", &own("switch-set"), "", "");
    assert_eq!(shown.matches("<value>off</value><option").count(), 2, "{shown}");
    let list = send(&mut bob, "localhost", &own("switch-list"), "", "");
    assert!(list.contains("<value>push-sender</value></field><field var='is'><value>off</value>"), "{list}");
    assert!(list.contains("<value>rooms</value></field><field var='is'><value>usual</value>"), "{list}");
    set(&mut bob, &[("chat-states", "usual"), ("push-sender", "usual")]);
    let list = server.control().run("switch list", json!({ "jid": "bob@localhost" }));
    assert!(list.as_array().unwrap().iter().all(|row| row["is"] == "usual"), "{list}");
    let asked = send(&mut bob, "", &own("switch-set"), "", "");
    let wrong = go_on(&mut bob, &asked, "complete", &form(&[("rooms", "perhaps")]));
    assert!(wrong.contains("<note type='error'>`rooms` must be one of usual, on, off"), "{wrong}");
}

#[test]
fn somebody_elses_switches_stay_as_they_are() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    set(&mut bob, &[("jid", "alice@localhost"), ("rooms", "off")]);
    let is_usual = |jid: &str| {
        let list = server.control().run("switch list", json!({ "jid": jid }));
        list.as_array().unwrap().iter().all(|row| row["is"] == "usual")
    };
    assert!(is_usual("alice@localhost") && !is_usual("bob@localhost"), "it was his own");
    let mut alice = Client::login(&server, "alice", "phone");
    let who = send(&mut alice, "localhost", &own("switch-set"), "", "");
    let elsewhere = go_on(&mut alice, &who, "next", &form(&[("jid", "dave@b.example")]));
    assert!(elsewhere.contains("<note type='error'>you may administer localhost only</note>"), "{elsewhere}");
    let which = go_on(&mut alice, &elsewhere, "next", &form(&[("jid", "bob@localhost")]));
    assert!(which.contains("<value>off</value><option"), "{which}");
    go_on(&mut alice, &which, "complete", &form(&[("rooms", "usual")]));
    assert!(is_usual("bob@localhost"));
}

const CHAT_STATE: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";

#[test]
fn what_an_idle_device_is_told_of_who_is_writing_is_its_owners_choice() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "desk");
    for (choice, comes) in [("off", false), ("on", true)] {
        let mut bob = Client::login(&server, "bob", "phone");
        bob.available();
        set(&mut bob, &[("chat-states", choice)]);
        bob.send("<inactive xmlns='urn:xmpp:csi:0'/>");
        // What is behind it is answered behind it.
        ask(&mut bob, "get", "", "<ping xmlns='urn:xmpp:ping'/>");
        alice.send(&format!("<message to='bob@localhost/phone' type='chat' id='typing'>{CHAT_STATE}</message>"));
        alice.send("<message to='bob@localhost/phone' type='chat' id='said'><body>hello</body></message>");
        let first = bob.wait_for("<message");
        assert_eq!(first.attribute("id").as_deref(), Some(if comes { "typing" } else { "said" }), "{choice}: {first}");
    }
}

#[test]
fn a_push_service_does_not_learn_who_wrote_once_that_is_switched_off() {
    let server = Setup::default().store(Backend::Memory).options("push.content = \"sender\"").start();
    let mut service = Client::login(&server, "carol", "push");
    service.available();
    let mut alice = Client::login(&server, "alice", "desk");
    for (choice, is_named) in [("usual", true), ("off", false)] {
        let mut bob = Client::login(&server, "bob", "phone");
        set(&mut bob, &[("push-sender", choice)]);
        ask(&mut bob, "set", "", "<enable xmlns='urn:xmpp:push:0' jid='carol@localhost/push' node='n'/>");
        bob.close();
        alice.send("<message to='bob@localhost' type='chat'><body>hello</body></message>");
        let told = service.wait_for("<iq type='set'");
        assert_eq!(told.contains("last-message-sender"), is_named, "{choice}: {told}");
        assert!(!told.contains("hello"), "{told}");
        service.send(&format!("<iq type='result' to='localhost' id='{}'/>", told.attribute("id").unwrap()));
        let mut bob = Client::login(&server, "bob", "phone");
        bob.available();
        bob.wait_for("<message");
        bob.close();
    }
}
