//! Scenarios over real sockets, one file per subject, each test named after the rule that it proves.
#![allow(clippy::unwrap_used)]

mod session;
