//! Streams that other servers open, as types: `Opened`, `Secured`, and then [`Proved`]. Each owns the connection and goes over into the
//! next by a method that consumes it. What is offered in each is decided here.

use std::sync::Arc;

use metronome_host::hosts::{Host, Tls};
use metronome_host::linked;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::bidi;
use metronome_proto::payload::dialback::{Dialback, Says, Step};
use metronome_proto::payload::sasl::{self, Answer, Request};
use metronome_proto::payload::starttls::{self, Need};
use metronome_proto::payload::stream_limits::Announced;
use metronome_proto::stanza::error::Condition as DialbackCondition;
use metronome_proto::stream::error::Condition;
use metronome_proto::stream::features::Features;
use metronome_proto::stream::header::{self, StreamKind};
use metronome_proto::xml::Element;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::authorise::{Method, Pair, Proof, Proofs};
use super::dialback::{self, Ways};
use super::external::{self, EXTERNAL, Shown};
use super::negotiate::{Proved, announce, holds_until_ms, limits, named};
use super::{Context, policy};
use crate::listen::{Accepted, Entry};
use crate::socket::Socket;
use crate::stream::{Fault, Stream};
use crate::tls::handshake;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// Attempts at SASL that may fail; the next failure ends the stream.
const FAILURES_MAX: u32 = 2;

/// A stream whose header was read and that is not encrypted.
struct Opened {
    context: Context,
    stream: Stream,
    to: OpenedTo,
}

/// A stream on which domains may be proved: encrypted, or excepted from that by the administrator.
struct Secured {
    context: Context,
    stream: Stream,
    shown: Shown,
    is_encrypted: bool,
    /// The header before STARTTLS: no later one may tell otherwise.
    fixed: Option<OpenedTo>,
    /// A stream that goes on without TLS: its id, and the first element behind the features.
    begun: Option<(String, Element)>,
}

/// What a stream header asks for.
#[derive(Clone)]
struct OpenedTo {
    host: Arc<Host>,
    /// Who the other side says that it is; servers that only ask about keys need not say it.
    from: Option<Jid>,
}

/// Why there is no next state. The other side is told by [`accept`].
struct End {
    stream: Stream,
    fault: Fault,
    host: Option<Arc<Host>>,
}

/// From the connection to a stream on which something is proved or may be by dialback, and the host that it was opened to; none if that did
/// not come about.
pub(super) async fn accept(context: Context, connection: Accepted) -> Option<(Arc<Host>, Proved)> {
    let (server, peer) = (context.server.clone(), context.address);
    match states(context, connection).await {
        Ok(accepted) => Some(accepted),
        Err(None) => None,
        Err(Some(end)) => {
            tracing::debug!(%peer, fault = ?end.fault, "a server's stream ends before anything is proved");
            end.stream.end(end.fault, &server.rng, end.host.as_ref()).await;
            None
        }
    }
}

async fn states(context: Context, connection: Accepted) -> Result<(Arc<Host>, Proved), Option<End>> {
    let secured = match connection {
        Accepted::Tcp(socket, Entry::StartTls) => {
            Opened::open(context, Stream::server(Socket::Plain(socket))).await?.secure().await?
        }
        Accepted::Tcp(socket, Entry::DirectTls) => direct(context, socket).await?,
        Accepted::Encrypted(encrypted) => {
            let mut secured = secured(context, encrypted.socket, None);
            secured.stream.give(encrypted.read);
            secured
        }
    };
    Ok(secured.prove().await?)
}

/// Reads and judges a stream header. With `fixed` it must ask for the same again.
async fn open(context: &Context, stream: &mut Stream, fixed: Option<&OpenedTo>) -> Result<OpenedTo, Fault> {
    let header = stream.header().await?;
    let opened = header::Opened::judge(&header, StreamKind::Server)?;
    // Without a version the other side knows neither TLS nor features: it is from before RFC 3920.
    if !opened.has_version {
        return Err(Condition::UnsupportedVersion.into());
    }
    let to = opened.to.ok_or(Condition::ImproperAddressing)?;
    let hosts = context.server.hosts.load();
    let host = hosts.spoken_for(to.as_str()).cloned().ok_or_else(|| hosts.absence(to.as_str()))?;
    if let Some(from) = &opened.from {
        if !from.is_domain() {
            return Err(Condition::ImproperAddressing.into());
        }
        // Nobody else speaks for a domain of ours.
        if hosts.known(from.as_str()).is_some() {
            return Err(Condition::InvalidFrom.into());
        }
        let now_ms = context.server.clock.unix_ms();
        if let Err(why) = context.server.gate.judge(&host, from.as_str(), now_ms) {
            tracing::debug!(
                host = host.name.as_str(),
                remote = from.as_str(),
                why = why.as_str(),
                "a server's stream is refused"
            );
            context.server.gate.turn_away(context.address, from.as_str(), now_ms);
            return Err(Condition::PolicyViolation.into());
        }
    }
    if let Some(fixed) = fixed {
        if fixed.host.name != host.name {
            return Err(Condition::NotAuthorized.into());
        }
        if fixed.from.is_some() && fixed.from != opened.from {
            return Err(Condition::InvalidFrom.into());
        }
    }
    stream.name_peer(opened.from.clone());
    Ok(OpenedTo { host, from: opened.from })
}

