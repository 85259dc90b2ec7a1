//! One attempt to log in: drives an exchange of SASL, gives it what it needs, and counts what fails. The same for both profiles, that of
//! RFC 6120 and that of XEP-0388; the mechanisms are in `sasl`.

mod password;

use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::sync::Arc;

use metronome_features::fast::{self, Candidates};
use metronome_host::authn::Authn;
use metronome_host::derivations::Patience;
use metronome_host::hosts::{self, Host};
use metronome_model::{Account, KeyHash};
use metronome_proto::jid::{Jid, prepare_local};
use metronome_proto::ns;
use metronome_proto::payload::{sasl, sasl2};
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::{Element, Tree};
use metronome_sasl::{
    Exchange, Failure, Hash, Input, Keys, MechanismName, Names, Need, Offer, Opening, Password, Secret, Step, Success,
    Verdict, decode, decode_plain, encode, encode_plain, fake_keys, token, verify_password,
};
use metronome_store::Credentials;

use super::negotiate::Secured;
use super::{Context, guest};
use crate::stream::Fault;

pub(crate) use password::by_password;

/// How names in SASL messages become those of accounts.
const NAMES: Names = Names {
    username: |name| prepare_local(name).ok().map(|name| name.into_owned()),
    bare_jid: |text| {
        Jid::parse(text).ok().filter(|jid| jid.is_bare() && !jid.is_domain()).map(|jid| jid.as_str().to_owned())
    },
};

/// Whose elements carry an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// RFC 6120 section 6.
    First,
    /// XEP-0388.
    Second,
}

/// What a client says in the midst of an exchange.
enum Reply {
    Data(Result<Vec<u8>, Failure>),
    Abort,
    /// Another attempt.
    Again,
    /// Something that has no place there.
    Stray,
}

impl Profile {
    fn challenge(self, data: &[u8]) -> Tree {
        match self {
            Profile::First => sasl::Answer::Challenge(encode(data)).tree(),
            Profile::Second => sasl2::challenge(&encode_plain(data)),
        }
    }

    /// A client's data. In the older profile `=` stands for data of no bytes.
    pub(super) fn decoded(self, text: &str) -> Result<Vec<u8>, Failure> {
        match self {
            Profile::First => decode(text).map_err(|_| Failure::IncorrectEncoding),
            Profile::Second => decode_plain(text).map_err(|_| Failure::IncorrectEncoding),
        }
    }

    fn reply(self, element: &Element) -> Reply {
        match self {
            Profile::First => match sasl::Request::read(element) {
                Some(sasl::Request::Response(text)) => Reply::Data(self.decoded(&text)),
                Some(sasl::Request::Abort) => Reply::Abort,
                Some(sasl::Request::Auth { .. }) => Reply::Again,
                None => Reply::Stray,
            },
            // Whoever sends anything else is disconnected (section 2.4).
            Profile::Second => match sasl2::Request::read(element) {
                Some(sasl2::Request::Response(text)) => Reply::Data(self.decoded(&text)),
                Some(sasl2::Request::Abort) => Reply::Abort,
                _ => Reply::Stray,
            },
        }
    }
}

/// What a client asks for with an attempt.
pub(super) struct Asked<'a> {
    pub(super) mechanism: &'a str,
    /// Its first message; none if it sent none.
    pub(super) first: Result<Option<Vec<u8>>, Failure>,
    /// Tells the installation of the client, if it has said so.
    pub(super) client: Option<&'a str>,
    /// Whether it proves a token and no password (XEP-0484).
    pub(super) proves: Proves,
}

/// What kind of mechanism is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proves {
    Password,
    Token,
}

/// Somebody who has proved who they are.
pub(super) struct Proved {
    pub(super) authn: Authn,
    /// The server's own proof.
    pub(super) data: Option<Vec<u8>>,
    /// Whether the client named whom it acts as.
    pub(super) named: bool,
    /// The account as it was read; none for a guest.
    pub(super) account: Option<Account>,
    /// Hashes that the host offers and the account has no keys for, if it was the password that was proved.
    pub(super) lacks: Vec<Hash>,
    /// A hash of the name that was tried, for the budget of failures.
    pub(super) tried: Option<u64>,
    /// The token that was proved: its place among the candidates.
    pub(super) token: Option<(Candidates, usize)>,
}

/// A failed attempt: what the client is told, and what the log says beside it.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) why: &'static str,
    /// The account that was tried, whether or not there is one; none where the attempt did not get so far.
    pub(super) jid: Option<String>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed { failure, why: failure.as_str(), jid: None }
    }
}

