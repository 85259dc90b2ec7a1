//! What administrators do to a running server: domains, logs, start and stop; over real sockets, with the real programs.
#![allow(clippy::unwrap_used)]

mod domains;
mod domains_at_once;
mod domains_random;
mod logs;
mod shutdown;
