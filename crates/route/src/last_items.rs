//! What clients that have just come are told of what was published before (XEP-0163 section 4.3.4, XEP-0060 section 12.2): tasks of their own, beside the stream, so
//! that nobody's presence waits for a disk. Once for each resource and node; accounts without nodes are known to have none.

use std::sync::Arc;

use metronome_features::pubsub::last::{self, Due, Subscribed};
use metronome_features::pubsub::missed::Missed;
use metronome_host::contacts::Known;
use metronome_host::interests::Wants;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{AccountId, Contact};
use metronome_proto::jid::Jid;

use crate::notify::{self, Client};
use crate::remotes;

/// A session has become available: what it is subscribed to is told to it.
pub(crate) fn session_comes(server: &Arc<Server>, session: &Arc<Session>) {
    let is_none = server.nodes.subscribed(session.jid.bare_str()).is_some_and(|nodes| nodes.is_empty());
    if !is_none && session.is_available() && !session.is_locked() {
        tokio::spawn(for_subscriber(server.clone(), session.clone()));
    }
}

async fn for_subscriber(server: Arc<Server>, session: Arc<Session>) {
    if let Err(refuse) = tell_subscriber(&server, &session).await {
        tracing::debug!(jid = session.jid.as_str(), ?refuse, "what was published before cannot be told");
    }
}

async fn tell_subscriber(server: &Arc<Server>, session: &Session) -> Result<(), Refuse> {
    let mut missed = Missed::since(session.since_ms());
    for (owner, names) in last::subscribed(server, &session.jid).await? {
        let Some(due) = last::for_subscriber(server, owner, names, &session.jid, &mut missed).await? else { continue };
        due.told.iter().for_each(|told| notify::last_for_subscriber(server, told, session));
        if !session.is_available() {
            break;
        }
    }
    Ok(())
}

/// For a client on another server that shows itself to a service: of the nodes there that it is subscribed to.
pub(crate) async fn for_visitor(server: &Arc<Server>, service: &Jid, client: &Jid, since_ms: Option<u64>) {
    if let Err(refuse) = tell_visitor(server, service, client, since_ms).await {
        tracing::debug!(jid = client.as_str(), ?refuse, "what was published before cannot be told");
    }
}

async fn tell_visitor(server: &Arc<Server>, service: &Jid, client: &Jid, since_ms: Option<u64>) -> Result<(), Refuse> {
    let Some(facts) = server.facts.of(&*server.store, service).await? else { return Ok(()) };
    let owner = facts.account.id;
    let Some(names) = last::subscribed(server, client).await?.remove(&owner) else { return Ok(()) };
    if let Some(due) = last::for_subscriber(server, owner, names, client, &mut Missed::since(since_ms)).await? {
        due.told.iter().for_each(|told| notify::last_for_visitor(server, told, client));
    }
    Ok(())
}

/// A roster lets somebody see more than before: what they may read from here on and could not is told to them.
pub(crate) fn admitted(server: &Arc<Server>, of: AccountId, before: Arc<Contact>) {
    let server = server.clone();
    tokio::spawn(async move {
        if let Err(refuse) = tell_admitted(&server, of, &before).await {
            tracing::debug!(jid = before.jid.as_str(), ?refuse, "what somebody may read now cannot be told");
        }
    });
}

async fn tell_admitted(server: &Arc<Server>, of: AccountId, before: &Contact) -> Result<(), Refuse> {
    for (owner, names) in last::admitted(server, of, before).await? {
        let Some(Due { told, .. }) = last::for_admitted(server, owner, names, of, before).await? else { continue };
        told.into_iter().for_each(|told| notify::run(server, told));
    }
    Ok(())
}

/// For a session that has become available: of its own account, of its domain, and of the contacts that it sees.
pub(crate) async fn for_session(server: Arc<Server>, session: Arc<Session>, wants: Wants) {
    let mut owners = vec![session.jid.bare(), session.jid.domain_jid()];
    if let Some(contacts) = server.sessions.contacts(session.account).filter(|_| !session.is_locked()) {
        let seen = contacts.iter().filter(|contact| contact.sees()).map(|contact: &Known| &contact.jid);
        owners.extend(seen.filter(|jid| !remotes::is_remote(&server, jid)).cloned());
    }
    let mut missed = Missed::since(session.since_ms());
    for owner in owners {
        if !session.is_available() {
            return;
        }
        tell(&server, &owner, &wants, Client::Here(&session), Subscribed::AreTold, &mut missed).await;
    }
}

/// Of one account for a session that begins to see it; what it is subscribed to, [`admitted`] sees to.
pub(crate) async fn of_one(server: Arc<Server>, owner: Jid, session: Arc<Session>, wants: Wants) {
    tell(&server, &owner, &wants, Client::Here(&session), Subscribed::AreTold, &mut Missed::since(None)).await;
}

/// Of the account that sees it, for a client on another server.
pub(crate) async fn for_remote(server: Arc<Server>, owner: Jid, client: Jid, wants: Wants, since_ms: Option<u64>) {
    tell(&server, &owner, &wants, Client::Elsewhere(&client), Subscribed::AreNot, &mut Missed::since(since_ms)).await;
}

async fn tell(
    server: &Arc<Server>,
    owner: &Jid,
    wants: &Wants,
    to: Client<'_>,
    subscribed: Subscribed,
    missed: &mut Missed,
) {
    match last::of(server, owner, wants, to.jid(), subscribed, missed).await {
        Ok(Some(last)) => {
            for content in &last.contents {
                notify::last(server, &last.from, content, &to);
            }
        }
        Ok(None) => {}
        Err(refuse) => tracing::debug!(jid = owner.as_str(), ?refuse, "what was published before cannot be told"),
    }
}