/// A mechanism's name for the log: only one that was offered, never what the client made up.
pub(super) fn known(offer: &Offer, mechanism: &str) -> &'static str {
    offer
        .names()
        .chain(offer.token_names())
        .find(|name| name.as_str() == mechanism)
        .map_or("unknown", |name| name.as_str())
}

/// The condition in the answer of either profile.
pub(super) fn condition(failure: Failure) -> sasl::Condition {
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
    profile: Profile,
    exchange: Box<dyn Exchange>,
    credentials: Option<Credentials>,
    /// A hash of the name that was tried, for the budget of failures.
    account: Option<u64>,
    /// That name, prepared.
    username: Option<Box<str>>,
    turned_away: TurnedAway,
    client: Option<Box<str>>,
    /// The mechanism, if it is one of tokens.
    token_mechanism: Option<MechanismName>,
    candidates: Option<Candidates>,
}

/// Whether an attempt ended because the address had failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnedAway {
    No,
    Yes,
}

impl Secured {
    /// One attempt: either a proof, or a failure that the client is told.
    pub(super) async fn attempt(
        &mut self,
        host: &Arc<Host>,
        offer: &Offer,
        profile: Profile,
        asked: Asked<'_>,
    ) -> Result<Result<Proved, Failed>, Fault> {
        let opening = Opening { host: host.name.as_str(), nonce: token(), names: NAMES };
        let exchange = match asked.proves {
            Proves::Password => offer.begin(asked.mechanism, opening),
            Proves::Token => offer.begin_token(asked.mechanism, opening),
        };
        let (exchange, first) = match exchange.and_then(|exchange| Ok((exchange, asked.first?))) {
            Ok(begun) => begun,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let mut attempt = Attempt {
            client: asked.client.map(Box::from),
            token_mechanism: MechanismName::parse(asked.mechanism).filter(|mechanism| mechanism.is_token()),
            ..Attempt::new(host, profile, exchange)
        };
        let outcome = attempt.run(self, first).await?;
        if let Err(failure) = &outcome {
            self.note_failure(host, attempt.account, *failure);
        }
        Ok(outcome.map_err(|failure| attempt.failed(failure)))
    }

    /// Whoever fails too often is turned away for a while.
    pub(super) fn note_failure(&self, host: &Host, tried: Option<u64>, failure: Failure) {
        note_failure(&self.context, host, tried, failure);
    }

    pub(super) async fn say(&mut self, tree: &Tree) -> Result<(), Fault> {
        self.stream.send(&tree.to_vec(ns::CLIENT)).await
    }
}

fn note_failure(context: &Context, host: &Host, tried: Option<u64>, failure: Failure) {
    if let Some(account) = tried
        && !matches!(failure, Failure::TemporaryAuthFailure | Failure::Aborted)
    {
        context.admission.failed(context.address, account, &host.values);
    }
}

impl Attempt {
    fn new(host: &Arc<Host>, profile: Profile, exchange: Box<dyn Exchange>) -> Attempt {
        Attempt {
            host: host.clone(),
            profile,
            exchange,
            credentials: None,
            account: None,
            username: None,
            turned_away: TurnedAway::No,
            client: None,
            token_mechanism: None,
            candidates: None,
        }
    }

    async fn run(&mut self, secured: &mut Secured, first: Option<Vec<u8>>) -> Result<Result<Proved, Failure>, Fault> {
        let mut step = match &first {
            Some(first) => self.exchange.step(Input::Client(first)),
            None => self.exchange.step(Input::NoInitialResponse),
        };
        loop {
            step = match step {
                Step::Challenge(data) => {
                    secured.say(&self.profile.challenge(&data)).await?;
                    let element = secured.stream.element().await?;
                    match self.profile.reply(&element) {
                        Reply::Data(Ok(data)) => self.exchange.step(Input::Client(&data)),
                        Reply::Data(Err(failure)) => return Ok(Err(failure)),
                        Reply::Abort => return Ok(Err(Failure::Aborted)),
                        Reply::Again => return Ok(Err(Failure::MalformedRequest)),
                        Reply::Stray => return Err(Condition::NotAuthorized.into()),
                    }
                }
                Step::Need(Need::Certificate) => self.exchange.step(Input::Certificate(secured.certified.clone())),
                Step::Need(need) => match self.answer(&secured.context, need).await {
                    Ok(input) => self.exchange.step(input),
                    Err(failure) => return Ok(Err(failure)),
                },
                Step::Fail(failure) => return Ok(Err(failure)),
                Step::Done(success) => return Ok(self.done(&secured.context, success).await),
            };
        }
    }

