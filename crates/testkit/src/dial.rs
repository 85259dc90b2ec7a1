//! The ways to connect: to which domain, from which address, with which versions of TLS and with which certificate.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use crate::certificates::Shown;
use crate::client::Client;
use crate::link::Link;

/// The versions of TLS that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

/// How to connect to a server. Cheap to clone, so that many connections can be made the same way.
#[derive(Clone)]
pub struct Dial {
    pub(crate) domain: String,
    clear: SocketAddr,
    direct: SocketAddr,
    roots: Arc<RootCertStore>,
    server_name: Option<String>,
    from: Option<IpAddr>,
    versions: Versions,
    shown: Option<Shown>,
    alpn: Vec<Vec<u8>>,
}

impl Dial {
    pub(crate) fn new(clear: SocketAddr, direct: SocketAddr, roots: RootCertStore) -> Dial {
        Dial {
            domain: "localhost".to_owned(),
            clear,
            direct,
            roots: Arc::new(roots),
            server_name: None,
            from: None,
            versions: Versions::Both,
            shown: None,
            alpn: vec![b"xmpp-client".to_vec()],
        }
    }

    /// To another domain than `localhost`, in TLS and in stream headers.
    pub fn domain(mut self, domain: &str) -> Dial {
        self.domain = domain.to_owned();
        self
    }

    /// With another name in the TLS handshake than in stream headers.
    pub fn server_name(mut self, name: &str) -> Dial {
        self.server_name = Some(name.to_owned());
        self
    }

    /// To another address of the server; the ports stay.
    pub fn to(mut self, address: &str) -> Dial {
        let address = address.parse().expect("an IP address");
        self.clear.set_ip(address);
        self.direct.set_ip(address);
        self
    }

    /// From this address of ours, such as 127.0.0.2.
    pub fn from(mut self, address: &str) -> Dial {
        self.from = Some(address.parse().expect("an IP address"));
        self
    }

    /// With these versions of TLS.
    pub fn versions(mut self, versions: Versions) -> Dial {
        self.versions = versions;
        self
    }

    /// With a client certificate.
    pub fn certificate(mut self, shown: &Shown) -> Dial {
        self.shown = Some(shown.clone());
        self
    }

    /// With these protocols in the TLS handshake (ALPN).
    pub fn protocols(mut self, protocols: &[&str]) -> Dial {
        self.alpn = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// What the client says and demands in TLS.
    pub fn tls_config(&self) -> Arc<ClientConfig> {
        let versions = match self.versions {
            Versions::Both => &[&TLS12, &TLS13][..],
            Versions::Only12 => &[&TLS12],
            Versions::Only13 => &[&TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that rustls has")
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.shown {
            Some(shown) => builder.with_client_auth_cert(shown.chain(), shown.key()).expect("a pair for the client"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.clone();
        Arc::new(config)
    }

    /// Connects in clear text, and says nothing yet.
    #[track_caller]
    pub fn clear(&self) -> Client {
        self.try_clear().unwrap_or_else(|error| panic!("cannot connect to {}: {error}", self.clear))
    }

    /// Connects in clear text, if that is possible.
    pub fn try_clear(&self) -> io::Result<Client> {
        Ok(Client::new(Link::open(self.clear, self.from)?, self.clone()))
    }

    /// Connects with TLS from the first byte.
    #[track_caller]
    pub fn direct(&self) -> Client {
        self.try_direct().unwrap_or_else(|error| panic!("cannot connect with TLS to {}: {error}", self.direct))
    }

    /// Connects with TLS from the first byte, if that is possible.
    pub fn try_direct(&self) -> io::Result<Client> {
        Ok(Client::new(self.encrypt(Link::open(self.direct, self.from)?)?, self.clone()))
    }

    /// Connects to the port of direct TLS and says nothing: not even the handshake.
    pub fn try_direct_without_handshake(&self) -> io::Result<Client> {
        Ok(Client::new(Link::open(self.direct, self.from)?, self.clone()))
    }

    /// Connects in clear text and encrypts with STARTTLS; the stream is to be opened.
    #[track_caller]
    pub fn starttls(&self) -> Client {
        self.clear().tls()
    }

    pub(crate) fn encrypt(&self, link: Link) -> io::Result<Link> {
        link.encrypt(self.tls_config(), self.server_name.as_ref().unwrap_or(&self.domain))
    }
}
