//! Streams that we open with other servers: reached, encrypted, and then proved, with a certificate where that counts there and with
//! dialback otherwise. Every way of a domain's records is tried; what did not work is told to the log and, in one word, to those who
//! wait.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use metronome_host::hosts::Host;
use metronome_host::linked::Opened;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::sasl::{self, Answer, Request};
use metronome_proto::payload::stream_limits::Announced;
use metronome_proto::payload::{bidi, starttls};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stream::error::{Condition as StreamCondition, StreamError};
use metronome_proto::stream::features::Features;
use metronome_proto::stream::header::{self, StreamKind};
use metronome_proto::xml::Element;
use metronome_sasl::encode;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout_at};

use super::authorise::{Method, Pair, Proof, Proofs};
use super::dial::{Dialed, Dialling};
use super::dialback::Ways;
use super::external::{EXTERNAL, Shown};
use super::negotiate::{Proved, STANZA_BYTES_MIN, holds_until_ms, limits};
use super::resolve::Target;
use super::{Federation, IDLE, policy};
use crate::listen::Entry;
use crate::socket::Socket;
use crate::stream::{Fault, Stream};
use crate::tls::handshake;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// Of strangers many take no more than what they must.
const STRANGERS_BYTES_MAX: usize = STANZA_BYTES_MIN;

/// A stream with a server of a domain, on which nothing is proved yet.
pub(super) struct Reached {
    pub(super) stream: Stream,
    address: IpAddr,
    shown: Shown,
    is_encrypted: bool,
    greeting: Greeting,
}

/// How the other side has accepted our stream.
struct Greeting {
    id: Option<String>,
    has_dialback: bool,
    features: Features,
}

/// Why a stream did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The connection is gone, or was silent for too long.
    Lost,
    /// The other side has ended the stream in order.
    Closed,
    /// The other side has ended it with this error.
    Ended(StreamCondition),
    /// What the other side has said is not what the RFC says.
    Confused(&'static str),
    /// It does not encrypt.
    NoTls,
    /// The TLS handshake failed.
    Handshake,
    /// Its certificate is no proof, for this reason, and nothing else would be one.
    Certificate(&'static str),
    /// It takes no proof that we have.
    NoProof,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Lost => f.write_str("the connection broke or was silent"),
            Why::Closed => f.write_str("the stream was closed"),
            Why::Ended(condition) => write!(f, "the stream was ended with {}", condition.name()),
            Why::Confused(what) => f.write_str(what),
            Why::NoTls => f.write_str("no encryption is offered, and federation.without_tls does not name the domain"),
            Why::Handshake => f.write_str("the TLS handshake failed"),
            Why::Certificate(why) => write!(f, "the certificate proves nothing: {why}"),
            Why::NoProof => f.write_str("neither a certificate of ours nor dialback is accepted"),
        }
    }
}

impl Why {
    /// What those hear who wanted to say something to the domain.
    fn condition(&self) -> Condition {
        match self {
            Why::Ended(StreamCondition::HostUnknown | StreamCondition::HostGone) => Condition::RemoteServerNotFound,
            _ => Condition::RemoteServerTimeout,
        }
    }
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Why {
        match fault {
            Fault::Lost => Why::Lost,
            Fault::Closed => Why::Closed,
            Fault::Error(error) if error.condition == StreamCondition::ConnectionTimeout => Why::Lost,
            Fault::Error(error) => Why::Confused(error.condition.name()),
        }
    }
}

/// Opens a stream for a pair of domains and proves who we are, as far as the other side's answer is not waited for: that comes with the
/// stream itself.
pub(super) async fn connect(federation: &Federation, host: &Arc<Host>, remote: &Jid) -> Result<Proved, Condition> {
    let mut attempts = Attempts::new(federation, host, remote);
    loop {
        let reached = attempts.next().await?;
        match reached.prove(federation, host, remote).await {
            Ok(proved) => return Ok(proved),
            Err(why) => attempts.failed(why),
        }
    }
}

/// The ways to a domain's servers, tried one after the other until one of them leads to what is wanted.
pub(super) struct Attempts<'a> {
    federation: &'a Federation,
    host: &'a Arc<Host>,
    remote: &'a Jid,
    dialling: Dialling,
    /// Where the present attempt leads.
    at: Option<(Target, SocketAddr)>,
    last: Option<Condition>,
}

