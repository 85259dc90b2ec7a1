//! What clients that have just come are told of what was published before (XEP-0163 section 4.3.4): tasks of their own, beside the stream, so
//! that nobody's presence waits for a disk. Once for each resource and node; accounts without nodes are known to have none.

use std::sync::Arc;

use metronome_features::pubsub::last;
use metronome_host::contacts::Known;
use metronome_host::interests::Wants;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::jid::Jid;

use crate::notify::{self, Client};
use crate::remotes;

/// For a session that has become available: of its own account, of its domain, and of the contacts that it sees.
pub(crate) async fn for_session(server: Arc<Server>, session: Arc<Session>, wants: Wants) {
    let mut owners = vec![session.jid.bare(), session.jid.domain_jid()];
    if let Some(contacts) = server.sessions.contacts(session.account).filter(|_| !session.is_locked()) {
        let seen = contacts.iter().filter(|contact| contact.sees()).map(|contact: &Known| &contact.jid);
        owners.extend(seen.filter(|jid| !remotes::is_remote(&server, jid)).cloned());
    }
    for owner in owners {
        if !session.is_available() {
            return;
        }
        tell(&server, &owner, &wants, Client::Here(&session)).await;
    }
}

/// Of one account or domain for a session.
pub(crate) async fn of_one(server: Arc<Server>, owner: Jid, session: Arc<Session>, wants: Wants) {
    tell(&server, &owner, &wants, Client::Here(&session)).await;
}

/// Of the account that sees it, for a client on another server.
pub(crate) async fn for_remote(server: Arc<Server>, owner: Jid, client: Jid, wants: Wants) {
    tell(&server, &owner, &wants, Client::Elsewhere(&client)).await;
}

async fn tell(server: &Arc<Server>, owner: &Jid, wants: &Wants, to: Client<'_>) {
    match last::of(server, owner, wants, to.jid()).await {
        Ok(Some(last)) => {
            for content in &last.contents {
                notify::last(server, &last.from, content, &to);
            }
        }
        Ok(None) => {}
        Err(refuse) => tracing::debug!(jid = owner.as_str(), ?refuse, "what was published before cannot be told"),
    }
}
