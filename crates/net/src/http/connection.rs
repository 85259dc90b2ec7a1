//! One connection of the web server, from its first byte to its last: who it comes from, TLS, and its requests one after the other, all
//! within budgets that count before anybody has said who they are.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metronome_host::network::any_contains;
use metronome_host::server::Server;
use metronome_sasl::ChannelBindings;
use parking_lot::Mutex;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::LazyConfigAcceptor;

use super::{Side, Web, gate, proxies, proxy_protocol};
use crate::admission::Admitted;
use crate::admission::figures::ConnectionKind;
use crate::listen::{Accepted, Entry};
use crate::socket::Socket;
use crate::tls::{self, handshake};

/// From the connection to the end of the TLS handshake, what a proxy says before it included.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// From one answer to the end of the next request's head, and so also how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(15);
/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header fields of a request.
const FIELDS_MAX: usize = 64;
/// Most requests of one connection; browsers connect again.
pub(super) const REQUESTS_MAX: u32 = 1000;
/// For how long a client may leave everything unread before it is given up, in milliseconds.
const STALLED_MS: u32 = 60_000;
/// For how long a connection may go on once the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// A connection.
pub(crate) struct Connection {
    pub(super) web: Arc<Web>,
    /// Who it comes from: the other end, or whom a proxy has named before the first byte.
    pub(super) peer: SocketAddr,
    /// What the TLS connection proves, if it is one.
    pub(super) tls: Option<ChannelBindings>,
    /// Its place among the connections of its address; none where it comes from a proxy, whose requests have places of their own.
    pub(super) admitted: Mutex<Option<Admitted>>,
    requests: AtomicU32,
}

impl Connection {
    /// Counts a request.
    pub(super) fn count(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether it comes from a proxy that is believed.
    pub(super) fn is_from_proxy(&self) -> bool {
        is_proxy(&self.web, self.peer.ip())
    }
}

fn is_proxy(web: &Web, address: IpAddr) -> bool {
    any_contains(web.server.hosts.load().values.networks(&proxies::PROXIES), address)
}

/// Serves a connection.
pub(crate) async fn serve(web: Arc<Web>, mut socket: TcpStream, peer: SocketAddr, entry: Entry) {
    let server = web.server.clone();
    let begin = async {
        let caller = caller(&web, &mut socket, peer).await?;
        begin(web, caller, Accepted::Tcp(socket, entry)).await
    };
    serve_begun(&server, begin).await;
}

/// Serves one whose caller is known.
pub(crate) async fn serve_caller(web: Arc<Web>, caller: Caller, accepted: Accepted) {
    let server = web.server.clone();
    serve_begun(&server, begin(web, caller, accepted)).await;
}

/// Its requests, once it has begun; in time, and before the server stops.
async fn serve_begun(server: &Server, begin: impl Future<Output = Option<(Connection, Socket)>>) {
    let began = tokio::select! {
        began = timeout(HANDSHAKE, begin) => began.ok().flatten(),
        () = server.control.stopped() => None,
    };
    if let Some((connection, socket)) = began {
        requests(Arc::new(connection), socket).await;
    }
}

/// Who a connection comes from.
pub(crate) struct Caller {
    /// The other end, or whom a proxy has named.
    pub(crate) peer: SocketAddr,
    /// Its place among the connections of its address; a proxy has none.
    pub(crate) admitted: Option<Admitted>,
}

/// Hears from a proxy whom it speaks for, where it says so, and admits the connection; none if it is to be closed.
pub(crate) async fn caller(web: &Web, socket: &mut TcpStream, peer: SocketAddr) -> Option<Caller> {
    // What watches the server comes by itself.
    let speaks = web.side == Side::Public && web.server.hosts.load().values.flag(&proxy_protocol::SPOKEN);
    let peer = match speaks && is_proxy(web, peer.ip()) {
        true => match proxy_protocol::read(socket).await {
            Ok(named) => named.unwrap_or(peer),
            Err(why) => {
                tracing::debug!(peer = %peer.ip(), why, "a proxy does not say whom it speaks for");
                return None;
            }
        },
        false => peer,
    };
    let admitted = match is_proxy(web, peer.ip()) {
        true => None,
        false => match web.admission.admit(peer.ip(), &web.server.hosts.load().values) {
            Ok(admitted) => Some(admitted.of_kind(ConnectionKind::Web)),
            Err(why) => {
                tracing::debug!(peer = %peer.ip(), why, "a connection is turned away");
                return None;
            }
        },
    };
    Some(Caller { peer, admitted })
}

/// Everything else before the first request.
async fn begin(web: Arc<Web>, caller: Caller, accepted: Accepted) -> Option<(Connection, Socket)> {
    let (socket, tls) = match accepted {
        Accepted::Tcp(socket, Entry::StartTls) => (Socket::Plain(socket), None),
        Accepted::Tcp(socket, Entry::DirectTls) => encrypted(&web, socket).await?,
        Accepted::Encrypted(encrypted) => {
            let bindings = tls::bindings(encrypted.socket.get_ref().1, &encrypted.tls);
            (Socket::Tls(Box::new(encrypted.socket.into())), Some(bindings))
        }
    };
    socket.give_up_after(STALLED_MS);
    let Caller { peer, admitted } = caller;
    let (admitted, requests) = (Mutex::new(admitted), AtomicU32::new(0));
    Some((Connection { web, peer, tls, admitted, requests }, socket))
}

/// The certificate is chosen by the name in the handshake, the first host's if there is none.
async fn encrypted(web: &Web, socket: TcpStream) -> Option<(Socket, Option<ChannelBindings>)> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await.ok()?;
    let tls = web.server.hosts.load().shown_to(hello.client_hello().server_name()).tls.clone()?;
    let socket = handshake::accept(&web.admission, hello, |_| tls.web.clone()).await?;
    let bindings = tls::bindings(socket.get_ref().1, &tls);
    Some((Socket::Tls(Box::new(socket.into())), Some(bindings)))
}

/// Its requests, until it ends or becomes something else.
async fn requests(connection: Arc<Connection>, socket: Socket) {
    let server = connection.web.server.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let connection = connection.clone();
        async move { Ok::<_, Infallible>(gate::answer(&connection, request.map(Body::new)).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES_MAX).max_headers(FIELDS_MAX);
    let mut served = pin!(http.serve_connection(TokioIo::new(socket), service).with_upgrades());
    tokio::select! {
        _ = served.as_mut() => return,
        () = server.control.stopped() => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = timeout_at(tokio::time::Instant::now() + FAREWELL, served).await;
}
