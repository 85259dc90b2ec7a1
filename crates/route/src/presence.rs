//! Presence of a session to the account's other sessions (RFC 6121 section 4, as far as messages need it), and `gone`,
//! the only teardown of a session.

use std::hash::{DefaultHasher, Hash, Hasher};

use metronome_host::envelope::{Destination, Envelope};
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::{Presence, Session};
use metronome_proto::ns;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::stanza::{Kind, Stanza};

use crate::timers;

/// Decides a presence of one of our clients. Only its own availability is known here yet.
pub(crate) fn admit(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    crate::destination::resolve(server, env);
    match env.stanza.kind {
        _ if env.stanza.to.is_some() => Err(Refuse::Drop("there are no contacts to send presence to")),
        Kind::Presence(PresenceType::Available) => priority_of(&env.stanza).map(drop),
        Kind::Presence(PresenceType::Unavailable) => Ok(()),
        _ => Err(StanzaError::new(Condition::BadRequest).into()),
    }
}

/// Runs an admitted presence: the session's own state first, then the account's other sessions.
pub(crate) fn deliver(server: &Server, env: &Envelope) {
    debug_assert_eq!(env.destination, Destination::OwnAccount);
    let session = &env.sender;
    // Its unavailable presence has been shown, or will be: nothing may come behind it.
    if session.is_closing() {
        return;
    }
    let frame = to_own_sessions(&env.stanza, session);
    match (env.stanza.kind, priority_of(&env.stanza)) {
        (Kind::Presence(PresenceType::Available), Ok(priority)) => {
            let earlier = session.set_presence(Some(Presence { priority, frame: frame.clone() }));
            if earlier.is_none() {
                show_others(server, session);
            }
            show_to_all(server, session, &frame);
        }
        _ => {
            if session.set_presence(None).is_some() {
                show_to_all(server, session, &frame);
            }
        }
    }
}

/// Ends a session, whatever ended its stream: close, time-out, conflict, an administrator, a panic. Saying it twice does no harm.
pub fn gone(server: &Server, session: &Session) {
    server.sessions.remove(session);
    if session.is_guest() {
        server.facts.guest_left(&session.jid);
    }
    if session.end().is_some() {
        let unavailable = Stanza::new(Kind::Presence(PresenceType::Unavailable), session.jid.clone());
        show_to_all(server, session, &Frame::whole(unavailable.with_to(session.jid.bare()).to_vec()));
    }
}

/// The client of an ended session has closed its stream and its connection in order, which proves that it has read everything.
///
/// Submitted at once and not with the next batch: after an orderly end nothing should come twice, not even if the server dies now.
pub fn closed_in_order(server: &Server, session: &Session) {
    server.note_seen(session.account, session.proved_by_close());
    timers::flush_seen(server);
}

/// The `priority` of a presence (RFC 6121 section 4.7.2.3): -128 to 127, 0 if it is not there.
fn priority_of(stanza: &Stanza) -> Result<i8, Refuse> {
    match stanza.child(ns::CLIENT, "priority") {
        None => Ok(0),
        Some(priority) => priority.text().trim().parse().map_err(|_| StanzaError::new(Condition::BadRequest).into()),
    }
}

fn to_own_sessions(stanza: &Stanza, session: &Session) -> Frame {
    let mut stanza = stanza.clone();
    stanza.to = Some(session.jid.bare());
    // Kept for as long as the session is available, so without room to spare.
    Frame { head: stanza.to_vec().into_boxed_slice().into(), body: Default::default() }
}

/// Everyone's own presence to the session that has just become available (RFC 6121 section 4.3).
fn show_others(server: &Server, session: &Session) {
    for other in server.sessions.of(session.account) {
        if other.serial != session.serial
            && let Some(presence) = other.presence()
        {
            show(server, session, presence.frame, &other);
        }
    }
}

/// A session's presence to all available sessions of the account, itself included (RFC 6121 section 4.2.2).
fn show_to_all(server: &Server, of: &Session, frame: &Frame) {
    for session in server.sessions.of(of.account) {
        if session.priority().is_some() {
            show(server, &session, frame.clone(), of);
        }
    }
}

fn show(server: &Server, to: &Session, frame: Frame, of: &Session) {
    let mut hasher = DefaultHasher::new();
    of.jid.as_str().hash(&mut hasher);
    if !to.show(frame, hasher.finish()) {
        server.counters.dropped.add();
    }
}
