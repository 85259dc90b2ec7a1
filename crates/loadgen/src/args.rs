//! The command line. Every scenario shares the options of `Target`; each has a bounded running time.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::process::Server;
use crate::scram::Mechanism;
use crate::tls::Suite;

/// Load generator for XMPP servers. The accounts are PREFIX1, PREFIX2, ... and share one password.
///
/// It accepts any certificate: use it only against servers of your own on a test machine.
/// The last line of its output is one JSON object.
#[derive(Debug, Parser)]
#[command(name = "metronome-bench", version)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// What to do to the server.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Full logins, one after another on each of several connections
    Login(Login),
    /// Memory of sessions that do nothing
    Idle(Idle),
    /// One-to-one messages between pairs of accounts
    Chat(Chat),
    /// Streams that other servers open, so many a second
    Links(Links),
    /// Groups of contacts that come online together and leave again
    Presence(Presence),
    /// One account publishes to a node that many have subscribed to
    Pubsub(Pubsub),
    /// Rooms that all enter at once, and what one says in each to all who are in it
    Rooms(Rooms),
    /// Memory of the server while a large file is uploaded and fetched again
    Upload(Upload),
    /// Numbered messages while the server is killed and started again
    Crash(Crash),
}

/// Where the server is and how to log in.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// Address and port
    #[arg(long, default_value = "127.0.0.1:5222")]
    pub(crate) address: SocketAddr,
    /// The served domain
    #[arg(long, default_value = "localhost")]
    pub(crate) domain: String,
    #[arg(long, value_enum, default_value = "starttls")]
    pub(crate) tls: Tls,
    /// Streams go over WebSocket at this path (RFC 7395); the port is one of HTTP, with TLS from the first byte or without
    #[arg(long)]
    pub(crate) websocket: Option<String>,
    /// The one TLS 1.3 suite that is offered
    #[arg(long, value_enum, default_value = "TLS_AES_256_GCM_SHA384")]
    pub(crate) suite: Suite,
    #[arg(long, value_enum, default_value = "SCRAM-SHA-1")]
    pub(crate) mechanism: Mechanism,
    /// Accounts are PREFIX1, PREFIX2, ...
    #[arg(long, default_value = "u")]
    pub(crate) user_prefix: String,
    #[arg(long, default_value = "secret")]
    pub(crate) password: String,
    /// Connections come from this many addresses of 127/8 in turn (only if the server is on 127/8)
    #[arg(long, default_value_t = 256)]
    pub(crate) source_addresses: u32,
    /// What the report calls the server; its address if not given
    #[arg(long)]
    pub(crate) server_name: Option<String>,
    /// Processes of the server, each measured with its descendants
    #[arg(long, value_delimiter = ',')]
    pub(crate) server_pid: Vec<u32>,
    /// A file with the process id of the server
    #[arg(long)]
    pub(crate) server_pid_file: Option<PathBuf>,
    /// Threads of the generator
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
}

impl Target {
    /// The processes to measure, if any were named.
    pub(crate) fn server(&self) -> Result<Option<Server>> {
        let mut pids = self.server_pid.clone();
        if let Some(path) = &self.server_pid_file {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            pids.push(text.trim().parse().with_context(|| format!("{} has no process id", path.display()))?);
        }
        Ok((!pids.is_empty()).then(|| Server::new(pids)))
    }

