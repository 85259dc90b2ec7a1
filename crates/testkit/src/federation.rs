//! Several servers that find each other: a name server and an authority of their own, real servers for some domains, and scripted ones
//! that say whatever a scenario wants.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tempfile::TempDir;

use crate::certificates::{Certificates, Shown};
use crate::client::{Client, STREAMS, WAIT};
use crate::dns::NameServer;
use crate::link::Link;
use crate::server::Server;
use crate::setup::Setup;

/// What the servers of one scenario have in common.
pub struct World {
    folder: TempDir,
    names: NameServer,
    certificates: Certificates,
}

/// How a domain's records say that its server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    StartTls,
    DirectTls,
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl World {
    /// Nobody is there yet.
    pub fn new() -> World {
        let folder = tempfile::Builder::new().prefix("metronome-world-").tempdir().expect("a folder for certificates");
        let certificates = Certificates::new(&folder.path().join("authority"));
        World { folder, names: NameServer::start(), certificates }
    }

    /// The name server that everybody asks.
    pub fn names(&self) -> &NameServer {
        &self.names
    }

    /// The authority that everybody trusts.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// A server of a domain, to be described further: it has one account, named in `account`, asks this world's name server, and trusts its
    /// authority. Others find it once it is [`World::publish`]ed.
    pub fn setup(&self, domain: &str, account: &str) -> Setup {
        let account = format!("{account}@{domain}");
        let setup = Setup::default().no_accounts().domain(domain).account(&account).federates(&self.certificates);
        setup.options(&self.names.options())
    }

    /// Starts such a server, which others reach over STARTTLS.
    #[track_caller]
    pub fn server(&self, domain: &str, account: &str, options: &str) -> Server {
        let server = self.setup(domain, account).options(options).start();
        self.publish(domain, &server);
        server
    }

    /// An authority that nobody trusts.
    pub fn strangers_certificates(&self) -> Certificates {
        Certificates::new(&self.folder.path().join("stranger"))
    }

    /// The records of a domain lead to this server, over STARTTLS.
    pub fn publish(&self, domain: &str, server: &Server) {
        self.publish_address(domain, server.s2s(), By::StartTls);
    }

    /// The records of a domain lead to this server, with TLS from the first byte.
    pub fn publish_direct(&self, domain: &str, server: &Server) {
        self.publish_address(domain, server.s2s_direct(), By::DirectTls);
    }

    /// The records of a domain lead to this address and port, over STARTTLS.
    pub fn publish_at(&self, domain: &str, at: SocketAddr) {
        self.publish_address(domain, at, By::StartTls);
    }

    fn publish_address(&self, domain: &str, at: SocketAddr, by: By) {
        let service = match by {
            By::StartTls => format!("_xmpp-server._tcp.{domain}"),
            By::DirectTls => format!("_xmpps-server._tcp.{domain}"),
        };
        let host = format!("host.{domain}");
        self.names.service(&service, (0, 0, at.port(), &host));
        self.names.forget(&host);
        self.names.address(&host, &at.ip().to_string());
    }

    /// A scripted server of a domain, which waits to be connected to in clear text.
    pub fn peer(&self, domain: &str) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        self.publish_address(domain, address, By::StartTls);
        Peer { listener, domain: domain.to_owned() }
    }
}

/// A scripted server to which others connect.
pub struct Peer {
    listener: TcpListener,
    domain: String,
}

impl Peer {
    /// The next connection; whoever made it waits for an answer to its header.
    #[track_caller]
    pub fn accept(&self, server: &Server) -> Client {
        self.accept_within(server, WAIT).expect("somebody connects")
    }

    /// The next connection, if one comes in this time.
    pub fn accept_within(&self, server: &Server, wait: Duration) -> Option<Client> {
        self.listener.set_nonblocking(true).expect("a listener can be asked without waiting");
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline {
            if let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(false).expect("a socket can be waited for");
                let mut client = Client::new(Link::Clear(stream), server.dial_as_server());
                client.name = format!("{}, called", self.domain);
                return Some(client);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// The next connection, with its stream opened and no encryption offered: for domains that may do without. Offers `features`.
    #[track_caller]
    pub fn answer(&self, server: &Server, id: &str, features: &str) -> Client {
        let mut called = self.accept(server);
        self.open(&mut called, id, features);
        called
    }

    /// The next connection, encrypted by STARTTLS with this certificate, and its stream opened again. Offers `features`.
    #[track_caller]
    pub fn answer_encrypted(&self, server: &Server, shown: &Shown, id: &str, features: &str) -> Client {
        let mut called = self.accept(server);
        self.open(&mut called, "in-clear", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>");
        called.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'");
        called.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        let mut called = called.serve(tls_config(shown));
        self.open(&mut called, id, features);
        called
    }

    /// Hears a header, and answers it.
    #[track_caller]
    pub fn open(&self, called: &mut Client, id: &str, features: &str) {
        called.expect("<stream:stream xmlns='jabber:server'");
        called.send(&format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='{STREAMS}' xmlns:db='jabber:server:dialback' \
             from='{}' id='{id}' version='1.0'><stream:features>{features}</stream:features>",
            self.domain
        ));
    }
}

/// A server that shows this certificate, and takes any.
fn tls_config(shown: &Shown) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that rustls has");
    let config = builder.with_no_client_auth().with_single_cert(shown.chain(), shown.key()).expect("a pair");
    Arc::new(config)
}

/// The stream header of a server that connects.
pub fn server_header(from: &str, to: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='{STREAMS}' xmlns:db='jabber:server:dialback' \
         from='{from}' to='{to}' version='1.0'>"
    )
}
