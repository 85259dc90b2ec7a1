//! What is for a component that is not connected.

use metronome_testkit::{Client, Component, Setup, online};
use serde_json::json;

use crate::{GATEWAY, server, until_waiting};

#[test]
fn what_comes_while_it_is_away_is_flushed_in_order() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    for n in 0..20 {
        alice.send(&format!("<message to='x@gw.localhost' type='chat' id='{n}'><body>{n}</body></message>"));
    }
    alice.send("<presence to='room@gw.localhost/nick'/>");
    alice.send("<iq to='gw.localhost' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    until_waiting(&server, 22);
    let listed = server.control().run("component list", json!({}));
    assert_eq!((&listed[0]["component"], &listed[0]["streams"]), (&json!(GATEWAY), &json!(0)), "{listed}");
    let mut component = Component::connect(&server, GATEWAY);
    for n in 0..20 {
        component.wait_for(&format!("<message from='alice@localhost/phone' to='x@gw.localhost' id='{n}'"));
    }
    component.nothing_before_ping();
    let listed = server.control().run("component list", json!({}));
    assert_eq!((&listed[0]["streams"], &listed[0]["waiting"]), (&json!(1), &json!(0)), "{listed}");
    assert_eq!(listed[0]["from"], "127.0.0.1");
}

#[test]
fn what_waits_for_too_long_comes_back() {
    let server = Setup::default().component(GATEWAY).options("[component]\nkeep = \"1 s\"").start();
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='x@gw.localhost' type='chat' id='m'><body>x</body></message>");
    alice.send("<iq to='gw.localhost' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.send("<presence to='gw.localhost' type='subscribe' id='s'/>");
    // In the order in which their time is over: one may be noticed with the next, or before it.
    let back = [alice.next_piece(), alice.next_piece(), alice.next_piece()];
    for pattern in ["<iq type='error' id='i' from='gw.localhost'", "<message type='error' id='m' from='x@gw.localhost'"]
    {
        let seen = back.iter().find(|seen| seen.fits(pattern)).unwrap();
        assert!(seen.contains("<recipient-unavailable"), "{seen}");
        assert_eq!(seen.attribute_of("error", "type").as_deref(), Some("wait"));
    }
    let mut component = Component::connect(&server, GATEWAY);
    component.nothing_before_ping();
}

#[test]
fn without_patience_everything_comes_back_at_once() {
    let server = Setup::default().component(GATEWAY).options("[component]\nkeep = \"0 s\"").start();
    let mut alice = online(&server, "alice", "phone");
    alice.send("<iq to='gw.localhost' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.wait_for("<iq type='error' id='i' from='gw.localhost'><recipient-unavailable");
}

#[test]
fn the_queue_is_bounded_and_one_sender_leaves_half_of_it_to_others() {
    let server = Setup::default().component(GATEWAY).options("[component]\nqueue = \"32 KiB\"").start();
    let mut alice = online(&server, "alice", "phone");
    let body = "x".repeat(4000);
    for n in 0..20 {
        alice.send(&format!("<message to='x@gw.localhost' type='chat' id='{n}'><body>{body}</body></message>"));
    }
    let refused = alice.wait_for("<message type='error' from='x@gw.localhost'><resource-constraint");
    let first: usize = refused.attribute("id").unwrap().parse().unwrap();
    assert!((2..6).contains(&first), "{first}");
    alice.wait_for("<message type='error' id='19' from='x@gw.localhost'><resource-constraint");
    let mut bob = online(&server, "bob", "phone");
    bob.send("<message to='x@gw.localhost' type='chat' id='of-bob'><body>x</body></message>");
    until_waiting(&server, first as u64 + 1);
    let mut component = Component::connect(&server, GATEWAY);
    for n in 0..first {
        component.expect(&format!("<message id='{n}' from='alice@localhost/phone'"));
    }
    component.expect("<message id='of-bob' from='bob@localhost/phone'");
    component.nothing_before_ping();
    alice.send("<message to='x@gw.localhost' type='chat' id='again'><body>x</body></message>");
    component.expect("<message id='again'");
}

#[test]
fn a_component_that_closes_its_stream_gets_what_it_asked_before() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.send("<iq from='gw.localhost' to='localhost' type='get' id='v'><query xmlns='jabber:iq:version'/></iq></stream:stream>");
    component.expect("<iq type='result' id='v' from='localhost' to='gw.localhost'");
    component.expect_end();
}

#[test]
fn what_is_not_stored_comes_back_when_the_server_stops() {
    let mut server = server();
    let mut alice = online(&server, "alice", "phone");
    alice.send("<iq to='gw.localhost' type='get' id='late'><ping xmlns='urn:xmpp:ping'/></iq>");
    until_waiting(&server, 1);
    server.stop();
    alice.wait_for("<iq type='error' id='late'><recipient-unavailable");
}

#[test]
fn a_message_to_a_component_is_copied_to_the_senders_other_devices() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    desk.expect("<iq type='result' id='carbons'");
    desk.available();
    let mut phone = Client::login(&server, "alice", "phone");
    phone.send("<message to='x@gw.localhost' type='chat' id='m'><body>both</body></message>");
    component.expect("<message id='m'><body>both</body>");
    desk.expect("<message from='alice@localhost'><sent xmlns='urn:xmpp:carbons:2'>");
}
