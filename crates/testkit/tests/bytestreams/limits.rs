//! How much there may be: bytes, transfers, and connections that wait.

use std::net::IpAddr;

use metronome_testkit::{Party, ask, stream_hash};

use crate::{
    ACTIVE, ALICE, BOB, SERVICE, WAITING, activate, activated, connected, metric, refused, started, transfer, until,
};

#[test]
fn a_transfer_that_is_too_large_is_cut() {
    let (server, mut alice) = started("proxy65.size = \"100 KiB\"");
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    requester.send(&[1; 60_000]);
    assert_eq!(target.read(60_000).len(), 60_000);
    // Both directions count.
    let _ = target.try_send(&[2; 60_000]);
    target.expect_cut();
    requester.expect_cut();
    server.expect_log("there were more bytes than there may be");
    until(&server, ACTIVE, 0);
    // The next one has its own.
    let (mut requester, mut target) = transfer(&server, &mut alice, "s2");
    requester.send(&[1; 100 << 10]);
    requester.end();
    assert_eq!(target.rest().unwrap().len(), 100 << 10);
}

#[test]
fn an_account_has_so_much_carried_within_a_day() {
    let (server, mut alice) = started("proxy65.daily = \"100 KiB\"");
    let (mut requester, mut target) = transfer(&server, &mut alice, "s1");
    requester.send(&[1; 100 << 10]);
    requester.end();
    target.end();
    assert_eq!(target.rest().unwrap().len(), 100 << 10);
    assert_eq!(requester.rest().unwrap(), b"");
    until(&server, ACTIVE, 0);
    let (mut requester, mut target) = connected(&server, "s2");
    assert_eq!(refused(&mut alice, "s2"), "wait resource-constraint");
    requester.expect_nothing();
    target.expect_nothing();
    // Others have their own.
    let mut carol = metronome_testkit::Client::login(&server, "carol", "phone");
    let hash = stream_hash("s3", "carol@localhost/phone", BOB);
    (requester, target) = (Party::join(server.socks(), &hash), Party::join(server.socks(), &hash));
    let result = ask(&mut carol, "set", SERVICE, &activate("s3", BOB));
    assert!(result.fits("<iq type='result'"), "{result}");
    requester.send(b"hello");
    assert_eq!(target.read(5), b"hello");
}

#[test]
fn an_account_has_so_many_transfers_at_once() {
    let (server, mut alice) = started("proxy65.transfers = 1");
    let first = transfer(&server, &mut alice, "s1");
    let (mut requester, mut target) = connected(&server, "s2");
    assert_eq!(refused(&mut alice, "s2"), "wait resource-constraint");
    drop(first);
    until(&server, ACTIVE, 0);
    activated(&mut alice, "s2");
    requester.send(b"now");
    assert_eq!(target.read(3), b"now");
}

/// Twenty of an address may wait; others do not notice.
#[test]
fn connections_that_wait_are_few() {
    let (server, mut alice) = started("");
    let hash = |number: usize| stream_hash(&format!("s{number}"), ALICE, BOB);
    let mut waiting: Vec<_> = (0..20).map(|number| Party::join(server.socks(), &hash(number))).collect();
    assert_eq!(Party::greet(server.socks()).name(&hash(20)), 2);
    let other: IpAddr = "127.0.0.9".parse().unwrap();
    assert_eq!(Party::from(other, server.socks()).name(&hash(20)), 0);
    waiting.pop();
    until(&server, WAITING, 19);
    let _last = Party::join(server.socks(), &hash(0));
    // Those of streams that are under way do not wait any more.
    activated(&mut alice, "s0");
    assert_eq!(metric(&server, WAITING), 18);
    let _more = [Party::join(server.socks(), &hash(30)), Party::join(server.socks(), &hash(31))];
    assert_eq!(Party::greet(server.socks()).name(&hash(32)), 2);
}

#[test]
fn they_count_among_the_connections_of_their_address() {
    let (server, mut alice) = started("limits.connections = 3");
    let (requester, mut target) = transfer(&server, &mut alice, "s1");
    let mut one_more = Party::silent(server.socks());
    let _ = one_more.try_send(&[5, 1, 0]);
    assert!(one_more.ends_within(metronome_testkit::WAIT));
    server.expect_log("the address has too many connections");
    drop(requester);
    assert_eq!(target.rest().unwrap(), b"");
    drop(target);
    until(&server, "metronome_connections{kind=\"bytestream\"}", 0);
    let _again = transfer(&server, &mut alice, "s2");
}
