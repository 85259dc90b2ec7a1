//! XEP-0077 section 3.1 for somebody who has not logged in: what is to be filled in, and the account. Whoever reads this may be hostile,
//! so what costs comes last: what is wrong with the request, then what the address may do, then the name, and only then the keys.
//! Called by `net` with every request of the kind before the login; durable before it answers.

use std::net::IpAddr;
use std::sync::Arc;

use metronome_host::command::is_operator;
use metronome_host::derivations::Patience;
use metronome_host::hosts::Host;
use metronome_host::network::{any_contains, household};
use metronome_host::options::Frequency;
use metronome_host::server::Server;
use metronome_model::Role;
use metronome_proto::jid::{Jid, prepare_local};
use metronome_proto::ns;
use metronome_proto::payload::register::{self, Request, Submitted};
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Received};
use metronome_proto::xml::Tree;
use metronome_sasl::{Password, is_guest_name};

use super::{ALLOW, ALLOWED_ONLY, DENY, OPEN, PER_ADDRESS, RESERVED, TOTAL, policy};
use crate::accounts::change::{self, Unchanged};
use crate::accounts::keys;

/// Accounts that may be asked for on one stream; whoever still has none connects again.
const ATTEMPTS_MAX: u32 = 5;

/// Names that an address may try for each account that it may make.
const NAMES_PER_ACCOUNT: u32 = 10;

/// Somebody on a stream before the login.
#[derive(Debug)]
pub struct Newcomer {
    address: IpAddr,
    attempts: u32,
    made: bool,
}

/// What somebody hears who gets no account.
pub type Refusal = Box<StanzaError>;

/// A good answer.
#[derive(Debug)]
pub enum Answer {
    /// What is to be filled in; a person may take minutes for it.
    ToFillIn(Tree),
    /// The account was made.
    Made,
}

impl Newcomer {
    /// Somebody who has just connected from this address.
    pub fn new(address: IpAddr) -> Newcomer {
        Newcomer { address, attempts: 0, made: false }
    }

    /// Answers a request for an account at this host. `channel` says whether others can read what is sent.
    pub async fn answer(
        &mut self,
        server: &Arc<Server>,
        host: &Host,
        channel: Channel,
        request: &Received,
    ) -> Result<Answer, Refusal> {
        if !host.values.flag(&OPEN) {
            return Err(Box::new(Condition::ServiceUnavailable.into()));
        }
        if channel == Channel::Readable {
            return Err(refusal(Condition::NotAuthorized, "encrypt the stream first"));
        }
        if self.made {
            return Err(refusal(Condition::NotAcceptable, "one account was made here, log in to it"));
        }
        self.refuse_network(host)?;
        let query =
            request.content.child(ns::REGISTER, "query").ok_or_else(|| StanzaError::from(Condition::BadRequest))?;
        if request.kind == Kind::Iq(IqType::Get) {
            let instructions = format!("Choose a user name and a password. {}", policy::instructions(&host.values));
            return Ok(Answer::ToFillIn(register::to_fill_in(&format!("An account at {}", host.name), &instructions)));
        }
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX {
            return Err(refusal(Condition::NotAcceptable, "too many attempts"));
        }
        match Request::read(&query).map_err(StanzaError::from)? {
            Request::Submit(submitted) => self.make(server, host, submitted).await,
            // Section 3.2: there is nobody whose account it could be.
            Request::Remove => Err(refusal(Condition::UnexpectedRequest, "log in first")),
        }
    }

    fn refuse_network(&self, host: &Host) -> Result<(), Refusal> {
        let denied = any_contains(host.values.networks(&DENY), self.address);
        let missing = host.values.flag(&ALLOWED_ONLY) && !any_contains(host.values.networks(&ALLOW), self.address);
        if denied || missing {
            let refused = refusal(Condition::NotAcceptable, "accounts are not made from your network");
            return Err(Box::new(refused.with_type(ErrorType::Cancel)));
        }
        Ok(())
    }

    async fn make(&mut self, server: &Arc<Server>, host: &Host, submitted: Submitted) -> Result<Answer, Refusal> {
        let (name, password) = filled_in(host, submitted)?;
        let mut place = Place::take(server, host, self.address)?;
        self.refuse_taken(server, host, &name).await?;
        place.count_account()?;
        let made = create(server, host, &name, password).await;
        if let Err(why) = made {
            tracing::debug!(host = host.name.as_str(), peer = %self.address, %why, "an account was not made");
            return Err(Box::new((&why).into()));
        }
        place.keep();
        self.made = true;
        tracing::info!(host = host.name.as_str(), peer = %self.address, name, "a newcomer has made an account");
        Ok(Answer::Made)
    }

