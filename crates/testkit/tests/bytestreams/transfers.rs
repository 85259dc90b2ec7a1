//! Section 6: two parties meet, and what one sends the other gets, in both directions, until the end.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use metronome_testkit::{Client, Party, ask, stream_hash};

use crate::{
    ACTIVE, ALICE, BOB, SERVICE, WAITING, activate, activated, connected, metric, refused, setup, started, transfer,
    until,
};

// XEP-0065 example 18
// XEP-0065 example 19
// XEP-0065 example 21
// XEP-0065 example 22
// XEP-0065 example 23
// XEP-0065 example 24
#[test]
fn bytes_go_both_ways_once_the_requester_lets_them() {
    let (server, mut alice) = started("");
    let (mut requester, mut target) = connected(&server, "vxf9n471bn46");
    assert_eq!((metric(&server, WAITING), metric(&server, ACTIVE)), (2, 0));
    // Who speaks too early is not heard yet.
    requester.send(b"one ");
    target.send(b"three ");
    alice.expect_nothing_before_ping();
    requester.expect_nothing();
    target.expect_nothing();
    activated(&mut alice, "vxf9n471bn46");
    requester.send(b"two");
    assert_eq!(target.read(7), b"one two");
    target.send(b"four");
    assert_eq!(requester.read(10), b"three four");
    assert_eq!((metric(&server, WAITING), metric(&server, ACTIVE)), (0, 1));
    requester.end();
    target.end();
    assert_eq!((requester.rest().unwrap(), target.rest().unwrap()), (Vec::new(), Vec::new()));
    until(&server, ACTIVE, 0);
    assert_eq!(metric(&server, "metronome_bytestream_transfers_total"), 1);
    assert_eq!(metric(&server, "metronome_bytestream_bytes_total"), 17);
    until(&server, "metronome_connections{kind=\"bytestream\"}", 0);
}

#[test]
fn one_side_may_end_before_the_other() {
    let (server, mut alice) = started("");
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    requester.send(b"the file");
    requester.end();
    assert_eq!(target.rest().unwrap(), b"the file");
    target.send(b"thank you");
    target.end();
    assert_eq!(requester.rest().unwrap(), b"thank you");
    // The side that has asked need not be the one that sends.
    let (mut requester, mut target) = transfer(&server, &mut alice, "s2");
    requester.end();
    assert_eq!(target.rest().unwrap(), b"");
    target.send(b"the other way");
    drop(target);
    assert_eq!(requester.rest().unwrap(), b"the other way");
}

#[test]
fn what_breaks_on_one_side_does_not_look_complete_on_the_other() {
    let (server, mut alice) = started("");
    let (mut requester, target) = transfer(&server, &mut alice, "s1");
    target.abort();
    requester.expect_cut();
    let (requester, mut target) = transfer(&server, &mut alice, "s2");
    requester.abort();
    target.expect_cut();
    until(&server, ACTIVE, 0);
}

#[test]
fn many_transfers_go_side_by_side_and_do_not_mix() {
    let (server, mut alice) = started("");
    let mut transfers: Vec<_> = (0..10).map(|number| transfer(&server, &mut alice, &format!("s{number}"))).collect();
    for (number, (requester, target)) in transfers.iter_mut().enumerate() {
        requester.send(format!("to bob {number}").as_bytes());
        target.send(format!("to alice {number}").as_bytes());
    }
    for (number, (requester, target)) in transfers.into_iter().enumerate() {
        let (mut requester, mut target) = (requester, target);
        requester.end();
        target.end();
        assert_eq!(target.rest().unwrap(), format!("to bob {number}").as_bytes());
        assert_eq!(requester.rest().unwrap(), format!("to alice {number}").as_bytes());
    }
}