impl<'a> Attempts<'a> {
    /// Nothing is tried yet.
    pub(super) fn new(federation: &'a Federation, host: &'a Arc<Host>, remote: &'a Jid) -> Attempts<'a> {
        let values = federation.server.hosts.load().values.clone();
        let dialling = Dialling::new(federation.resolver.clone(), values, remote.as_str());
        Attempts { federation, host, remote, dialling, at: None, last: None }
    }

    /// The next stream that comes about; what those hear who wait if there is none.
    pub(super) async fn next(&mut self) -> Result<Reached, Condition> {
        loop {
            let dialed = match self.dialling.next(&self.federation.server.rng).await {
                Ok(dialed) => dialed,
                Err(unreachable) => {
                    tracing::info!(host = self.host.name.as_str(), remote = self.remote.as_str(), why = %unreachable,
                        "a server cannot be reached");
                    return Err(self.last.unwrap_or_else(|| unreachable.condition()));
                }
            };
            self.at = Some((dialed.target.clone(), dialed.address));
            match reach(self.federation, self.host, self.remote, dialed).await {
                Ok(reached) => return Ok(reached),
                Err(why) => self.failed(why),
            }
        }
    }

    /// The last one was of no use.
    pub(super) fn failed(&mut self, why: Why) {
        self.last = Some(why.condition());
        if let Some((target, address)) = self.at.take() {
            self.dialling.failed(target, address, &why.to_string());
        }
    }
}

/// Opens and encrypts a stream over a fresh connection, up to the features that let us prove something.
async fn reach(federation: &Federation, host: &Host, remote: &Jid, dialed: Dialed) -> Result<Reached, Why> {
    let Dialed { socket, target, address } = dialed;
    let address = address.ip();
    let _ = socket.set_nodelay(true);
    let reached = match target.entry {
        Entry::DirectTls => encrypt(federation, host, remote, (socket, address), Entry::DirectTls).await?,
        Entry::StartTls => {
            let mut stream = Stream::server(Socket::Plain(socket));
            let greeting = greet(&mut stream, host, remote).await?;
            if greeting.features.get(ns::TLS, "starttls").is_some() {
                let socket = proceed(stream).await?;
                encrypt(federation, host, remote, (socket, address), Entry::StartTls).await?
            } else if policy::needs_tls(host, Some(remote)) {
                return Err(Why::NoTls);
            } else {
                Reached { stream, address, shown: Shown::default(), is_encrypted: false, greeting }
            }
        }
    };
    let now_ms = federation.server.clock.unix_ms();
    if !policy::takes_dialback(host) && reached.shown.proves(remote, now_ms).is_none() {
        return Err(Why::Certificate(if reached.shown.is_trusted() {
            "it is for another domain"
        } else {
            reached.shown.why
        }));
    }
    Ok(reached)
}

/// Asks for STARTTLS; the socket behind it.
async fn proceed(mut stream: Stream) -> Result<TcpStream, Why> {
    stream.send(&starttls::request().to_vec(ns::SERVER)).await?;
    let answer = hear(&mut stream).await?;
    // Whatever came behind `<proceed/>` came in clear text, perhaps from somebody else.
    if !answer.is(ns::TLS, "proceed") || stream.has_unread() {
        return Err(Why::Confused("no word to go on with TLS"));
    }
    match stream.into_parts() {
        (Socket::Plain(socket), ..) => Ok(socket),
        _ => Err(Why::Lost),
    }
}

async fn encrypt(
    federation: &Federation,
    host: &Host,
    remote: &Jid,
    (socket, address): (TcpStream, IpAddr),
    entry: Entry,
) -> Result<Reached, Why> {
    let to_servers = host.tls.as_ref().map_or(&federation.without_certificate, |tls| &tls.to_servers);
    let config = match entry {
        Entry::StartTls => to_servers.starttls.clone(),
        Entry::DirectTls => to_servers.direct.clone(),
    };
    let deadline = Instant::now() + HANDSHAKE;
    let handshake = timeout_at(deadline, handshake::connect(socket, config, remote)).await;
    let socket = handshake.ok().flatten().ok_or(Why::Handshake)?;
    let shown = federation.authorities.judge(socket.get_ref().1.peer_certificates().unwrap_or_default());
    let mut stream = Stream::server(Socket::Tls(Box::new(socket.into())));
    let greeting = greet(&mut stream, host, remote).await?;
    Ok(Reached { stream, address, shown, is_encrypted: true, greeting })
}

/// Opens a stream and hears its features.
async fn greet(stream: &mut Stream, host: &Host, remote: &Jid) -> Result<Greeting, Why> {
    stream.open(&host.name, remote).await?;
    let header = stream.header().await?;
    let opened =
        header::Opened::judge(&header, StreamKind::Server).map_err(|_| Why::Confused("no header of a server"))?;
    if opened.from.as_ref().is_some_and(|from| from != remote) {
        // What it says next would tell more, but it is not the domain that was called.
        return Err(match stream.element().await.ok().as_ref().and_then(StreamError::read) {
            Some(error) => Why::Ended(error.condition),
            None => Why::Confused("another domain answers"),
        });
    }
    if !opened.has_version {
        return Err(Why::Confused("a server from before RFC 3920"));
    }
    let features = Features::read(&hear(stream).await?).ok_or(Why::Confused("no features"))?;
    Ok(Greeting { id: opened.id, has_dialback: opened.has_dialback, features })
}

/// The next element, unless it ends the stream.
pub(super) async fn hear(stream: &mut Stream) -> Result<Element, Why> {
    let element = stream.element().await?;
    match StreamError::read(&element) {
        Some(error) => Err(Why::Ended(error.condition)),
        None => Ok(element),
    }
}

impl Reached {
    /// Proves who we are: with the certificate if the other side offers to look at it, and otherwise by dialback, also where the
    /// certificate was refused.
    async fn prove(mut self, federation: &Federation, host: &Host, remote: &Jid) -> Result<Proved, Why> {
        let pair = Pair { local: host.name.clone(), remote: remote.clone() };
        let mut out = Vec::new();
        let ways = self.ways(host, remote);
        if ways == Ways::Both {
            bidi::request(limits(host).stanza_bytes, host.values.duration(&IDLE).as_secs()).write(&mut out, ns::SERVER);
        }
        let mut accepted = Vec::new();
        if self.offers_external(host) {
            let authzid = encode(host.name.as_str().as_bytes());
            Request::Auth { mechanism: EXTERNAL.to_owned(), data: Some(authzid) }.tree().write(&mut out, ns::SERVER);
            self.stream.send(&out).await?;
            out.clear();
            if self.is_external(host, remote).await? {
                accepted.push(pair.clone());
            }
        }
        if accepted.is_empty() && !self.takes_dialback(host) {
            return Err(Why::NoProof);
        }
        if !out.is_empty() {
            self.stream.send(&out).await?;
        }
        let mut proofs = Proofs::default();
        if ways == Ways::Both && !accepted.is_empty() {
            // The first of its stream: there is room.
            let _ = proofs.add(pair.clone(), self.called(federation, remote));
        }
        let counts_theirs = self.greeting.features.get(ns::STREAM_MANAGEMENT, "sm").is_some();
        let announced = self.limits(!accepted.is_empty());
        let holds_until_ms = match self.is_encrypted {
            true => holds_until_ms(&self.shown, host, federation.server.clock.unix_ms()),
            false => u64::MAX,
        };
        Ok(Proved {
            asks: accepted.is_empty().then_some(pair),
            stream: self.stream,
            remote: Some(remote.clone()),
            address: self.address,
            opened: Opened::ByUs,
            ways,
            id: self.greeting.id.unwrap_or_default(),
            shown: self.shown,
            is_encrypted: self.is_encrypted,
            proofs,
            first: None,
            counts_theirs,
            limits: announced,
            holds_until_ms,
            accepted,
        })
    }

