//! SASL (RFC 6120 section 6) on a client's stream: drives the exchange, gives it what it needs, counts failures.
//! The mechanisms are in `sasl`; the one place where their proof becomes an account is `host::authn`.

use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::sync::Arc;

use metronome_features::register::newcomer::Newcomer;
use metronome_host::authn::Authn;
use metronome_host::derivations::Patience;
use metronome_host::feature::StreamState;
use metronome_host::hosts::{self, Host};
use metronome_model::KeyHash;
use metronome_proto::jid::{Jid, prepare_local};
use metronome_proto::ns;
use metronome_proto::payload::sasl::{self, Answer, Request};
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::features::Features;
use metronome_proto::xml::Element;
use metronome_sasl::{
    ClientCertificate, Exchange, Failure, Hash, Input, Keys, Names, Need, Offer, Opening, Password, Secret, Step,
    Success, Verdict, decode, encode, fake_keys, token, verify_password,
};
use metronome_store::Credentials;

use super::negotiate::{self, Authenticated, End, OpenedTo, Secured, open};
use super::stream::Fault;
use super::{guest, register};

/// Attempts that may fail; the next failure closes the stream.
const FAILURES_MAX: u32 = 3;

/// How names in SASL messages become those of accounts.
const NAMES: Names = Names {
    username: |name| prepare_local(name).ok().map(|name| name.into_owned()),
    bare_jid: |text| {
        Jid::parse(text).ok().filter(|jid| jid.is_bare() && !jid.is_domain()).map(|jid| jid.as_str().to_owned())
    },
};

/// Adds what is offered to the stream features: the mechanisms, and the channel bindings (XEP-0440).
pub(super) fn announce(offer: &Offer, features: &mut Features) {
    if offer.is_empty() {
        return;
    }
    features.push(sasl::feature(offer.names().map(|name| name.as_str())));
    if offer.bindings().next().is_some() {
        features.push(sasl::channel_bindings(offer.bindings().map(|binding| binding.as_str())));
    }
}

impl Secured {
    /// Lets the client prove who it is. A stream that cannot is ended with its fault.
    pub(super) async fn authenticate(mut self) -> Result<Authenticated, End> {
        let to = match self.begun.take() {
            Some((to, first)) => Ok((to, Some(first))),
            None => self.open().await.map(|to| (to, None)),
        };
        let (to, first) = match to {
            Ok(to) => to,
            Err(fault) => return Err(End { stream: self.stream, fault, host: self.fixed }),
        };
        match self.attempts(&to.host, first).await {
            Ok(authn) => {
                self.context.server.counters.logins.add();
                tracing::info!(host = to.host.name.as_str(), jid = authn.jid().as_str(), peer = %self.context.address,
                    mechanism = authn.mechanism(), "logged in");
                let stream = self.stream.restarted();
                Ok(Authenticated { context: self.context, stream, host: to.host, authn, lang: to.lang })
            }
            Err(fault) => Err(End { stream: self.stream, fault, host: Some(to.host) }),
        }
    }

    async fn open(&mut self) -> Result<OpenedTo, Fault> {
        let to = open(&self.context, &mut self.stream, self.fixed.as_ref()).await?;
        // What one host trusts a certificate to prove, it does not prove to another.
        if to.host.name != self.shown_by {
            self.certified.clear();
            self.facts.certificate = ClientCertificate::Absent;
        }
        let mut features = Features::new();
        announce(&self.offer(&to.host), &mut features);
        negotiate::announce(&self.context, &to.host, StreamState::Secured, &mut features);
        let mut out = Vec::new();
        self.stream.write_header(&mut out, &self.context.server.rng, Some(&to.host));
        features.write(&mut out);
        self.stream.send(&out).await?;
        Ok(to)
    }

    fn offer(&self, host: &Host) -> Offer {
        Offer::new(&host.sasl, self.facts.clone())
    }

    async fn attempts(&mut self, host: &Arc<Host>, mut first: Option<Element>) -> Result<Authn, Fault> {
        let offer = self.offer(host);
        let mut newcomer = Newcomer::new(self.context.address);
        let mut failures = 0;
        while failures <= FAILURES_MAX {
            let element = match first.take() {
                Some(element) => element,
                None => self.stream.element().await?,
            };
            if register::is_request(&element) {
                self.register(host, &mut newcomer, element).await?;
                continue;
            }
            let Some(Request::Auth { mechanism, data }) = Request::read(&element) else {
                return Err(Condition::NotAuthorized.into());
            };
            match self.attempt(host, &offer, &mechanism, data.as_deref()).await? {
                Ok(authn) => return Ok(authn),
                Err(Failed { failure, why, jid }) => {
                    failures += 1;
                    self.context.server.counters.login_failures.add();
                    tracing::info!(host = host.name.as_str(), jid, peer = %self.context.address,
                        mechanism = known(&offer, &mechanism), why, "a login failed");
                    self.say(&Answer::Failure { condition: condition(failure), text: None }).await?;
                }
            }
        }
        Err(Fault::Error(StreamError::new(Condition::PolicyViolation).with_text("too many attempts to log in")))
    }

