//! Probes (RFC 6121 section 4.3): the current presence of an account, for those who may see it and for nobody else.
//! Clients need not send them, since the server does it for them; some do all the same.

use metronome_host::contacts::Known;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::server::Server;
use metronome_host::session::Session;

use super::show::{count, show_one};
use crate::remotes;

/// Shows the asking session those that it asks for, as they are now; whoever may not see them hears nothing, as if nobody was there.
pub(super) fn deliver(server: &Server, viewer: &Session, env: &Envelope) {
    let Some(to) = &env.stanza.to else { return };
    if env.destination == Destination::Remote {
        return remotes::send(server, (*env.stanza).clone());
    }
    let theirs = server.sessions.named(to.bare_str());
    let Some(first) = theirs.first() else { return };
    let may_see = first.account == viewer.account
        || server
            .sessions
            .contacts(first.account)
            .is_some_and(|contacts| contacts.get(viewer.jid.bare_str()).is_some_and(Known::is_shown))
        || server.hosts.load().shows(to, &viewer.jid);
    for session in theirs.iter().filter(|session| may_see && !session.is_locked()) {
        if to.is_bare() || session.jid == *to {
            count(server, show_one(server, session, viewer));
        }
    }
}
