//! The wiring: configuration, logs, and the one function that builds a server from its parts.
//! The binaries are `metronome` (the server) and `metronomectl` (the control utility).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod assemble;
pub mod config;
pub mod ctl;
pub mod dev;
pub mod domains;
pub mod logging;
pub mod notes;
pub mod pages;
pub mod process;
pub mod shutdown;
pub mod tables;
pub mod unfit;
