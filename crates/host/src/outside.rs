//! What a command asks of the network around this server: names, its own ports, and whether others can be reached. `net` answers;
//! a server in a test has somebody who makes it up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::command::Failed;
use crate::server::Server;

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones come first.
    pub priority: u16,
    /// Of the same priority, how often this one comes first.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, without a dot at its end; none where the domain says that it has no such service.
    pub target: Option<Box<str>>,
}

/// What a port of this server is for, by the names of RFC 6120 section 14.3 and XEP-0368.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Clients that begin in clear text.
    Client,
    /// Clients that begin with TLS.
    ClientTls,
    /// Servers that begin in clear text.
    Server,
    /// Servers that begin with TLS.
    ServerTls,
}

/// The option with the addresses that are for all services, and for browsers too.
pub const EVERYBODY: &str = "listen.multi";

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Client, Service::ClientTls, Service::Server, Service::ServerTls];

    /// The name of its SRV records before the domain.
    pub fn name(self) -> &'static str {
        match self {
            Service::Client => "_xmpp-client._tcp",
            Service::ClientTls => "_xmpps-client._tcp",
            Service::Server => "_xmpp-server._tcp",
            Service::ServerTls => "_xmpps-server._tcp",
        }
    }

    /// The option with its addresses.
    pub fn option(self) -> &'static str {
        match self {
            Service::Client => "listen.c2s",
            Service::ClientTls => "listen.c2s_tls",
            Service::Server => "listen.s2s",
            Service::ServerTls => "listen.s2s_tls",
        }
    }

    /// Where others look without any record; none where they do not.
    pub fn fallback_port(self) -> Option<u16> {
        match self {
            Service::Client => Some(5222),
            Service::Server => Some(5269),
            Service::ClientTls | Service::ServerTls => None,
        }
    }
}

/// A port of the web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebPort {
    /// Without TLS.
    Plain(u16),
    /// With TLS.
    Encrypted(u16),
}

/// Why a name could not be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// There is nothing of the kind.
    Nothing,
    /// Nobody could say, and why in a few words.
    Failed(String),
}

/// How a connection to another server, or to a port of this one, went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Where it led, in words; none if nothing could be reached.
    pub to: Option<String>,
    /// What was tried before, each with why it did not work.
    pub failures: Vec<String>,
}

/// The network as this server sees it.
pub trait Outside: Send + Sync {
    /// The SRV records of a name.
    fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Srv>, Unknown>>;

    /// The addresses of a host, of both families.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Unknown>>;

    /// Forgets what was looked up before: whoever checks has just changed something.
    fn look_again(&self);

    /// The addresses that this server listens on.
    fn ports(&self) -> Vec<(Service, SocketAddr)>;

    /// The ports of the web server, in the order of the configuration.
    fn web_ports(&self) -> Vec<WebPort> {
        Vec::new()
    }

    /// The ports at which bytestreams are connected (XEP-0065), those for nothing else first.
    fn socks_ports(&self) -> Vec<u16> {
        Vec::new()
    }

    /// The addresses from which this machine reaches the internet, as far as it knows itself; those behind which it hides are not
    /// among them.
    fn own_addresses(&self) -> Vec<IpAddr>;

    /// The metrics of this server, as they are told to whoever watches it; none where nobody counts.
    fn metrics<'a>(&'a self, _: &Arc<Server>) -> BoxFuture<'a, Option<String>> {
        Box::pin(std::future::ready(None))
    }

    /// Connects to an address and says nothing there.
    fn knock<'a>(&'a self, address: SocketAddr) -> BoxFuture<'a, Result<(), String>>;

    /// Connects to a server of a domain, as for a message, and says nothing there.
    fn reach<'a>(&'a self, server: &'a Server, domain: &'a str) -> BoxFuture<'a, Reached>;
}

impl Server {
    /// The network around this server.
    pub fn outside(&self) -> Result<&dyn Outside, Failed> {
        self.surroundings.get().map(|outside| &**outside).ok_or_else(|| Failed::problem("this server has no network"))
    }
}