impl Opened {
    async fn open(context: Context, mut stream: Stream) -> Result<Opened, End> {
        match open(&context, &mut stream, None).await {
            Ok(to) => Ok(Opened { context, stream, to }),
            Err(fault) => Err(End { stream, fault, host: None }),
        }
    }

    fn end(self, fault: Fault) -> End {
        End { stream: self.stream, fault, host: Some(self.to.host) }
    }

    /// Offers STARTTLS (RFC 6120 section 5), and dialback beside it for those who may do without.
    async fn secure(mut self) -> Result<Secured, Option<End>> {
        match self.offer().await {
            Ok(Next::StartTls(tls)) => self.starttls(&tls).await,
            Ok(Next::Unencrypted(id, first)) => Ok(Secured {
                context: self.context,
                stream: self.stream,
                shown: Shown::default(),
                is_encrypted: false,
                fixed: Some(self.to),
                begun: Some((id, *first)),
            }),
            Err(fault) => Err(Some(self.end(fault))),
        }
    }

    /// Sends header and features, and hears what the other side does about them.
    async fn offer(&mut self) -> Result<Next, Fault> {
        let (tls, needs_tls) = (self.to.host.tls.clone(), policy::needs_tls(&self.to.host, self.to.from.as_ref()));
        let mut out = Vec::new();
        let id = self.stream.write_header(&mut out, &self.context.server.rng, Some(&self.to.host));
        let mut features = Features::new();
        if tls.is_some() {
            features.push(starttls::feature(if needs_tls { Need::Required } else { Need::Optional }));
        }
        if !needs_tls {
            announce(&self.to.host, &mut features);
        }
        features.write(&mut out);
        self.stream.send(&out).await?;
        loop {
            let element = self.stream.element().await?;
            match (&tls, Dialback::read(&element)) {
                (Some(tls), _) if starttls::is_request(&element) => return Ok(Next::StartTls(tls.clone())),
                _ if !needs_tls => return Ok(Next::Unencrypted(id, Box::new(element))),
                // Section 2.5 of XEP-0220: it is told why, and may still encrypt.
                (_, Some(Ok(said))) if matches!(said.says, Says::Key(_)) => {
                    let refused = said.answer(Says::Error(DialbackCondition::PolicyViolation));
                    self.stream.send(&refused.to_vec()).await?;
                }
                _ => return Err(Condition::PolicyViolation.into()),
            }
        }
    }

    async fn starttls(mut self, tls: &Tls) -> Result<Secured, Option<End>> {
        // Whatever came behind `<starttls/>` came in clear text, perhaps from somebody else: nothing of it may count.
        if self.stream.has_unread() {
            return Err(Some(self.end(Condition::PolicyViolation.into())));
        }
        if let Err(fault) = self.stream.send(&starttls::proceed().to_vec(ns::SERVER)).await {
            return Err(Some(self.end(fault)));
        }
        let deadline = self.stream.deadline().min(Instant::now() + HANDSHAKE);
        let (Socket::Plain(socket), ..) = self.stream.into_parts() else { return Err(None) };
        let handshake = async {
            let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await.ok()?;
            handshake::accept(&self.context.admission, hello, |_| tls.from_servers.clone()).await
        };
        let socket = timeout_at(deadline, handshake).await.ok().flatten().ok_or(None)?;
        Ok(secured(self.context, socket, Some(self.to)))
    }
}

/// What the other side does about the first features.
enum Next {
    StartTls(Arc<Tls>),
    /// It goes on as it is: the stream's id, and its first element.
    Unencrypted(String, Box<Element>),
}

