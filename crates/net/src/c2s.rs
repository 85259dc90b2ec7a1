//! Client streams (RFC 6120): negotiation as types, then one task that reads, admits and writes.
//! Negotiation is a future of its own that is dropped when the resource is bound, so an idle session carries none of it.

mod auth;
mod bind;
mod negotiate;
mod run;
mod stream;

use std::net::IpAddr;
use std::sync::Arc;

use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use tokio::net::TcpStream;

use crate::admission::{Admission, Admitted};
use crate::listen::Entry;

/// How fast a client may send.
pub const RATE: Setting = Setting::new(
    "limits.c2s.bytes",
    Kind::Rate,
    "\"64 KiB/s\"",
    "How fast a client may send; what comes faster waits.",
)
.for_new_streams()
.per_host();

/// How much it may send at once.
pub const BURST: Setting = Setting::new(
    "limits.c2s.burst",
    Kind::Bytes,
    "\"256 KiB\"",
    "How much a client may send at once before its rate counts.",
)
.for_new_streams()
.per_host();

/// The settings of client streams.
pub const SETTINGS: &[Setting] = &[RATE, BURST];

/// What a stream's negotiation works with.
#[derive(Clone)]
pub(crate) struct Context {
    server: Arc<Server>,
    admission: Arc<Admission>,
    address: IpAddr,
}

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve(
    server: Arc<Server>,
    admission: Arc<Admission>,
    socket: TcpStream,
    address: IpAddr,
    entry: Entry,
    admitted: Admitted,
) {
    let context = Context { server, admission, address };
    // Boxed: the memory of the negotiation is given back before the session begins.
    let bound = Box::pin(negotiate::negotiate(context, socket, entry)).await;
    if let Some(bound) = bound {
        run::Run::new(bound).run().await;
    }
    drop(admitted);
}
