//! The verbs of publish-subscribe (XEP-0060), for a service and for every account (XEP-0163), as functions of their
//! arguments: nodes and facts go in, changes and notifications come out.
//!
//! No I/O, no clock, no tables: time, ids and random bytes are given by the caller, so seeded random sequences can test it.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod authorization;
pub mod config;
pub mod metadata;
pub mod options;
pub mod publish_options;
mod rows;
mod words;