    /// What the other side takes. Some announce the limit of strangers before anything is proved, and by dialback nothing is announced
    /// again: the least that RFC 6120 section 13.12 allows tells nothing then.
    fn limits(&self, is_authenticated: bool) -> Announced {
        let limits = self.greeting.features.get(ns::STREAM_LIMITS, "limits");
        let mut limits = limits.map_or_else(Announced::default, Announced::read);
        limits.bytes_max = limits.bytes_max.filter(|bytes| is_authenticated || *bytes > STRANGERS_BYTES_MAX);
        limits
    }

    /// What proves that stanzas which come on a stream of ours are from the domain that was called.
    fn called(&self, federation: &Federation, remote: &Jid) -> Proof {
        called(&self.shown, remote, federation.server.clock.unix_ms())
    }

    fn ways(&self, host: &Host, remote: &Jid) -> Ways {
        let is_offered = self.greeting.features.get(ns::BIDI_FEATURE, "bidi").is_some();
        if is_offered && self.is_encrypted && policy::takes_bidi(host, remote) { Ways::Both } else { Ways::Out }
    }

    fn offers_external(&self, host: &Host) -> bool {
        let mechanisms = self.greeting.features.get(ns::SASL, "mechanisms").map(sasl::mechanisms);
        let is_offered = mechanisms.is_some_and(|names| names.iter().any(|name| name == EXTERNAL));
        is_offered && self.is_encrypted && host.tls.is_some() && policy::takes_certificates(host)
    }

    fn takes_dialback(&self, host: &Host) -> bool {
        let is_known =
            self.greeting.has_dialback || self.greeting.features.get(ns::DIALBACK_FEATURE, "dialback").is_some();
        is_known && policy::takes_dialback(host) && self.greeting.id.as_ref().is_some_and(|id| !id.is_empty())
    }

    /// Whether the other side takes our certificate; if so the stream is a new one.
    async fn is_external(&mut self, host: &Host, remote: &Jid) -> Result<bool, Why> {
        loop {
            match Answer::read(&hear(&mut self.stream).await?) {
                Some(Answer::Success(_)) => break,
                Some(Answer::Challenge(_)) => {
                    let response = Request::Response("=".to_owned()).tree();
                    self.stream.send(&response.to_vec(ns::SERVER)).await?;
                }
                Some(Answer::Failure { condition, .. }) => {
                    tracing::info!(
                        host = host.name.as_str(),
                        remote = remote.as_str(),
                        why = condition.name(),
                        "a server refuses our certificate"
                    );
                    return Ok(false);
                }
                None => return Err(Why::Confused("no answer to our certificate")),
            }
        }
        self.stream.restart();
        self.greeting = greet(&mut self.stream, host, remote).await?;
        Ok(true)
    }
}

/// See [`Reached::called`].
pub(super) fn called(shown: &Shown, remote: &Jid, now_ms: u64) -> Proof {
    match shown.proves(remote, now_ms) {
        Some(until_ms) => Proof { method: Method::Certificate, at_ms: now_ms, until_ms: Some(until_ms) },
        None => Proof { method: Method::Called, at_ms: now_ms, until_ms: None },
    }
}
