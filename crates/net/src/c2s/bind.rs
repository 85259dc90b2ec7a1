//! Resource binding (RFC 6120 section 7): the authenticated account's full JID, and its place in the table of sessions.

use std::sync::Arc;

use metronome_features::accounts::guests::{self, Arrived};
use metronome_features::blocking::watch;
use metronome_host::feature::StreamState;
use metronome_host::session::{Bound as Binding, Lock, Session};
use metronome_host::sessions::{BindRules, Unbound};
use metronome_model::AccountState;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::sm::{self, Said};
use metronome_proto::payload::{bind, compress, session};
use metronome_proto::stanza::error::{Condition as Refusal, StanzaError};
use metronome_proto::stanza::{IqType, Kind, Received, Stanza, Unreadable};
use metronome_proto::stream::error::Condition;
use metronome_proto::stream::features::Features;
use metronome_proto::xml::Tree;
use metronome_route::presence;

use super::negotiate::{Authenticated, Begins, Bound, End, Negotiated, announced, open};
use super::resume::{Arrival, Door};
use super::{Context, certified, guest};
use crate::stream::Fault;

/// What a client asks for once it has logged in.
enum Request {
    Bind(Box<Stanza>),
    Resume { previd: Box<str>, h: u32 },
    Compress(Result<(), compress::Condition>),
}

/// What comes of it.
pub(super) enum Begun {
    Session(Arc<Session>, Option<Begins>),
    Resumed { door: Arc<Door>, previd: Box<str>, h: u32, told: Told },
}

/// How a client is told that its stream is resumed: what is written before it, and what it stands in.
pub(super) struct Told {
    pub(super) before: Vec<u8>,
    pub(super) answer: fn(Tree) -> Vec<u8>,
}

impl Authenticated {
    /// Opens the new stream and binds a resource, or resumes an earlier stream.
    pub(super) async fn bind(mut self) -> Result<Negotiated, End> {
        match self.session().await {
            Ok(Begun::Session(session, begins)) => {
                let (socket, scanner, unread) = self.stream.into_parts();
                let (host, lang, Context { server, doors, .. }) = (self.host, self.lang, self.context);
                Ok(Negotiated::Bound(Box::new(Bound {
                    server,
                    doors,
                    socket,
                    scanner,
                    unread,
                    host,
                    session,
                    lang,
                    begins,
                })))
            }
            Ok(Begun::Resumed { door, previd, h, told: Told { before, answer } }) => {
                let (socket, scanner, unread) = self.stream.into_parts();
                let admitted = None;
                let arrival = Arrival { socket, scanner, unread, before, answer, previd, h, admitted };
                Ok(Negotiated::Resumed(door, Box::new(arrival)))
            }
            Err(fault) => Err(End { stream: self.stream, fault, host: Some(self.host) }),
        }
    }

    async fn session(&mut self) -> Result<Begun, Fault> {
        if let Some(welcome) = self.welcome.take() {
            return self.welcomed(*welcome).await;
        }
        let out = self.opened().await?;
        self.requested(out).await
    }

    /// Reads the header of a stream that begins anew; ours, to be sent with the features.
    pub(super) async fn opened(&mut self) -> Result<Vec<u8>, Fault> {
        let to = open(&self.context, &mut self.stream, Some(&self.host)).await?;
        self.lang = to.lang.or(self.lang.take());
        let mut out = Vec::new();
        self.stream.write_header(&mut out, &self.context.server.rng, Some(&self.host));
        Ok(out)
    }

    /// Sends the features behind `out`.
    async fn offer(&mut self, mut out: Vec<u8>) -> Result<(), Fault> {
        let mut features = Features::new().with(bind::feature()).with(session::feature());
        if let Some(compression) = self.compression() {
            features.push(compression);
        }
        features.write_before(announced(&self.context, &self.host, StreamState::Authenticated), &mut out);
        self.stream.send(&out).await?;
        self.stream.set_limits(self.host.limits);
        Ok(())
    }

