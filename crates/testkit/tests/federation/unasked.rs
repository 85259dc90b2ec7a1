//! What servers say again, on another stream, or in the place of somebody else: it counts for nothing, and nobody here is misled by it.

use metronome_testkit::World;

use super::hostile::BOTH;
use super::outgoing::{DIALBACK, encrypted, speaks};
use super::{online, proved};

/// XEP-0220 section 3.1: a result counts on the stream that has asked.
#[test]
fn a_result_on_another_stream_lets_nothing_out() {
    let world = World::new();
    let own = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a, "alice", "a.example");
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &own, &a, DIALBACK);
    called.expect("<db:result from='a.example' to='b.example'");
    let mut other = proved(&world, &a, &BOTH);
    other.send("<db:result from='b.example' to='a.example' type='valid'/>");
    other.expect_stream_error("invalid-from");
    assert!(called.next_within(std::time::Duration::from_millis(300)).is_none(), "nothing goes out without an answer");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
    called.expect("<message id='m1'");
}

#[test]
fn a_result_that_is_said_again_ends_the_stream() {
    let world = World::new();
    let own = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a, "alice", "a.example");
    speaks(&mut alice, "m1");
    let mut called = encrypted(&world, &own, &a, DIALBACK);
    called.expect("<db:result from='a.example' to='b.example'");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
    called.expect("<message id='m1'");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
    called.wait_for("<stream:error><invalid-from");
}

/// The domain's own server answers, but about a key of another stream or of others.
#[test]
fn an_answer_about_another_key_proves_nothing() {
    let wrong = [
        "<db:verify from='b.example' to='a.example' id='another' type='valid'/>",
        "<db:verify from='a.example' to='b.example' id='ID' type='valid'/>",
        "<db:verify from='c.example' to='a.example' id='ID' type='valid'/>",
        "<db:verify from='b.example' to='other.example' id='ID' type='valid'/>",
        "<db:result from='b.example' to='a.example' type='valid'/>",
    ];
    for wrong in wrong {
        let world = World::new();
        let own = world.peer("b.example");
        let a = world.server("a.example", "alice", "[federation]\nwithout_tls = [\"b.example\"]");
        let mut peer = a.dial_as_server().clear();
        peer.send(&metronome_testkit::server_header("b.example", "a.example"));
        let id = peer.expect("<stream:stream").attribute("id").expect("an id");
        peer.expect("<stream:features");
        peer.send("<db:result from='b.example' to='a.example'>k</db:result>");
        let mut called = own.answer(&a, "own-1", "");
        called.expect("<db:verify from='a.example' to='b.example'");
        called.send(&wrong.replace("ID", &id));
        peer.expect("<db:result from='a.example' to='b.example' type='error'");
        peer.send("<message from='x@b.example' to='alice@a.example'><body>x</body></message>");
        peer.expect_stream_error("not-authorized");
    }
}

/// So two servers never throw errors at each other for ever (RFC 6120 section 8.3.1).
#[test]
fn errors_and_answers_are_never_answered() {
    let world = World::new();
    let own = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut peer = proved(&world, &a, &BOTH);
    let gone = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    for to in ["nobody@a.example", "nobody@a.example/x", "alice@a.example", "alice@a.example/x", "a.example"] {
        for stanza in ["message", "presence", "iq"] {
            peer.send(&format!("<{stanza} from='x@b.example' to='{to}' type='error' id='e'>{gone}</{stanza}>"));
        }
        peer.send(&format!("<iq from='x@b.example' to='{to}' type='result' id='r'/>"));
    }
    let ping =
        |id| format!("<iq from='b.example' to='a.example' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
    peer.send(&ping("p1"));
    let mut back = encrypted(&world, &own, &a, DIALBACK);
    back.expect("<db:result from='a.example' to='b.example'");
    back.send("<db:result from='b.example' to='a.example' type='valid'/>");
    back.expect("<iq from='a.example' to='b.example' type='result' id='p1'");
    peer.send(&ping("p2"));
    back.expect("<iq from='a.example' to='b.example' type='result' id='p2'");
}

/// Clients have believed pushes and copies from anybody (CVE-2015-8688, CVE-2017-5589); here none reaches them, from friends neither.
#[test]
fn what_only_ones_own_server_says_does_not_come_from_elsewhere() {
    let world = World::new();
    let own = world.peer("b.example");
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a, "alice", "a.example");
    alice.send("<presence to='x@b.example'/>");
    let mut called = encrypted(&world, &own, &a, DIALBACK);
    called.expect("<db:result from='a.example' to='b.example'");
    called.send("<db:result from='b.example' to='a.example' type='valid'/>");
    called.expect("<presence from='alice@a.example/here' to='x@b.example'");
    let mut peer = proved(&world, &a, &BOTH);
    let push = "<query xmlns='jabber:iq:roster'><item jid='evil@b.example' subscription='both'/></query>";
    for from in ["x@b.example", "b.example"] {
        peer.send(&format!("<iq from='{from}' to='alice@a.example/here' type='set' id='push'>{push}</iq>"));
        called.wait_for(&format!("<iq from='alice@a.example/here' to='{from}' id='push' type='error'"));
    }
    let copied = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='bob@a.example/x' \
                  to='alice@a.example/here' type='chat'><body>forged</body></message></forwarded>";
    for name in ["received", "sent"] {
        peer.send(&format!(
            "<message from='x@b.example' to='alice@a.example/here' type='chat' id='{name}'><body>seen</body>\
             <{name} xmlns='urn:xmpp:carbons:2'>{copied}</{name}>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='alice@a.example' id='forged'/></message>"
        ));
        let seen = alice.expect(&format!("<message from='x@b.example' id='{name}'"));
        assert!(seen.contains("<body>seen</body>") && !seen.contains("forged"), "{seen}");
    }
    alice.expect_nothing_before_ping();
}
