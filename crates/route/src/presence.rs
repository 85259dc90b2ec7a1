//! Presence: RFC 6121 sections 3 and 4. Decides what a presence does, and is the only teardown of a session (`gone`).
//! Presence never waits for a commit unless it changes a subscription, and contacts who are not there cost nothing.

mod broadcast;
mod directed;
mod lists;
mod probe;
mod received;
pub(crate) mod show;
mod subscription;

use std::sync::Arc;

use metronome_features::conversions::avatar;
use metronome_features::last_activity;
use metronome_features::pubsub::missed;
use metronome_features::roster::load;
use metronome_host::announcement::Announcement;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::{Lock, Session};
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::presence::{PresenceType, priority};
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::subscription::Verb;

use directed::Told;
pub(crate) use lists::{in_doubt as lists_in_doubt, lists_changed, rules_changed};
pub(crate) use received::given_back;
pub(crate) use show::{hide, hide_from, show, show_to};

use crate::{interests, last_items, remotes, resumables, timers};

/// Most bytes that a presence says. Everybody who sees it gets them, and the session keeps them.
const PRESENCE_BYTES_MAX: usize = 16 * 1024;

/// Decides a presence.
pub(crate) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    crate::destination::resolve(server, env);
    let Kind::Presence(kind) = env.stanza.kind else { return Err(Refuse::Drop("not a presence")) };
    if env.destination == Destination::Room {
        return admit_to_room(server, env, kind).await;
    }
    let Some(session) = env.sender.as_session().cloned() else { return received::admit(server, env, kind).await };
    if env.destination == Destination::Remote {
        remotes::refuse(server, env)?;
    }
    match (Verb::of(kind), kind) {
        (Some(verb), _) => subscription::admit(server, &session, env, verb).await,
        (None, PresenceType::Available) if env.stanza.to.is_none() => admit_available(server, &session, env).await,
        (None, PresenceType::Unavailable) if env.stanza.to.is_none() => Ok(()),
        (None, PresenceType::Available) => {
            avatar::amend(server, &session, env).await?;
            directed::admit(server, &session, env)
        }
        (None, PresenceType::Unavailable) => directed::admit(server, &session, env),
        (None, PresenceType::Probe) => Ok(()),
        // An error goes to the resource whose presence caused it; it changes nothing here.
        (None, _) => directed::admit_error(env),
    }
}

/// The session's own presence. Its contacts must be in memory before it is shown to them.
async fn admit_available(server: &Arc<Server>, session: &Session, env: &mut Envelope) -> Result<(), Refuse> {
    judge(&env.stanza)?;
    load::contacts(server, session.account, &session.jid).await?;
    avatar::amend(server, session, env).await
}

/// XEP-0045: what its room decides upon. A room has no roster, so nobody can subscribe to it, and a probe finds nothing.
async fn admit_to_room(server: &Arc<Server>, env: &mut Envelope, kind: PresenceType) -> Result<(), Refuse> {
    match kind {
        PresenceType::Available => {
            judge(&env.stanza)?;
            match env.sender.as_session().cloned() {
                Some(session) => avatar::amend(server, &session, env).await,
                None => Ok(()),
            }
        }
        PresenceType::Unavailable | PresenceType::Error => Ok(()),
        PresenceType::Subscribe => Err(Condition::ServiceUnavailable.into()),
        _ => Err(Refuse::Drop("presence that rooms know nothing of")),
    }
}

/// What every available presence must be: a number as priority, and small, since everybody who sees it pays for it.
fn judge(stanza: &Stanza) -> Result<(), Refuse> {
    priority(&stanza.content).ok_or(Condition::BadRequest)?;
    match stanza.content.len_bytes() > PRESENCE_BYTES_MAX {
        true => Err(StanzaError::new(Condition::PolicyViolation).with_text("this presence is too large").into()),
        false => Ok(()),
    }
}

/// Runs an admitted presence; in the task of the session or link that it came from.
pub(crate) fn deliver(server: &Arc<Server>, env: &Envelope) {
    let Kind::Presence(kind) = env.stanza.kind else { return };
    if env.destination == Destination::Remote && env.sender.as_session().is_none() {
        return remotes::send(server, (*env.stanza).clone());
    }
    if env.destination == Destination::Nobody || Verb::of(kind).is_some() {
        return;
    }
    let Some(session) = env.sender.as_session() else { return received::deliver(server, env, kind) };
    // The unavailable presence of a session that is being closed has been shown, or will be: nothing may come behind it.
    if session.is_closing() {
        return;
    }
    match kind {
        PresenceType::Available if env.stanza.to.is_none() => {
            let comes = !session.is_available();
            broadcast::available(server, session, env);
            if comes {
                session.set_since_ms(missed::since_ms(&env.stanza.content, server.clock.unix_ms()));
                last_items::session_comes(server, session);
            }
            interests::shown(server, session, &env.stanza);
        }
        PresenceType::Unavailable if env.stanza.to.is_none() => leave(server, session, &env.stanza),
        PresenceType::Available | PresenceType::Unavailable | PresenceType::Error => {
            directed::deliver(server, session, env);
        }
        PresenceType::Probe => probe::deliver(server, session, env),
        _ => {}
    }
}

