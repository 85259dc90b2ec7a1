//! Requests and their answers: RFC 6120 section 8.2.3, RFC 6121 section 8.
//! A request is answered by the feature that registered it; everything else gets `service-unavailable`, in its order.

use std::sync::Arc;

use metronome_features::ping;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::At;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};

/// Takes the answers of a client to requests of the server; true if the stanza was an answer.
///
/// Answers that nobody asked for vanish: an answer is never answered (RFC 6120 section 8.2.3).
pub(crate) fn is_answer(server: &Server, session: &Session, stanza: &Stanza) -> bool {
    if !matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error)) {
        return false;
    }
    let for_us = stanza.to.as_ref().is_none_or(|to| to.is_domain() || to.as_str() == session.jid.bare_str());
    let ping = stanza.id.as_deref().filter(|_| for_us).and_then(ping::number_of);
    if let Some(proved) = ping.and_then(|number| session.pong(number)) {
        server.note_seen(session.account, proved);
    }
    true
}

/// Admits a request: its handler fills the record and the effects.
pub(crate) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    crate::destination::resolve(server, env);
    let Kind::Iq(kind) = env.stanza.kind else { return Err(Refuse::Drop("not a request")) };
    let at = match env.destination {
        Destination::Host => At::Host,
        Destination::OwnAccount if env.stanza.to.as_ref().is_none_or(|to| to.is_bare()) => At::OwnAccount,
        Destination::Remote => return Err(StanzaError::new(Condition::RemoteServerNotFound).into()),
        _ => return Err(StanzaError::new(Condition::ServiceUnavailable).into()),
    };
    let payload = env.stanza.content.iter().next();
    let handler = payload.and_then(|payload| server.registry.iq(at, kind, payload.ns(), payload.name()));
    let handler = handler.ok_or_else(|| StanzaError::new(Condition::ServiceUnavailable))?;
    (handler.handle)(server, env).await
}
