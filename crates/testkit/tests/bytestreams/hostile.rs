//! Those who want what is not theirs, and those who do not say what they want.

use std::time::Duration;

use metronome_testkit::{Client, Party, ask, condition, stream_hash};

use crate::{ALICE, BOB, SERVICE, WAITING, activate, activated, connected, error, metric, refused, started, until};

/// The bytes of a stream are the requester's: neither the target nor anybody else lets them flow, nor another device of the requester.
#[test]
fn nobody_else_activates_a_stream() {
    let (server, mut alice) = started("");
    let (mut requester, mut target) = connected(&server, "s1");
    let mut others = [
        Client::login(&server, "bob", "desk"),
        Client::login(&server, "carol", "phone"),
        Client::login(&server, "alice", "desk"),
    ];
    for other in &mut others {
        for target in [ALICE, BOB] {
            assert_eq!(error(&ask(other, "set", SERVICE, &activate("s1", target))), "cancel item-not-found");
        }
    }
    for other in &mut others {
        // What somebody says of itself does not count.
        let spoofed = format!("<iq type='set' id='ask' from='{ALICE}' to='{SERVICE}'>{}</iq>", activate("s1", BOB));
        other.send(&spoofed);
        let answer = other.next_piece();
        assert!(!answer.fits("<iq type='result'"), "{answer}");
    }
    requester.send(b"secret");
    alice.expect_nothing_before_ping();
    target.expect_nothing();
    for sid in ["s2", "S1", "s1 "] {
        assert_eq!(refused(&mut alice, sid), "cancel item-not-found", "{sid}");
    }
    activated(&mut alice, "s1");
    assert_eq!(target.read(6), b"secret");
}

#[test]
fn a_third_connection_is_refused_and_the_two_go_on() {
    let (server, mut alice) = started("");
    let (mut requester, mut target) = connected(&server, "s1");
    let mut third = Party::greet(server.socks());
    assert_eq!(third.name(&stream_hash("s1", ALICE, BOB)), 2);
    assert_eq!(third.rest().unwrap(), b"");
    activated(&mut alice, "s1");
    requester.send(b"between us");
    assert_eq!(target.read(10), b"between us");
    // Once it is under way, whoever names it waits for another one.
    let mut fourth = Party::greet(server.socks());
    assert_eq!(fourth.name(&stream_hash("s1", ALICE, BOB)), 0);
    target.send(b"still");
    assert_eq!(requester.read(5), b"still");
    fourth.expect_nothing();
}

#[test]
fn what_is_not_the_hash_of_a_stream_is_refused() {
    let (server, _alice) = started("");
    let hash = stream_hash("s1", ALICE, BOB);
    for wrong in [&hash[1..], &format!("{hash}0"), &hash.to_uppercase(), "localhost", "", &"a".repeat(255)] {
        let mut party = Party::greet(server.socks());
        assert_eq!(party.name(wrong), 4, "{wrong}");
        assert_eq!(party.rest().unwrap(), b"");
    }
    let name = [&[40], hash.as_bytes()].concat();
    let requests: [(u8, u8, &[u8], u16, u8); 5] = [
        (1, 3, &name, 80, 4),
        (2, 3, &name, 0, 7),
        (3, 3, &name, 0, 7),
        (1, 1, &[127, 0, 0, 1], 22, 8),
        (1, 4, &[0; 16], 22, 8),
    ];
    for (command, kind, address, port, reply) in requests {
        let mut party = Party::greet(server.socks());
        party.request(command, kind, address, port);
        assert_eq!(party.rest().unwrap(), [5, reply, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(metric(&server, WAITING), 0);
}

#[test]
fn whoever_speaks_something_else_is_let_go() {
    let (server, _alice) = started("");
    for (said, heard) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], &b""[..]),
        (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b""),
        (b"<stream:stream>", b""),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x00", b"\x05\xff"),
        (b"\x05\x01\x00\x05\x01\x00\x09", b"\x05\x00"),
        (b"\x05\x01\x00\x04\x01\x00\x03", b"\x05\x00"),
    ] {
        let mut party = Party::silent(server.socks());
        let _ = party.try_send(said);
        // What it has said behind that is not read: the end may be a reset.
        let rest = party.rest();
        assert!(rest.as_ref().map_or(true, |rest| rest == heard), "{said:?}: {rest:?}");
    }
}

/// Each has ten seconds for all of it.
#[test]
fn who_does_not_finish_the_handshake_is_let_go() {
    let (server, mut alice) = started("");
    let hash = stream_hash("s1", ALICE, BOB);
    let request = [&[5, 1, 0, 3, 40], hash.as_bytes()].concat();
    let mut slow = [Party::silent(server.socks()), Party::silent(server.socks()), Party::greet(server.socks())];
    slow[1].send(&[5, 200, 0]);
    slow[2].send(&request);
    assert_eq!(metric(&server, WAITING), 0);
    assert_eq!(refused(&mut alice, "s1"), "cancel item-not-found");
    for party in &mut slow {
        assert!(party.ends_within(Duration::from_secs(25)));
    }
}

#[test]
fn a_request_that_is_none_is_told_so() {
    let (server, mut alice) = started("");
    let _parties = connected(&server, "s1");
    let query = |attributes: &str, inside: &str| {
        format!("<query xmlns='http://jabber.org/protocol/bytestreams'{attributes}>{inside}</query>")
    };
    let activate = format!("<activate>{BOB}</activate>");
    for wrong in [query("", &activate), query(" sid='s1'", ""), query(" sid='s1'", &activate.repeat(2))] {
        assert_eq!(condition(&ask(&mut alice, "set", SERVICE, &wrong)), "bad-request", "{wrong}");
    }
    for wrong in ["", "@", "bob@localhost/"] {
        let wrong = query(" sid='s1'", &format!("<activate>{wrong}</activate>"));
        assert_eq!(condition(&ask(&mut alice, "set", SERVICE, &wrong)), "jid-malformed", "{wrong}");
    }
    assert_eq!(metric(&server, WAITING), 2);
}

/// Who speaks while it waits is not read, and is missed all the same when it goes.
#[test]
fn who_goes_before_its_stream_begins_leaves_nothing_behind() {
    let (server, mut alice) = started("");
    let (mut requester, target) = connected(&server, "s1");
    requester.send(b"too early");
    target.abort();
    until(&server, WAITING, 1);
    assert_eq!(refused(&mut alice, "s1"), "cancel not-allowed");
    drop(requester);
    until(&server, WAITING, 0);
    assert_eq!(refused(&mut alice, "s1"), "cancel item-not-found");
    until(&server, "metronome_connections{kind=\"bytestream\"}", 0);
}