    /// What the client asks for once it has its features, which are sent behind `out`.
    pub(super) async fn requested(&mut self, out: Vec<u8>) -> Result<Begun, Fault> {
        self.offer(out).await?;
        loop {
            let request = match self.request().await? {
                Request::Bind(request) => request,
                Request::Compress(asked) => {
                    if let Some(out) = self.compress(asked).await? {
                        self.offer(out).await?;
                    }
                    continue;
                }
                Request::Resume { previd, h } => {
                    if let Some(door) = self.door(&previd).await? {
                        let told = Told { before: Vec::new(), answer: |resumed| resumed.to_vec(ns::CLIENT) };
                        return Ok(Begun::Resumed { door, previd, h, told });
                    }
                    let failed = self.context.doors.failed(&previd, self.authn.jid().as_str());
                    self.stream.send(&failed.to_vec(ns::CLIENT)).await?;
                    continue;
                }
            };
            match self.claim(&request).await {
                Ok(session) => {
                    self.recheck(&session).await?;
                    return match self.stream.send(&bound(&request, &session.jid)).await {
                        Ok(()) => Ok(Begun::Session(session, None)),
                        Err(fault) => {
                            presence::gone(&self.context.server, &session);
                            Err(fault)
                        }
                    };
                }
                Err(refusal) => {
                    if let Some(answer) = request.error(&refusal) {
                        self.stream.send(&answer.to_vec()).await?;
                    }
                }
            }
        }
    }

    /// Where the stream of this name is resumed, if it is one of the account.
    pub(super) async fn door(&self, previd: &str) -> Result<Option<Arc<Door>>, Fault> {
        let found = self.context.doors.find(previd, self.authn.jid().as_str());
        if let Some(door) = &found
            && !certified::may_resume(&self.context.server, &self.authn, &door.session).await
        {
            return Err(Condition::NotAuthorized.into());
        }
        Ok(found)
    }

    /// The account may have been disabled, deleted or given another password since the login, its domain may have been switched off,
    /// and the server may be stopping.
    pub(super) async fn recheck(&self, session: &Session) -> Result<(), Fault> {
        let server = &self.context.server;
        // What is known in memory is enough: whoever changes an account forgets it there first and then ends the sessions in the table,
        // where this one stands. A login that is not the first asks the store no more than for its keys.
        let facts = server.facts.of(&*server.store, &session.jid).await;
        let account = facts.map(|facts| facts.map(|facts| facts.account.clone()).filter(|it| it.id == session.account));
        let fault = match account {
            _ if server.control.is_stopping() => Condition::SystemShutdown,
            _ if server.hosts.load().get(session.jid.domain()).is_none() => Condition::HostGone,
            Ok(account)
                if self.authn.still_counts(account.as_ref()) && certified::still_stored(server, session).await =>
            {
                if account.is_some_and(|account| account.state == AccountState::Locked) {
                    self.lock(session).await;
                }
                match watch::watch(server, session).await {
                    Ok(()) => return Ok(()),
                    Err(_) => Condition::InternalServerError,
                }
            }
            Ok(_) => Condition::NotAuthorized,
            Err(error) => {
                tracing::error!(%error, "an account could not be read");
                Condition::InternalServerError
            }
        };
        presence::gone(server, session);
        Err(fault.into())
    }

    /// The account was locked a moment ago. Whoever locks or unlocks it meanwhile finds the session in the table, or has changed the
    /// row that is read here: both hold the owner's lock.
    async fn lock(&self, session: &Session) {
        let server = &self.context.server;
        let _locked = server.owners.lock(&[session.account]).await;
        let now = server.store.account_by_id(session.account).await;
        if !now.is_ok_and(|account| account.is_some_and(|account| account.state == AccountState::Active)) {
            session.set_locked(Lock::Locked);
        }
    }

