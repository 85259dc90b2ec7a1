//! XEP-0198 between servers: stanzas are counted and acknowledged, and no stream is resumed.

use metronome_testkit::{Client, Server, World};

use crate::{opened, proved};

/// A scripted server whose stanzas are counted.
fn counting(world: &World, server: &Server) -> Client {
    let mut peer = proved(world, server, &["b.example"]);
    peer.send("<enable xmlns='urn:xmpp:sm:3'/>");
    peer.expect("<enabled xmlns='urn:xmpp:sm:3'");
    peer
}

#[test]
fn what_was_handled_is_told_and_enabling_needs_a_proof() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = opened(&world, &a, &["b.example"]);
    peer.expect("<stream:stream");
    peer.expect("<stream:features><sm xmlns='urn:xmpp:sm:3'/>");
    peer.send("<enable xmlns='urn:xmpp:sm:3'/>");
    peer.expect("<failed xmlns='urn:xmpp:sm:3'><unexpected-request");
    let mut peer = proved(&world, &a, &["b.example"]);
    peer.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let enabled = peer.expect("<enabled xmlns='urn:xmpp:sm:3'");
    assert_eq!(enabled.attribute("resume"), None, "no stream of a server is resumed");
    for n in 0..3 {
        peer.send(&format!(
            "<message from='x@b.example' to='alice@a.example' type='chat' id='{n}'><body>x</body></message>"
        ));
    }
    peer.send("<presence from='x@b.example' to='alice@a.example' type='foo'/>");
    peer.send("<r xmlns='urn:xmpp:sm:3'/>");
    peer.expect("<a xmlns='urn:xmpp:sm:3' h='4'");
    peer.send("<enable xmlns='urn:xmpp:sm:3'/>");
    peer.expect("<failed xmlns='urn:xmpp:sm:3'><unexpected-request");
    peer.send("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>");
    peer.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
    peer.send("<a xmlns='urn:xmpp:sm:3' h='9'/>");
    peer.expect_stream_error("undefined-condition");
}

#[test]
fn a_stream_that_ends_tells_how_much_was_handled() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = counting(&world, &a);
    peer.send("<message from='x@b.example' to='alice@a.example' type='chat'><body>x</body></message></stream:stream>");
    peer.expect("<a xmlns='urn:xmpp:sm:3' h='1'");
    peer.expect_end();
}

#[test]
fn a_burst_for_one_account_waits_and_nothing_of_it_is_refused() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut peer = counting(&world, &a);
    let message = |n: u32| {
        format!("<message from='x@b.example' to='alice@a.example' type='chat' id='{n}'><body>x</body></message>")
    };
    let burst: String = (0..500).map(message).collect();
    peer.send(&(burst + "<r xmlns='urn:xmpp:sm:3'/>"));
    peer.expect("<a xmlns='urn:xmpp:sm:3' h='500'");
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    alice.send("<presence/>");
    for n in 0..500 {
        alice.wait_for(&format!("<message from='x@b.example' id='{n}'"));
    }
}
