//! Publish-subscribe (XEP-0060 and its family): the service of a domain, nodes of accounts and of domains, and who hears of what.
#![allow(clippy::unwrap_used)]

mod services;

use metronome_testkit::{Backend, Server, Setup};

/// The service of these scenarios.
const SERVICE: &str = "pubsub.localhost";

fn server(options: &str) -> Server {
    Setup::default().store(Backend::Memory).options(options).start()
}
