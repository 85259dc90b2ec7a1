//! The four stanzas that manage subscriptions (RFC 6121 section 3): both local sides are one record under both owners' locks.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_features::roster::exchange::{self, Exchange, Other};
use metronome_features::roster::{load, refuse_fixed_direction};
use metronome_host::blocking::What;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::error::Condition;
use metronome_proto::subscription::Verb;

/// Decides what the stanza changes on both sides.
pub(super) async fn admit(server: &Arc<Server>, env: &mut Envelope, verb: Verb) -> Result<(), Refuse> {
    // Section 3.1.1: it is about the bare addresses of both.
    let me = env.sender.jid.bare();
    let Some(contact) = env.stanza.to.as_ref().map(|to| to.bare()) else { return Err(Condition::BadRequest.into()) };
    if contact == me {
        return Err(Refuse::Drop("everybody sees their own presence"));
    }
    let account = env.sender.account;
    let contacts = load::contacts(server, account, &me).await?;
    refuse_fixed_direction(&contacts, &contact, verb)?;
    if env.destination == Destination::Remote {
        return Err(Condition::RemoteServerNotFound.into());
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
