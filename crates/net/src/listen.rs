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
use crate::c2s::resume::Doors;
use crate::s2s::Federation;
use crate::{c2s, s2s};

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

/// Where servers connect and then encrypt.
pub const S2S: Setting = Setting::new(
    "listen.s2s",
    Kind::Addresses,
    "[\"[::]:5269\"]",
    "Addresses for other servers, which begin in clear text and encrypt with STARTTLS.",
)
.at_restart();

/// Where servers connect encrypted.
pub const S2S_TLS: Setting = Setting::new(
    "listen.s2s_tls",
    Kind::Addresses,
    "[\"[::]:5270\"]",
    "Addresses for other servers that encrypt from the first byte.",
)
.at_restart();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[C2S, C2S_TLS, S2S, S2S_TLS];

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
pub struct Listeners(Vec<(TcpListener, Service)>);

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
        let settings = [
            (&C2S, Service::Client),
            (&C2S_TLS, Service::ClientTls),
            (&S2S, Service::Server),
            (&S2S_TLS, Service::ServerTls),
        ];
        let wanted = settings
            .iter()
            .flat_map(|(setting, service)| values.addresses(setting).iter().map(move |at| (*at, *service)));
        let bound = wanted.map(|(address, service)| {
            bind(address).map(|listener| (listener, service)).map_err(|reason| CannotListen { address, reason })
        });
        bound.collect::<Result<_, _>>().map(Listeners)
    }

    /// The addresses for clients that were bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let for_clients = self.0.iter().filter(|(_, service)| matches!(service, Service::Client | Service::ClientTls));
        for_clients.filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }

    /// What each is for.
    pub fn purposes(&self) -> Vec<(Service, SocketAddr)> {
        self.0.iter().filter_map(|(listener, service)| Some((*service, listener.local_addr().ok()?))).collect()
    }

    /// Accepts connections, in tasks of their own, until the server stops.
    pub fn serve(
        self,
        server: &Arc<Server>,
        admission: &Arc<Admission>,
        doors: &Arc<Doors>,
        federation: &Arc<Federation>,
    ) {
        for (listener, service) in self.0 {
            let (server, admission, doors) = (server.clone(), admission.clone(), doors.clone());
            let within = Within { server, admission, doors, federation: federation.clone() };
            tokio::spawn(accept(listener, service, within));
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
    federation: Arc<Federation>,
}

async fn accept(listener: TcpListener, service: Service, within: Within) {
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
            Ok((socket, peer)) => start(socket, peer, service, &within),
            Err(error) => {
                // Most likely there are no file descriptors left: those who are connected must not suffer from a busy loop.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn start(socket: TcpStream, peer: SocketAddr, service: Service, within: &Within) {
    let Within { server, admission, doors, federation } = within;
    let address = peer.ip().to_canonical();
    let admitted: Admitted = match admission.admit(address, &server.hosts.load().values) {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(peer = %address, why, "a connection is turned away");
            return;
        }
    };
    let _ = socket.set_nodelay(true);
    let (server, admission) = (server.clone(), admission.clone());
    let entry = match service {
        Service::Client | Service::Server => Entry::StartTls,
        Service::ClientTls | Service::ServerTls => Entry::DirectTls,
    };
    match service {
        Service::Client | Service::ClientTls => {
            let context = c2s::Context { server, admission, doors: doors.clone(), address, port: peer.port() };
            tokio::spawn(c2s::serve(context, socket, entry, admitted));
        }
        Service::Server | Service::ServerTls => {
            let context = s2s::Context { server, admission, federation: federation.clone(), address };
            tokio::spawn(s2s::serve(context, socket, entry, admitted));
        }
    }
}
