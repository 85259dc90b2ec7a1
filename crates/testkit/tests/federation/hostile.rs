//! Servers that lie, flood and stall: each is refused as the RFC says, and nobody else notices.

use std::time::Duration;

use metronome_testkit::{Client, World, server_header};

use crate::proved;

/// The domains of a scripted server, of which it has proved the first by a key.
pub(super) const BOTH: [&str; 2] = ["b.example", "c.example"];

fn message(from: &str, to: &str) -> String {
    format!("<message from='{from}' to='{to}' type='chat'><body>x</body></message>")
}

#[test]
fn a_stanza_of_a_pair_that_is_not_proved_ends_the_stream() {
    let world = World::new();
    let a = world.setup("a.example", "alice").domain("other.example").start();
    for (stanza, condition) in [
        (message("x@c.example", "alice@a.example"), "invalid-from"),
        (message("x@sub.b.example", "alice@a.example"), "invalid-from"),
        (message("alice@a.example", "alice@a.example"), "invalid-from"),
        (message("x@b.example", "alice@other.example"), "invalid-from"),
        (message("x@b.example", "x@nowhere.example"), "invalid-from"),
        ("<message to='alice@a.example'><body>x</body></message>".to_owned(), "improper-addressing"),
        ("<message from='x@b.example'><body>x</body></message>".to_owned(), "improper-addressing"),
        ("<message from='@' to='alice@a.example'><body>x</body></message>".to_owned(), "improper-addressing"),
        (
            "<message xmlns='jabber:client' from='x@b.example' to='alice@a.example'/>".to_owned(),
            "unsupported-stanza-type",
        ),
        ("<foo/>".to_owned(), "unsupported-stanza-type"),
    ] {
        let mut peer = proved(&world, &a, &BOTH);
        peer.send(&stanza);
        peer.expect_stream_error(condition);
    }
}

#[test]
fn answers_that_nobody_asked_for_end_the_stream() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    for unasked in [
        "<db:result from='b.example' to='a.example' type='valid'/>",
        "<db:result from='c.example' to='a.example' type='valid'/>",
        "<db:result from='a.example' to='b.example' type='valid'/>",
        "<db:verify from='b.example' to='a.example' id='x' type='valid'/>",
        "<db:verify from='c.example' to='a.example' id='x' type='invalid'/>",
    ] {
        let mut peer = proved(&world, &a, &BOTH);
        peer.send(unasked);
        peer.expect_stream_error("invalid-from");
    }
}

#[test]
fn nobody_else_speaks_for_a_domain_of_ours() {
    let world = World::new();
    let a = world.setup("a.example", "alice").domain("other.example").start();
    let mut peer = proved(&world, &a, &BOTH);
    peer.send("<db:result from='other.example' to='a.example'>k</db:result>");
    peer.expect("<db:result from='a.example' to='other.example' type='error'><not-allowed");
    let mut liar = a.dial_as_server().clear();
    liar.send(&server_header("other.example", "a.example"));
    liar.expect_stream_error("invalid-from");
}

#[test]
fn dialback_that_cannot_be_read_ends_the_stream() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    for wrong in [
        "<db:result to='a.example'>k</db:result>",
        "<db:result from='x@b.example' to='a.example'>k</db:result>",
        "<db:result from='b.example' to='a.example' type='maybe'/>",
        "<db:verify from='b.example' to='a.example'>k</db:verify>",
    ] {
        let mut peer = proved(&world, &a, &BOTH);
        peer.send(wrong);
        peer.expect_stream_error("improper-addressing");
    }
}

#[test]
fn a_header_that_is_wrong_gets_its_error() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let streams = metronome_testkit::STREAMS;
    for (header, condition) in [
        (server_header("b.example", "nowhere.example"), "host-unknown"),
        (server_header("x@b.example", "a.example"), "improper-addressing"),
        (server_header("b.example", "a.example").replace("jabber:server'", "jabber:client'"), "invalid-namespace"),
        (server_header("b.example", "a.example").replace(" version='1.0'>", ">"), "unsupported-version"),
        (
            format!("<stream:stream xmlns='jabber:server' xmlns:stream='{streams}' version='1.0'>"),
            "improper-addressing",
        ),
    ] {
        let mut peer = a.dial_as_server().clear();
        peer.send(&header);
        peer.expect_stream_error(condition);
    }
}

#[test]
fn before_a_proof_elements_are_small() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = a.dial_as_server().domain("a.example").direct();
    peer.send(&server_header("b.example", "a.example"));
    peer.expect("<stream:stream");
    peer.expect("<stream:features");
    let long = "k".repeat(9 * 1024);
    let _ = peer.try_send(format!("<db:result from='b.example' to='a.example'>{long}</db:result>").as_bytes());
    peer.expect_stream_error("policy-violation");
}

#[test]
fn whoever_asks_again_and_again_without_a_proof_is_cut_off() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = a.dial_as_server().domain("a.example").direct();
    peer.send(&server_header("b.example", "a.example"));
    for _ in 0..100 {
        if peer.try_send(b"<db:verify from='b.example' to='a.example' id='1'>k</db:verify>").is_err() {
            break;
        }
    }
    assert!(peer.drain(Duration::from_secs(10)).contains("policy-violation"));
}

#[test]
fn so_many_strangers_come_from_one_address() {
    let world = World::new();
    let a = world.server("a.example", "alice", "[limits.s2s]\nunproved = 3");
    let open = |n: usize| {
        let mut peer = a.dial_as_server().clear();
        peer.name = format!("stranger {n}");
        let _ = peer.try_send(server_header("b.example", "a.example").as_bytes());
        peer
    };
    let mut held: Vec<Client> = (0..3).map(open).collect();
    for peer in &mut held {
        peer.expect("<stream:stream");
    }
    open(4).expect_closed();
    // Who has proved who it is does not count among them.
    drop(held);
    a.expect_log("a server's stream ends before anything is proved");
    let _peers: Vec<Client> = (0..5).map(|_| proved(&world, &a, &BOTH)).collect();
}

#[test]
fn an_endless_element_is_bounded_and_clients_do_not_notice() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    let mut peer = proved(&world, &a, &BOTH);
    let _ = peer.try_send(b"<message from='x@b.example' to='alice@a.example'><body>");
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..32 {
        if peer.try_send(&chunk).is_err() {
            break;
        }
    }
    assert!(peer.drain(Duration::from_secs(10)).contains("policy-violation"));
    alice.expect_nothing_before_ping();
}

#[test]
fn a_domain_that_is_blocked_is_thrown_out_and_stays_outside() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = proved(&world, &a, &BOTH);
    a.control().run("s2s block", serde_json::json!({ "domain": "b.example" }));
    peer.expect_stream_error("policy-violation");
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    alice.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.wait_for("<iq type='error' id='p' from='b.example'");
    let mut again = a.dial_as_server().clear();
    again.send(&server_header("b.example", "a.example"));
    again.expect_stream_error("policy-violation");
    // And the address from which it came is turned away.
    a.dial_as_server().clear().expect_closed();
}

#[test]
fn a_stop_ends_streams_with_a_word() {
    let world = World::new();
    let mut a = world.server("a.example", "alice", "");
    let mut peer = proved(&world, &a, &BOTH);
    let ended = std::thread::spawn(move || peer.expect_stream_error("system-shutdown"));
    a.stop();
    assert!(ended.join().is_ok(), "the stream was not ended in order");
}
