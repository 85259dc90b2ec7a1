//! Which name servers are asked: those of the configuration, or those of /etc/resolv.conf, of which nothing else is read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Most name servers of that file, as everywhere else.
const SERVERS_MAX: usize = 3;
const PORT: u16 = 53;
/// How often it is looked whether the file has changed.
const LOOKED: Duration = Duration::from_secs(5);
/// Time of one try, after which there is a second one.
const TRY: Duration = Duration::from_secs(3);

/// Whom to ask at this moment.
pub(super) struct Servers {
    asker: TokioResolver,
    /// None where the configuration says it.
    machine: Option<Machine>,
}

/// What was read of the machine's own configuration.
struct Machine {
    written: Option<SystemTime>,
    looked: Instant,
}

impl Servers {
    pub(super) fn new(configured: &[SocketAddr]) -> Servers {
        if configured.is_empty() {
            let machine = Machine { written: written(), looked: Instant::now() };
            return Servers { asker: asker(&of_machine()), machine: Some(machine) };
        }
        Servers { asker: asker(configured), machine: None }
    }

    /// What asks the servers; those of the machine are read again if they have changed.
    pub(super) fn asker(&mut self) -> TokioResolver {
        if let Some(machine) = &mut self.machine
            && machine.looked.elapsed() >= LOOKED
        {
            machine.looked = Instant::now();
            let now = written();
            if machine.written != now {
                machine.written = now;
                self.asker = asker(&of_machine());
            }
        }
        self.asker.clone()
    }
}

fn written() -> Option<SystemTime> {
    std::fs::metadata(RESOLV_CONF).and_then(|data| data.modified()).ok()
}

fn of_machine() -> Vec<SocketAddr> {
    name_servers(&std::fs::read_to_string(Path::new(RESOLV_CONF)).unwrap_or_default())
}

/// The name servers of a resolv.conf; where it has none, this machine's own (resolv.conf(5)).
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.parse::<IpAddr>().ok()).flatten()
    });
    let servers: Vec<_> = named.map(|address| SocketAddr::new(address, PORT)).take(SERVERS_MAX).collect();
    if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT)] } else { servers }
}

fn asker(servers: &[SocketAddr]) -> TokioResolver {
    let config = ResolverConfig::from_name_servers(servers.iter().copied().map(name_server).collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options();
    builder.build().expect("a resolver without TLS needs nothing that could be missing")
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = TRY;
    options.attempts = 1;
    // Ours is bounded in bytes, and knows nothing longer than it is told.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.try_tcp_on_error = true;
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        name_servers(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn of_the_machine_only_name_servers_are_read() {
        let text = "# ours\nsearch example.org\nnameserver 192.0.2.1\noptions ndots:5\n nameserver\t2001:db8::1 # second\n\
                    nameserver nonsense\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        assert_eq!(read(text), ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
    }

    #[test]
    fn without_any_this_machine_is_asked() {
        assert_eq!(read(""), ["127.0.0.1:53"]);
        assert_eq!(read("search example.org\n;nameserver 192.0.2.1"), ["127.0.0.1:53"]);
    }
}
