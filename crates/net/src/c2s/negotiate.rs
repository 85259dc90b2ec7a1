//! The states of a client's stream, as types: `Opened`, `Secured`, `Authenticated`, `Bound`. Each owns the connection and
//! goes over into the next by a method that consumes it; what is offered in each is decided here.

use std::sync::Arc;

use metronome_host::authn::Authn;
use metronome_host::certificates::{Certified, Fingerprint, Leaf};
use metronome_host::feature::StreamState;
use metronome_host::hosts::{Host, PLAIN_WITHOUT_TLS, Tls};
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::sm::Resumable;
use metronome_proto::payload::starttls::{self, Need};
use metronome_proto::payload::stream_limits;
use metronome_proto::stream::error::Condition;
use metronome_proto::stream::features::{Features, Written};
use metronome_proto::stream::header::{self, StreamKind};
use metronome_proto::xml::{Element, Limits, Scanner, Tree};
use metronome_route::timers::IDLE;
use metronome_sasl::{ClientCertificate, Offer, StreamFacts};
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::resume::{Arrival, Door, Doors};
use super::sasl2::Welcome;
use super::{Begun, Context};
use crate::listen::{Accepted, Entry};
use crate::socket::Socket;
use crate::stream::{Fault, Stream};
use crate::tls::handshake::Encrypted;
use crate::tls::{self, handshake};

const HANDSHAKE: Duration = Duration::from_secs(10);

/// A stream whose header was read and that is not encrypted.
struct Opened {
    context: Context,
    stream: Stream,
    to: OpenedTo,
}

/// A stream on which secrets may be sent. Made by TLS, or visibly without by [`Opened::unencrypted`].
pub(super) struct Secured {
    pub(super) context: Context,
    pub(super) stream: Stream,
    /// The host of the stream header before STARTTLS: no later header may name another.
    pub(super) fixed: Option<Arc<Host>>,
    pub(super) facts: StreamFacts,
    /// The addresses in a certificate that is trusted to prove them.
    pub(super) certified: Vec<String>,
    /// The certificate that the client has shown, whoever signed it.
    pub(super) leaf: Option<(Leaf, Fingerprint)>,
    /// The accounts that have stored it.
    pub(super) stored: Vec<(Jid, Certified)>,
    /// The host whose trust was asked for them, and whose certificate was shown.
    pub(super) shown_by: Jid,
    /// A stream that goes on without TLS: its header, and the first element behind the features.
    pub(super) begun: Option<(OpenedTo, Element)>,
}

/// A stream that belongs to an account.
pub(super) struct Authenticated {
    pub(super) context: Context,
    pub(super) stream: Stream,
    pub(super) host: Arc<Host>,
    pub(super) authn: Authn,
    /// The language of the client's stanzas.
    pub(super) lang: Option<Box<str>>,
    /// What is still to be said of the login, if it was by XEP-0388: its stream goes on, and is not opened anew.
    pub(super) welcome: Option<Box<Welcome>>,
}

/// A stream with a session.
pub(super) struct Bound {
    pub(super) server: Arc<Server>,
    pub(super) doors: Arc<Doors>,
    pub(super) socket: Socket,
    pub(super) scanner: Scanner,
    pub(super) unread: Vec<u8>,
    pub(super) host: Arc<Host>,
    pub(super) session: Arc<Session>,
    pub(super) lang: Option<Box<str>>,
    pub(super) begins: Option<Begins>,
}

/// Stream management that begins with a session (XEP-0198 section 11).
pub(super) struct Begins {
    pub(super) resumable: Resumable,
    pub(super) max_s: Option<u32>,
    /// The end of the login, with `<enabled/>` in it; it has not been written.
    pub(super) says: Box<dyn FnOnce(Tree) -> Vec<u8> + Send>,
}

/// What comes of a connection.
pub(super) enum Negotiated {
    /// A session.
    Bound(Box<Bound>),
    /// It takes the place of one that was lost (XEP-0198): it is handed over at this door.
    Resumed(Arc<Door>, Box<Arrival>),
}

/// Why there is no next state. The stream is told by [`negotiate`].
pub(super) struct End {
    pub(super) stream: Stream,
    pub(super) fault: Fault,
    pub(super) host: Option<Arc<Host>>,
}

