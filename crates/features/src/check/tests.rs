use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use metronome_host::hosts::{self, Names};
use metronome_host::options::Values;
use metronome_host::outside::{Outside, Reached, Service, Srv, Unknown};
use metronome_host::registry::Registry;
use metronome_proto::jid::Jid;

use super::*;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A network that a test makes up.
#[derive(Default)]
struct World {
    services: HashMap<&'static str, Vec<(u16, &'static str)>>,
    addresses: HashMap<&'static str, &'static str>,
    ports: Vec<(Service, u16)>,
    own: Vec<&'static str>,
    is_broken: bool,
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Outside for World {
    fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Srv>, Unknown>> {
        if self.is_broken {
            return ready(Err(Unknown::Failed("the name servers do not answer".to_owned())));
        }
        let record = |(port, target): &(u16, &str)| Srv {
            priority: 0,
            weight: 0,
            port: *port,
            target: Some(*target).filter(|target| *target != ".").map(Box::from),
        };
        let found = self.services.get(name).map(|records| records.iter().map(record).collect());
        ready(found.ok_or(Unknown::Nothing))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Unknown>> {
        let found = self.addresses.get(host).map(|address| vec![address.parse().unwrap()]);
        ready(found.ok_or(Unknown::Nothing))
    }

    fn look_again(&self) {}

    fn ports(&self) -> Vec<(Service, SocketAddr)> {
        self.ports.iter().map(|(service, port)| (*service, SocketAddr::new("::".parse().unwrap(), *port))).collect()
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        self.own.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn knock<'a>(&'a self, address: SocketAddr) -> BoxFuture<'a, Result<(), String>> {
        assert!(address.ip().is_loopback());
        ready(if address.port() == 1 { Err("connection refused".to_owned()) } else { Ok(()) })
    }

    fn reach<'a>(&'a self, _: &'a Server, _: &'a str) -> BoxFuture<'a, Reached> {
        ready(Reached { to: None, failures: Vec::new() })
    }
}

fn world() -> World {
    let usual = [(Service::Client, 5222), (Service::ClientTls, 5223), (Service::Server, 5269), (Service::ServerTls, 5270)];
    let addresses = HashMap::from([("ours.example", "203.0.113.7"), ("host.example", "203.0.113.7")]);
    World { ports: usual.to_vec(), addresses, own: vec!["203.0.113.7"], ..World::default() }
}

fn host(name: &str, settings: &[(&str, &str)]) -> Arc<Host> {
    let mut values = Values::defaults(&[hosts::SETTINGS, metronome_host::gate::SETTINGS]);
    for (key, value) in settings {
        values = values.with(key, value);
    }
    Arc::new(Host::new(Jid::parse(name).unwrap(), values, Arc::new(Registry::new(&[])), None))
}

/// The findings of a domain as lines: a mark, what, and what mends it.
async fn lines(world: &World, host: Arc<Host>) -> Vec<String> {
    let found = dns::check(world, &[host]).await;
    found.iter().map(|finding| format!("{} {} > {}", finding.level.as_str(), finding.what, finding.mend)).collect()
}

#[tokio::test]
async fn records_that_lead_here_are_good() {
    let mut world = world();
    for (name, port) in [
        ("_xmpp-client._tcp.ours.example", 5222),
        ("_xmpps-client._tcp.ours.example", 5223),
        ("_xmpp-server._tcp.ours.example", 5269),
        ("_xmpps-server._tcp.ours.example", 5270),
    ] {
        world.services.insert(name, vec![(port, "host.example")]);
    }
    let lines = lines(&world, host("ours.example", &[])).await;
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.starts_with("good ") && line.contains("host.example (203.0.113.7)")), "{lines:?}");
}

