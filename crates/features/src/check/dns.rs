//! Records: whether each domain is found by clients and by other servers, and led to this machine.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use metronome_host::command::Finding;
use metronome_host::hosts::Host;
use metronome_host::outside::{Outside, Srv, Unknown};

use super::zone::{Wanted, ascii, wanted};

const AREA: &str = "dns";

pub(super) async fn check(outside: &dyn Outside, hosts: &[Arc<Host>]) -> Vec<Finding> {
    outside.look_again();
    // All at once: where no name server answers it takes as long as for one.
    join_all(hosts.iter().map(|host| of_host(outside, host))).await.concat()
}

async fn of_host(outside: &dyn Outside, host: &Host) -> Vec<Finding> {
    let domain = ascii(host.name.as_str());
    if domain.parse::<IpAddr>().is_ok() || domain.starts_with('[') {
        return vec![Finding::good(AREA, format!("{domain} is an address and needs no record"))];
    }
    let wanted = wanted(outside, host);
    join_all(wanted.iter().map(|wanted| of_service(outside, &domain, wanted))).await
}

/// One kind of record of one domain.
async fn of_service(outside: &dyn Outside, domain: &str, wanted: &Wanted) -> Finding {
    let name = format!("{}.{domain}", wanted.service.name());
    let records = match outside.services(&name).await {
        Ok(records) => records,
        Err(Unknown::Nothing) => return without_records(outside, domain, wanted).await,
        Err(Unknown::Failed(why)) => {
            return Finding::problem(AREA, format!("{name}: {why}"), "see /etc/resolv.conf or dns.server, then try again");
        }
    };
    let offered: Vec<&Srv> = records.iter().filter(|record| record.target.is_some()).collect();
    if wanted.port.is_none() {
        return match offered.is_empty() {
            true => Finding::good(AREA, format!("{name}: says that there is no such service")),
            false => Finding::warning(AREA, format!("{name}: federation.enabled is off"), instead(domain, wanted)),
        };
    }
    let Some(first) = offered.iter().min_by_key(|record| record.priority) else {
        return Finding::problem(AREA, format!("{name}: says that there is no such service"), instead(domain, wanted));
    };
    let target = first.target.as_deref().unwrap_or_default();
    match outside.addresses(target).await {
        Ok(addresses) if leads_here(outside, &addresses) && !offered.iter().any(|record| listens(outside, wanted, record)) => {
            let what = format!("{name}: leads to port {} here, and nobody listens there", first.port);
            Finding::problem(AREA, what, instead(domain, wanted))
        }
        Ok(addresses) => leads(outside, &name, target, &addresses),
        Err(why) => Finding::problem(AREA, format!("{name}: {target} {}", in_words(&why)), address_of(outside, target)),
    }
}

/// Without records there is still the domain's own address for those who begin in clear text (RFC 6120 section 3.2.2).
async fn without_records(outside: &dyn Outside, domain: &str, wanted: &Wanted) -> Finding {
    let name = format!("{}.{domain}", wanted.service.name());
    let line = wanted.line(domain);
    if wanted.port.is_none() {
        return Finding::warning(AREA, format!("{name}: not there, so others try to connect"), line);
    }
    if wanted.service.fallback_port().is_none() {
        return Finding::warning(AREA, format!("{name}: not there, so TLS from the first byte is not found"), line);
    }
    let is_usual = wanted.port == wanted.service.fallback_port();
    match outside.addresses(domain).await {
        Ok(addresses) if is_usual => leads(outside, &name, domain, &addresses),
        Ok(_) => Finding::problem(AREA, format!("{name}: not there, and the port is not the usual one"), line),
        Err(why) => {
            let what = format!("{name}: not there, and {domain} {}", in_words(&why));
            Finding::problem(AREA, what, format!("{line} and {}", address_of(outside, domain)))
        }
    }
}

/// Where a host leads. Who is behind a router does not know the addresses that others see.
fn leads(outside: &dyn Outside, name: &str, host: &str, addresses: &[IpAddr]) -> Finding {
    let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if outside.own_addresses().is_empty() || leads_here(outside, addresses) {
        return Finding::good(AREA, format!("{name}: {host} ({shown})"));
    }
    let what = format!("{name}: {host} ({shown}), which is not an address of this machine");
    Finding::warning(AREA, what, format!("if nothing there leads here: {}", address_of(outside, host)))
}

/// Whether this server has the port of a record for what it is for; there may be several.
fn listens(outside: &dyn Outside, wanted: &Wanted, record: &Srv) -> bool {
    outside.ports().iter().any(|(service, at)| *service == wanted.service && at.port() == record.port)
}

fn leads_here(outside: &dyn Outside, addresses: &[IpAddr]) -> bool {
    let own = outside.own_addresses();
    addresses.iter().any(|address| own.contains(address))
}

fn instead(domain: &str, wanted: &Wanted) -> String {
    format!("instead of what is there: {}", wanted.line(domain))
}

/// The record that gives a host this machine's address.
fn address_of(outside: &dyn Outside, host: &str) -> String {
    match outside.own_addresses().first() {
        Some(IpAddr::V4(address)) => format!("{host}. 3600 IN A {address}"),
        Some(IpAddr::V6(address)) => format!("{host}. 3600 IN AAAA {address}"),
        None => format!("{host}. 3600 IN A <the address at which this machine is reached from outside>"),
    }
}

fn in_words(why: &Unknown) -> String {
    match why {
        Unknown::Nothing => "has no address".to_owned(),
        Unknown::Failed(why) => format!("cannot be looked up: {why}"),
    }
}
