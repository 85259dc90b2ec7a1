//! Sockets and framing: listeners, TLS, client streams, the control socket. What is read becomes a call to `route`;
//! what is written comes out of an outbox. Deadlines and byte budgets before authentication are kept here.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admission;
mod alone;
mod bosh;
mod budget;
pub mod c2s;
mod component;
mod compressed;
pub mod control;
pub mod dns;
pub mod http;
pub mod listen;
pub mod metrics;
mod multi;
pub mod outside;
pub mod s2s;
mod socket;
mod socks5;
mod stream;
pub mod tls;
mod websocket;

use metronome_host::options::Setting;

/// The settings that this crate reads.
pub const SETTINGS: [&[Setting]; 8] = [
    listen::SETTINGS,
    tls::SETTINGS,
    admission::SETTINGS,
    c2s::SETTINGS,
    control::SETTINGS,
    dns::SETTINGS,
    s2s::SETTINGS,
    http::SETTINGS,
];
