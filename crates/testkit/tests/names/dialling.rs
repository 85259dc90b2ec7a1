//! From a domain to a connection: the next target where one fails, the families against each other, and no way inside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use metronome_host::options::Values;
use metronome_host::rng::Rng;
use metronome_net::dns::Resolver;
use metronome_net::listen::Entry;
use metronome_net::s2s::dial::{Dialed, Dialling, Reason, Unreachable, dial};
use metronome_net::s2s::reach::ALLOW_ADDRESSES;
use metronome_proto::stanza::error::Condition;
use metronome_testkit::{Manner, NameServer};

use super::{run, values};

const DIRECT: &str = "_xmpps-server._tcp.a.example";
const CLEAR: &str = "_xmpp-server._tcp.a.example";

/// Somebody who listens, and where.
fn open(host: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((host, 0)).expect("a port is free");
    listener.set_nonblocking(true).expect("a listener can be asked without waiting");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

/// A port where nobody listens.
fn closed(host: &str) -> u16 {
    open(host).1
}

/// Somebody who takes no connection and says nothing about it, for as long as the value lives.
fn deaf(host: &str) -> (Vec<OwnedFd>, u16) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with};
    let socket =
        || socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None).expect("a socket");
    let listener = socket();
    let address = SocketAddr::new(host.parse().expect("an address"), 0);
    bind(&listener, &address).expect("a port is free");
    listen(&listener, 0).expect("it listens");
    let address = SocketAddr::try_from(getsockname(&listener).expect("it is bound")).expect("an address");
    // With its queue full the system does not answer any more.
    let mut all = vec![listener];
    for _ in 0..4 {
        let caller = socket();
        let _ = connect(&caller, &address);
        all.push(caller);
    }
    (all, address.port())
}

fn dial_with(values: &Values, domain: &str) -> Result<Dialed, Unreachable> {
    run(async { dial(&Arc::new(Resolver::new(values)), &Rng::seeded(1), values, domain).await })
}

fn reached(names: &NameServer, domain: &str) -> String {
    let dialed = dial_with(&values(names), domain).unwrap_or_else(|why| panic!("{why}"));
    let entry = if dialed.target.entry == Entry::DirectTls { "+" } else { "" };
    format!("{entry}{}", dialed.address)
}

fn why_not(values: &Values, domain: &str) -> Vec<(Option<IpAddr>, Reason)> {
    match dial_with(values, domain).expect_err("nobody is there") {
        Unreachable::Failed(failures) => {
            failures.into_iter().map(|failure| (failure.address, failure.reason)).collect()
        }
        other => panic!("{other}"),
    }
}

#[test]
fn where_one_target_fails_the_next_is_tried() {
    let names = NameServer::start();
    let (_listener, port) = open("127.0.0.3");
    names.service(DIRECT, (1, 0, closed("127.0.0.2"), "gone.example"));
    names.service(CLEAR, (2, 0, 5269, "nameless.example"));
    names.service(CLEAR, (3, 0, port, "there.example"));
    names.address("gone.example", "127.0.0.2");
    names.address("there.example", "127.0.0.3");
    assert_eq!(reached(&names, "a.example"), format!("127.0.0.3:{port}"));
}

#[test]
fn the_lower_priority_is_tried_first() {
    let names = NameServer::start();
    let ((_first, port), (second, other)) = (open("127.0.0.2"), open("127.0.0.3"));
    names.service(CLEAR, (20, 0, other, "second.example"));
    names.service(DIRECT, (10, 0, port, "first.example"));
    names.address("first.example", "127.0.0.2");
    names.address("second.example", "127.0.0.3");
    assert_eq!(reached(&names, "a.example"), format!("+127.0.0.2:{port}"));
    assert!(second.accept().is_err(), "nobody has come to the second");
}

#[test]
fn a_domain_that_is_an_address_is_reached() {
    let names = NameServer::start();
    let Ok(_listener) = TcpListener::bind("127.98.76.54:5269") else { return };
    assert_eq!(reached(&names, "127.98.76.54"), "127.98.76.54:5269");
}

#[test]
fn a_family_that_does_not_work_costs_nothing() {
    let names = NameServer::start();
    let (_listener, port) = open("127.0.0.3");
    names.service(CLEAR, (0, 0, port, "host.example"));
    names.address("host.example", "127.0.0.3");
    names.address("host.example", "::1");
    let values = values(&names).with(ALLOW_ADDRESSES.key, "[\"127.0.0.0/8\", \"::1\"]");
    assert_eq!(dial_with(&values, "a.example").unwrap().address.to_string(), format!("127.0.0.3:{port}"));
}

#[test]
fn an_address_that_says_nothing_does_not_hold_up_the_others() {
    let names = NameServer::start();
    let ((_deaf, port), (_listener, other)) = (deaf("127.0.0.2"), open("127.0.0.3"));
    names.service(CLEAR, (0, 0, port, "deaf.example"));
    names.address("deaf.example", "127.0.0.2");
    names.service(CLEAR, (0, 0, other, "there.example"));
    names.address("there.example", "127.0.0.3");
    assert_eq!(reached(&names, "a.example"), format!("127.0.0.3:{other}"));
}

#[test]
fn names_that_nobody_knows_do_not_hold_up_the_others() {
    let names = NameServer::start();
    let (_listener, port) = open("127.0.0.3");
    names.service(CLEAR, (0, 0, 5269, "silent.example"));
    names.manner("silent.example", Manner::Silent);
    names.service(CLEAR, (0, 0, port, "there.example"));
    names.address("there.example", "127.0.0.3");
    assert_eq!(reached(&names, "a.example"), format!("127.0.0.3:{port}"));
}

