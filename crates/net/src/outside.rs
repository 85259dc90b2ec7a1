//! The network as commands see it (`host::outside`): the resolver, the ports that were bound, and the way to other servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use metronome_host::outside::{Outside, Reached, Service, Srv, Unknown, WebPort};
use metronome_host::server::Server;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::dns::{NoAnswer, Resolver};
use crate::listen::Entry;
use crate::metrics::reading::Reading;
use crate::metrics::{self, Format};
use crate::s2s::dial::{Dialling, Unreachable};
use crate::s2s::reach::{is_special, source};

/// Our own ports answer faster.
const KNOCK: Duration = Duration::from_secs(3);

/// What there is.
pub struct Network {
    /// Finds names.
    pub resolver: Arc<Resolver>,
    /// The addresses that were bound.
    pub ports: Vec<(Service, SocketAddr)>,
    /// Those of the web server.
    pub web_ports: Vec<WebPort>,
    /// Those of bytestreams.
    pub socks_ports: Vec<u16>,
    /// What is counted of connections.
    pub admission: Arc<Admission>,
}

impl Outside for Network {
    fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Srv>, Unknown>> {
        Box::pin(async move {
            let found = self.resolver.services(name).await.map_err(unknown)?;
            let record = |service: &crate::dns::Service| Srv {
                priority: service.priority,
                weight: service.weight,
                port: service.port,
                target: service.target.clone(),
            };
            Ok(found.iter().map(record).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Unknown>> {
        Box::pin(async move {
            match tokio::join!(self.resolver.v4(host), self.resolver.v6(host)) {
                (Err(NoAnswer::Nothing), Err(why)) | (Err(why), Err(_)) => Err(unknown(why)),
                (v4, v6) => Ok([v4, v6].iter().flatten().flat_map(|found| found.iter()).copied().collect()),
            }
        })
    }

    fn look_again(&self) {
        self.resolver.forget_all();
    }

    fn ports(&self) -> Vec<(Service, SocketAddr)> {
        self.ports.clone()
    }

    fn web_ports(&self) -> Vec<WebPort> {
        self.web_ports.clone()
    }

    fn socks_ports(&self) -> Vec<u16> {
        self.socks_ports.clone()
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        let own = [source((Ipv4Addr::new(1, 1, 1, 1), 53).into()), source((Ipv6Addr::from(ROUTED), 53).into())];
        own.into_iter().flatten().filter(|address| !is_special(*address)).collect()
    }

    fn metrics<'a>(&'a self, server: &Arc<Server>) -> BoxFuture<'a, Option<String>> {
        let (server, admission) = (server.clone(), self.admission.clone());
        let look = move || metrics::write(&Reading::take(&server, &admission), Format::OpenMetrics);
        Box::pin(async move { tokio::task::spawn_blocking(look).await.ok() })
    }

    fn knock<'a>(&'a self, address: SocketAddr) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            match timeout(KNOCK, TcpStream::connect(address)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer in time".to_owned()),
            }
        })
    }

    fn reach<'a>(&'a self, server: &'a Server, domain: &'a str) -> BoxFuture<'a, Reached> {
        Box::pin(async move {
            let hosts = server.hosts.load_full();
            let mut dialling = match hosts.spoken_for(domain) {
                Some(_) => Dialling::home(self.resolver.clone(), hosts.values.clone(), domain),
                None => Dialling::new(self.resolver.clone(), hosts.values.clone(), domain),
            };
            let reached = dialling.next(&server.rng).await;
            let mut failures: Vec<String> = dialling.failures().iter().map(ToString::to_string).collect();
            let to = match reached {
                Ok(dialed) => {
                    let entry = match dialed.target.entry {
                        Entry::DirectTls => "TLS from the first byte",
                        Entry::StartTls => "STARTTLS",
                    };
                    Some(format!("{} ({}), {entry}", dialed.target, dialed.address.ip()))
                }
                Err(Unreachable::NoTarget(why)) => {
                    failures.push(why.to_string());
                    None
                }
                Err(Unreachable::Failed(_)) => None,
            };
            Reached { to, failures }
        })
    }
}

/// Some address of the internet to ask the system about; nothing is sent there.
const ROUTED: [u16; 8] = [0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111];

fn unknown(why: NoAnswer) -> Unknown {
    match why {
        NoAnswer::Nothing => Unknown::Nothing,
        failed @ NoAnswer::Failed(_) => Unknown::Failed(failed.to_string()),
    }
}
