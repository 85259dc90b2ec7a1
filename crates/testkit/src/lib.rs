//! Runs the real server and speaks to it with raw XML, so that a scenario shows what goes over the wire.
//! [`Setup`] says how a server is configured, [`Server`] is the running process, [`Client`] a scripted client on a real socket.
//! Used by the integration tests of this crate only. Whatever goes wrong is a panic with the conversation so far.
//!
//! ```no_run
//! use metronome_testkit::{Client, on_both_stores};
//!
//! on_both_stores(|server| {
//!     let mut alice = Client::login(server, "alice", "phone");
//!     let mut bob = Client::login(server, "bob", "desk");
//!     bob.available();
//!     alice.send("<message to='bob@localhost' type='chat' id='m1'><body>hello</body></message>");
//!     let seen = bob.expect("<message id='m1' from='alice@localhost/phone'><body>hello</body>");
//!     assert!(seen.contains("stanza-id"));
//!     alice.expect_nothing_before_ping();
//! });
//! ```

#![forbid(unsafe_code)]

mod ask;
mod browser;
mod certificates;
mod client;
mod component;
mod control;
mod deflated;
mod dial;
mod dns;
mod federation;
mod link;
mod log;
mod login;
mod managed;
mod party;
mod ports;
mod program;
mod roster;
mod second;
mod seen;
mod server;
mod setup;
mod split;
mod web;

pub use ask::{ask, condition, online, pass, quiet};
pub use browser::{Answer, Browser};
pub use certificates::{Certificates, Shown};
pub use client::{Client, STREAMS, ServerPings, WAIT};
pub use component::{Component, SECRET};
pub use control::Control;
pub use dial::{Dial, Versions};
pub use dns::{Manner, NameServer};
pub use federation::{Peer, World, server_header};
pub use log::Log;
pub use login::{Binding, Sasl, base64, unbase64};
pub use party::{Party, stream_hash};
pub use roster::{Item, Push, Roster};
pub use second::{Given, user_agent};
pub use seen::Seen;
pub use server::Server;
pub use setup::{Backend, Setup, on_both_stores, on_both_stores_with};
pub use web::websocket_fields;