/// From the connection to the bound resource, or to the stream that it resumes; none if that did not come about.
pub(super) async fn negotiate(context: Context, begun: Begun) -> Option<Negotiated> {
    let server = context.server.clone();
    let peer = context.address;
    match states(context, begun).await {
        Ok(negotiated) => Some(negotiated),
        Err(None) => None,
        Err(Some(end)) => {
            tracing::debug!(%peer, fault = ?end.fault, "a stream ends before it is bound");
            end.stream.end(end.fault, &server.rng, end.host.as_ref()).await;
            None
        }
    }
}

async fn states(context: Context, begun: Begun) -> Result<Negotiated, Option<End>> {
    let secured = match begun {
        Begun::Accepted(Accepted::Tcp(socket, Entry::StartTls)) => {
            let opened = Opened::open(context, Stream::client(Socket::Plain(socket))).await?;
            opened.secure().await?
        }
        Begun::Accepted(Accepted::Tcp(socket, Entry::DirectTls)) => direct(context, socket).await?,
        Begun::Accepted(Accepted::Encrypted(encrypted)) => encrypted_already(context, *encrypted),
        Begun::Carried(socket, facts, shown_by) => carried(context, socket, facts, shown_by),
    };
    let authenticated = secured.authenticate().await?;
    Ok(authenticated.bind().await?)
}

/// What a stream header asks for.
pub(super) struct OpenedTo {
    pub(super) host: Arc<Host>,
    /// Who the client says that it is.
    pub(super) from: Option<Jid>,
    /// The language of the client's stanzas.
    pub(super) lang: Option<Box<str>>,
}

/// Reads and judges a stream header. With `fixed` it must name the same host again.
pub(super) async fn open(context: &Context, stream: &mut Stream, fixed: Option<&Arc<Host>>) -> Result<OpenedTo, Fault> {
    let header = stream.header().await?;
    let opened = header::Opened::judge(&header, StreamKind::Client)?;
    // Without a version the peer knows neither TLS nor SASL, so there is nothing that it could do here.
    if !opened.has_version {
        return Err(Condition::UnsupportedVersion.into());
    }
    let to = opened.to.ok_or(Condition::ImproperAddressing)?;
    let hosts = context.server.hosts.load();
    let host = hosts.get(to.as_str()).cloned().ok_or_else(|| hosts.absence(to.as_str()))?;
    // What was proved to one host proves nothing to another.
    if fixed.is_some_and(|fixed| fixed.name != host.name) {
        return Err(Condition::NotAuthorized.into());
    }
    // Nobody of another domain has an account here.
    if opened.from.as_ref().is_some_and(|from| from.domain() != host.name.as_str()) {
        return Err(Condition::InvalidFrom.into());
    }
    let lang = opened.lang.map(String::into_boxed_str);
    Ok(OpenedTo { host: fixed.cloned().unwrap_or(host), from: opened.from, lang })
}

