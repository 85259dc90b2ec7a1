//! `metronomectl check`: whether records, certificates and ports are right, a line for each thing with what mends it. Looks at
//! everything anew; keeps nothing.

mod certs;
mod connectivity;
mod dns;
mod nodes;
mod ports;
mod zone;

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::feature::Feature;
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;

const HOST: Field = Field::optional("host", FieldKind::Domain, "Only what is about this domain of ours.");

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "check",
    commands: &[
        Command {
            name: "check all",
            about: "Checks everything below.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[HOST],
            run: |server, given| Box::pin(all(server, given)),
        },
        Command {
            name: "check dns",
            about: "Checks the records of the domains, or prints those that they should have.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[
                HOST,
                Field::optional("zone", FieldKind::Flag, "Prints the records in the form of a zone file, and checks nothing."),
            ],
            run: |server, given| Box::pin(of_dns(server, given)),
        },
        Command {
            name: "check certs",
            about: "Checks that the certificates are for their domains, and last.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[HOST],
            run: |server, given| Box::pin(std::future::ready(of_certs(server, &given))),
        },
        Command {
            name: "check ports",
            about: "Checks that the ports of this server answer.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |server, _| Box::pin(of_ports(server)),
        },
        Command {
            name: "check connectivity",
            about: "Checks that the server of a domain can be reached from here; without a domain, our own as others find them.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[Field::optional("domain", FieldKind::Domain, "A domain, ours or another.").positional()],
            run: |server, given| Box::pin(of_connectivity(server, given)),
        },
    ],
    ..Feature::NONE
};

async fn all(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let hosts = hosts(server, &given)?;
    let outside = server.outside()?;
    let mut found = certs::check(&hosts, server.clock.unix_ms());
    found.extend(ports::check(outside).await);
    found.extend(dns::check(outside, &hosts).await);
    found.extend(connectivity::check(server, outside, &names(&hosts)).await);
    let domain = given.domain_if_given("host");
    found.extend(nodes::check(server, domain.as_ref().map(Jid::as_str)).await?);
    Ok(Answer::Findings(found))
}

async fn of_dns(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let hosts = hosts(server, &given)?;
    let outside = server.outside()?;
    if given.flag("zone") {
        return Ok(Answer::text(zone::file(outside, &hosts)));
    }
    Ok(Answer::Findings(dns::check(outside, &hosts).await))
}

fn of_certs(server: &Server, given: &Arguments) -> Result<Answer, Failed> {
    Ok(Answer::Findings(certs::check(&hosts(server, given)?, server.clock.unix_ms())))
}

async fn of_ports(server: &Arc<Server>) -> Result<Answer, Failed> {
    Ok(Answer::Findings(ports::check(server.outside()?).await))
}

async fn of_connectivity(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let outside = server.outside()?;
    let domains = match given.domain_if_given("domain") {
        Some(domain) => vec![domain],
        None => server.hosts.load().iter().map(|host| host.name.clone()).collect(),
    };
    Ok(Answer::Findings(connectivity::check(server, outside, &domains).await))
}

fn names(hosts: &[Arc<Host>]) -> Vec<Jid> {
    hosts.iter().map(|host| host.name.clone()).collect()
}

/// The domains that are meant: all that are served, or the one that was named.
fn hosts(server: &Server, given: &Arguments) -> Result<Vec<Arc<Host>>, Failed> {
    let hosts = server.hosts.load();
    let Some(name) = given.domain_if_given("host") else { return Ok(hosts.iter().cloned().collect()) };
    match hosts.get(name.as_str()) {
        Some(host) => Ok(vec![host.clone()]),
        None => Err(Failed::problem(format!("{name} is not served here")).with_hint("metronomectl host list")),
    }
}

#[cfg(test)]
mod tests;