/// Whoever does not take what comes keeps the other side from sending, and the server from keeping it meanwhile.
#[test]
fn a_large_file_arrives_whole_and_takes_no_memory() {
    const LENGTH: usize = 64 << 20;
    let (server, mut alice) = started("proxy65.rate = \"10 GiB/s\"");
    let pattern: Vec<u8> = (0..1_000_003_usize).map(|at| (at % 251) as u8).collect();
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    let before = server.resident_bytes();
    let sent = requester.fill(&pattern);
    assert!(sent < LENGTH, "nobody holds up who sends");
    let more = server.resident_bytes().saturating_sub(before);
    assert!(more < 4 << 20, "{more} bytes more, and {sent} on their way");
    let byte = |at: usize| pattern[at % pattern.len()];
    let writer = std::thread::spawn({
        let pattern = pattern.clone();
        move || {
            let mut at = sent;
            while at < LENGTH {
                let from = at % pattern.len();
                let piece = &pattern[from..pattern.len().min(from + LENGTH - at)];
                requester.send(piece);
                at += piece.len();
            }
            requester.end();
            requester
        }
    });
    let mut at = 0;
    while at < LENGTH {
        let piece = target.read((LENGTH - at).min(1 << 20));
        assert!(piece.iter().enumerate().all(|(offset, read)| *read == byte(at + offset)), "wrong behind {at}");
        at += piece.len();
    }
    assert_eq!(target.rest().unwrap(), b"");
    let more = server.resident_bytes().saturating_sub(before);
    assert!(more < 8 << 20, "{more} bytes more");
    drop(writer.join().unwrap());
}

/// It may be faster at first by what goes in a second.
#[test]
fn a_transfer_is_not_faster_than_it_may_be() {
    let (server, mut alice) = started("proxy65.rate = \"64 KiB/s\"");
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    let begin = Instant::now();
    requester.send(&[7; 160 << 10]);
    requester.end();
    assert_eq!(target.rest().unwrap().len(), 160 << 10);
    assert!(begin.elapsed() > Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn a_transfer_in_which_nothing_moves_is_cut() {
    let (server, mut alice) = started("proxy65.idle = \"1 s\"");
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    requester.send(b"begin");
    assert_eq!(target.read(5), b"begin");
    requester.expect_cut();
    target.expect_cut();
    server.expect_log("nothing went for too long");
}

#[test]
fn a_server_that_stops_cuts_what_is_under_way() {
    let (mut server, mut alice) = started("");
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    let (mut early, mut waiting) = connected(&server, "s2");
    server.stop();
    requester.expect_cut();
    target.expect_cut();
    assert_eq!((early.rest().unwrap(), waiting.rest().unwrap()), (Vec::new(), Vec::new()));
}

/// Those of other domains and servers need nothing but the hash: only the one who asks is asked who it is.
#[test]
fn the_target_may_be_anywhere() {
    let server = setup("").domain("other.example").account("dave@other.example").start();
    let mut alice = Client::login(&server, "alice", "phone");
    for target in ["carol@elsewhere.example/far", "room@rooms.localhost/Böb & co", "dave@other.example"] {
        let hash = stream_hash("s", ALICE, target);
        let (mut requester, mut other) = (Party::join(server.socks(), &hash), Party::join(server.socks(), &hash));
        let written = target.replace('&', "&amp;");
        let result = ask(&mut alice, "set", SERVICE, &activate("s", &written));
        assert!(result.fits("<iq type='result'"), "{result}");
        requester.send(b"hello");
        assert_eq!(other.read(5), b"hello");
    }
    // Everybody who has an account here may ask, whichever domain it is of.
    let mut dave = server.dial().domain("other.example").direct();
    dave.log_in("dave", "desk");
    let hash = stream_hash("s", "dave@other.example/desk", BOB);
    let _parties = (Party::join(server.socks(), &hash), Party::join(server.socks(), &hash));
    let result = ask(&mut dave, "set", SERVICE, &activate("s", BOB));
    assert!(result.fits("<iq type='result' from='proxy.localhost'"), "{result}");
}

/// Who was missing at first, or has gone, can come later.
#[test]
fn a_stream_begins_once_both_are_there() {
    let (server, mut alice) = started("");
    let hash = stream_hash("s1", ALICE, BOB);
    assert_eq!(refused(&mut alice, "s1"), "cancel item-not-found");
    let target = Party::join(server.socks(), &hash);
    assert_eq!(refused(&mut alice, "s1"), "cancel not-allowed");
    let requester = Party::join(server.socks(), &hash);
    drop(target);
    until(&server, WAITING, 1);
    assert_eq!(refused(&mut alice, "s1"), "cancel not-allowed");
    let from: IpAddr = "127.0.0.9".parse().unwrap();
    let mut target = Party::from(from, server.socks());
    assert_eq!(target.name(&hash), 0);
    activated(&mut alice, "s1");
    let mut requester = requester;
    requester.send(b"at last");
    assert_eq!(target.read(7), b"at last");
    assert_eq!(refused(&mut alice, "s1"), "cancel item-not-found", "it is under way already");
}
