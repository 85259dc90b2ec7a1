//! Whom a stanza is for, as far as its address tells.

use metronome_host::envelope::{Destination, Envelope};
use metronome_host::server::Server;

/// Decides the destination of a stanza from one of our clients.
pub(crate) fn resolve(server: &Server, env: &mut Envelope) {
    let stanza = &env.stanza;
    env.destination = match &stanza.to {
        None => Destination::OwnAccount,
        Some(to) if to.bare_str() == stanza.from.bare_str() => Destination::OwnAccount,
        Some(to) if server.hosts.load().get(to.domain()).is_none() => Destination::Remote,
        Some(to) if to.local().is_none() => Destination::Host,
        Some(_) => Destination::Account(None),
    };
}
