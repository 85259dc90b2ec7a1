//! The four stanzas that manage subscriptions (RFC 6121 section 3): both local sides are one record under both owners' locks.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_features::roster::exchange::{self, Exchange, Incoming, Other, Side};
use metronome_features::roster::{load, refuse_fixed_direction};
use metronome_host::blocking::What;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::gate::Requests;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_host::way::Way;
use metronome_model::{AccountId, Listed};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::error::Condition;
use metronome_proto::subscription::Verb;

use crate::remotes;

/// Decides what the stanza changes on both sides.
pub(super) async fn admit(
    server: &Arc<Server>,
    session: &Session,
    env: &mut Envelope,
    verb: Verb,
) -> Result<(), Refuse> {
    // Section 3.1.1: it is about the bare addresses of both.
    let me = session.jid.bare();
    let Some(contact) = env.stanza.to.as_ref().map(|to| to.bare()) else { return Err(Condition::BadRequest.into()) };
    if contact == me {
        return Err(Refuse::Drop("everybody sees their own presence"));
    }
    let account = session.account;
    let contacts = load::contacts(server, account, &me).await?;
    refuse_fixed_direction(&contacts, &contact, verb)?;
    match env.destination {
        Destination::Remote => drop(remotes::refuse_full(server, &env.stanza)?),
        Destination::Unserved => return Err(Condition::RemoteServerNotFound.into()),
        _ => {}
    }
    let (other, locked) = exchange::lock(server, account, &contact).await?;
    env.locked = Some(locked);
    if let Other::Account(theirs) = other {
        // Delivered by the recipient's worker, so that what is sent behind it comes behind it.
        env.destination = Destination::Account(Some(theirs));
    }
    let mut exchange = Exchange::read(server, account, &me, &contact, other).await?;
    if exchange.theirs.is_some() && begins(verb) && is_denied(server, env, &contact).await? {
        // XEP-0191 section 3.3: nobody answers. What ends, ends on both sides all the same; the stanza is not delivered.
        exchange.theirs = None;
    }
    if let Some(theirs) = &exchange.theirs
        && verb == Verb::Subscribe
        && theirs.has_too_many_requests(server).await?
    {
        // It is not kept, and who asks is told no more than by somebody who does not answer.
        exchange.theirs = None;
    }
    let stanza = Stanza { from: me, to: Some(contact), ..(*env.stanza).clone() };
    exchange.send(verb, &stanza);
    exchange.mine.refuse_too_many(&env.host, &server.sessions.contacts(account).unwrap_or_default())?;
    exchange.finish(&mut env.record, &mut env.effects);
    Ok(())
}

/// Decides what a stanza from another server changes. Nobody hears of one for an account that does not exist, or that does not want it.
pub(super) async fn admit_received(server: &Arc<Server>, env: &mut Envelope, verb: Verb) -> Result<(), Refuse> {
    const NOBODY: Refuse = Refuse::Drop("a subscription to nobody");
    let Some(me) = env.stanza.to.as_ref().map(|to| to.bare()) else { return Err(NOBODY) };
    let contact = env.stanza.from.bare();
    let account = known(server, &me).await?.ok_or(NOBODY)?;
    env.locked = Some(server.owners.lock(&[account]).await);
    // While the lock was waited for its name may have been given to somebody else.
    if known(server, &me).await? != Some(account) {
        return Err(NOBODY);
    }
    if begins(verb) && is_denied(server, env, &me).await? {
        return Err(Refuse::Drop("a subscription that is blocked"));
    }
    let side = Side::read(server, account, &me, &contact).await?;
    if verb == Verb::Subscribe && side.has_too_many_requests(server).await? {
        return Err(Refuse::Drop("too many requests wait already"));
    }
    refuse_flood(server, env, &side, verb)?;
    env.destination = Destination::Account(Some(account));
    let stanza = Stanza { from: contact, to: Some(me), ..(*env.stanza).clone() };
    let way = Way::between(server, &side.jid, &stanza.from);
    let incoming = Incoming { side, way };
    incoming.receive(verb, &stanza, &mut env.record, &mut env.effects);
    Ok(())
}

/// Who asks people that do not know it for more than is usual is not heard of, as if they did not exist.
fn refuse_flood(server: &Server, env: &Envelope, side: &Side, verb: Verb) -> Result<(), Refuse> {
    let (before, from) = (&side.before, &env.stanza.from);
    let asks = before.listed == Listed::No && before.subscription.receive(verb).delivered && verb == Verb::Subscribe;
    if !asks {
        return Ok(());
    }
    match server.gate.may_request(&env.host.values, from.bare_str(), from.domain(), server.clock.steady_ms()) {
        Requests::Heard => return Ok(()),
        Requests::TooManyOfAccount => {}
        Requests::TooManyOfDomain => {
            server.gate.offend(&server.clock, &env.host, from.domain(), "a flood of requests for subscriptions");
        }
    }
    Err(Refuse::Drop("a flood of requests for subscriptions"))
}

/// The account with this address, if others may know of it.
async fn known(server: &Server, jid: &Jid) -> Result<Option<AccountId>, Refuse> {
    let facts = server.facts.of(&*server.store, jid).await?;
    let facts = facts.filter(|facts| facts.is_active() && !facts.account.id.is_guest());
    Ok(facts.map(|facts| facts.account.id))
}

/// Whether it would begin something, or let somebody begin.
fn begins(verb: Verb) -> bool {
    matches!(verb, Verb::Subscribe | Verb::Subscribed)
}

/// Whether the lists of the account that it is for keep it away.
async fn is_denied(server: &Server, env: &Envelope, contact: &Jid) -> Result<bool, Refuse> {
    match server.facts.of(&*server.store, contact).await? {
        Some(facts) => check::denies_account(server, &facts, &env.stanza.from, What::OtherIn).await,
        None => Ok(false),
    }
}