    /// The client's request; nothing but binding is allowed now (section 7.1), or taking up an earlier stream (XEP-0198 section 5).
    async fn request(&mut self) -> Result<Request, Fault> {
        loop {
            let element = self.stream.element().await?;
            if element.ns() == ns::STREAM_MANAGEMENT {
                if let Some(Ok(Said::Resume { previd, h })) = Said::read(&element) {
                    return Ok(Request::Resume { previd, h });
                }
                // It may be enabled once there is a resource.
                self.stream.send(&sm::failed(Refusal::UnexpectedRequest, None).to_vec(ns::CLIENT)).await?;
                continue;
            }
            if let Some(asked) = compress::asked(&element) {
                return Ok(Request::Compress(asked));
            }
            return match Received::read(element, ns::CLIENT) {
                Ok(read) if read.kind == Kind::Iq(IqType::Set) && read.content.has(ns::BIND, "bind") => {
                    Ok(Request::Bind(Box::new(read.stamp(self.authn.jid().clone()))))
                }
                Err(Unreadable::NotStanza(_)) => Err(Condition::UnsupportedStanzaType.into()),
                _ => Err(Condition::NotAuthorized.into()),
            };
        }
    }

    /// The full address that the client asks for; none if it is no address.
    fn wanted(&self, request: &Stanza) -> Option<Jid> {
        let wanted = bind::Request::read(&request.child(ns::BIND, "bind")?).ok()?;
        let resource = wanted.resource.unwrap_or_else(|| self.context.server.rng.token());
        self.authn.jid().with_resource(&resource).ok()
    }

    /// Claims the resource that the client wants.
    async fn claim(&self, request: &Stanza) -> Result<Arc<Session>, Box<StanzaError>> {
        let jid = self.wanted(request).ok_or_else(|| Box::new(StanzaError::new(Refusal::BadRequest)))?;
        let rules = if self.authn.is_guest() { guest::rules(&self.host) } else { self.host.bind };
        self.claim_as(jid, rules).await
    }

    /// Claims this address. A guest's account is found or made before, and cannot end in between.
    pub(super) async fn claim_as(&self, jid: Jid, rules: BindRules) -> Result<Arc<Session>, Box<StanzaError>> {
        let server = &self.context.server;
        let (account, _arrived) = match self.authn.account() {
            Some(account) => (account, None),
            None => {
                let Arrived { account, locked } = guests::arrive(server, &jid).await?;
                (account, Some(locked))
            }
        };
        let binding = Binding {
            jid,
            account,
            since_ms: server.clock.unix_ms(),
            heard_ms: server.clock.steady_ms(),
            address: self.context.address,
            port: self.context.port,
            mechanism: self.authn.mechanism(),
        };
        let bound = server.sessions.bind(binding, rules, || server.rng.token());
        let bound = bound.map_err(|unbound| match unbound {
            Unbound::Conflict => StanzaError::new(Refusal::Conflict),
            Unbound::TooMany if self.authn.is_guest() => guest::too_many(),
            Unbound::TooMany => StanzaError::new(Refusal::ResourceConstraint),
            Unbound::BadResource => StanzaError::new(Refusal::BadRequest),
        })?;
        if !self.stream.is_encrypted() {
            bound.session.set_readable();
        }
        bound.session.set_certificate(self.authn.certificate());
        if let Some(replaced) = bound.replaced {
            self.replace(&replaced);
        }
        Ok(bound.session)
    }

    /// Ends an earlier session of the same account.
    pub(super) fn replace(&self, replaced: &Session) {
        replaced.close(Condition::Conflict, Some("replaced by a new connection"));
        presence::gone(&self.context.server, replaced);
    }
}

/// The answer to a client that has its address now. Without addresses itself, as the examples of RFC 6120 section 7.6 have it: until the client
/// has read it, it need not know who it is, and some libraries take no answer from whom they do not know.
fn bound(request: &Stanza, jid: &Jid) -> Vec<u8> {
    let answer = Tree::new(ns::CLIENT, "iq").attr("type", "result").attr_opt("id", request.id.as_deref());
    answer.child(bind::result(jid)).to_vec(ns::CLIENT)
}
