//! What hostile newcomers try before the login: each costs itself alone, and nobody gets an account by accident.

use std::sync::atomic::{AtomicUsize, Ordering};

use metronome_testkit::{Client, STREAMS};
use serde_json::json;

use super::{can_log_in, expect_refused, open, open_with, send_fields, send_set, stranger};

const QUERY: &str = "<query xmlns='jabber:iq:register'><username>bill</username><password>Passw0rd</password></query>";

#[test]
fn requests_that_are_none_are_bad() {
    let server = open().start();
    for request in [
        format!("<iq type='set' id='set'>{QUERY}{QUERY}</iq>"),
        format!("<iq type='set' id='set'>{QUERY}<more xmlns='urn:more'/></iq>"),
        format!("<iq type='nonsense' id='set'>{QUERY}</iq>"),
        format!("<iq id='set'>{QUERY}</iq>"),
        "<iq type='set' id='set'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='cancel'/></query></iq>".to_owned(),
        "<iq type='set' id='set'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data'/></query></iq>".to_owned(),
    ] {
        let mut client = stranger(&server);
        client.send(&request);
        let refused = expect_refused(&mut client, "modify", "bad-request");
        assert!(refused.attribute("from").as_deref() == Some("localhost") && refused.attribute("to").is_none(), "{refused}");
    }
    let mut client = stranger(&server);
    client.send(&format!("<iq type='set'>{QUERY}</iq>"));
    assert!(client.next_piece().contains("<bad-request"), "an id is needed");
    assert!(!can_log_in(&server, "bill", "Passw0rd"));
}

#[test]
fn nothing_but_an_account_can_be_asked_for_before_the_login() {
    let server = open().start();
    for other in [
        "<message to='alice@localhost'><body>hello</body></message>".to_owned(),
        "<presence/>".to_owned(),
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>".to_owned(),
        "<iq type='get' id='1' to='alice@localhost'><query xmlns='jabber:iq:register'/></iq>".to_owned(),
        format!("<iq type='set' id='1' to='elsewhere.example'>{QUERY}</iq>"),
        format!("<iq type='result' id='1'>{QUERY}</iq>"),
        format!("<message>{QUERY}</message>"),
        QUERY.to_owned(),
    ] {
        let mut client = stranger(&server);
        client.send(&other);
        client.expect_stream_error("not-authorized");
    }
    let mut client = stranger(&server);
    send_set(&mut client, "<remove/>");
    expect_refused(&mut client, "wait", "unexpected-request");
}

#[test]
fn a_huge_form_ends_the_stream() {
    let server = open().start();
    let field = format!("<field var='x'><value>{}</value></field>", "y".repeat(1000));
    let mut client = stranger(&server);
    let _ = client.try_send(
        format!(
            "<iq type='set' id='set'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>{}</x></query></iq>",
            field.repeat(100)
        )
        .as_bytes(),
    );
    client.expect_stream_error("policy-violation");
    let many = "<field var='x'/>".repeat(127);
    let mut client = stranger(&server);
    send_set(&mut client, &format!("<x xmlns='jabber:x:data' type='submit'>{many}</x>"));
    expect_refused(&mut client, "modify", "bad-request");
}

#[test]
fn asking_again_and_again_ends_the_stream() {
    let server = open().start();
    let mut client = stranger(&server);
    for _ in 0..16 {
        client.send("<iq type='get' id='get'><query xmlns='jabber:iq:register'/></iq>");
        client.expect("<iq type='result' id='get'");
    }
    client.send("<iq type='get' id='get'><query xmlns='jabber:iq:register'/></iq>");
    client.expect_stream_error("policy-violation");
}

#[test]
fn a_request_before_encryption_ends_the_stream() {
    let server = open().start();
    let mut client = Client::connect(&server);
    client.open();
    client.send(&format!("<iq type='set' id='set'>{QUERY}</iq>"));
    client.expect_stream_error("policy-violation");
    // And what comes in clear text behind <starttls/> is not taken for something that came encrypted.
    let mut client = Client::connect(&server);
    client.send(&format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{STREAMS}' to='localhost' version='1.0'>\
         <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq type='set' id='set'>{QUERY}</iq>"
    ));
    client.drain(metronome_testkit::WAIT);
    assert!(!can_log_in(&server, "bill", "Passw0rd"));
}

#[test]
fn of_many_who_want_the_same_name_at_the_same_time_one_gets_it() {
    let server = open().start();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (server, made) = (&server, &made);
            scope.spawn(move || {
                let mut client = stranger(server);
                send_fields(&mut client, "bill", &format!("Passw0rd-{number}"));
                let answer = client.next_piece();
                match answer.fits("<iq type='result'") {
                    true => drop(made.fetch_add(1, Ordering::Relaxed)),
                    false => {
                        assert!(answer.contains("<conflict") || answer.contains("<resource-constraint"), "{answer}")
                    }
                }
            });
        }
    });
    assert_eq!(made.into_inner(), 1);
    let known = (0..8).filter(|number| can_log_in(&server, "bill", &format!("Passw0rd-{number}"))).count();
    assert_eq!(known, 1, "only the password of the one who got it counts");
}

#[test]
fn a_flood_of_registrations_is_refused_where_it_costs_and_others_do_not_notice() {
    // So that many wait at the same time.
    let server = open_with("auth.iterations = 20000").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..60 {
            let (server, made) = (&server, &made);
            scope.spawn(move || {
                let mut client = stranger(server);
                send_fields(&mut client, &format!("flood-{number}"), "Passw0rd");
                let answer = client.next_piece();
                match answer.fits("<iq type='result'") {
                    true => drop(made.fetch_add(1, Ordering::Relaxed)),
                    false => assert!(answer.contains("<error type='wait'><resource-constraint"), "{answer}"),
                }
            });
        }
        for number in 0..20 {
            alice.send(&format!(
                "<message to='bob@localhost' type='chat' id='m{number}'><body>still here</body></message>"
            ));
            bob.expect(&format!("<message id='m{number}'"));
        }
    });
    let made = made.into_inner();
    assert!(made >= 1, "those whose turn it is get theirs");
    let accounts = server.control().run("user list", json!({}));
    assert_eq!(accounts.as_array().unwrap().len(), 3 + made, "who was refused has none, and the others have one");
}