    /// Asks before keys are derived for nothing; the writer has the last word.
    async fn refuse_taken(&self, server: &Server, host: &Host, name: &str) -> Result<(), Refusal> {
        match server.store.account(host.name.as_str(), name).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Box::new((&Unchanged::Taken).into())),
            Err(error) => Err(Box::new((&Unchanged::from(error)).into())),
        }
    }
}

/// Whether others can read what is sent on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// They cannot, or the administrator has said that it does not matter.
    Private,
    /// They can.
    Readable,
}

/// The name, prepared, and the password, if both are there and may be had.
fn filled_in(host: &Host, submitted: Submitted) -> Result<(String, Password), Refusal> {
    let unacceptable = |text: &str| refusal(Condition::NotAcceptable, text);
    let Submitted { username: Some(username), password: Some(password) } = submitted else {
        return Err(unacceptable("a user name and a password are needed"));
    };
    let name = prepare_local(&username).map_err(|_| unacceptable("this cannot be a user name"))?.into_owned();
    let reserved = host.values.list(&RESERVED).iter();
    let mut reserved = reserved.filter_map(|reserved| prepare_local(reserved).ok());
    let jid = Jid::from_parts(Some(&name), host.name.as_str(), None);
    let is_operator = jid.is_ok_and(|jid| is_operator(&host.values, &jid));
    if is_guest_name(&name) || is_operator || reserved.any(|reserved| *reserved == *name) {
        return Err(Box::new((&Unchanged::Reserved).into()));
    }
    Ok((name, policy::judge(&host.values, &password).map_err(|weak| StanzaError::from(&weak))?))
}

async fn create(server: &Server, host: &Host, name: &str, password: Password) -> Result<(), Unchanged> {
    let keys = keys::of_password(server, host, password, Patience::Refused).await?;
    change::create(server, host, name, keys, Role::User).await
}

/// What an attempt has used up of the limits. Dropped, it gives back the account that was not made; the name was tried all the same.
struct Place<'a> {
    server: &'a Server,
    /// None for those who are not limited.
    address: Option<IpAddr>,
    per_address: Frequency,
    total: Frequency,
    counted: Counted,
}

/// What of the limits is to be given back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Nothing,
    OfAddress,
    OfBoth,
}

impl<'a> Place<'a> {
    fn take(server: &'a Server, host: &Host, address: IpAddr) -> Result<Place<'a>, Refusal> {
        let limited = !any_contains(host.values.networks(&ALLOW), address);
        let place = Place {
            server,
            address: limited.then(|| household(address)),
            per_address: host.values.frequency(&PER_ADDRESS),
            total: host.values.frequency(&TOTAL),
            counted: Counted::Nothing,
        };
        let times = place.per_address.times.saturating_mul(NAMES_PER_ACCOUNT);
        let names = Frequency { times, ..place.per_address };
        let now_ms = server.clock.steady_ms();
        match place.address {
            Some(address) if !server.throttles.names_tried.take(address, names, now_ms) => Err(too_often()),
            _ => Ok(place),
        }
    }

    /// Counts one account.
    fn count_account(&mut self) -> Result<(), Refusal> {
        let (throttles, now_ms) = (&self.server.throttles, self.server.clock.steady_ms());
        if let Some(address) = self.address {
            if !throttles.accounts_made.take(address, self.per_address, now_ms) {
                return Err(too_often());
            }
            self.counted = Counted::OfAddress;
        }
        if !throttles.all_accounts_made.take((), self.total, now_ms) {
            return Err(refusal(Condition::ResourceConstraint, "too many accounts are being made, try again later"));
        }
        self.counted = Counted::OfBoth;
        Ok(())
    }

    fn keep(mut self) {
        self.counted = Counted::Nothing;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let (throttles, counted) = (&self.server.throttles, self.counted);
        if let Some(address) = self.address.filter(|_| counted != Counted::Nothing) {
            throttles.accounts_made.give_back(&address);
        }
        if counted == Counted::OfBoth {
            throttles.all_accounts_made.give_back(&());
        }
    }
}

fn too_often() -> Refusal {
    let refused = refusal(Condition::NotAcceptable, "too many accounts were made from your address, try again later");
    Box::new(refused.with_type(ErrorType::Wait))
}

fn refusal(condition: Condition, text: &str) -> Refusal {
    Box::new(StanzaError::new(condition).with_text(text))
}
