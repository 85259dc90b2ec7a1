//! The parties of bytestreams (XEP-0065 section 6): each connects with as much of SOCKS5 as that needs, names the hash of its stream, and waits
//! unread until the one who may has let the bytes flow (`features/proxy65`). Then one task carries them for both. Who waits is in
//! `host/bytestreams`.

mod handshake;
mod relay;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use metronome_features::proxy65;
use metronome_host::bytestreams::{Call, Connection, Waiting};
use metronome_host::server::Server;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::admission::Admitted;
use crate::admission::figures::ConnectionKind;
use handshake::{Reply, Request};

/// From the connection to the end of the handshake. Who is slower is not heard.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For how long a party waits for the other one, and for the word of the one who may let bytes flow.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often somebody is looked at who speaks while it waits.
const GLANCE: Duration = Duration::from_secs(1);

/// Serves a connection that was admitted, from its first byte to its last.
pub(crate) async fn serve(server: Arc<Server>, socket: TcpStream, address: IpAddr, admitted: Admitted) {
    let admitted = admitted.of_kind(ConnectionKind::Bytestream);
    // A panic closes this one connection.
    if AssertUnwindSafe(attend(&server, socket, address, admitted)).catch_unwind().await.is_err() {
        server.counters.panics.add();
        tracing::error!(peer = %address, "the connection of a bytestream panicked");
    }
}

async fn attend(server: &Arc<Server>, mut socket: TcpStream, address: IpAddr, admitted: Admitted) {
    if !proxy65::is_offered(server) {
        tracing::debug!(peer = %address, "there is no proxy for bytestreams");
        return;
    }
    let seated = tokio::select! {
        seated = timeout(HANDSHAKE, seat(server, &mut socket, address)) => seated.ok().flatten(),
        () = server.control.stopped() => None,
    };
    let Some(mut waiting) = seated else { return };
    let call = tokio::select! {
        // Who was called has begun, whatever else has happened meanwhile.
        biased;
        call = waiting.called() => call,
        () = has_gone(&socket) => None,
        () = sleep(PATIENCE) => None,
        () = server.control.stopped() => None,
    };
    drop(waiting);
    // From here on whatever ends it, the end of the process included, is a reset, unless the transfer has come to its end.
    if call.is_some() {
        let _ = socket.set_zero_linger();
    }
    match call {
        Some(Call::Carry(other, transfer)) => {
            let Ok(Connection { socket: other, place: _held }) = other.await else { return };
            let why = relay::carry(server, socket, other, &transfer).await;
            tracing::debug!(peer = %address, bytes = transfer.bytes(), why = why.as_str(), "a transfer is over");
        }
        Some(Call::HandOver(carries)) => {
            let _ = carries.send(Connection { socket, place: Box::new(admitted) });
        }
        None => tracing::debug!(peer = %address, "a connection for a bytestream came to nothing"),
    }
}

/// The handshake, and a seat among those who wait; none if the connection is to be closed.
async fn seat(server: &Server, socket: &mut TcpStream, address: IpAddr) -> Option<Waiting> {
    let request = match handshake::hear(socket).await {
        Ok(request) => request,
        Err(why) => {
            tracing::debug!(peer = %address, why, "a connection for a bytestream says nothing of the kind");
            return None;
        }
    };
    let Request { reply, hash } = request;
    let waiting = match (reply, hash) {
        (Reply::Succeeded, Some(hash)) => server.bytestreams.wait(hash, address),
        (reply, hash) => {
            tracing::debug!(peer = %address, ?reply, "a request for a bytestream is none");
            let _ = handshake::answer(socket, reply, hash).await;
            return None;
        }
    };
    match waiting {
        // The other party hears of it once this is said: from then on this one waits.
        Ok(waiting) => handshake::answer(socket, Reply::Succeeded, hash).await.ok().map(|()| waiting),
        Err(why) => {
            tracing::debug!(peer = %address, why = why.as_str(), "a connection for a bytestream is turned away");
            let _ = handshake::answer(socket, Reply::NotAllowed, hash).await;
            None
        }
    }
}

/// Waits until the other side has closed its direction, without reading: what it says before its stream is activated stays where it is.
async fn has_gone(socket: &TcpStream) {
    while socket.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
        // It speaks too early. There is no event to wait for while what it says is not read, so it is looked at now and then.
        sleep(GLANCE).await;
    }
}
