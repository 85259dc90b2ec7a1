//! Connections: whether a server of a domain can be reached from here. That says nothing about the way from elsewhere to here, and
//! the words do not claim it.

use futures_util::future::join_all;
use metronome_host::command::Finding;
use metronome_host::outside::Outside;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;

const AREA: &str = "connectivity";

pub(super) async fn check(server: &Server, outside: &dyn Outside, domains: &[Jid]) -> Vec<Finding> {
    outside.look_again();
    join_all(domains.iter().map(|domain| of_domain(server, outside, domain.as_str()))).await
}

async fn of_domain(server: &Server, outside: &dyn Outside, domain: &str) -> Finding {
    let reached = outside.reach(server, domain).await;
    let tried = reached.failures.join("; ");
    let is_ours = server.hosts.load().known(domain).is_some();
    match reached.to {
        Some(to) if reached.failures.is_empty() => Finding::good(AREA, format!("{domain}: reached from here, {to}")),
        Some(to) => {
            let what = format!("{domain}: reached from here, {to}, after others failed: {tried}");
            Finding::warning(AREA, what, mend(is_ours, &tried))
        }
        None => Finding::problem(AREA, format!("{domain}: not reached: {tried}"), mend(is_ours, &tried)),
    }
}

fn mend(is_ours: bool, tried: &str) -> &'static str {
    if tried.contains("federation.allow_addresses") {
        return "if that network is yours to reach, name it in federation.allow_addresses";
    }
    match is_ours {
        true => "metronomectl check dns; then open TCP 5269 in the packet filter (ufw allow 5269/tcp)",
        false => "nothing here, if other domains are reached; else open outgoing TCP in the packet filter",
    }
}
