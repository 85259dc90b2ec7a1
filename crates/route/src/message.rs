//! Messages: RFC 6121 sections 5 and 8.5. Each function below is the whole order of steps; nothing else runs.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_features::{archive, carbons, mam, pubsub, retraction, stanza_id};
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::facts::AccountFacts;
use metronome_host::hosts::{Host, Keeps};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::message::MessageType;

use crate::{remotes, repeated};

/// Decides both sides of a message, as far as they are ours: one record, all or nothing.
pub(crate) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    stanza_id::drop_claims(server, env); // XEP-0359 section 3: nobody may speak for us
    carbons::drop_claims(env); // XEP-0280 section 11: copies are made by the server
    crate::destination::resolve(server, env); // own account, another of ours, this host, remote
    if env.destination == Destination::Room {
        return admit_to_room(server, env).await; // XEP-0045: its room decides
    }
    if pubsub::is_answer(env) {
        return pubsub::admit_answer(server, env).await; // XEP-0060 section 8.6: an owner approves a subscription
    }
    let decision = archive::decide(&env.stanza);
    let at_ms = server.clock.unix_ms();
    if let Some(session) = env.sender.as_session().cloned() {
        let keeps = mam::preferences::of_sender(server, env, &session, decision).await?; // XEP-0441: what the sender wants archived
        archive::keep_sent(env, &session, keeps, decision, at_ms); // the sender's row, unless the recipient is the sender
    }
    if env.destination == Destination::Remote {
        remotes::keep_outgoing(server, env, decision)?; // the other server's row, or the component's, until it is known to have the message
        repeated::refuse_repeated(server, env).await?;
        return retraction::bury(server, env, at_ms).await;
    }
    let (owner, keeps) = recipient(server, env).await?; // RFC 6121 section 8.5.1: an account that exists
    refuse_misdirected(env)?; // RFC 6121 section 8.5.2 and 8.5.3: groupchat is for rooms
    archive::keep_received(env, owner, keeps, decision, at_ms); // XEP-0160: unseen until a client proves receipt
    repeated::refuse_repeated(server, env).await?; // XEP-0198 section 5: what a client whose stream was lost sends again
    retraction::bury(server, env, at_ms).await?; // XEP-0424: tombstones, in archives that have the retraction
    Ok(())
}

/// What somebody sends to one occupant is in the sender's own archive, if the room lets it pass; the room keeps what is for all.
async fn admit_to_room(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let is_private = env.stanza.to.as_ref().is_some_and(|to| to.is_full());
    let Some(session) = env.sender.as_session().filter(|_| is_private).cloned() else { return Ok(()) };
    let decision = archive::decide(&env.stanza);
    let keeps = mam::preferences::of_sender(server, env, &session, decision).await?;
    archive::keep_sent(env, &session, keeps, decision, server.clock.unix_ms());
    repeated::refuse_repeated(server, env).await
}

/// The account that a message is for, and what is kept for it.
async fn recipient(server: &Server, env: &mut Envelope) -> Result<(AccountId, Keeps), Refuse> {
    let to = match env.destination {
        Destination::OwnAccount => {
            let session = env.sender.session()?;
            let (own, host) = (session.jid.bare(), env.host.clone());
            let facts = server.facts.of(&*server.store, &own).await?.ok_or(Condition::ServiceUnavailable)?;
            return Ok((session.account, keeps(server, &facts, &own, &own, &host).await?));
        }
        Destination::Remote | Destination::Unserved => {
            return Err(StanzaError::new(Condition::RemoteServerNotFound).into());
        }
        Destination::Account(_) => env.stanza.to.as_ref(),
        Destination::Host | Destination::Service(_) | Destination::Room | Destination::Nobody => None,
    };
    let unavailable = || Refuse::from(StanzaError::new(Condition::ServiceUnavailable));
    let to = to.ok_or_else(unavailable)?;
    let host = server.hosts.load().get(to.domain()).cloned().ok_or_else(unavailable)?;
    let facts = server.facts.of(&*server.store, to).await?;
    let facts = facts.filter(|facts| facts.is_active()).ok_or_else(unavailable)?;
    check::refuse_message(server, env, &facts).await?; // XEP-0191 section 3.3: as if there was no such account
    let owner = facts.account.id;
    env.services = Some(&facts.services).filter(|services| !services.is_empty()).cloned();
    // A guest without a session has left: whoever writes to it now hears so, since nobody will read it. For other servers there are none.
    if owner.is_guest() && (server.sessions.of(owner).is_empty() || env.sender.as_session().is_none()) {
        return Err(unavailable());
    }
    let keeps = keeps(server, &facts, to, &env.stanza.from, &host).await?;
    env.destination = Destination::Account(Some(owner));
    Ok((owner, keeps))
}

/// What is kept for an account of a message from `peer`. What a guest has not seen yet is in memory only, so that is kept everywhere;
/// what its owner does not want archived is kept until it is seen (XEP-0441).
async fn keeps(server: &Server, facts: &AccountFacts, jid: &Jid, peer: &Jid, host: &Host) -> Result<Keeps, Refuse> {
    match host.keeps {
        _ if facts.account.id.is_guest() => Ok(Keeps::UntilSeen),
        Keeps::Archive => mam::preferences::wanted(server, facts, jid, peer, host).await,
        keeps => Ok(keeps),
    }
}

/// A groupchat message is for a room: an account's resource gets one only if it is there to take it.
fn refuse_misdirected(env: &Envelope) -> Result<(), Refuse> {
    let to_bare = env.stanza.to.as_ref().is_none_or(|to| to.is_bare());
    match env.stanza.kind {
        Kind::Message(MessageType::Groupchat) if to_bare => Err(StanzaError::new(Condition::ServiceUnavailable).into()),
        Kind::Message(MessageType::Error) if to_bare => {
            Err(Refuse::Drop("an error is for the resource that caused it"))
        }
        _ => Ok(()),
    }
}
