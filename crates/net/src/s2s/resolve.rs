//! Where a remote domain's servers are (RFC 6120 section 3.2, XEP-0368): SRV records of both kinds mixed, or the domain itself.
//! Called by `dial` and by checks; keeps nothing, answers are kept by `dns`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use metronome_host::rng::Rng;
pub use metronome_host::routes::Place;
use metronome_host::routes::{Begins, Route};

use crate::dns::{NoAnswer, Resolver, Service};
use crate::listen::Entry;

/// The port of servers that say no other (RFC 6120 section 14.7).
pub const PORT: u16 = 5269;
/// Most targets of one domain.
const TARGETS_MAX: usize = 16;
/// Below 1024 live the services of other protocols. This is the one port there on which an XMPP server is met.
const PRIVILEGED_PORT: u16 = 443;

/// One place where a domain is served.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// What to look up, in lower case, or an address.
    pub host: Place,
    /// The port.
    pub port: u16,
    /// How the connection begins.
    pub entry: Entry,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Place::Host(host) => write!(f, "{host}:{}", self.port),
            Place::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Place::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl From<Route> for Target {
    fn from(route: Route) -> Target {
        let entry = match route.begins {
            Begins::InClear => Entry::StartTls,
            Begins::WithTls => Entry::DirectTls,
        };
        Target { host: route.host, port: route.port, entry }
    }
}

/// Targets of one priority, in the order in which they are tried.
pub type Group = Vec<Target>;

/// Why a domain has no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTarget {
    /// It says that it has no such service (RFC 2782, the target `.`).
    NoService,
    /// Its records lead to ports only where no XMPP server is.
    NoPort,
}

impl fmt::Display for NoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoTarget::NoService => "the domain says that it does not federate",
            NoTarget::NoPort => "the domain's records name ports of other services only",
        })
    }
}

/// The targets of a prepared domain by priority, those of one priority in the order of their weights.
///
/// Without any SRV record the domain itself is the target, also where nobody could say whether there are some (RFC 6120 section
/// 3.2.1). Its addresses are not looked up here.
pub async fn targets(resolver: &Resolver, rng: &Rng, domain: &str) -> Result<Vec<Group>, NoTarget> {
    if let Some(address) = literal(domain) {
        return Ok(vec![vec![Target { host: Place::Address(address), port: PORT, entry: Entry::StartTls }]]);
    }
    let (direct, clear) = (name_of(domain, Entry::DirectTls), name_of(domain, Entry::StartTls));
    let (direct, clear) = tokio::join!(resolver.services(&direct), resolver.services(&clear));
    let found = |answer: &Result<_, NoAnswer>| answer.is_ok();
    if !found(&direct) && !found(&clear) {
        return Ok(vec![vec![Target { host: Place::Host(domain.into()), port: PORT, entry: Entry::StartTls }]]);
    }
    let direct = direct.iter().flat_map(|services| services.iter()).map(|service| (service, Entry::DirectTls));
    let clear = clear.iter().flat_map(|services| services.iter()).map(|service| (service, Entry::StartTls));
    mixed(direct.chain(clear).collect(), |up_to| below_or(rng, up_to))
}

/// The name of a domain's SRV records.
pub fn name_of(domain: &str, entry: Entry) -> String {
    match entry {
        Entry::StartTls => format!("_xmpp-server._tcp.{domain}"),
        Entry::DirectTls => format!("_xmpps-server._tcp.{domain}"),
    }
}

/// The address that a domain is, if it is one (RFC 7622 section 3.2).
fn literal(domain: &str) -> Option<IpAddr> {
    match domain.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => domain.parse().ok(),
    }
}

/// A random number up to and with this one.
fn below_or(rng: &Rng, up_to: u32) -> u32 {
    let bytes = rng.bytes16();
    let word = u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]);
    u32::try_from(word % (u64::from(up_to) + 1)).unwrap_or(up_to)
}

/// Records of both kinds as one set (XEP-0368 section 3): groups of equal priority, each in an order by its weights.
fn mixed(records: Vec<(&Service, Entry)>, mut random: impl FnMut(u32) -> u32) -> Result<Vec<Group>, NoTarget> {
    let mut offered: Vec<(&Service, Target)> = Vec::new();
    let mut refused = false;
    for (service, entry) in records {
        let Some(host) = &service.target else { continue };
        if !is_for_xmpp(service.port) {
            refused = true;
            continue;
        }
        let target = Target { host: place(host), port: service.port, entry };
        offered.push((service, target));
    }
    if offered.is_empty() {
        return Err(if refused { NoTarget::NoPort } else { NoTarget::NoService });
    }
    offered.sort_by_key(|(service, _)| service.priority);
    offered.truncate(TARGETS_MAX);
    let groups = offered.chunk_by(|(a, _), (b, _)| a.priority == b.priority);
    Ok(groups.map(|group| by_weight(group, &mut random)).collect())
}