/// What the features of the server announce on a stream in this state.
pub(super) fn announced<'a>(context: &Context, host: &'a Host, when: StreamState) -> &'a [Written] {
    host.features.of(when, || {
        let of_features = host.registry.stream(when).filter_map(|feature| (feature.announce)(&context.server, host));
        // XEP-0478: who has not logged in says little, and has to hurry in any case.
        let limits = match when {
            StreamState::Secured => stream_limits::feature(Limits::BEFORE_AUTH.stanza_bytes, None),
            StreamState::Authenticated => {
                stream_limits::feature(host.limits.stanza_bytes, Some(host.values.duration(&IDLE).as_secs()))
            }
        };
        of_features.chain([limits]).map(Written::new).collect()
    })
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

    /// Offers STARTTLS (RFC 6120 section 5), and the mechanisms beside it where the host lets clients in without TLS.
    async fn secure(mut self) -> Result<Secured, Option<End>> {
        let tls = self.to.host.tls.clone();
        let need = if self.to.host.values.flag(&tls::REQUIRE) { Need::Required } else { Need::Optional };
        let element = match self.offer(tls.is_some(), need).await {
            Ok(element) => element,
            Err(fault) => return Err(Some(self.end(fault))),
        };
        match tls {
            Some(tls) if starttls::is_request(&element) => self.starttls(&tls).await,
            _ if need == Need::Optional => Ok(self.unencrypted(element)),
            _ => Err(Some(self.end(Condition::PolicyViolation.into()))),
        }
    }

    /// Sends header and features; answers what the client sends next.
    async fn offer(&mut self, tls: bool, need: Need) -> Result<Element, Fault> {
        let mut out = Vec::new();
        self.stream.write_header(&mut out, &self.context.server.rng, Some(&self.to.host));
        let mut features = Features::new();
        let mut others = &[][..];
        if tls {
            features.push(starttls::feature(need));
        }
        if need == Need::Optional {
            super::auth::announce(&Offer::new(&self.to.host.sasl, StreamFacts::default()), &mut features);
            // Without TLS only what the administrator lets in without TLS is offered: the rest sends passwords.
            if self.to.host.values.flag(&PLAIN_WITHOUT_TLS) {
                others = announced(&self.context, &self.to.host, StreamState::Secured);
            }
        }
        features.write_before(others, &mut out);
        self.stream.send(&out).await?;
        self.stream.element().await
    }

    async fn starttls(mut self, tls: &Tls) -> Result<Secured, Option<End>> {
        // Whatever came behind `<starttls/>` came in clear text, perhaps from somebody else: nothing of it may count.
        if self.stream.has_unread() {
            return Err(Some(self.end(Condition::PolicyViolation.into())));
        }
        if let Err(fault) = self.stream.send(&starttls::proceed().to_vec(ns::CLIENT)).await {
            return Err(Some(self.end(fault)));
        }
        let deadline = self.stream.deadline().min(Instant::now() + HANDSHAKE);
        let (Socket::Plain(socket), ..) = self.stream.into_parts() else { return Err(None) };
        let handshake = async {
            let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await.ok()?;
            handshake::accept(&self.context.admission, hello, |hello| tls::config_for(tls, hello)).await
        };
        let socket = timeout_at(deadline, handshake).await.ok().flatten().ok_or(None)?;
        let shown_by = self.to.host.name.clone();
        Ok(secured(self.context, socket, Some(self.to.host), tls, shown_by))
    }

    /// A stream without TLS on which clients may log in all the same, because the administrator said so.
    fn unencrypted(self, first: Element) -> Secured {
        Secured {
            context: self.context,
            stream: self.stream,
            fixed: Some(self.to.host.clone()),
            facts: StreamFacts::default(),
            certified: Vec::new(),
            leaf: None,
            stored: Vec::new(),
            shown_by: self.to.host.name.clone(),
            begun: Some((self.to, first)),
        }
    }
}

/// Direct TLS (XEP-0368).
async fn direct(context: Context, socket: TcpStream) -> Result<Secured, Option<End>> {
    let handshake = handshake::of_client(&context.server, &context.admission, socket);
    let encrypted = timeout_at(Instant::now() + HANDSHAKE, handshake).await.ok().flatten().ok_or(None)?;
    Ok(encrypted_already(context, encrypted))
}

fn encrypted_already(context: Context, encrypted: Encrypted) -> Secured {
    let Encrypted { socket, tls, shown_by, read } = encrypted;
    let mut secured = secured(context, socket, None, &tls, shown_by);
    secured.stream.give(read);
    secured
}

/// A stream within something that another part of the server has accepted.
fn carried(context: Context, socket: Socket, facts: StreamFacts, shown_by: Jid) -> Secured {
    let (certified, stored) = (Vec::new(), Vec::new());
    let stream = Stream::client(socket);
    Secured { context, stream, fixed: None, facts, certified, leaf: None, stored, shown_by, begun: None }
}

/// Gathers what the TLS connection proves.
fn secured(
    context: Context,
    socket: TlsStream<TcpStream>,
    fixed: Option<Arc<Host>>,
    tls: &Tls,
    shown_by: Jid,
) -> Secured {
    let connection = socket.get_ref().1;
    let bindings = tls::bindings(connection, tls);
    let chain = connection.peer_certificates().unwrap_or_default();
    let trusted = tls.trusts.as_ref().is_some_and(|trusts| trusts(chain));
    let leaf = chain.first().and_then(|der| Leaf::read(der).map(|leaf| (leaf, Fingerprint::of(der))));
    let certified = leaf.iter().filter(|_| trusted).flat_map(|(leaf, _)| leaf.addresses.clone()).collect::<Vec<_>>();
    let certificate = if certified.is_empty() { ClientCertificate::Absent } else { ClientCertificate::Verified };
    let facts = StreamFacts { encrypted: true, bindings, certificate };
    Secured {
        context,
        stream: Stream::client(Socket::Tls(Box::new(socket.into()))),
        fixed,
        facts,
        certified,
        leaf,
        stored: Vec::new(),
        shown_by,
        begun: None,
    }
}
