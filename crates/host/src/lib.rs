//! A served domain while it runs: hosts, sessions, outboxes and the values that travel through admission and delivery.
//! Everything here is state and small verbs on it; the order of steps is written in `route`, sockets are in `net`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

/// The synchronisation types of the parts that are model-checked; `tests/model.rs` gives them other ones.
pub mod sync {
    pub use parking_lot::{Mutex, MutexGuard};
}

pub mod activity;
pub mod addresses;
pub mod announced;
pub mod announcement;
pub mod archiving;
pub mod asked;
pub mod authn;
pub mod bits;
pub mod blocking;
pub mod bytestreams;
pub mod certificates;
pub mod client_kind;
pub mod clock;
pub mod command;
pub mod components;
pub mod contacts;
pub mod control;
pub mod copied;
pub mod counters;
pub mod departures;
pub mod derivations;
pub mod directed;
pub mod effect;
pub mod envelope;
pub mod facts;
pub mod feature;
pub mod gate;
pub mod groups;
pub mod guests;
pub mod hosts;
pub mod interests;
pub mod linked;
pub mod links;
pub mod lost;
pub mod managed;
pub mod network;
pub mod nodes;
pub mod notify;
pub mod options;
pub mod outbox;
pub mod outside;
pub mod owners;
pub mod proof;
pub mod refuse;
pub mod registry;
pub mod remote_clients;
pub mod remotes;
pub mod reserved;
pub mod rng;
pub mod rooms;
pub mod routes;
pub mod segments;
pub mod server;
pub mod services;
pub mod session;
pub mod sessions;
pub mod stream_management;
pub mod switches;
pub mod throttle;
pub mod tickets;
pub mod unshown;
pub mod upkeep;
pub mod uploads;
pub mod visitors;
pub mod waves;
pub mod way;
pub mod web;

#[cfg(test)]
mod tests {
    use crate::session::Session;

    #[test]
    fn an_idle_session_is_small() {
        // With its two counts it is one of 512 bytes to the allocator.
        assert!(size_of::<Session>() <= 496, "{}", size_of::<Session>());
    }
}
