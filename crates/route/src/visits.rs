//! Presence of clients on other servers for a service: subscribers who come are told what was published before (XEP-0060 section 12.2), and
//! what lasts as long as they are there ends when they go.

use std::sync::Arc;

use metronome_features::pubsub::missed;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::server::Server;
use metronome_host::visitors::{Came, Left};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::presence::PresenceType;

use crate::last_items;

/// Whether a presence is for a domain or a service itself, from a client.
pub(crate) fn is_one(env: &Envelope) -> bool {
    let is_here = matches!(env.destination, Destination::Host | Destination::Service(_));
    is_here && env.stanza.from.is_full() && env.stanza.to.as_ref().is_some_and(|to| to.local().is_none())
}

/// Somebody comes or goes.
pub(crate) fn run(server: &Arc<Server>, presence: &Stanza, service: &Jid, kind: PresenceType) {
    let client = &presence.from;
    match kind {
        PresenceType::Available if server.visitors.came(service, client) == Came::New => {
            // Where too many are looked for already, nothing is told.
            let Some(permit) = server.interests.permit() else { return server.counters.dropped.add() };
            let since_ms = missed::since_ms(&presence.content, server.clock.unix_ms());
            let (server, service, client) = (server.clone(), service.domain_jid(), client.clone());
            tokio::spawn(async move {
                let _permit = permit;
                last_items::for_visitor(&server, &service, &client, since_ms).await;
            });
        }
        PresenceType::Unavailable => {
            server.upkeep.left(client);
            if server.visitors.left(service, client) == Left::Nobody {
                server.upkeep.left(&client.bare());
            }
        }
        _ => {}
    }
}
