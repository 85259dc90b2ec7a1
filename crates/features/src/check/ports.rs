//! Ports: whether there is one for each purpose, and whether it answers here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use metronome_host::command::Finding;
use metronome_host::outside::{EVERYBODY, Outside, Service};

const AREA: &str = "ports";

pub(super) async fn check(outside: &dyn Outside) -> Vec<Finding> {
    let ports = outside.ports();
    let mut found: Vec<Finding> = Vec::new();
    for service in [Service::Client, Service::Server] {
        if !ports.iter().any(|(other, _)| *other == service) {
            found.push(nobody_listens(service));
        }
    }
    for (at, (service, address)) in ports.iter().enumerate() {
        // One that is for several services has all of them.
        let is_same = |(_, other): &(Service, SocketAddr)| other == address;
        if ports[..at].iter().any(is_same) {
            continue;
        }
        let option = if ports[at + 1..].iter().any(is_same) { EVERYBODY } else { service.option() };
        found.push(match outside.knock(here(*address)).await {
            Ok(()) => Finding::good(AREA, format!("{address} answers ({option})")),
            Err(why) => {
                let mend = "see the log, and whether a packet filter keeps this machine from itself";
                Finding::problem(AREA, format!("{address} does not answer ({option}): {why}"), mend)
            }
        });
    }
    found
}

fn nobody_listens(service: Service) -> Finding {
    let (who, port) = match service {
        Service::Client | Service::ClientTls => ("clients", 5222),
        Service::Server | Service::ServerTls => ("other servers", 5269),
    };
    let mend = format!("{} = [\"[::]:{port}\"], then metronomectl stop and start", service.option());
    Finding::warning(AREA, format!("nobody listens for {who}"), mend)
}

/// An address at which a listener on all addresses is found.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
