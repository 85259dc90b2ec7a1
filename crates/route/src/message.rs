//! Messages: RFC 6121 sections 5 and 8.5. Each function below is the whole order of steps; nothing else runs.

use std::sync::Arc;

use metronome_features::{archive, carbons, stanza_id};
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::hosts::{Host, Keeps};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::message::MessageType;

/// Decides both sides of a message from one of our clients: one record, all or nothing.
pub(crate) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    stanza_id::drop_claims(server, env); // XEP-0359 section 3: nobody may speak for us
    carbons::drop_claims(env); // XEP-0280 section 11: copies are made by the server
    crate::destination::resolve(server, env); // own account, another of ours, this host, remote
    let decision = archive::decide(&env.stanza);
    let at_ms = server.clock.unix_ms();
    archive::keep_sent(env, decision, at_ms); // the sender's row, unless the recipient is the sender
    let (owner, keeps) = recipient(server, env).await?; // RFC 6121 section 8.5.1: an account that exists
    refuse_misdirected(env)?; // RFC 6121 section 8.5.2 and 8.5.3: groupchat is for rooms
    archive::keep_received(env, owner, keeps, decision, at_ms); // XEP-0160: unseen until a client proves receipt
    Ok(())
}

/// The account that a message is for, and what is kept for it.
async fn recipient(server: &Server, env: &mut Envelope) -> Result<(AccountId, Keeps), Refuse> {
    let to = match env.destination {
        Destination::OwnAccount => return Ok((env.sender.account, keeps(env.sender.account, &env.host))),
        Destination::Remote => return Err(StanzaError::new(Condition::RemoteServerNotFound).into()),
        Destination::Account(_) => env.stanza.to.as_ref(),
        Destination::Host | Destination::Nobody => None,
    };
    let unavailable = || Refuse::from(StanzaError::new(Condition::ServiceUnavailable));
    let to = to.ok_or_else(unavailable)?;
    let host = server.hosts.load().get(to.domain()).cloned().ok_or_else(unavailable)?;
    let facts = server.facts.of(&*server.store, to).await?;
    let owner = facts.filter(|facts| facts.is_active()).ok_or_else(unavailable)?.account.id;
    // A guest without a session has left: whoever writes to it now hears so, since nobody will read it.
    if owner.is_guest() && server.sessions.of(owner).is_empty() {
        return Err(unavailable());
    }
    env.destination = Destination::Account(Some(owner));
    Ok((owner, keeps(owner, &host)))
}

/// What a host keeps for an account. What a guest has not seen yet is in memory only, so that is kept everywhere.
fn keeps(owner: AccountId, host: &Host) -> Keeps {
    if owner.is_guest() { Keeps::UntilSeen } else { host.keeps }
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
