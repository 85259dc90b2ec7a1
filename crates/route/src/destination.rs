//! Whom a stanza is for, as far as its address tells.

use metronome_features::muc;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::hosts::Standing;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;

/// Decides the destination of a stanza.
pub(crate) fn resolve(server: &Server, env: &mut Envelope) {
    let stanza = &env.stanza;
    env.destination = match &stanza.to {
        None => Destination::OwnAccount,
        Some(to) if env.sender.as_session().is_some() && to.same_bare(&stanza.from) => Destination::OwnAccount,
        Some(to) => of_other(server, to),
    };
}

fn of_other(server: &Server, to: &Jid) -> Destination {
    match server.hosts.load().known(to.domain()).map(|known| known.standing) {
        None | Some(Standing::Component) => Destination::Remote,
        Some(Standing::Served) if to.local().is_none() => Destination::Host,
        Some(Standing::Served) => Destination::Account(None),
        Some(Standing::Service) if muc::is_room(server, to) => Destination::Room,
        Some(Standing::Service) => Destination::Service(None),
        Some(_) => Destination::Unserved,
    }
}
