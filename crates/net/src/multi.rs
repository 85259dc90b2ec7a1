//! The port for everybody: clients, other servers and browsers, with TLS or without, and the parties of bytestreams. What a connection is for is found out by what it says
//! first, which is looked at and left where it is; from then on it is served as if it had come to the port of its own kind.

mod sniff;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncBufReadExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http;
use crate::listen::{Accepted, Entry, Within};
use crate::socket::with_read_buffer;
use crate::tls::handshake::{self, Encrypted};
use sniff::{Found, Guest, Sniffer};

/// From the connection until it is known what it is for, a handshake that does not say so included. Who is slower is not heard.
const DECISION: Duration = Duration::from_secs(10);

/// Serves a connection: finds out what it is for and hands it over.
pub(crate) async fn serve(within: Within, mut socket: TcpStream, peer: SocketAddr) {
    let decide = async {
        let caller = http::caller(&within.web, &mut socket, peer).await?;
        let Some((accepted, guest)) = decide(&within, socket).await else {
            tracing::debug!(peer = %peer.ip(), "a connection to the port for everybody is for nobody");
            return None;
        };
        Some((caller, accepted, guest))
    };
    let decided = tokio::select! {
        decided = timeout(DECISION, decide) => decided.ok().flatten(),
        () = within.server.control.stopped() => None,
    };
    if let Some((caller, accepted, guest)) = decided {
        hand_over(&within, caller, accepted, guest);
    }
}

fn hand_over(within: &Within, caller: http::Caller, accepted: Accepted, guest: Guest) {
    if guest == Guest::Browser {
        tokio::spawn(http::serve_caller(within.web.clone(), caller, accepted));
        return;
    }
    let peer = caller.peer;
    // A proxy has a place for each of its requests, and for a stream as anybody else.
    let admitted = match caller.admitted {
        Some(admitted) => Ok(admitted),
        None => within.admission.admit(peer.ip(), &within.server.hosts.load().values),
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(peer = %peer.ip(), why, "a connection is turned away");
            return;
        }
    };
    match (guest, accepted) {
        (Guest::Server, accepted) => within.server(peer.ip(), accepted, admitted),
        (Guest::Party, Accepted::Tcp(socket, _)) => within.bytestream(peer.ip(), socket, admitted),
        // The sniffer finds none behind encryption.
        (Guest::Party, Accepted::Encrypted(_)) => {}
        (_, accepted) => within.client(peer, accepted, admitted),
    }
}

/// Whom a connection is for; none if it says nothing of the kind, or ends.
async fn decide(within: &Within, socket: TcpStream) -> Option<(Accepted, Guest)> {
    match peek(&socket).await? {
        Found::Speaks(guest) => Some((Accepted::Tcp(socket, Entry::StartTls), guest)),
        Found::Encrypts(Some(guest)) => Some((Accepted::Tcp(socket, Entry::DirectTls), guest)),
        // It is asked for what clients are asked for: a browser that has to show a certificate would bother people. A server that does
        // not say what it is has dialback.
        Found::Encrypts(None) => {
            let mut encrypted = handshake::of_client(&within.server, &within.admission, socket).await?;
            let guest = listen(&mut encrypted).await?;
            Some((Accepted::Encrypted(Box::new(encrypted)), guest))
        }
        Found::Stranger => None,
    }
}

/// Looks at what has come, which stays where it is, until it tells enough.
async fn peek(socket: &TcpStream) -> Option<Found> {
    let mut sniffer = Sniffer::new();
    loop {
        let ready = socket.ready(Interest::READABLE).await.ok()?;
        match socket.try_io(Interest::READABLE, || peek_further(socket, &mut sniffer)) {
            Ok(Some(found)) => return Some(found),
            Ok(None) => {}
            // There is no more than was seen: the next byte wakes this task up, unless there will be none.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !ready.is_read_closed() => {}
            Err(_) => return None,
        }
    }
}

/// Judges what has come since the last time.
fn peek_further(socket: &TcpStream, sniffer: &mut Sniffer) -> io::Result<Option<Found>> {
    with_read_buffer(|buffer| {
        let seen = sniffer.seen();
        let (_, count) = recv(socket, &mut *buffer, RecvFlags::PEEK)?;
        match count {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count if count <= seen => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(sniffer.take(&buffer[seen..count])),
        }
    })
}

/// Hears inside of a connection without ALPN whom it is for. What had to be taken out for that goes with it.
async fn listen(encrypted: &mut Encrypted) -> Option<Guest> {
    let mut sniffer = Sniffer::inside_tls();
    loop {
        let chunk = encrypted.socket.fill_buf().await.ok()?;
        if chunk.is_empty() {
            return None;
        }
        match sniffer.take(chunk) {
            Some(Found::Speaks(guest)) => return Some(guest),
            Some(Found::Encrypts(_) | Found::Stranger) => return None,
            None => {}
        }
        let count = chunk.len();
        encrypted.read.extend_from_slice(chunk);
        encrypted.socket.consume(count);
    }
}