/// Direct TLS (XEP-0368): the certificate is chosen by the name in the handshake, the first host's if there is none.
async fn direct(context: Context, socket: TcpStream) -> Result<Secured, Option<End>> {
    let hosts = context.server.hosts.load_full();
    let handshake = async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await.ok()?;
        let tls = hosts.shown_to(hello.client_hello().server_name()).tls.clone()?;
        handshake::accept(&context.admission, hello, |_| tls.from_servers.clone()).await
    };
    let deadline = Instant::now() + HANDSHAKE;
    let socket = timeout_at(deadline, handshake).await.ok().flatten().ok_or(None)?;
    Ok(secured(context, socket, None))
}

fn secured(context: Context, socket: TlsStream<TcpStream>, fixed: Option<OpenedTo>) -> Secured {
    let shown = context.federation.authorities.judge(socket.get_ref().1.peer_certificates().unwrap_or_default());
    let stream = Stream::server(Socket::Tls(Box::new(socket.into())));
    Secured { context, stream, shown, is_encrypted: true, fixed, begun: None }
}

/// A stream whose features were sent.
struct Offered {
    to: OpenedTo,
    id: String,
    first: Option<Element>,
    proofs: Proofs,
    /// Both, if the other side wants that.
    ways: Ways,
    /// What it takes then.
    limits: Announced,
}

impl Secured {
    /// Lets the other side prove who it is by its certificate, or begin with dialback.
    async fn prove(mut self) -> Result<(Arc<Host>, Proved), End> {
        let mut host = self.fixed.as_ref().map(|fixed| fixed.host.clone());
        let offered = match self.offer().await {
            Ok(offered) => {
                host = Some(offered.to.host.clone());
                self.hear(offered).await
            }
            Err(fault) => Err(fault),
        };
        match offered {
            Ok(offered) => Ok((offered.to.host.clone(), self.proved(offered))),
            Err(fault) => Err(End { stream: self.stream, fault, host }),
        }
    }

    fn proved(mut self, offered: Offered) -> Proved {
        let Offered { to, id, first, proofs, ways, limits: announced } = offered;
        if !proofs.is_empty() {
            self.stream.set_limits(limits(&to.host));
        }
        let holds_until_ms = match self.is_encrypted {
            true => holds_until_ms(&self.shown, &to.host, self.context.server.clock.unix_ms()),
            false => u64::MAX,
        };
        Proved {
            stream: self.stream,
            remote: to.from.clone(),
            address: self.context.address,
            opened: linked::Opened::ByThem,
            ways,
            id,
            shown: self.shown,
            is_encrypted: self.is_encrypted,
            proofs,
            accepted: Vec::new(),
            asks: None,
            first,
            // Unless it begins to.
            counts_theirs: false,
            limits: announced,
            holds_until_ms,
        }
    }

    async fn offer(&mut self) -> Result<Offered, Fault> {
        if let (Some((id, first)), Some(to)) = (self.begun.take(), &self.fixed) {
            let (proofs, limits) = (Proofs::default(), Announced::default());
            return Ok(Offered { to: to.clone(), id, first: Some(first), proofs, ways: Ways::In, limits });
        }
        let to = open(&self.context, &mut self.stream, self.fixed.as_ref()).await?;
        let mut features = Features::new();
        if self.may_be_external(&to) {
            features.push(sasl::feature([EXTERNAL]));
        }
        if self.may_be_bidi(&to) {
            features.push(bidi::feature());
        }
        announce(&to.host, &mut features);
        let id = self.say_features(&to, &features).await?;
        let (proofs, limits) = (Proofs::default(), Announced::default());
        Ok(Offered { to, id, first: None, proofs, ways: Ways::In, limits })
    }

    async fn say_features(&mut self, to: &OpenedTo, features: &Features) -> Result<String, Fault> {
        let mut out = Vec::new();
        let id = self.stream.write_header(&mut out, &self.context.server.rng, Some(&to.host));
        features.write(&mut out);
        self.stream.send(&out).await?;
        Ok(id)
    }

    /// Whether the certificate proves the domain of the stream; offered only where it will succeed (XEP-0178 section 3).
    fn may_be_external(&self, to: &OpenedTo) -> bool {
        let now_ms = self.context.server.clock.unix_ms();
        let is_proved = to.from.as_ref().is_some_and(|from| self.shown.proves(from, now_ms).is_some());
        self.is_encrypted && is_proved && policy::takes_certificates(&to.host)
    }

