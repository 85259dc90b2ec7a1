//! Streams of external components (XEP-0114): a component connects, proves by a secret that it is who it says, and from then on is a link whose
//! stanzas go to `route`, and whose queue is in `host::components`.

mod negotiate;
mod run;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use metronome_host::server::Server;
use tokio::net::TcpStream;

use crate::admission::figures::ConnectionKind;
use crate::admission::{Admission, Admitted};
use crate::listen::Entry;

/// What a component's stream works with.
pub(crate) struct Context {
    pub(crate) server: Arc<Server>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) address: IpAddr,
}

/// Serves a connection that was admitted, from its first byte to its last.
pub(crate) async fn serve(context: Context, socket: TcpStream, entry: Entry, admitted: Admitted) {
    let admitted = admitted.of_kind(ConnectionKind::Component);
    let stream = async {
        if let Some(proved) = negotiate::negotiate(&context, socket, entry).await {
            run::run(&context.server, proved).await;
        }
    };
    // A panic in a handler closes this one stream.
    if AssertUnwindSafe(stream).catch_unwind().await.is_err() {
        context.server.counters.panics.add();
        tracing::error!(peer = %context.address, "a handler panicked; the component's stream is closed");
    }
    drop(admitted);
}