/// Shows a session more of the contacts that it must still be shown, as far as there is room; false if there is nothing to be done now.
///
/// Called by the stream's own task whenever it has written something.
pub fn go_on_showing(server: &Server, session: &Session) -> bool {
    broadcast::go_on_showing(server, session)
}

/// A presence as it is shown. Goodbyes find room where nothing else does, so one with much to say is shown without its words.
fn announcement(stanza: &Stanza) -> Announcement {
    const GOODBYE_BYTES_MAX: usize = 1024;
    let is_goodbye = stanza.kind == Kind::Presence(PresenceType::Unavailable);
    match is_goodbye && stanza.content.len_bytes() > GOODBYE_BYTES_MAX {
        true => Announcement::unavailable(&stanza.from),
        false => Announcement::new(stanza),
    }
}

/// Locks or unlocks an account's sessions. A locked account is hidden from everybody else, and they from it; an unlocked one is as if it
/// had just come.
pub(crate) fn lock(server: &Server, account: AccountId, lock: Lock) {
    let contacts = server.sessions.contacts(account);
    for session in server.sessions.of(account) {
        let was_locked = session.is_locked();
        // Before the goodbye: what its own task shows from here on is shown to nobody.
        session.set_locked(lock);
        if lock == Lock::Locked && !was_locked && session.is_available() {
            let unavailable = Announcement::unavailable(&session.jid);
            broadcast::to_all_contacts(server, &session, contacts.as_deref(), &unavailable);
        }
        if let (Lock::Open, true, (_, Some(announcement))) = (lock, was_locked, session.shown()) {
            broadcast::to_contacts(server, &session, contacts.as_deref(), &announcement);
            session.missed();
        }
    }
}

/// The bare addresses of everybody who may see an account's presence, one of whose sessions this is.
pub(crate) fn each_seeing(server: &Server, session: &Session, tell: impl FnMut(&Jid)) {
    broadcast::each_shown(server, session, server.sessions.contacts(session.account).as_deref(), tell);
}

/// Ends a session, whatever ended its stream: close, time-out, conflict, an administrator, a panic. Saying it twice does no harm.
pub fn gone(server: &Server, session: &Session) {
    // What is known of its contacts may leave the table with it.
    let contacts = server.sessions.contacts(session.account);
    if server.sessions.remove(session) && session.is_guest() {
        server.guests.note_left(&session.jid);
    }
    // Also of one whose place in the table another has taken already.
    resumables::forget(server, session);
    let mut told = Told::Nobody;
    if session.end().is_some() {
        let unavailable = Announcement::unavailable(&session.jid);
        broadcast::unavailable(server, session, contacts.as_deref(), &unavailable);
        left(server, session, None);
        told = Told::Contacts(contacts.as_deref());
    }
    directed::taken_back(server, session, &told);
}

/// The session is not available any more, but goes on (section 4.5).
fn leave(server: &Server, session: &Session, said: &Stanza) {
    let mut told = Told::Nobody;
    let contacts = server.sessions.contacts(session.account);
    if session.set_presence(None).is_some() {
        broadcast::unavailable(server, session, contacts.as_deref(), &announcement(said));
        left(server, session, Some(said));
        told = Told::Contacts(contacts.as_deref());
    }
    directed::taken_back(server, session, &told);
}

/// Notes when an account was last there, and what it said (XEP-0012), once none of its sessions is available; and that what lasts as long as
/// it is there may be over.
fn left(server: &Server, session: &Session, said: Option<&Stanza>) {
    server.upkeep.left(&session.jid);
    if server.sessions.of(session.account).iter().all(|other| !other.is_available()) {
        let status = said.and_then(|stanza| Some(stanza.child(ns::CLIENT, "status")?.text().into_owned()));
        server.upkeep.left(&session.jid.bare());
        last_activity::note(server, session.account, status.as_deref().unwrap_or_default());
    }
}

/// The client of an ended session has closed its stream and its connection in order, which proves that it has read everything.
///
/// Submitted at once and not with the next batch: after an orderly end nothing should come twice, not even if the server dies now.
pub fn closed_in_order(server: &Server, session: &Session) {
    server.note_seen(session.account, session.proved_by_close());
    timers::flush_seen(server);
}
