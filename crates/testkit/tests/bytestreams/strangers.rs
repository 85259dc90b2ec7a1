//! A proxy that carries bytes for everybody is a relay for everything (CVE-2021-32917): it asks who asks, and works for the accounts of its
//! server and for those whom its administrator has named.

use metronome_testkit::{Client, Component, Party, World, ask, server_header, stream_hash};

use crate::{BOB, SERVICE, WHERE, activate, error, setup};

const STRANGER: &str = "mallory@b.example/far";

/// A server that serves `a.example` and is on good terms with `b.example`, which it has just proved to be.
fn remote(world: &World, options: &str) -> (metronome_testkit::Server, Client) {
    let a = world.setup("a.example", "alice").socks().options(options).start();
    let shown = world.certificates().server(&["b.example"]);
    let mut peer = a.dial_as_server().certificate(&shown).domain("a.example").direct();
    peer.send(&server_header("b.example", "a.example"));
    peer.expect("<stream:stream");
    peer.expect("<stream:features");
    for to in ["a.example", "proxy.a.example"] {
        peer.send(&format!("<db:result from='b.example' to='{to}'>k</db:result>"));
        peer.expect(&format!("<db:result from='{to}' to='b.example' type='valid'"));
    }
    (a, peer)
}

// XEP-0065 example 9
#[test]
fn people_of_other_servers_are_forbidden() {
    let world = World::new();
    let own = world.peer("b.example");
    let (a, mut peer) = remote(&world, "");
    let hash = stream_hash("s1", STRANGER, "victim@elsewhere.example/x");
    let (mut one, other) = (Party::join(a.socks(), &hash), Party::join(a.socks(), &hash));
    let mut called: Option<Client> = None;
    for (kind, payload) in [("get", WHERE.to_owned()), ("set", activate("s1", "victim@elsewhere.example/x"))] {
        peer.send(&format!("<iq type='{kind}' id='{kind}' from='{STRANGER}' to='proxy.a.example'>{payload}</iq>"));
        let answer = heard(&world, &own, &a, &mut called, kind);
        assert_eq!(error(&answer), "auth forbidden");
    }
    one.try_send(b"through").unwrap();
    other.expect_nothing();
    one.expect_nothing();
}

#[test]
fn whom_the_administrator_has_named_may() {
    let world = World::new();
    let own = world.peer("b.example");
    let (a, mut peer) = remote(&world, "[proxy65]\nallow = [\"mallory@b.example\"]");
    let mut called: Option<Client> = None;
    let hash = stream_hash("s1", STRANGER, "victim@elsewhere.example/x");
    let (mut one, mut other) = (Party::join(a.socks(), &hash), Party::join(a.socks(), &hash));
    peer.send(&format!("<iq type='get' id='eve' from='eve@b.example/far' to='proxy.a.example'>{WHERE}</iq>"));
    assert_eq!(error(&heard(&world, &own, &a, &mut called, "eve")), "auth forbidden");
    let activate = activate("s1", "victim@elsewhere.example/x");
    peer.send(&format!("<iq type='set' id='set' from='{STRANGER}' to='proxy.a.example'>{activate}</iq>"));
    let answer = heard(&world, &own, &a, &mut called, "set");
    assert!(answer.fits("<iq type='result'"), "{answer}");
    one.send(b"through");
    assert_eq!(other.read(7), b"through");
}

/// The answer to a request of this id, on the stream that the server opens to `b.example` for it.
#[track_caller]
fn heard(
    world: &World,
    own: &metronome_testkit::Peer,
    server: &metronome_testkit::Server,
    called: &mut Option<Client>,
    id: &str,
) -> metronome_testkit::Seen {
    let called = called.get_or_insert_with(|| {
        let shown = world.certificates().server(&["b.example"]);
        let features = "<dialback xmlns='urn:xmpp:features:dialback'/>";
        own.answer_encrypted(server, &shown, "called", features)
    });
    loop {
        let seen = called.next_piece();
        if seen.name() == "db:result" {
            let (from, to) = (seen.attribute("from").unwrap(), seen.attribute("to").unwrap());
            called.send(&format!("<db:result from='{to}' to='{from}' type='valid'/>"));
        } else if seen.fits(&format!("<iq id='{id}'")) {
            return seen;
        }
    }
}

#[test]
fn components_are_forbidden_unless_they_are_named() {
    let requester = "somebody@gw.localhost/there";
    let activate = activate("s1", BOB);
    let server = setup("").component("gw.localhost").start();
    let mut component = Component::connect(&server, "gw.localhost");
    assert_eq!(error(&component.ask(requester, SERVICE, "get", WHERE)), "auth forbidden");
    let hash = stream_hash("s1", requester, BOB);
    let _parties = (Party::join(server.socks(), &hash), Party::join(server.socks(), &hash));
    assert_eq!(error(&component.ask(requester, SERVICE, "set", &activate)), "auth forbidden");
    server.write_options("proxy65.allow = [\"gw.localhost\"]");
    server.control().run("reload", serde_json::json!({}));
    assert!(component.ask(requester, SERVICE, "get", WHERE).contains("<streamhost jid='proxy.localhost'"));
    let result = component.ask(requester, SERVICE, "set", &activate);
    assert!(result.fits("<iq type='result'"), "{result}");
}

#[test]
fn guests_are_forbidden() {
    let mechanisms = "auth.mechanisms = [\"SCRAM-SHA-256\", \"ANONYMOUS\"]\nproxy65.allow = [\"localhost\"]";
    let server = setup(mechanisms).start();
    let mut guest = server.dial().direct();
    guest.open();
    guest.auth("ANONYMOUS", b"");
    guest.expect("<success");
    guest.open();
    guest.bind("");
    assert_eq!(error(&ask(&mut guest, "get", SERVICE, WHERE)), "auth forbidden");
    assert_eq!(error(&ask(&mut guest, "set", SERVICE, &activate("s1", BOB))), "auth forbidden");
}
