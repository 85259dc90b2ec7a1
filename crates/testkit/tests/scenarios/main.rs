//! Scenarios over real sockets, one file per subject, each test named after the rule that it proves.
#![allow(clippy::unwrap_used)]

mod binding;
mod compression;
mod external;
mod hosts;
mod limits;
mod liveness;
mod reload;
mod sasl;
mod session;
mod states;
mod streams;
mod tls;
