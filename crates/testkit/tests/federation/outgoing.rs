//! Streams that the server opens with a scripted one: how it proves itself, and which answers it believes.

use metronome_testkit::{Client, Peer, Server, World, base64};

use crate::online;

const EXTERNAL: &str =
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>";
pub(super) const DIALBACK: &str = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>";
const BIDI: &str = "<bidi xmlns='urn:xmpp:features:bidi'/>";
const SM: &str = "<sm xmlns='urn:xmpp:sm:3'/>";

/// A scripted b.example, and a server with one client that will call it.
struct Called {
    world: World,
    peer: Peer,
    a: Server,
    alice: Client,
}

fn called() -> Called {
    called_by("")
}

/// The same where the server has these options.
fn called_by(options: &str) -> Called {
    let world = World::new();
    let peer = world.peer("b.example");
    let a = world.server("a.example", "alice", options);
    let alice = online(&a, "alice", "a.example");
    Called { world, peer, a, alice }
}

/// The scripted server lets stanzas in.
#[track_caller]
fn believes(called: &mut Client) {
    called.expect("<db:result from='a.example' to='b.example'");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
}

/// Alice says something to somebody at b.example, so that a stream is opened.
pub(super) fn speaks(alice: &mut Client, id: &str) {
    alice.send(&format!("<message to='bob@b.example' type='chat' id='{id}'><body>hello</body></message>"));
}

pub(super) fn encrypted(world: &World, peer: &Peer, server: &Server, features: &str) -> Client {
    peer.answer_encrypted(server, &world.certificates().server(&["b.example"]), "the-id", features)
}

#[test]
fn a_certificate_is_shown_where_it_is_asked_for() {
    let Called { world, peer, a, mut alice } = called();
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &peer, &a, &format!("{EXTERNAL}{DIALBACK}"));
    let auth = called.expect("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'");
    assert_eq!(auth.text_of("auth"), Some(base64(b"a.example")));
    called.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    peer.open(&mut called, "another-id", "");
    called.expect("<message id='m1' from='alice@a.example/here' to='bob@b.example'");
}

#[test]
fn where_the_certificate_is_refused_dialback_goes_on() {
    let Called { world, peer, a, mut alice } = called();
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &peer, &a, &format!("{EXTERNAL}{DIALBACK}"));
    called.expect("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'");
    called.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
    believes(&mut called);
    called.expect("<message id='m1' from='alice@a.example/here'");
}

#[test]
fn a_server_that_counts_is_asked_how_much_it_has() {
    let Called { world, peer, a, mut alice } = called();
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &peer, &a, &format!("{DIALBACK}{SM}"));
    believes(&mut called);
    called.expect("<enable xmlns='urn:xmpp:sm:3'");
    called.expect("<message id='m1'");
    called.send("<enabled xmlns='urn:xmpp:sm:3'/>");
    called.expect("<r xmlns='urn:xmpp:sm:3'");
    called.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    speaks(&mut alice, "m2");
    called.expect("<message id='m2'");
    called.expect("<r xmlns='urn:xmpp:sm:3'");
    called.send("<r xmlns='urn:xmpp:sm:3'/>");
    called.expect("<a xmlns='urn:xmpp:sm:3' h='0'");
    called.send("<a xmlns='urn:xmpp:sm:3' h='3'/>");
    called.expect_stream_error("undefined-condition");
}

#[test]
fn what_was_not_acknowledged_comes_again_on_the_next_stream() {
    let Called { world, peer, a, mut alice } = called();
    let open = |first: &str| {
        let mut called = encrypted(&world, &peer, &a, &format!("{DIALBACK}{SM}"));
        believes(&mut called);
        called.expect("<enable xmlns='urn:xmpp:sm:3'");
        called.send("<enabled xmlns='urn:xmpp:sm:3'/>");
        called.wait_for(&format!("<message id='{first}'"));
        called
    };
    speaks(&mut alice, "m1");
    let mut called = open("m1");
    called.wait_for("<r xmlns='urn:xmpp:sm:3'");
    called.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    speaks(&mut alice, "m2");
    called.wait_for("<message id='m2'");
    called.drop_connection();
    let mut again = open("m2");
    again.wait_for("<r xmlns='urn:xmpp:sm:3'");
}

