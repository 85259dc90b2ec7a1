//! The records that the domains of this server should have, in the form of a zone file (RFC 1035 section 5).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use metronome_host::gate;
use metronome_host::hosts::Host;
use metronome_host::outside::{Outside, Service};

/// How long others keep a record, in seconds.
const TTL: u32 = 3600;

/// One SRV record that a domain should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What it is for.
    pub(super) service: Service,
    /// The port; none says that there is no such service.
    pub(super) port: Option<u16>,
}

impl Wanted {
    /// The record as a line.
    pub(super) fn line(&self, domain: &str) -> String {
        let name = format!("{}.{domain}.", self.service.name());
        match self.port {
            Some(port) => format!("{name} {TTL} IN SRV {} 1 {port} {domain}.", priority(self.service)),
            None => format!("{name} {TTL} IN SRV 0 0 0 ."),
        }
    }
}

/// TLS from the first byte saves a round trip, and STARTTLS stays for those who do not know it.
fn priority(service: Service) -> u16 {
    match service {
        Service::ClientTls | Service::ServerTls => 5,
        Service::Client | Service::Server => 10,
    }
}

/// The records of a domain: one for each purpose that has a port, and a refusal where it does not federate.
pub(super) fn wanted(outside: &dyn Outside, host: &Host) -> Vec<Wanted> {
    let ports = outside.ports();
    let port = |service| ports.iter().find(|(other, _)| *other == service).map(|(_, address)| address.port());
    let federates = host.values.flag(&gate::ENABLED);
    let of = |service| {
        let port = port(service);
        match service {
            Service::Client | Service::ClientTls => port.map(|port| Wanted { service, port: Some(port) }),
            Service::Server | Service::ServerTls if federates => port.map(|port| Wanted { service, port: Some(port) }),
            Service::Server => Some(Wanted { service, port: None }),
            Service::ServerTls => None,
        }
    };
    Service::ALL.into_iter().filter_map(of).collect()
}

/// All records of these domains, each domain for itself.
pub(super) fn file(outside: &dyn Outside, hosts: &[Arc<Host>]) -> String {
    let own: BTreeSet<IpAddr> = outside.own_addresses().into_iter().collect();
    let mut lines = Vec::new();
    for host in hosts {
        let domain = ascii(host.name.as_str());
        if domain.parse::<IpAddr>().is_ok() || domain.starts_with('[') {
            lines.push(format!("; {domain} is an address and needs no record"));
            continue;
        }
        lines.extend(own.iter().map(|address| match address {
            IpAddr::V4(address) => format!("{domain}. {TTL} IN A {address}"),
            IpAddr::V6(address) => format!("{domain}. {TTL} IN AAAA {address}"),
        }));
        if own.is_empty() {
            lines.push(format!("; {domain}. {TTL} IN A <the address at which this machine is reached from outside>"));
        }
        lines.extend(wanted(outside, host).iter().map(|wanted| wanted.line(&domain)));
    }
    lines.join("\n")
}

/// The domain as it stands in records (RFC 5890).
pub(super) fn ascii(domain: &str) -> String {
    match domain.is_ascii() {
        true => domain.to_owned(),
        false => idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned()),
    }
}
