//! Ports: binds every configured address, accepts within the budgets, and starts one task for each connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metronome_host::options::{Kind, Setting, Values};
use metronome_host::outside::Service;
use metronome_host::server::Server;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::admission::{Admission, Admitted};
use crate::c2s;
use crate::c2s::resume::Doors;

/// Where clients connect and then encrypt.
pub const C2S: Setting = Setting::new(
    "listen.c2s",
    Kind::Addresses,
    "[\"[::]:5222\"]",
    "Addresses for clients that begin in clear text and encrypt with STARTTLS.",
)
.at_restart();

/// Where clients connect encrypted.
pub const C2S_TLS: Setting = Setting::new(
    "listen.c2s_tls",
    Kind::Addresses,
    "[\"[::]:5223\"]",
    "Addresses for clients that encrypt from the first byte.",
)
.at_restart();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[C2S, C2S_TLS];

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// In clear text (RFC 6120 section 5).
    StartTls,
    /// With a TLS handshake (XEP-0368).
    DirectTls,
}

/// Bound and not yet accepting.
#[derive(Debug)]
pub struct Listeners(Vec<(TcpListener, Entry)>);

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct CannotListen {
    /// The address from the configuration.
    pub address: SocketAddr,
    /// What the operating system says.
    pub reason: io::Error,
}

impl Listeners {
    /// Binds every configured address; must be called inside of the runtime.
    pub fn bind(values: &Values) -> Result<Listeners, CannotListen> {
        let clear = values.addresses(&C2S).iter().map(|&address| (address, Entry::StartTls));
        let direct = values.addresses(&C2S_TLS).iter().map(|&address| (address, Entry::DirectTls));
        let bound = clear.chain(direct).map(|(address, entry)| {
            bind(address).map(|listener| (listener, entry)).map_err(|reason| CannotListen { address, reason })
        });
        bound.collect::<Result<_, _>>().map(Listeners)
    }

    /// The addresses that were bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }

    /// What each is for.
    pub fn purposes(&self) -> Vec<(Service, SocketAddr)> {
        let purpose = |entry: Entry| match entry {
            Entry::StartTls => Service::Client,
            Entry::DirectTls => Service::ClientTls,
        };
        let bound = self.0.iter();
        bound.filter_map(|(listener, entry)| Some((purpose(*entry), listener.local_addr().ok()?))).collect()
    }

    /// Accepts connections, in tasks of their own, until the server stops.
    pub fn serve(self, server: &Arc<Server>, admission: &Arc<Admission>, doors: &Arc<Doors>) {
        for (listener, entry) in self.0 {
            let within = Within { server: server.clone(), admission: admission.clone(), doors: doors.clone() };
            tokio::spawn(accept(listener, entry, within));
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    const BACKLOG: u32 = 1024;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What every connection gets.
struct Within {
    server: Arc<Server>,
    admission: Arc<Admission>,
    doors: Arc<Doors>,
}

async fn accept(listener: TcpListener, entry: Entry, within: Within) {
    let server = &within.server;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.control.stopped() => return,
        };
        // The stop may have come with the connection: nobody gets in any more.
        if server.control.is_stopping() {
            return;
        }
        match accepted {
            Ok((socket, peer)) => start(socket, peer, entry, &within),
            Err(error) => {
                // Most likely there are no file descriptors left: those who are connected must not suffer from a busy loop.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn start(socket: TcpStream, peer: SocketAddr, entry: Entry, within: &Within) {
    let Within { server, admission, doors } = within;
    let address = peer.ip().to_canonical();
    let admitted: Admitted = match admission.admit(address, &server.hosts.load().values) {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(peer = %address, why, "a connection is turned away");
            return;
        }
    };
    let _ = socket.set_nodelay(true);
    let (server, admission, doors) = (server.clone(), admission.clone(), doors.clone());
    let context = c2s::Context { server, admission, doors, address, port: peer.port() };
    tokio::spawn(c2s::serve(context, socket, entry, admitted));
}
