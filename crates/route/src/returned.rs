//! What was on its way to a client that is gone for good (XEP-0198 section 4): requests come back to their senders, and so do messages that
//! nobody keeps, as from a resource that is not there. Stored messages need nothing: their rows are unseen.

use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::{Kind, Stanza};
use metronome_store::stored;

use crate::deliver::tells_sender;
use crate::remotes;

/// Tells the senders of what this session was given and has not acknowledged. Once, when it is over and out of the table; senders that
/// are gone as well are passed over.
pub fn to_senders(server: &Server, session: &Session) {
    for frame in session.take_unacknowledged() {
        let is_of_interest = frame.head.starts_with(b"<iq") || frame.head.starts_with(b"<message");
        if let Some(stanza) = is_of_interest.then(|| stored::read(&[frame.head, frame.body].concat())).flatten() {
            give_back(server, session, &stanza);
        }
    }
}

fn give_back(server: &Server, session: &Session, stanza: &Stanza) {
    let comes_back = match stanza.kind {
        Kind::Iq(_) => true,
        // One for the account may have been taken by another device.
        Kind::Message(_) => stanza.to.as_ref() == Some(&session.jid) && tells_sender(stanza),
        Kind::Presence(_) => false,
    };
    if !comes_back {
        return;
    }
    // RFC 6121 section 8.5.3.2: as if it had not been there. Nothing comes of an answer.
    if let Some(error) = stanza.error(&StanzaError::new(Condition::ServiceUnavailable)) {
        if remotes::is_remote(server, &stanza.from) {
            server.counters.bounced.add();
            return remotes::send(server, error);
        }
        let Some(sender) = server.sessions.at(&stanza.from) else { return };
        server.counters.bounced.add();
        let _ = sender.offer_volatile(Frame::whole(error.to_vec()));
    }
}