    async fn say(&mut self, answer: &Answer) -> Result<(), Fault> {
        self.stream.send(&answer.tree().to_vec(ns::CLIENT)).await
    }

    /// One attempt: either an account, or a failure that the client is told.
    async fn attempt(
        &mut self,
        host: &Arc<Host>,
        offer: &Offer,
        mechanism: &str,
        data: Option<&str>,
    ) -> Result<Result<Authn, Failed>, Fault> {
        let opening = Opening { host: host.name.as_str(), nonce: token(), names: NAMES };
        let exchange = match offer.begin(mechanism, opening) {
            Ok(exchange) => exchange,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let first = match data.map(decoded).transpose() {
            Ok(first) => first,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let mut attempt = Attempt {
            host: host.clone(),
            exchange,
            credentials: None,
            account: None,
            username: None,
            turned_away: TurnedAway::No,
        };
        let outcome = attempt.run(self, first).await?;
        if let (Err(failure), Some(account)) = (&outcome, attempt.account)
            && !matches!(failure, Failure::TemporaryAuthFailure | Failure::Aborted)
        {
            self.context.admission.failed(self.context.address, account, &host.values);
        }
        Ok(outcome.map_err(|failure| attempt.failed(failure)))
    }
}

/// A failed attempt: what the client is told, and what the log says beside it.
struct Failed {
    failure: Failure,
    why: &'static str,
    /// The account that was tried, whether or not there is one; none where the attempt did not get so far.
    jid: Option<String>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed { failure, why: failure.as_str(), jid: None }
    }
}

/// A mechanism's name for the log: only one that was offered, never what the client made up.
fn known(offer: &Offer, mechanism: &str) -> &'static str {
    offer.names().find(|name| name.as_str() == mechanism).map_or("unknown", |name| name.as_str())
}

/// `=` stands for data of no bytes (section 6.4.2).
fn decoded(text: &str) -> Result<Vec<u8>, Failure> {
    if text == "=" { Ok(Vec::new()) } else { decode(text).map_err(|_| Failure::IncorrectEncoding) }
}

fn condition(failure: Failure) -> sasl::Condition {
    let name = failure.as_str();
    sasl::Condition::ALL
        .iter()
        .copied()
        .find(|condition| condition.name() == name)
        .unwrap_or(sasl::Condition::NotAuthorized)
}

/// One exchange with what was found out for it.
struct Attempt {
    host: Arc<Host>,
    exchange: Box<dyn Exchange>,
    credentials: Option<Credentials>,
    /// A hash of the name that was tried, for the budget of failures.
    account: Option<u64>,
    /// That name, prepared.
    username: Option<Box<str>>,
    turned_away: TurnedAway,
}

/// Whether an attempt ended because the address had failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnedAway {
    No,
    Yes,
}

impl Attempt {
    async fn run(&mut self, secured: &mut Secured, first: Option<Vec<u8>>) -> Result<Result<Authn, Failure>, Fault> {
        let mut step = match &first {
            Some(first) => self.exchange.step(Input::Client(first)),
            None => self.exchange.step(Input::NoInitialResponse),
        };
        loop {
            step = match step {
                Step::Challenge(data) => {
                    secured.say(&Answer::Challenge(encode(&data))).await?;
                    let element = secured.stream.element().await?;
                    match Request::read(&element) {
                        Some(Request::Response(text)) => match decoded(&text) {
                            Ok(data) => self.exchange.step(Input::Client(&data)),
                            Err(failure) => return Ok(Err(failure)),
                        },
                        Some(Request::Abort) => return Ok(Err(Failure::Aborted)),
                        Some(Request::Auth { .. }) => return Ok(Err(Failure::MalformedRequest)),
                        None => return Err(Condition::NotAuthorized.into()),
                    }
                }
                Step::Need(need) => match self.answer(secured, need).await {
                    Ok(input) => self.exchange.step(input),
                    Err(failure) => return Ok(Err(failure)),
                },
                Step::Fail(failure) => return Ok(Err(failure)),
                Step::Done(success) => return self.done(secured, success).await,
            };
        }
    }

