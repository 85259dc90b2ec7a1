//! How streams with other servers end: what was sent is proved first, so that nothing goes out twice, and what cannot be sent comes back.

use std::time::Duration;

use metronome_testkit::{Client, Peer, Server, World, server_header};
use rustix::process::Signal;

use super::hostile::BOTH;
use super::proved;

const DIALBACK: &str = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>";
const SM: &str = "<sm xmlns='urn:xmpp:sm:3'/>";

fn online(server: &Server) -> Client {
    let mut alice = server.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    alice.available();
    alice
}

fn speaks(alice: &mut Client, id: &str) {
    alice.send(&format!("<message to='bob@b.example' type='chat' id='{id}'><body>hello</body></message>"));
}

/// The next stream of ours to b.example, whose stanzas it takes.
fn taken(world: &World, peer: &Peer, server: &Server, features: &str) -> Client {
    let shown = world.certificates().server(&["b.example"]);
    let mut called = peer.answer_encrypted(server, &shown, "the-id", &format!("{DIALBACK}{features}"));
    called.wait_for("<db:result from='a.example' to='b.example'");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
    called
}

/// The same with one that counts.
fn counted(world: &World, peer: &Peer, server: &Server) -> Client {
    let mut called = taken(world, peer, server, SM);
    called.expect("<enable xmlns='urn:xmpp:sm:3'");
    called.send("<enabled xmlns='urn:xmpp:sm:3'/>");
    called
}

#[test]
fn a_server_that_stops_waits_for_the_count_and_sends_nothing_twice() {
    let world = World::new();
    let peer = world.peer("b.example");
    let mut a = world.server("a.example", "alice", "");
    let mut alice = online(&a);
    speaks(&mut alice, "m1");
    let mut called = counted(&world, &peer, &a);
    called.expect("<message id='m1'");
    called.expect("<r xmlns='urn:xmpp:sm:3'");
    a.signal(Signal::TERM);
    alice.wait_for("</stream:stream>");
    called.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    called.expect("<a xmlns='urn:xmpp:sm:3' h='0'");
    called.expect_stream_error("system-shutdown");
    assert!(a.wait_for_exit(Duration::from_secs(15)).success());
    a.kill();
    a.start_again();
    let mut alice = online(&a);
    speaks(&mut alice, "m2");
    counted(&world, &peer, &a).expect("<message id='m2'");
}

#[test]
fn a_server_that_stops_hears_the_answer_to_its_ping_over_another_stream() {
    let world = World::new();
    let peer = world.peer("b.example");
    let mut a = world.server("a.example", "alice", "");
    let shown = world.certificates().server(&["b.example"]);
    let mut back = a.dial_as_server().certificate(&shown).domain("a.example").direct();
    back.send(&server_header("b.example", "a.example"));
    back.expect("<stream:stream");
    back.expect("<stream:features");
    back.send("<db:result from='b.example' to='a.example'>k</db:result>");
    back.expect("<db:result from='a.example' to='b.example' type='valid'");
    let mut alice = online(&a);
    speaks(&mut alice, "m1");
    let mut called = taken(&world, &peer, &a, "");
    called.expect("<message id='m1'");
    let ping = called.expect("<iq type='get' from='a.example' to='b.example'><ping xmlns='urn:xmpp:ping'");
    a.signal(Signal::TERM);
    alice.wait_for("</stream:stream>");
    let id = ping.attribute("id").unwrap_or_default();
    back.send(&format!("<iq type='result' from='b.example' to='a.example' id='{id}'/>"));
    called.expect_stream_error("system-shutdown");
    back.expect_stream_error("system-shutdown");
    assert!(a.wait_for_exit(Duration::from_secs(15)).success());
    a.kill();
    a.start_again();
    let mut alice = online(&a);
    speaks(&mut alice, "m2");
    taken(&world, &peer, &a, "").expect("<message id='m2'");
}