#[test]
fn nobody_is_waited_for_for_ever() {
    let names = NameServer::start();
    let (_deaf, port) = deaf("127.0.0.2");
    names.service(CLEAR, (0, 0, port, "deaf.example"));
    names.address("deaf.example", "127.0.0.2");
    let values = values(&names).with("federation.connect_timeout", "\"100 ms\"");
    assert_eq!(why_not(&values, "a.example"), [(Some(Ipv4Addr::new(127, 0, 0, 2).into()), Reason::Silence)]);
    let unreachable = dial_with(&values, "a.example").expect_err("nobody is there");
    assert_eq!(unreachable.condition(), Condition::RemoteServerTimeout);
}

#[test]
fn records_that_lead_inside_are_not_followed() {
    let names = NameServer::start();
    let (listener, port) = open("127.0.0.1");
    names.service(CLEAR, (0, 0, port, "inside.example"));
    let inside =
        ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "fe80::1", "fd00::1"];
    for address in inside {
        names.address("inside.example", address);
    }
    // An SRV record may not name an address, but what is there will be read.
    names.service(DIRECT, (0, 0, port, "127.0.0.1"));
    let values = values(&names).with(ALLOW_ADDRESSES.key, "[]");
    let reasons = why_not(&values, "a.example");
    assert_eq!(reasons.len(), inside.len() + 1, "{reasons:?}");
    assert!(reasons.iter().all(|(_, reason)| matches!(reason, Reason::Special(_))), "{reasons:?}");
    assert!(listener.accept().is_err(), "nobody has come");
    let unreachable = dial_with(&values, "a.example").expect_err("nobody is there");
    assert_eq!(unreachable.condition(), Condition::RemoteServerNotFound, "strangers hear nothing of our network");
    assert!(dial_with(&values, "127.0.0.1").is_err() && dial_with(&values, "[::1]").is_err());
}

#[test]
fn an_answer_that_changes_is_judged_again() {
    let names = NameServer::start();
    let ((_outside, port), (inside, _)) = (open("127.0.0.3"), open("127.0.0.1"));
    names.service(CLEAR, (0, 0, port, "host.example"));
    names.address("host.example", "127.0.0.3");
    let values = values(&names).with(ALLOW_ADDRESSES.key, "[\"127.0.0.3\"]");
    let resolver = Arc::new(Resolver::new(&values));
    run(async {
        assert!(dial(&resolver, &Rng::seeded(1), &values, "a.example").await.is_ok());
        names.forget("host.example");
        names.address("host.example", "127.0.0.1");
        resolver.forget_all();
        assert!(dial(&resolver, &Rng::seeded(1), &values, "a.example").await.is_err());
    });
    assert!(inside.accept().is_err(), "nobody has come");
}

#[test]
fn who_does_not_federate_is_told_from_who_does_not_exist() {
    let names = NameServer::start();
    names.service(CLEAR, (0, 0, 0, "."));
    let unreachable = dial_with(&values(&names), "a.example").expect_err("nobody is there");
    assert_eq!(
        (unreachable.to_string(), unreachable.condition()),
        ("the domain says that it does not federate".to_owned(), Condition::RemoteServerNotFound)
    );
    let unreachable = dial_with(&values(&names), "b.example").expect_err("nobody is there");
    assert_eq!(unreachable.to_string(), "b.example:5269: there is no such name");
}

#[test]
fn after_a_stream_that_failed_the_next_target_is_tried() {
    let names = NameServer::start();
    let ((_one, first), (_two, second), (_three, third)) = (open("127.0.0.2"), open("127.0.0.3"), open("127.0.0.4"));
    names.service(CLEAR, (1, 0, first, "one.example"));
    names.address("one.example", "127.0.0.2");
    names.address("one.example", "127.0.0.9");
    names.service(CLEAR, (2, 0, second, "two.example"));
    names.address("two.example", "127.0.0.3");
    names.service(DIRECT, (3, 0, third, "three.example"));
    names.address("three.example", "127.0.0.4");
    let values = values(&names);
    let mut dialling = Dialling::new(Arc::new(Resolver::new(&values)), values, "a.example");
    run(async {
        for port in [first, second, third] {
            let dialed = dialling.next(&Rng::seeded(1)).await.unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(dialed.address.port(), port);
            dialling.failed(dialed.target, dialed.address, "no XMPP");
        }
        let unreachable = dialling.next(&Rng::seeded(1)).await.expect_err("there are no more");
        assert!(unreachable.to_string().contains("three.example"), "{unreachable}");
    });
    let failed = dialling.failures().iter().filter(|failure| failure.reason == Reason::Stream("no XMPP".into()));
    assert_eq!(failed.count(), 3);
}

#[test]
fn a_route_of_the_configuration_precedes_all_records() {
    let names = NameServer::start();
    let ((_listener, port), (by_records, _)) = (open("127.0.0.3"), open("127.0.0.4"));
    let other = by_records.local_addr().expect("it is bound").port();
    names.service(CLEAR, (0, 0, other, "host.example"));
    names.address("host.example", "127.0.0.4");
    names.address("gate.example", "127.0.0.3");
    let values = values(&names).with(ALLOW_ADDRESSES.key, "[]");
    for place in [format!("127.0.0.3:{port}"), format!("gate.example:{port}")] {
        let values = values.with("federation.routes", &format!("[\"a.example=tls:{place}\"]"));
        let dialed = dial_with(&values, "a.example").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((dialed.target.entry, dialed.address.port()), (Entry::DirectTls, port));
    }
    assert_eq!(names.asked(CLEAR, "SRV"), 0);
    assert!(by_records.accept().is_err(), "nobody has come");
}