    fn may_be_bidi(&self, to: &OpenedTo) -> bool {
        self.is_encrypted && to.from.as_ref().is_some_and(|from| policy::takes_bidi(&to.host, from))
    }

    /// Hears what comes before the first request for a pair. Questions about keys are answered meanwhile.
    async fn hear(&mut self, mut offered: Offered) -> Result<Offered, Fault> {
        let mut failures = 0;
        loop {
            let element = match offered.first.take() {
                Some(element) => element,
                None => self.stream.element().await?,
            };
            if bidi::is_request(&element) && self.may_be_bidi(&offered.to) {
                (offered.ways, offered.limits) = (Ways::Both, Announced::of_bidi(&element));
            } else if let Some(Request::Auth { mechanism, data }) = Request::read(&element) {
                match self.external(&offered.to, &mechanism, data).await? {
                    Ok(proof) => return self.restarted(offered, proof).await,
                    Err(condition) if failures < FAILURES_MAX => {
                        failures += 1;
                        self.say(&Answer::Failure { condition, text: None }).await?;
                    }
                    Err(_) => return Err(Condition::PolicyViolation.into()),
                }
            } else if let Some(Ok(asked)) = Dialback::read(&element).filter(is_question) {
                let answer =
                    dialback::answer(&asked, &self.context.server.hosts.load(), &self.context.federation.secret);
                self.stream.send(&answer.to_vec()).await?;
            } else {
                offered.first = Some(element);
                return Ok(offered);
            }
        }
    }

    /// SASL EXTERNAL (XEP-0178 section 3): a proof, or why there is none.
    async fn external(
        &mut self,
        to: &OpenedTo,
        mechanism: &str,
        data: Option<String>,
    ) -> Result<Result<Proof, sasl::Condition>, Fault> {
        if mechanism != EXTERNAL {
            return Ok(Err(sasl::Condition::InvalidMechanism));
        }
        if !self.is_encrypted {
            return Ok(Err(sasl::Condition::EncryptionRequired));
        }
        if !policy::takes_certificates(&to.host) {
            return Ok(Err(sasl::Condition::NotAuthorized));
        }
        let data = match data {
            Some(data) => data,
            // The mechanism begins with the other side: an empty challenge asks it to (RFC 4422 section 3).
            None => {
                self.say(&Answer::Challenge(String::new())).await?;
                match Request::read(&self.stream.element().await?) {
                    Some(Request::Response(data)) => data,
                    Some(Request::Abort) => return Ok(Err(sasl::Condition::Aborted)),
                    _ => return Ok(Err(sasl::Condition::MalformedRequest)),
                }
            }
        };
        let at_ms = self.context.server.clock.unix_ms();
        let judged = external::judge(&data, to.from.as_ref(), &self.shown, at_ms);
        if let Err(condition) = judged {
            let (host, remote) = (to.host.name.as_str(), named(to.from.as_ref()));
            tracing::info!(host, remote, peer = %self.context.address, why = condition.name(), certificate = self.shown.why,
                "a server's certificate is no proof");
        }
        Ok(judged.map(|until_ms| Proof { method: Method::External, at_ms, until_ms: Some(until_ms) }))
    }

    /// The other side is told, and opens its stream anew.
    async fn restarted(&mut self, mut offered: Offered, proof: Proof) -> Result<Offered, Fault> {
        self.say(&Answer::Success(None)).await?;
        self.stream.restart();
        let to = open(&self.context, &mut self.stream, Some(&offered.to)).await?;
        let mut features = Features::new();
        announce(&to.host, &mut features);
        offered.id = self.say_features(&to, &features).await?;
        let remote = to.from.clone().ok_or(Condition::InvalidFrom)?;
        let pair = Pair { local: to.host.name.clone(), remote };
        // The first of its stream: there is room.
        let _ = offered.proofs.add(pair, proof);
        offered.to = to;
        Ok(offered)
    }

    async fn say(&mut self, answer: &Answer) -> Result<(), Fault> {
        self.stream.send(&answer.tree().to_vec(ns::SERVER)).await
    }
}

/// Whether somebody asks about a key of ours: that needs no proof of who asks.
fn is_question(read: &Result<Dialback, metronome_proto::payload::Malformed>) -> bool {
    read.as_ref().is_ok_and(|said| said.step == Step::Verify && matches!(said.says, Says::Key(_)))
}
