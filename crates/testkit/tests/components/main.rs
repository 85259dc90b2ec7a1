//! External components (XEP-0114): how they prove themselves, what they may say, and what becomes of stanzas while they are away.
#![allow(clippy::unwrap_used)]

mod away;
mod commands;
mod durable;
mod federated;
mod handshake;
mod hostile;
mod push;
mod reloading;
mod routing;
mod several;

use std::time::Instant;

use metronome_testkit::{Server, Setup, WAIT};
use serde_json::json;

/// The component of these scenarios.
const GATEWAY: &str = "gw.localhost";

/// Waits until so much waits for the component.
#[track_caller]
fn until_waiting(server: &Server, stanzas: u64) {
    let deadline = Instant::now() + WAIT;
    loop {
        let listed = server.control().run("component list", json!({}));
        if listed[0]["waiting"].as_u64().unwrap() >= stanzas {
            return;
        }
        assert!(Instant::now() < deadline, "{listed}");
    }
}

fn server() -> Server {
    Setup::default().component(GATEWAY).start()
}
