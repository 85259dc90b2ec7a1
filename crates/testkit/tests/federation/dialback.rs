//! Dialback with a scripted server on either end (XEP-0220).

use metronome_testkit::{Client, Server, World, server_header};

/// The scripted domain may do without encryption, so that a scenario shows what is said.
const PLAIN: &str = "[federation]\nwithout_tls = [\"b.example\", \"c.example\"]";

/// A scripted server that has opened its stream; with the stream's id.
fn opened(server: &Server, from: &str) -> (Client, String) {
    let mut peer = server.dial_as_server().clear();
    peer.name = from.to_owned();
    peer.send(&server_header(from, "a.example"));
    let header = peer.expect("<stream:stream xmlns='jabber:server'");
    peer.expect("<stream:features");
    (peer, header.attribute("id").expect("an id"))
}

#[test]
fn a_key_is_asked_about_at_the_domains_own_server() {
    let world = World::new();
    let a = world.server("a.example", "alice", PLAIN);
    let own = world.peer("b.example");
    let (mut peer, id) = opened(&a, "b.example");
    peer.send("<db:result from='b.example' to='a.example'>the-key</db:result>");
    let mut called = own.answer(&a, "own-1", "");
    let asked = called.expect("<db:verify from='a.example' to='b.example'>the-key<");
    assert_eq!(asked.attribute("id"), Some(id.clone()));
    called.send(&format!("<db:verify from='b.example' to='a.example' id='{id}' type='valid'/>"));
    peer.expect("<db:result from='a.example' to='b.example' type='valid'");
    peer.send("<iq from='b.example' to='a.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    // The answer goes over a stream of its own: this one was opened for one direction.
    let mut back = own.answer(&a, "own-2", "");
    let asked = back.expect("<db:result from='a.example' to='b.example'");
    back.send("<db:result from='b.example' to='a.example' type='valid'/>");
    back.wait_for("<iq from='a.example' to='b.example' type='result' id='p'");
    // And the key that came over it is known again.
    let key = asked.text_of("db:result").expect("a key");
    peer.send(&format!("<db:verify from='b.example' to='a.example' id='own-2'>{key}</db:verify>"));
    peer.wait_for("<db:verify from='a.example' to='b.example' id='own-2' type='valid'");
    peer.send(&format!("<db:verify from='b.example' to='a.example' id='own-3'>{key}</db:verify>"));
    peer.wait_for("<db:verify from='a.example' to='b.example' id='own-3' type='invalid'");
}

#[test]
fn a_key_that_is_not_the_domains_own_ends_the_stream() {
    let world = World::new();
    let a = world.server("a.example", "alice", PLAIN);
    let own = world.peer("b.example");
    let (mut peer, id) = opened(&a, "b.example");
    peer.send("<db:result from='b.example' to='a.example'>made-up</db:result>");
    let mut called = own.answer(&a, "own-1", "");
    called.expect("<db:verify from='a.example' to='b.example'");
    called.send(&format!("<db:verify from='b.example' to='a.example' id='{id}' type='invalid'/>"));
    peer.expect("<db:result from='a.example' to='b.example' type='invalid'");
    peer.expect_end();
    a.expect_log("a dialback key is not the domain's own");
}

#[test]
fn an_unknown_domain_is_an_error_and_the_stream_stays() {
    let world = World::new();
    let a = world.server("a.example", "alice", PLAIN);
    let _own = world.peer("b.example");
    let (mut peer, _) = opened(&a, "b.example");
    peer.send("<db:result from='b.example' to='unknown.example'>k</db:result>");
    peer.expect("<db:result from='unknown.example' to='b.example' type='error'><error type='cancel'><item-not-found");
    peer.send("<db:verify from='b.example' to='unknown.example' id='1'>k</db:verify>");
    peer.expect(
        "<db:verify from='unknown.example' to='b.example' id='1' type='error'><error type='cancel'><item-not-found",
    );
    peer.send("<db:verify from='b.example' to='a.example' id='1'>k</db:verify>");
    peer.expect("<db:verify from='a.example' to='b.example' id='1' type='invalid'");
}

#[test]
fn a_server_that_cannot_be_asked_is_an_error_and_the_stream_stays() {
    let world = World::new();
    let a = world.server("a.example", "alice", PLAIN);
    let (mut peer, _) = opened(&a, "b.example");
    peer.send("<db:result from='b.example' to='a.example'>k</db:result>");
    peer.expect("<db:result from='a.example' to='b.example' type='error'><remote-server-not-found");
    peer.send("<db:verify from='b.example' to='a.example' id='1'>k</db:verify>");
    peer.expect("<db:verify from='a.example' to='b.example' id='1' type='invalid'");
}

#[test]
fn dialback_without_encryption_is_refused_and_the_stream_may_still_be_encrypted() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = a.dial_as_server().domain("a.example").clear();
    peer.send(&server_header("b.example", "a.example"));
    peer.expect("<stream:stream");
    peer.expect("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>");
    peer.send("<db:result from='b.example' to='a.example'>k</db:result>");
    peer.expect("<db:result from='a.example' to='b.example' type='error'><policy-violation");
    peer.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    peer.expect("<proceed");
    let mut peer = peer.handshake();
    peer.send(&server_header("b.example", "a.example"));
    peer.expect("<stream:stream");
    peer.expect("<stream:features");
    peer.send("<message from='x@b.example' to='alice@a.example'><body>x</body></message>");
    peer.expect_stream_error("not-authorized");
}

#[test]
fn two_domains_prove_themselves_on_one_stream() {
    let world = World::new();
    let a = world.server("a.example", "alice", PLAIN);
    let (b, c) = (world.peer("b.example"), world.peer("c.example"));
    let (mut peer, id) = opened(&a, "b.example");
    for (own, domain) in [(b, "b.example"), (c, "c.example")] {
        peer.send(&format!("<db:result from='{domain}' to='a.example'>k</db:result>"));
        let mut called = own.answer(&a, "own", "");
        called.expect(&format!("<db:verify from='a.example' to='{domain}' id='{id}'"));
        called.send(&format!("<db:verify from='{domain}' to='a.example' id='{id}' type='valid'/>"));
        peer.expect(&format!("<db:result from='a.example' to='{domain}' type='valid'"));
    }
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    alice.available();
    for domain in ["b.example", "c.example"] {
        peer.send(&format!(
            "<message from='x@{domain}' to='alice@a.example' type='chat' id='{domain}'><body>x</body></message>"
        ));
        alice.wait_for(&format!("<message from='x@{domain}' id='{domain}'"));
    }
}

/// XEP-0344: who has shown a certificate is believed at once.
#[test]
fn a_certificate_answers_a_key() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let shown = world.certificates().server(&["b.example", "c.example"]);
    let mut peer = a.dial_as_server().certificate(&shown).domain("a.example").direct();
    peer.send(&server_header("b.example", "a.example"));
    peer.expect("<stream:stream");
    peer.expect("<stream:features");
    for domain in ["b.example", "c.example"] {
        peer.send(&format!("<db:result from='{domain}' to='a.example'>whatever</db:result>"));
        peer.expect(&format!("<db:result from='a.example' to='{domain}' type='valid'"));
    }
    a.expect_log("method=\"certificate\"");
}