    async fn done(&mut self, secured: &mut Secured, success: Success) -> Result<Result<Authn, Failure>, Fault> {
        if success.identity.anonymous() {
            let authn = match Authn::guest(&success.identity) {
                Ok(authn) => authn,
                Err(failure) => return Ok(Err(failure)),
            };
            secured.say(&Answer::Success(None)).await?;
            return Ok(Ok(authn));
        }
        // EXTERNAL and a password that was right need the account just as SCRAM does; its row is read once per attempt.
        if self.credentials.is_none()
            && let Err(failure) = self.look_up(secured, success.identity.authcid()).await
        {
            return Ok(Err(failure));
        }
        let Some(Credentials { account, .. }) = &self.credentials else { return Ok(Err(Failure::NotAuthorized)) };
        let authn = match Authn::authorize(&success.identity, account) {
            Ok(authn) => authn,
            Err(failure) => return Ok(Err(failure)),
        };
        secured.say(&Answer::Success(success.data.map(|data| encode(&data)))).await?;
        Ok(Ok(authn))
    }

    /// What the log says of it. Clients are told as little as before: they may not learn who is turned away.
    fn failed(self, failure: Failure) -> Failed {
        let jid = self.username.map(|name| format!("{name}@{}", self.host.name));
        let why = if self.turned_away == TurnedAway::Yes { "blocked" } else { failure.as_str() };
        Failed { failure, why, jid }
    }

    async fn look_up(&mut self, secured: &Secured, username: &str) -> Result<(), Failure> {
        let mut hasher = DefaultHasher::new();
        (self.host.name.as_str(), username).hash(&mut hasher);
        let account = hasher.finish();
        self.account = Some(account);
        self.username = Some(username.into());
        if !secured.context.admission.may_try(secured.context.address, account, &self.host.values) {
            self.turned_away = TurnedAway::Yes;
            return Err(Failure::TemporaryAuthFailure);
        }
        let found = secured.context.server.store.credentials(self.host.name.as_str(), username).await;
        self.credentials = found.map_err(|error| {
            tracing::error!(%error, "an account could not be read");
            Failure::TemporaryAuthFailure
        })?;
        Ok(())
    }

    /// What the exchange asks for.
    async fn answer(&mut self, secured: &Secured, need: Need) -> Result<Input<'static>, Failure> {
        match need {
            Need::Keys { username, hash } => {
                self.look_up(secured, &username).await?;
                Ok(Input::Keys(self.keys(secured, &username, hash)))
            }
            Need::CheckPassword { username, password } => {
                self.look_up(secured, &username).await?;
                let keys = self.keys(secured, &username, self.strongest());
                Ok(Input::Verdict(check(secured, keys, password).await))
            }
            Need::Certificate => Ok(Input::Certificate(secured.certified.clone())),
            Need::Tokens { .. } => Err(Failure::InvalidMechanism),
            Need::AnonymousName => {
                let guest = guest::from_address(&secured.context.server, &self.host, secured.context.address);
                Ok(Input::AnonymousName(guest))
            }
        }
    }

    /// The account's keys, or for somebody unknown keys that look like some and that nothing matches.
    fn keys(&self, secured: &Secured, username: &str, hash: Hash) -> Keys {
        let stored =
            self.credentials.iter().flat_map(|credentials| &credentials.keys).find(|keys| hash_of(keys.hash) == hash);
        match stored {
            Some(stored) => Keys {
                hash,
                salt: stored.salt.clone(),
                iterations: stored.iterations,
                stored_key: Secret::new(stored.stored_key.clone()),
                server_key: Secret::new(stored.server_key.clone()),
            },
            None => {
                let server = &secured.context.server;
                let iterations = self.host.values.count(&hosts::ITERATIONS) as u32;
                fake_keys(&server.fake_salt_secret, self.host.name.as_str(), username, hash, iterations)
            }
        }
    }

    /// A password may be checked with any of an account's keys; for somebody unknown with those that accounts have.
    fn strongest(&self) -> Hash {
        let keys = self.credentials.as_ref().and_then(|credentials| credentials.keys.last());
        keys.map_or(Hash::Sha512, |keys| hash_of(keys.hash))
    }
}

fn hash_of(hash: KeyHash) -> Hash {
    match hash {
        KeyHash::Sha1 => Hash::Sha1,
        KeyHash::Sha256 => Hash::Sha256,
        KeyHash::Sha384 => Hash::Sha384,
        KeyHash::Sha512 => Hash::Sha512,
    }
}

/// Derives and compares beside the runtime's threads, when it is its turn.
async fn check(secured: &Secured, keys: Keys, password: Password) -> Verdict {
    let derivations = &secured.context.server.derivations;
    match derivations.run(Patience::Waits, move || verify_password(&keys, &password)).await {
        Ok(true) => Verdict::Right,
        Ok(false) | Err(_) => Verdict::Wrong,
    }
}
