//! Probes (RFC 6121 section 4.3): the current presence of an account, for those who may see it and for nobody else.
//! Clients need not send them, since the server does it for them; some do all the same.

use metronome_host::contacts::Known;
use metronome_host::envelope::Envelope;
use metronome_host::server::Server;

use super::show::{count, show_one};

/// Shows the asking session those that it asks for, as they are now; whoever may not see them hears nothing, as if nobody was there.
pub(super) fn deliver(server: &Server, env: &Envelope) {
    let Some(to) = &env.stanza.to else { return };
    let theirs = server.sessions.named(to.bare_str());
    let Some(first) = theirs.first() else { return };
    let viewer = env.sender.jid.bare_str();
    let may_see = first.account == env.sender.account
        || server
            .sessions
            .contacts(first.account)
            .is_some_and(|contacts| contacts.get(viewer).is_some_and(Known::is_shown))
        || server.hosts.load().shows(to, &env.sender.jid);
    for session in theirs.iter().filter(|session| may_see && !session.is_locked()) {
        if to.is_bare() || session.jid == *to {
            count(server, show_one(server, session, &env.sender));
        }
    }
}