    async fn done(&mut self, context: &Context, success: Success) -> Result<Proved, Failure> {
        let Success { identity, data, token } = success;
        let named = identity.is_named();
        if identity.anonymous() {
            let authn = Authn::guest(&identity)?;
            return Ok(Proved { authn, data: None, named, account: None, lacks: Vec::new(), tried: None, token: None });
        }
        // EXTERNAL and a password that was right need the account just as SCRAM does; its row is read once per attempt.
        if self.credentials.is_none() {
            self.look_up(context, identity.authcid()).await?;
        }
        let credentials = self.credentials.take().ok_or(Failure::NotAuthorized)?;
        let authn = Authn::authorize(&identity, &credentials.account)?;
        let token = self.candidates.take().zip(token);
        let lacks = self.lacks(identity.mechanism(), &credentials);
        Ok(Proved { authn, data, named, account: Some(credentials.account), lacks, tried: self.account, token })
    }

    fn lacks(&self, mechanism: MechanismName, credentials: &Credentials) -> Vec<Hash> {
        let proves_password = mechanism.hash().is_some() || mechanism == MechanismName::Plain;
        let has = |hash: &Hash| credentials.keys.iter().any(|keys| hash_of(keys.hash) == *hash);
        self.host.sasl.scram.iter().copied().filter(|hash| proves_password && !has(hash)).collect()
    }

    /// What the log says of it. Clients are told as little as before: they may not learn who is turned away.
    fn failed(self, failure: Failure) -> Failed {
        let jid = self.username.map(|name| format!("{name}@{}", self.host.name));
        let why = if self.turned_away == TurnedAway::Yes { "blocked" } else { failure.as_str() };
        Failed { failure, why, jid }
    }

    async fn look_up(&mut self, context: &Context, username: &str) -> Result<(), Failure> {
        let mut hasher = DefaultHasher::new();
        (self.host.name.as_str(), username).hash(&mut hasher);
        let account = hasher.finish();
        self.account = Some(account);
        self.username = Some(username.into());
        if !context.admission.may_try(context.address, account, &self.host.values) {
            self.turned_away = TurnedAway::Yes;
            return Err(Failure::TemporaryAuthFailure);
        }
        let found = context.server.store.credentials(self.host.name.as_str(), username).await;
        self.credentials = found.map_err(|error| {
            tracing::error!(%error, "an account could not be read");
            Failure::TemporaryAuthFailure
        })?;
        Ok(())
    }

    /// What the exchange asks for.
    async fn answer(&mut self, context: &Context, need: Need) -> Result<Input<'static>, Failure> {
        match need {
            Need::Keys { username, hash } => {
                self.look_up(context, &username).await?;
                Ok(Input::Keys(self.keys(context, &username, hash)))
            }
            Need::CheckPassword { username, password } => {
                self.look_up(context, &username).await?;
                let keys = self.keys(context, &username, self.strongest());
                Ok(Input::Verdict(check(context, keys, password).await))
            }
            // Who has shown one is asked for it where that was.
            Need::Certificate => Err(Failure::NotAuthorized),
            Need::Tokens { username } => {
                self.look_up(context, &username).await?;
                self.tokens(context).await
            }
            Need::AnonymousName => {
                let guest = guest::from_address(&context.server, &self.host, context.address);
                Ok(Input::AnonymousName(guest))
            }
        }
    }

    /// The tokens that may be proved: as much is read and compared for somebody unknown.
    async fn tokens(&mut self, context: &Context) -> Result<Input<'static>, Failure> {
        let server = &context.server;
        let account = self.credentials.as_ref().map(|credentials| &credentials.account);
        let (client, mechanism) = (self.client.as_deref(), self.token_mechanism.ok_or(Failure::InvalidMechanism)?);
        let found = fast::candidates(server, account, client, mechanism).await.map_err(|error| {
            tracing::error!(%error, "tokens could not be read");
            Failure::TemporaryAuthFailure
        })?;
        let tokens = found.tokens(server, account.map(|account| account.id), client);
        self.candidates = Some(found);
        Ok(Input::Tokens(tokens))
    }

    /// The account's keys, or for somebody unknown keys that look like some and that nothing matches.
    fn keys(&self, context: &Context, username: &str, hash: Hash) -> Keys {
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
                let server = &context.server;
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
async fn check(context: &Context, keys: Keys, password: Password) -> Verdict {
    let derivations = &context.server.derivations;
    match derivations.run(Patience::Waits, move || verify_password(&keys, &password)).await {
        Ok(true) => Verdict::Right,
        Ok(false) | Err(_) => Verdict::Wrong,
    }
}
