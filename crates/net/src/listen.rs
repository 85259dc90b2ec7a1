//! Ports: binds every configured address, accepts within the budgets, and starts one task for each connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use metronome_host::options::{Kind, Setting, Values};
use metronome_host::outside::{EVERYBODY, Service, WebPort};
use metronome_host::server::Server;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::admission::figures::ConnectionKind;
use crate::admission::{Admission, Admitted};
use crate::c2s::Begun;
use crate::c2s::resume::Doors;
use crate::http::Web;
use crate::s2s::Federation;
use crate::tls::handshake::Encrypted;
use crate::{c2s, component, http, multi, s2s, socks5};

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

/// Where components connect.
pub const COMPONENT: Setting = Setting::new(
    "listen.component",
    Kind::Addresses,
    "[]",
    "Addresses for external components (XEP-0114), which do not encrypt: on this machine, such as `127.0.0.1:5347`.",
)
.at_restart();

/// Where components connect encrypted.
pub const COMPONENT_TLS: Setting = Setting::new(
    "listen.component_tls",
    Kind::Addresses,
    "[]",
    "Addresses for external components on other machines, which encrypt from the first byte.",
)
.at_restart();

/// Where the web server listens without TLS.
pub const HTTP: Setting = Setting::new(
    "listen.http",
    Kind::Addresses,
    "[\"127.0.0.1:5280\"]",
    "Addresses of the web server without TLS: for a proxy on this machine, or one in a network of one's own.",
)
.at_restart();

/// Where the web server listens with TLS.
pub const HTTPS: Setting = Setting::new(
    "listen.https",
    Kind::Addresses,
    "[\"[::]:5281\"]",
    "Addresses of the web server with TLS, with the certificate of the domain that a browser names.",
)
.at_restart();

/// Where the parties of bytestreams connect.
pub const SOCKS: Setting = Setting::new(
    "listen.socks",
    Kind::Addresses,
    "[]",
    "Addresses of the proxy for file transfers (XEP-0065), mostly `[\"[::]:5000\"]`. Without any, and without `listen.multi`, there is none.",
)
.at_restart();

/// Where everybody connects.
pub const MULTI: Setting = Setting::new(
    EVERYBODY,
    Kind::Addresses,
    "[]",
    "Addresses for clients, other servers and browsers together, with TLS or without it, and for file transfers (XEP-0065): what a connection \
     is for is known by what it says first. For networks that let nothing but port 443 through.",
)
.at_restart();

/// Where the metrics of the server are.
pub const METRICS: Setting = Setting::new(
    "listen.metrics",
    Kind::Addresses,
    "[\"127.0.0.1:5284\"]",
    "Addresses of the metrics and the status of the server, without TLS, for what watches it: on this machine, or in a network of one's own. \
     Only `web.watchers` are answered there.",
)
.at_restart();

/// The settings of this module.
pub const SETTINGS: &[Setting] =
    &[C2S, C2S_TLS, S2S, S2S_TLS, COMPONENT, COMPONENT_TLS, HTTP, HTTPS, SOCKS, MULTI, METRICS];

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// In clear text (RFC 6120 section 5).
    StartTls,
    /// With a TLS handshake (XEP-0368).
    DirectTls,
}

/// Whom a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Those who find it by the DNS.
    Public(Service),
    /// Components, whose connections begin so.
    Component(Entry),
    /// Browsers and what speaks like them.
    Web(Entry),
    /// The parties of bytestreams.
    Bytestreams,
    /// All but components.
    Everybody,
    /// Those who watch the server.
    Metrics,
}

/// A connection as it is handed over to those whom it is for.
pub(crate) enum Accepted {
    /// Nothing of it was read.
    Tcp(TcpStream, Entry),
    /// The TLS handshake is over.
    Encrypted(Box<Encrypted>),
}

