//! TLS handshakes of both sides. The costly part, the key exchange and the signature, has to wait for its turn, so that a crowd of
//! newcomers does not hold up the streams there are. Nobody has the turn while the network is waited for: those who stop midway would
//! keep all others out.

use std::sync::Arc;

use metronome_proto::jid::Jid;
use rustls::server::ClientHello;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{StartHandshake, TlsConnector, client, server};

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
    rest.await.ok()
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