#[test]
fn a_stream_for_both_directions_brings_answers_back() {
    let Called { world, peer, a, mut alice } = called();
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &peer, &a, &format!("{DIALBACK}{BIDI}"));
    called.expect("<bidi xmlns='urn:xmpp:bidi'");
    believes(&mut called);
    called.expect("<message id='m1'");
    called.send("<message from='bob@b.example' to='alice@a.example' type='chat' id='back'><body>x</body></message>");
    alice.wait_for("<message id='back' from='bob@b.example'");
    // It has proved that it is b.example and nobody else.
    called.send("<message from='bob@c.example' to='alice@a.example' type='chat'><body>x</body></message>");
    called.wait_for("<stream:error><invalid-from");
}

#[test]
fn over_a_stream_for_one_direction_nothing_comes_back() {
    let Called { world, peer, a, mut alice } = called();
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &peer, &a, DIALBACK);
    believes(&mut called);
    called.expect("<message id='m1'");
    called.send("<message from='bob@b.example' to='alice@a.example' type='chat'><body>x</body></message>");
    called.wait_for("<stream:error><not-authorized");
}

#[test]
fn only_an_answer_to_what_was_asked_lets_stanzas_out() {
    for unasked in [
        "<db:result from='a.example' to='b.example' type='valid'/>",
        "<db:result from='c.example' to='a.example' type='valid'/>",
        "<db:result from='b.example' to='other.example' type='valid'/>",
        "<db:verify from='b.example' to='a.example' id='the-id' type='valid'/>",
    ] {
        let Called { world, peer, a, mut alice } = called();
        speaks(&mut alice, "m1");
        let mut called = encrypted(&world, &peer, &a, DIALBACK);
        called.expect("<db:result from='a.example' to='b.example'");
        called.send(unasked);
        called.expect("<stream:error><invalid-from");
        called.expect_end();
    }
}

#[test]
fn a_server_without_encryption_is_not_spoken_with() {
    let Called { world: _world, peer, a, mut alice } = called();
    alice.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    let mut called = peer.answer(&a, "x", DIALBACK);
    called.expect_closed();
    alice.wait_for("<iq type='error' id='p' from='b.example'><remote-server-timeout");
}

#[test]
fn a_server_that_does_not_know_the_domain_is_no_such_server() {
    let Called { world: _world, peer, a, mut alice } = called();
    alice.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    let mut called = peer.accept(&a);
    called.expect("<stream:stream to='b.example' from='a.example'");
    called.send(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='1' \
         version='1.0'><stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
    );
    alice.wait_for("<iq type='error' id='p' from='b.example'><remote-server-not-found");
}

#[test]
fn an_endless_answer_is_bounded() {
    let Called { world: _world, peer, a, mut alice } = called();
    alice.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    let mut called = peer.accept(&a);
    called.expect("<stream:stream");
    let _ = called.try_send(format!("<stream:stream xmlns='{}'", "x".repeat(64 * 1024)).as_bytes());
    called.expect_closed();
    alice.wait_for("<iq type='error' id='p' from='b.example'><remote-server-timeout");
}

#[test]
fn where_only_certificates_count_nobody_else_is_believed_to_be_the_domain() {
    let Called { world, peer, a, mut alice } = called_by("[federation]\nproofs = [\"certificate\"]");
    alice.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    let another = world.certificates().server(&["c.example"]);
    peer.answer_encrypted(&a, &another, "the-id", &format!("{EXTERNAL}{DIALBACK}")).expect_closed();
    alice.wait_for("<iq type='error' id='p' from='b.example'><remote-server-timeout");
    // A stored message is tried again after a pause.
    speaks(&mut alice, "m1");
    let untrusted = world.strangers_certificates().server(&["b.example"]);
    peer.answer_encrypted(&a, &untrusted, "the-id", &format!("{EXTERNAL}{DIALBACK}")).expect_closed();
    let mut called = encrypted(&world, &peer, &a, &format!("{EXTERNAL}{DIALBACK}"));
    called.expect("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'");
    called.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    peer.open(&mut called, "another-id", "");
    called.expect("<message id='m1'");
}

#[test]
fn a_server_that_throws_us_out_again_and_again_gets_what_it_has_not_acknowledged_each_time() {
    let Called { world, peer, a, mut alice } = called();
    speaks(&mut alice, "m1");
    for _ in 0..3 {
        let mut called = encrypted(&world, &peer, &a, DIALBACK);
        believes(&mut called);
        called.expect("<message id='m1'");
        called.drop_connection();
    }
}
