//! Streams with other servers (RFC 6120, XEP-0220): where they are and the way there, how each side proves which domains it speaks for,
//! and the task of a stream over which stanzas flow.

mod authorise;
pub mod authorities;
mod cargo;
pub mod dial;
mod dialback;
mod external;
mod hear;
mod inbound;
mod negotiate;
mod outbound;
mod policy;
pub mod reach;
pub mod resolve;
mod run;
mod shares;
mod streams;
mod verify;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_host::hosts::ToServers;
use metronome_host::options::{Kind, Setting};
use metronome_host::remotes::Payer;
use metronome_host::server::Server;
use metronome_sasl::DialbackSecret;
use tokio::sync::watch;

use crate::admission::figures::ConnectionKind;
use crate::admission::{Admission, Admitted};
use crate::dns::Resolver;
use crate::listen::Accepted;
use crate::tls::servers;
use authorities::Authorities;
use shares::{Bounds, Shares};
use streams::Streams;

/// Further authorities.
pub const CA: Setting = Setting::new(
    "federation.ca",
    Kind::Path,
    "\"\"",
    "Certificates in PEM of authorities that may sign for other servers, beside those that the system trusts.",
)
.for_new_streams();

/// How long a stream may be silent.
pub const IDLE: Setting = Setting::new(
    "federation.idle",
    Kind::Duration,
    "\"30 min\"",
    "After how long a connection with another server over which nothing is said is closed.",
)
.for_new_streams()
.per_host()
.within(1_000, 7 * 86_400_000);

/// The largest stanza of a server.
pub const STANZA: Setting =
    Setting::new("limits.s2s.stanza", Kind::Bytes, "\"512 KiB\"", "Largest stanza that another server may send.")
        .for_new_streams()
        .per_host()
        .within(10_000, 16 << 20);

/// How fast a server may send.
pub const RATE: Setting = Setting::new(
    "limits.s2s.bytes",
    Kind::Rate,
    "\"4 MiB/s\"",
    "How fast another server may send over one connection; what comes faster waits.",
)
.for_new_streams();

/// How much it may send at once.
pub const BURST: Setting = Setting::new(
    "limits.s2s.burst",
    Kind::Bytes,
    "\"8 MiB\"",
    "How much another server may send at once before its rate counts.",
)
.for_new_streams();

/// Strangers of one address.
pub const UNPROVED: Setting = Setting::new(
    "limits.s2s.unproved",
    Kind::Count { min: 1, max: 100_000 },
    "20",
    "Most connections of one address (of IPv6: one /64) that have not proved which domain they speak for.",
)
.for_new_streams();

/// The settings of server-to-server streams.
pub const SETTINGS: &[Setting] = &[
    policy::PROOFS,
    policy::WITHOUT_TLS,
    policy::WITHOUT_BIDI,
    policy::SHARE,
    CA,
    IDLE,
    STANZA,
    RATE,
    BURST,
    UNPROVED,
    reach::ALLOW_ADDRESSES,
    dial::CONNECT_TIMEOUT,
    metronome_host::routes::ROUTES,
];

/// How many keys are asked about at a time, by the household of whoever has shown them.
const VERIFYING: Bounds = Bounds { all: 256, one: 32, wanted: 128 };

/// How many streams are opened at a time, by whom they are for.
const DIALLING: Bounds = Bounds { all: 256, one: 32, wanted: 512 };

/// What all streams with other servers share.
pub struct Federation {
    pub(crate) server: Arc<Server>,
    authorities: Arc<Authorities>,
    /// Of this process: keys of an earlier one are nobody's.
    secret: DialbackSecret,
    resolver: Arc<Resolver>,
    /// How domains without a certificate encrypt.
    without_certificate: ToServers,
    streams: Streams,
    verifying: Shares<IpAddr>,
    dialling: Shares<Payer>,
    /// Shared by the streams that run.
    running: Arc<()>,
    /// And by those of them that need not be waited for when the server ends.
    quiet: Arc<()>,
    ending: watch::Sender<Ending>,
}

/// How far the end of the server has come, for its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    /// It has not begun.
    Not,
    /// What was sent is being proved: nothing more is sent, and what comes is taken.
    Proving,
    /// Every stream ends.
    Now,
}

/// What a stream that another server has opened works with.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) server: Arc<Server>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) federation: Arc<Federation>,
    pub(crate) address: IpAddr,
}

impl Federation {
    /// With nobody connected.
    pub fn new(
        server: Arc<Server>,
        resolver: Arc<Resolver>,
        authorities: Arc<Authorities>,
    ) -> Result<Arc<Federation>, CannotFederate> {
        Ok(Arc::new(Federation {
            server,
            authorities,
            secret: DialbackSecret::new(&metronome_sasl::token()),
            resolver,
            without_certificate: servers::outgoing_without_certificate()?,
            streams: Streams::default(),
            verifying: Shares::new(VERIFYING),
            dialling: Shares::new(DIALLING),
            running: Arc::default(),
            quiet: Arc::default(),
            ending: watch::Sender::new(Ending::Not),
        }))
    }
}

impl Federation {
    /// How many streams run.
    pub fn running(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }

    /// Begins the end of all streams: nothing more is sent, and the other sides are asked to prove what they have had, so that the next
    /// process does not send it again.
    pub fn begin_end(&self) {
        self.reach(Ending::Proving);
    }

    /// Whether there is nothing left whose proof is worth waiting for, once [`Federation::begin_end`] was called.
    pub fn is_quiet(&self) -> bool {
        Arc::strong_count(&self.quiet) >= Arc::strong_count(&self.running)
    }

    /// Ends all streams, whatever is proved.
    pub fn end(&self) {
        self.reach(Ending::Now);
    }

    fn reach(&self, stage: Ending) {
        self.ending.send_if_modified(|ending| {
            let goes_on = stage > *ending;
            *ending = stage.max(*ending);
            goes_on
        });
    }

    /// What comes behind this stage of the end, when it has come.
    fn ending_beyond(&self, seen: Ending) -> BoxFuture<'static, Ending> {
        let mut ending = self.ending.subscribe();
        Box::pin(async move { ending.wait_for(|ending| *ending > seen).await.map_or(Ending::Now, |ending| *ending) })
    }

    /// Makes streams for what waits, until the server stops.
    pub async fn run(self: Arc<Self>) {
        streams::run(self).await;
    }
}

/// Serves a connection of another server that was admitted.
pub(crate) async fn serve(context: Context, connection: Accepted, admitted: Admitted) {
    let Context { server, federation, address, .. } = context.clone();
    // A domain that was closed has come from there.
    if server.gate.is_turned_away(address, server.clock.unix_ms()) {
        return;
    }
    let admitted = admitted.of_kind(ConnectionKind::Server);
    let most = server.hosts.load().values.count(&UNPROVED) as usize;
    let Some(unproved) = context.admission.admit_unproved(address, most) else {
        tracing::debug!(peer = %address, "too many servers of this address have proved nothing");
        return;
    };
    // Who has proved nothing has nothing to lose: a server that stops waits for nobody here.
    let accepted = tokio::select! {
        accepted = inbound::accept(context, connection) => accepted,
        () = server.control.stopped() => None,
    };
    if let Some((host, proved)) = accepted {
        streams::start(&federation, host, proved, (Some(admitted), Some(unproved))).await;
    }
}

/// Why there can be no federation.
#[derive(Debug, thiserror::Error)]
pub enum CannotFederate {
    /// TLS is not available.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}