/// What a target says that is no name but looks like an address is one.
fn place(host: &str) -> Place {
    host.parse().map_or_else(|_| Place::Host(host.into()), Place::Address)
}

/// Others could be made to talk to services that were never meant for strangers, by records that they write.
fn is_for_xmpp(port: u16) -> bool {
    port >= 1024 || port == PRIVILEGED_PORT
}

/// Each next one is drawn with a chance in proportion to its weight (RFC 2782, "Usage rules").
fn by_weight(group: &[(&Service, Target)], random: &mut impl FnMut(u32) -> u32) -> Group {
    let mut left: Vec<(u32, &Target)> = group.iter().map(|(service, target)| (service.weight.into(), target)).collect();
    // Those of weight 0 come first, so that they have a small chance beside others.
    left.sort_by_key(|(weight, _)| *weight > 0);
    let mut ordered = Group::new();
    while !left.is_empty() {
        let sum = left.iter().map(|(weight, _)| weight).sum();
        let drawn = random(sum);
        let mut running = 0;
        let at = left.iter().position(|(weight, _)| {
            running += weight;
            running >= drawn
        });
        ordered.push(left.remove(at.unwrap_or(0)).1.clone());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(priority: u16, weight: u16, port: u16, target: &str) -> Service {
        let target = Some(target).filter(|target| *target != ".").map(Box::from);
        Service { priority, weight, port, target }
    }

    /// The groups as text, `+` before targets with direct TLS.
    fn order(direct: &[Service], clear: &[Service], random: impl FnMut(u32) -> u32) -> Result<Vec<String>, NoTarget> {
        let direct = direct.iter().map(|service| (service, Entry::DirectTls));
        let records = direct.chain(clear.iter().map(|service| (service, Entry::StartTls))).collect();
        let written = |target: &Target| match target.entry {
            Entry::DirectTls => format!("+{target}"),
            Entry::StartTls => target.to_string(),
        };
        let groups = mixed(records, random)?;
        Ok(groups.iter().map(|group| group.iter().map(written).collect::<Vec<_>>().join(" ")).collect())
    }

    #[test]
    fn both_kinds_are_one_set_by_priority() {
        let direct = [service(10, 0, 5270, "b.example"), service(1, 0, 443, "c.example")];
        let clear = [service(5, 0, 5269, "a.example"), service(10, 0, 5269, "b.example")];
        let expected = ["+c.example:443", "a.example:5269", "+b.example:5270 b.example:5269"];
        assert_eq!(order(&direct, &clear, |_| 0).unwrap(), expected);
    }

    #[test]
    fn of_one_priority_the_weight_is_the_chance() {
        let clear = [service(0, 10, 5269, "ten.example"), service(0, 30, 5269, "thirty.example")];
        let mut state = 7u32;
        let mut first = 0;
        for _ in 0..4000 {
            let groups = order(&[], &clear, |up_to| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) % (up_to + 1)
            });
            first += usize::from(groups.unwrap()[0].starts_with("ten"));
        }
        assert!((800..1300).contains(&first), "a quarter of 4000, and not {first}");
    }

    #[test]
    fn a_weight_of_zero_has_a_small_chance_beside_others() {
        let clear = [service(0, 100, 5269, "heavy.example"), service(0, 0, 5269, "light.example")];
        let first = |drawn: u32| order(&[], &clear, |up_to| drawn.min(up_to)).unwrap()[0].clone();
        assert!(first(0).starts_with("light.example"));
        assert!(first(1).starts_with("heavy.example"));
    }

    #[test]
    fn a_dot_says_that_there_is_no_such_service() {
        let nothing = [service(0, 0, 0, ".")];
        assert_eq!(order(&nothing, &nothing, |_| 0), Err(NoTarget::NoService));
        assert_eq!(order(&nothing, &[], |_| 0), Err(NoTarget::NoService));
        let clear = [service(0, 0, 5269, "a.example")];
        assert_eq!(order(&nothing, &clear, |_| 0).unwrap(), ["a.example:5269"]);
    }

    #[test]
    fn ports_of_other_services_are_left_alone() {
        let clear = [service(0, 0, 25, "a.example"), service(0, 0, 443, "a.example"), service(0, 0, 0, "a.example")];
        assert_eq!(order(&[], &clear, |_| 0).unwrap(), ["a.example:443"]);
        assert_eq!(order(&[], &clear[..1], |_| 0), Err(NoTarget::NoPort));
    }

    #[test]
    fn there_are_so_many_targets_at_most() {
        let many: Vec<Service> = (0..16).map(|at| service(at, 0, 5269, "a.example")).collect();
        let targets = order(&many, &many, |_| 0).unwrap();
        assert_eq!(targets.len(), 8, "two of each of the first priorities");
    }

    #[test]
    fn a_domain_may_be_an_address() {
        assert_eq!(literal("192.0.2.1"), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(literal("[2001:db8::1]"), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(literal("example.org"), None);
        assert_eq!(literal("[192.0.2.1]"), None);
    }
}
