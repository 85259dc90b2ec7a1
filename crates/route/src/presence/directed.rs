//! Presence that a session sends to somebody directly (RFC 6121 section 4.6), and takes back when it leaves.

use metronome_features::muc;
use metronome_host::announcement::{Announcement, Says};
use metronome_host::contacts::{Contacts, Known};
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::rooms::Item;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::presence::PresenceType;

use super::show::{count, lets, tell_one, to_remote};
use crate::remotes;

/// Decides presence with an address: whom it reaches is seen at delivery, and nobody hears that there was nobody.
pub(super) fn admit(server: &Server, session: &Session, env: &mut Envelope) -> Result<(), Refuse> {
    if env.destination == Destination::Unserved {
        return Err(Condition::RemoteServerNotFound.into());
    }
    let Some(to) = env.stanza.to.clone() else { return Err(Refuse::Drop("presence without an address")) };
    super::judge(&env.stanza)?;
    if env.stanza.kind == Kind::Presence(PresenceType::Unavailable) {
        return Ok(());
    }
    // Who sees every presence of this session anyway is told with everybody else when it leaves. One of their sessions that is not
    // available is not, so a full address is noted all the same.
    let is_told = to.is_bare() && session.is_available() && sees_all(server, session, &to);
    if !is_told && !session.note_directed(&to) {
        let error =
            StanzaError::new(Condition::ResourceConstraint).with_text("presence was sent to too many addresses");
        return Err(error.into());
    }
    Ok(())
}

/// An error about a presence goes to the resource whose presence it was.
pub(super) fn admit_error(env: &Envelope) -> Result<(), Refuse> {
    match &env.stanza.to {
        Some(to) if to.is_full() => Ok(()),
        _ => Err(Refuse::Drop("an error is for the resource that caused it")),
    }
}

fn sees_all(server: &Server, session: &Session, to: &Jid) -> bool {
    let contacts = server.sessions.contacts(session.account);
    to.same_bare(&session.jid) || contacts.is_some_and(|contacts| is_shown(&contacts, to))
}

fn is_shown(contacts: &Contacts, to: &Jid) -> bool {
    contacts.get(to.bare_str()).is_some_and(Known::is_shown)
}

/// Who has been told already that a session is leaving.
pub(super) enum Told<'a> {
    /// Its own account's available sessions, and those of the contacts it was shown to.
    Contacts(Option<&'a Contacts>),
    /// Nobody: it was not available.
    Nobody,
}

impl Told<'_> {
    fn holds(&self, session: &Session, to: &Jid) -> bool {
        match self {
            Told::Contacts(contacts) => {
                to.same_bare(&session.jid) || contacts.is_some_and(|contacts| is_shown(contacts, to))
            }
            Told::Nobody => false,
        }
    }
}

/// Hands it to the sessions it is addressed to (sections 8.5.2.1.2 and 8.5.3).
pub(super) fn deliver(server: &Server, session: &Session, env: &Envelope) {
    let Some(to) = &env.stanza.to else { return };
    if env.destination == Destination::Remote {
        if env.stanza.kind == Kind::Presence(PresenceType::Unavailable) {
            session.forget_directed(to);
        }
        return remotes::send(server, (*env.stanza).clone());
    }
    let mut announcement = super::announcement(&env.stanza);
    // Only who was told that it is there is owed a goodbye: what anybody else says must not take the room of answers.
    if announcement.says == Says::Gone && !session.forget_directed(to) {
        announcement.says = Says::Here;
    }
    if to.is_bare() {
        to_bare(server, session, &announcement, to);
    } else if let Some(viewer) = server.sessions.at(to).filter(|viewer| lets(server, session, viewer)) {
        count(server, viewer.show_directly(&announcement));
        if announcement.says == Says::Here && !lets(server, session, &viewer) {
            count(server, viewer.show_directly(&Announcement::unavailable(&session.jid)));
        }
    }
}

/// Every address that was sent presence directly hears that it is over, unless it has been told with the contacts.
pub(super) fn taken_back(server: &Server, session: &Session, told: &Told<'_>) {
    let directed = session.take_directed();
    if directed.is_empty() {
        return;
    }
    let unavailable = Announcement::unavailable(&session.jid);
    for to in &directed {
        let is_told = told.holds(session, to);
        if muc::is_room(server, to) {
            server.rooms.tell(&to.bare(), Item::Left(session.jid.clone()));
        } else if remotes::is_remote(server, to) {
            // A full address may be a room that looks like a contact.
            if !is_told || to.is_full() {
                to_remote(server, session, &unavailable, to);
            }
        } else if to.is_full() {
            let other = server.sessions.at(to).filter(|other| !(is_told && other.is_available()));
            if let Some(other) = other.filter(|other| lets(server, session, other)) {
                count(server, other.show_directly(&unavailable));
            }
        } else if !is_told {
            to_bare(server, session, &unavailable, to);
        }
    }
}

fn to_bare(server: &Server, of: &Session, announcement: &Announcement, to: &Jid) {
    for viewer in server.sessions.named(to.as_str()) {
        tell_one(server, of, announcement, &viewer, || announcement.to(viewer.jid.bare_str()));
    }
}