#[test]
fn who_ends_its_stream_with_an_error_has_proved_nothing_by_its_goodbye() {
    let world = World::new();
    let peer = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a);
    speaks(&mut alice, "m1");
    let mut called = taken(&world, &peer, &a, "");
    called.expect("<message id='m1'");
    called.send("<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    called.wait_for("</stream:stream>");
    called.send("</stream:stream>");
    called.expect_closed();
    taken(&world, &peer, &a, "").expect("<message id='m1'");
}

#[test]
fn a_stream_ends_with_the_certificate_of_the_other_side_and_another_one_is_opened() {
    let world = World::new();
    let peer = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a);
    speaks(&mut alice, "m1");
    let shown = world.certificates().server_for(&["b.example"], Duration::from_secs(6));
    let mut called = peer.answer_encrypted(&a, &shown, "the-id", &format!("{DIALBACK}{SM}"));
    called.wait_for("<db:result from='a.example' to='b.example'");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
    called.expect("<enable xmlns='urn:xmpp:sm:3'");
    called.send("<enabled xmlns='urn:xmpp:sm:3'/>");
    called.expect("<message id='m1'");
    called.expect("<r xmlns='urn:xmpp:sm:3'");
    called.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    called.expect("<a xmlns='urn:xmpp:sm:3' h='0'");
    called.expect("</stream:stream>");
    a.expect_log("a certificate has ended");
    called.send("</stream:stream>");
    called.expect_closed();
    speaks(&mut alice, "m2");
    counted(&world, &peer, &a).expect("<message id='m2'");
}

#[test]
fn what_is_larger_than_the_other_server_takes_comes_back() {
    let world = World::new();
    let peer = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a);
    let large = "x".repeat(30_000);
    alice.send(&format!("<message to='bob@b.example' type='chat' id='large'><body>{large}</body></message>"));
    alice.send(&format!("<iq to='b.example' type='set' id='iq'><x xmlns='urn:x'>{large}</x></iq>"));
    speaks(&mut alice, "small");
    let limits = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>20000</max-bytes></limits>";
    let mut called = taken(&world, &peer, &a, &format!("{SM}{limits}"));
    called.expect("<enable xmlns='urn:xmpp:sm:3'");
    called.send("<enabled xmlns='urn:xmpp:sm:3'/>");
    called.expect("<message id='small'");
    called.expect("<r xmlns='urn:xmpp:sm:3'");
    let refused = alice.wait_for("<iq type='error' id='iq' from='b.example'");
    assert!(refused.conditions().contains(&"policy-violation".to_owned()), "{refused}");
    // The stored one comes back when everything before it is done, which is at once: nothing was sent before it.
    let refused = alice.wait_for("<message type='error' id='large' from='bob@b.example'");
    assert!(refused.conditions().contains(&"policy-violation".to_owned()), "{refused}");
    called.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    speaks(&mut alice, "next");
    called.expect("<message id='next'");
}

/// Who cannot count sends nothing again: what has come before our goodbye is taken, read already or not.
#[test]
fn what_came_before_our_goodbye_is_taken() {
    let world = World::new();
    let mut a = world.server("a.example", "alice", "[limits.s2s]\nbytes = \"1 KiB/s\"\nburst = \"20 KiB\"");
    let mut alice = online(&a);
    let mut peer = proved(&world, &a, &BOTH);
    let message = |id: &str, body: &str| {
        format!(
            "<message from='bob@b.example' to='alice@a.example' type='chat' id='{id}'><body>{body}</body></message>"
        )
    };
    peer.send(&message("m1", &"x".repeat(30_000)));
    alice.wait_for("<message from='bob@b.example' to='alice@a.example' id='m1'");
    // It has said more than it may at once, so these wait in the connection.
    peer.send(&message("m2", "hello"));
    peer.send(&message("m3", "hello"));
    a.signal(Signal::TERM);
    peer.expect_stream_error("system-shutdown");
    peer.send("</stream:stream>");
    assert!(a.wait_for_exit(Duration::from_secs(15)).success());
    a.kill();
    a.start_again();
    let mut alice = online(&a);
    alice.wait_for("<message from='bob@b.example' to='alice@a.example' id='m2'");
    alice.wait_for("<message from='bob@b.example' to='alice@a.example' id='m3'");
}
