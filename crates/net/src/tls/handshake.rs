//! TLS handshakes of both sides. The costly part, the key exchange and the signature, has to wait for its turn, so that a crowd of
//! newcomers does not hold up the streams there are. Nobody has the turn while the network is waited for: those who stop midway would
//! keep all others out.

use std::sync::Arc;

use metronome_host::hosts::Tls;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use rustls::server::{Acceptor, ClientHello};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsConnector, client, server};

use super::config_for;
use crate::admission::Admission;

/// The handshake after the other side's hello.
pub(crate) async fn accept(
    admission: &Admission,
    hello: StartHandshake<TcpStream>,
    config: impl FnOnce(&ClientHello<'_>) -> Arc<ServerConfig>,
) -> Option<server::TlsStream<TcpStream>> {
    let turn = admission.handshakes.acquire().await.ok()?;
    tokio::task::yield_now().await;
    // Computes here and now, and only then becomes a future.
    let config = config(&hello.client_hello());
    let rest = hello.into_stream(config);
    drop(turn);
    rest.await.inspect_err(|_| admission.figures.handshake_failed()).ok()
}

/// A connection whose handshake is over, and what there is to know of it.
pub(crate) struct Encrypted {
    pub(crate) socket: server::TlsStream<TcpStream>,
    /// What was shown.
    pub(crate) tls: Arc<Tls>,
    /// Whose it is.
    pub(crate) shown_by: Jid,
    /// Read already.
    pub(crate) read: Vec<u8>,
}

/// The handshake of a client that begins with it (XEP-0368): the certificate is chosen by the name in its hello, the first host's if there is
/// none.
pub(crate) async fn of_client(server: &Server, admission: &Admission, socket: TcpStream) -> Option<Encrypted> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await.ok()?;
    let host = server.hosts.load().shown_to(hello.client_hello().server_name()).clone();
    let tls = host.tls.clone()?;
    let socket = accept(admission, hello, |hello| config_for(&tls, hello)).await?;
    Some(Encrypted { socket, tls, shown_by: host.name.clone(), read: Vec::new() })
}

/// The handshake that we begin with the server of a domain. A domain that is an address is not named in it (RFC 6066 section 3).
pub(crate) async fn connect(
    socket: TcpStream,
    config: Arc<ClientConfig>,
    domain: &Jid,
) -> Option<client::TlsStream<TcpStream>> {
    let name = domain.as_str().trim_matches(['[', ']']);
    let name = match name.parse() {
        Ok(address) => ServerName::IpAddress(std::net::IpAddr::into(address)),
        Err(_) => ServerName::try_from(idna::domain_to_ascii(name).ok()?).ok()?,
    };
    TlsConnector::from(config).connect(name, socket).await.ok()
}
