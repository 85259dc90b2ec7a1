//! Finding other servers: names through a real name server that may be slow, broken or a liar, and connections to what it says.
#![allow(missing_docs)]

mod checks;
mod dialling;
mod resolving;

use std::future::Future;
use std::sync::Arc;

use metronome_host::options::Values;
use metronome_net::dns::{self, Resolver};
use metronome_net::s2s;
use metronome_testkit::NameServer;

/// The options of a server that asks this name server and may reach IPv4's loopback addresses.
fn values(names: &NameServer) -> Values {
    Values::defaults(&[dns::SETTINGS, s2s::SETTINGS])
        .with(dns::SERVER.key, &format!("[\"{}\"]", names.socket_address()))
        .with(s2s::reach::ALLOW_ADDRESSES.key, "[\"127.0.0.0/8\"]")
}

fn resolver(names: &NameServer) -> Arc<Resolver> {
    Arc::new(Resolver::new(&values(names)))
}

/// Runs a scenario to its end.
fn run<T>(scenario: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(scenario)
}