/// Bound and not yet accepting.
#[derive(Debug)]
pub struct Listeners(Vec<(TcpListener, Purpose)>);

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
            (&C2S, Purpose::Public(Service::Client)),
            (&C2S_TLS, Purpose::Public(Service::ClientTls)),
            (&S2S, Purpose::Public(Service::Server)),
            (&S2S_TLS, Purpose::Public(Service::ServerTls)),
            (&COMPONENT, Purpose::Component(Entry::StartTls)),
            (&COMPONENT_TLS, Purpose::Component(Entry::DirectTls)),
            (&HTTP, Purpose::Web(Entry::StartTls)),
            (&HTTPS, Purpose::Web(Entry::DirectTls)),
            (&SOCKS, Purpose::Bytestreams),
            (&MULTI, Purpose::Everybody),
            (&METRICS, Purpose::Metrics),
        ];
        let wanted = settings
            .iter()
            .flat_map(|(setting, purpose)| values.addresses(setting).iter().map(move |at| (*at, *purpose)));
        let bound = wanted.map(|(address, purpose)| {
            bind(address).map(|listener| (listener, purpose)).map_err(|reason| CannotListen { address, reason })
        });
        bound.collect::<Result<_, _>>().map(Listeners)
    }

    /// The addresses for clients that were bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let public = self.purposes().into_iter();
        let for_clients = public.filter(|(service, _)| matches!(service, Service::Client | Service::ClientTls));
        let mut addresses: Vec<_> = for_clients.map(|(_, address)| address).collect();
        addresses.dedup();
        addresses
    }

    /// What each is for that others find by the DNS; those for everybody come last, once for each purpose.
    pub fn purposes(&self) -> Vec<(Service, SocketAddr)> {
        let public = self.0.iter().flat_map(|(listener, purpose)| {
            let services = match purpose {
                Purpose::Public(service) => std::slice::from_ref(service),
                Purpose::Component(_) | Purpose::Web(_) | Purpose::Bytestreams | Purpose::Metrics => &[],
                Purpose::Everybody => &Service::ALL[..],
            };
            services.iter().filter_map(|service| Some((*service, listener.local_addr().ok()?)))
        });
        public.collect()
    }

    /// The ports of the web server.
    pub fn web_ports(&self) -> Vec<WebPort> {
        let ports =
            self.0.iter().filter_map(|(listener, purpose)| match (purpose, listener.local_addr().ok()?.port()) {
                (Purpose::Web(Entry::StartTls), port) => Some(WebPort::Plain(port)),
                (Purpose::Web(Entry::DirectTls) | Purpose::Everybody, port) => Some(WebPort::Encrypted(port)),
                (Purpose::Public(_) | Purpose::Component(_) | Purpose::Bytestreams | Purpose::Metrics, _) => None,
            });
        ports.collect()
    }

    /// The ports of bytestreams, those for everybody last.
    pub fn socks_ports(&self) -> Vec<u16> {
        let of = |wanted: Purpose| {
            let listeners = self.0.iter().filter(move |(_, purpose)| *purpose == wanted);
            listeners.filter_map(|(listener, _)| Some(listener.local_addr().ok()?.port()))
        };
        of(Purpose::Bytestreams).chain(of(Purpose::Everybody)).collect()
    }

    /// Accepts connections, in tasks of their own, until the server stops.
    pub fn serve(
        self,
        server: &Arc<Server>,
        admission: &Arc<Admission>,
        doors: &Arc<Doors>,
        federation: &Arc<Federation>,
    ) {
        let web = Web::new(server, admission, doors);
        let watched = web.for_watchers();
        for (listener, purpose) in self.0 {
            let (server, admission, doors) = (server.clone(), admission.clone(), doors.clone());
            let (federation, web, watched) = (federation.clone(), web.clone(), watched.clone());
            let within = Within { server, admission, doors, federation, web, watched };
            tokio::spawn(accept(listener, purpose, within));
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
#[derive(Clone)]
pub(crate) struct Within {
    pub(crate) server: Arc<Server>,
    pub(crate) admission: Arc<Admission>,
    doors: Arc<Doors>,
    federation: Arc<Federation>,
    pub(crate) web: Arc<Web>,
    /// Its side for those who watch the server.
    watched: Arc<Web>,
}

impl Within {
    /// A client's.
    pub(crate) fn client(&self, peer: SocketAddr, accepted: Accepted, admitted: Admitted) {
        let (server, admission, doors) = (self.server.clone(), self.admission.clone(), self.doors.clone());
        let context = c2s::Context { server, admission, doors, address: peer.ip(), port: peer.port() };
        tokio::spawn(c2s::serve(context, Begun::Accepted(accepted), admitted.of_kind(ConnectionKind::Client)));
    }

    /// Another server's.
    pub(crate) fn server(&self, address: IpAddr, accepted: Accepted, admitted: Admitted) {
        let (server, admission, federation) = (self.server.clone(), self.admission.clone(), self.federation.clone());
        let context = s2s::Context { server, admission, federation, address };
        tokio::spawn(s2s::serve(context, accepted, admitted));
    }

    /// That of a party of a bytestream.
    pub(crate) fn bytestream(&self, address: IpAddr, socket: TcpStream, admitted: Admitted) {
        tokio::spawn(socks5::serve(self.server.clone(), socket, address, admitted));
    }
}

async fn accept(listener: TcpListener, purpose: Purpose, within: Within) {
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
            Ok((socket, peer)) => start(socket, peer, purpose, &within),
            Err(error) => {
                // Most likely there are no file descriptors left: those who are connected must not suffer from a busy loop.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn start(socket: TcpStream, peer: SocketAddr, purpose: Purpose, within: &Within) {
    let Within { server, admission, web, watched, .. } = within;
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let _ = socket.set_nodelay(true);
    match purpose {
        // Who it comes from may be for a proxy to say.
        Purpose::Web(entry) => {
            tokio::spawn(http::serve(web.clone(), socket, peer, entry));
            return;
        }
        Purpose::Metrics => {
            tokio::spawn(http::serve(watched.clone(), socket, peer, Entry::StartTls));
            return;
        }
        Purpose::Everybody => {
            tokio::spawn(multi::serve(within.clone(), socket, peer));
            return;
        }
        Purpose::Public(_) | Purpose::Component(_) | Purpose::Bytestreams => {}
    }
    let admitted: Admitted = match admission.admit(peer.ip(), &server.hosts.load().values) {
        Ok(admitted) => admitted,
        Err(why) => {
            tracing::debug!(peer = %peer.ip(), why, "a connection is turned away");
            return;
        }
    };
    match purpose {
        Purpose::Web(_) | Purpose::Everybody | Purpose::Metrics => {}
        Purpose::Component(entry) => {
            let (server, admission) = (server.clone(), admission.clone());
            let context = component::Context { server, admission, address: peer.ip() };
            tokio::spawn(component::serve(context, socket, entry, admitted));
        }
        Purpose::Bytestreams => within.bytestream(peer.ip(), socket, admitted),
        Purpose::Public(Service::Client) => within.client(peer, Accepted::Tcp(socket, Entry::StartTls), admitted),
        Purpose::Public(Service::ClientTls) => within.client(peer, Accepted::Tcp(socket, Entry::DirectTls), admitted),
        Purpose::Public(Service::Server) => within.server(peer.ip(), Accepted::Tcp(socket, Entry::StartTls), admitted),
        Purpose::Public(Service::ServerTls) => {
            within.server(peer.ip(), Accepted::Tcp(socket, Entry::DirectTls), admitted);
        }
    }
}