#[tokio::test]
async fn without_records_the_address_of_the_domain_will_do() {
    let lines = lines(&world(), host("ours.example", &[])).await;
    assert_eq!(lines[0], "good _xmpp-client._tcp.ours.example: ours.example (203.0.113.7) > ");
    assert_eq!(
        lines[1],
        "warning _xmpps-client._tcp.ours.example: not there, so TLS from the first byte is not found > \
         _xmpps-client._tcp.ours.example. 3600 IN SRV 5 1 5223 ours.example."
    );
    assert!(lines[2].starts_with("good _xmpp-server._tcp"), "{lines:?}");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_the_record_that_mends_it() {
    let nowhere = lines(&world(), host("nowhere.example", &[])).await;
    assert_eq!(
        nowhere[2],
        "problem _xmpp-server._tcp.nowhere.example: not there, and nowhere.example has no address > \
         _xmpp-server._tcp.nowhere.example. 3600 IN SRV 10 1 5269 nowhere.example. and nowhere.example. 3600 IN A 203.0.113.7"
    );
    let mut world = world();
    world.services.insert("_xmpp-server._tcp.ours.example", vec![(5299, "host.example")]);
    world.services.insert("_xmpp-client._tcp.ours.example", vec![(5222, "gone.example")]);
    world.services.insert("_xmpps-client._tcp.ours.example", vec![(0, ".")]);
    world.services.insert("_xmpps-server._tcp.ours.example", vec![(5270, "far.example")]);
    world.addresses.insert("far.example", "198.51.100.1");
    let found = lines(&world, host("ours.example", &[])).await;
    assert!(found[0].contains("gone.example has no address > gone.example. 3600 IN A 203.0.113.7"), "{found:?}");
    assert!(found[1].starts_with("problem") && found[1].contains("no such service"), "{found:?}");
    assert!(found[2].contains("leads to port 5299 here, and nobody listens there > instead of what is there"), "{found:?}");
    assert!(found[3].starts_with("warning") && found[3].contains("not an address of this machine"), "{found:?}");
    let broken = lines(&World { is_broken: true, ..world }, host("ours.example", &[])).await;
    assert!(broken.iter().all(|line| line.starts_with("problem") && line.contains("do not answer")), "{broken:?}");
}

#[tokio::test]
async fn a_domain_that_does_not_federate_says_so() {
    let alone = || host("ours.example", &[("federation.enabled", "false")]);
    let found = lines(&world(), alone()).await;
    assert_eq!(
        found[2],
        "warning _xmpp-server._tcp.ours.example: not there, so others try to connect > \
         _xmpp-server._tcp.ours.example. 3600 IN SRV 0 0 0 ."
    );
    let mut world = world();
    world.services.insert("_xmpp-server._tcp.ours.example", vec![(0, ".")]);
    assert!(lines(&world, alone()).await[2].starts_with("good"));
}

#[test]
fn the_zone_has_the_records_of_every_domain() {
    let hosts = [host("ours.example", &[]), host("m\u{fc}ller.example", &[("federation.enabled", "false")]), host("192.0.2.1", &[])];
    let expected = "ours.example. 3600 IN A 203.0.113.7\n\
                    _xmpp-client._tcp.ours.example. 3600 IN SRV 10 1 5222 ours.example.\n\
                    _xmpps-client._tcp.ours.example. 3600 IN SRV 5 1 5223 ours.example.\n\
                    _xmpp-server._tcp.ours.example. 3600 IN SRV 10 1 5269 ours.example.\n\
                    _xmpps-server._tcp.ours.example. 3600 IN SRV 5 1 5270 ours.example.\n\
                    xn--mller-kva.example. 3600 IN A 203.0.113.7\n\
                    _xmpp-client._tcp.xn--mller-kva.example. 3600 IN SRV 10 1 5222 xn--mller-kva.example.\n\
                    _xmpps-client._tcp.xn--mller-kva.example. 3600 IN SRV 5 1 5223 xn--mller-kva.example.\n\
                    _xmpp-server._tcp.xn--mller-kva.example. 3600 IN SRV 0 0 0 .\n\
                    ; 192.0.2.1 is an address and needs no record";
    assert_eq!(zone::file(&world(), &hosts), expected);
    let hidden = World { own: Vec::new(), ..world() };
    assert!(zone::file(&hidden, &hosts[..1]).starts_with("; ours.example. 3600 IN A <the address"));
}

#[tokio::test]
async fn ports_that_nobody_has_or_that_do_not_answer_are_told() {
    let found = ports::check(&World { ports: vec![(Service::Client, 1)], ..world() }).await;
    let told: Vec<_> = found.iter().map(|finding| (finding.level.as_str(), &*finding.what)).collect();
    let expected = [
        ("warning", "nobody listens for other servers"),
        ("problem", "[::]:1 does not answer (listen.c2s): connection refused"),
    ];
    assert_eq!(told, expected);
    assert!(found[0].mend.starts_with("listen.s2s = [\"[::]:5269\"]"));
    let for_all = Service::ALL.map(|service| (service, 443)).to_vec();
    let found = ports::check(&World { ports: [vec![(Service::Client, 5222)], for_all].concat(), ..world() }).await;
    let told: Vec<_> = found.iter().map(|finding| &*finding.what).collect();
    assert_eq!(told, ["[::]:5222 answers (listen.c2s)", "[::]:443 answers (listen.multi)"]);
}

#[tokio::test]
async fn records_may_lead_to_any_port_that_is_for_them() {
    let mut world = world();
    world.ports.extend(Service::ALL.map(|service| (service, 443)));
    for service in Service::ALL {
        let name = format!("{}.ours.example", service.name());
        world.services.insert(name.leak(), vec![(443, "host.example")]);
    }
    let lines = lines(&world, host("ours.example", &[])).await;
    assert!(lines.len() == 4 && lines.iter().all(|line| line.starts_with("good ")), "{lines:?}");
}

#[test]
fn certificates_that_are_missing_wrong_or_ending_are_told() {
    const DAY_S: i64 = 86_400;
    let now_s = 1_000 * DAY_S;
    let of = |names: &[&str], days: i64| {
        let names = Names(names.iter().map(|name| Box::from(*name)).collect());
        let found = certs::judge("ours.example", Some((&names, now_s + days * DAY_S)), now_s);
        format!("{} {}", found.level.as_str(), found.what)
    };
    assert_eq!(of(&["ours.example"], 60), "good ours.example: 60 days left");
    assert_eq!(of(&["*.example"], 5), "warning ours.example: 5 days left");
    assert_eq!(of(&["ours.example"], -3), "problem ours.example: the certificate ended 3 days ago");
    assert_eq!(of(&["a.example", "b.example"], 60), "problem ours.example: the certificate is for a.example, b.example");
    let none = certs::check(&[host("ours.example", &[])], 0).remove(0);
    assert_eq!((none.level.as_str(), &*none.what), ("problem", "ours.example: there is no certificate"));
}