    /// The server's name in the report.
    pub(crate) fn name(&self) -> String {
        self.server_name.clone().unwrap_or_else(|| self.address.to_string())
    }
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tls {
    /// RFC 6120 section 5
    Starttls,
    /// XEP-0368
    Direct,
    /// Not at all
    None,
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Accounts that log in in turn
    #[arg(long, default_value_t = 100)]
    pub(crate) accounts: usize,
    /// Connections at a time
    #[arg(long, default_value_t = 16)]
    pub(crate) concurrent: usize,
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
    /// With a token instead of the password, in one round trip behind TLS (XEP-0388, XEP-0386, XEP-0484)
    #[arg(long)]
    pub(crate) fast: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Idle {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Sessions, one per account
    #[arg(long, default_value_t = 5000)]
    pub(crate) accounts: usize,
    /// How long the sessions stay idle before the memory is read
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u64,
    /// All have stream management and lose their connections before the time begins
    #[arg(long)]
    pub(crate) hibernate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    pub(crate) target: Target,
    #[arg(long, default_value_t = 100)]
    pub(crate) pairs: usize,
    /// Messages of one sender that have not arrived yet
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) window: u32,
    /// Length of a body in bytes
    #[arg(long, default_value_t = 100)]
    pub(crate) body: usize,
    /// Messages per second of all senders together, whatever has arrived; the window bounds them only
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// Both sides have stream management
    #[arg(long)]
    pub(crate) sm: bool,
    /// The second of each pair lives at another server, which federates with the first
    #[arg(long, requires = "other_domain")]
    pub(crate) other_address: Option<SocketAddr>,
    /// What that server serves
    #[arg(long, requires = "other_address")]
    pub(crate) other_domain: Option<String>,
    /// Both of a pair write, not only the first
    #[arg(long, conflicts_with = "rate")]
    pub(crate) both_ways: bool,
    /// Seconds of traffic before the measurement
    #[arg(long, default_value_t = 3)]
    pub(crate) warm_up: u64,
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
}

impl Chat {
    /// Where the second of each pair lives, if not where the first does.
    pub(crate) fn other_target(&self) -> Option<Target> {
        let (address, domain) = (self.other_address?, self.other_domain.clone()?);
        Some(Target { address, domain, ..self.target.clone() })
    }
}

/// The address is that of the port at which servers begin with TLS.
#[derive(Debug, Args)]
pub(crate) struct Links {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The other servers are those of d1.DOMAINS, d2.DOMAINS, ...
    #[arg(long)]
    pub(crate) domains: String,
    /// A certificate for *.DOMAINS that the server trusts, in PEM
    #[arg(long)]
    pub(crate) certificate: PathBuf,
    /// Its key
    #[arg(long)]
    pub(crate) key: PathBuf,
    /// Streams per second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Presence {
    #[command(flatten)]
    pub(crate) target: Target,
    #[arg(long, default_value_t = 10)]
    pub(crate) groups: usize,
    /// Accounts of a group, each subscribed to each
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) contacts: u16,
    /// How often all log in anew for the cold figures
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) cold: u32,
    /// Seconds of coming and going before the measurement
    #[arg(long, default_value_t = 3)]
    pub(crate) warm_up: u64,
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Pubsub {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Where the node is; pubsub.DOMAIN if not given
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Accounts that have subscribed, all online
    #[arg(long, default_value_t = 1000)]
    pub(crate) subscribers: usize,
    /// Items under way at a time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) window: u32,
    /// Length of an item's payload in bytes
    #[arg(long, default_value_t = 100)]
    pub(crate) payload: usize,
    /// Seconds of traffic before the measurement
    #[arg(long, default_value_t = 3)]
    pub(crate) warm_up: u64,
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Rooms {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Where the rooms are; rooms.DOMAIN if not given
    #[arg(long)]
    pub(crate) service: Option<String>,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rooms: u32,
    /// Accounts in each room, each in no other
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) occupants: u32,
    /// Messages of one room that have not reached everybody yet
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) window: u32,
    /// Messages per second in each room, whatever has arrived
    #[arg(long, conflicts_with = "window", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: Option<u32>,
    /// Length of a body in bytes
    #[arg(long, default_value_t = 100)]
    pub(crate) body: usize,
    /// Seconds of traffic before the measurement
    #[arg(long, default_value_t = 3)]
    pub(crate) warm_up: u64,
    #[arg(long, default_value_t = 15)]
    pub(crate) seconds: u64,
}

/// The first account uploads.
#[derive(Debug, Args)]
pub(crate) struct Upload {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Where slots are asked for; upload.DOMAIN if not given
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Where the files go, by HTTP over TLS, whatever host and port their addresses have
    #[arg(long)]
    pub(crate) web_address: SocketAddr,
    /// Size of the file
    #[arg(long, default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) bytes: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Crash {
    #[command(flatten)]
    pub(crate) target: Target,
    #[arg(long, default_value_t = 10)]
    pub(crate) kills: u32,
    /// Shell command that runs the server in the foreground as one process
    #[arg(long)]
    pub(crate) server_command: String,
    /// Shell command that is run once when the server first accepts connections, to make the accounts
    #[arg(long)]
    pub(crate) prepare: Option<String>,
    #[arg(long, default_value_t = 10)]
    pub(crate) pairs: usize,
    /// Makes the moments of the kills and the sizes of the batches repeatable; random if not given
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}
