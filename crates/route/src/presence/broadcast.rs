//! A session's own presence for everyone who may see it (RFC 6121 sections 4.2, 4.4 and 4.5), and what it sees when it comes (4.3).
//! Asks the tables in memory only: whoever is not online costs one look.

use metronome_host::announcement::Announcement;
use metronome_host::contacts::{Contacts, Fixed, Known};
use metronome_host::envelope::Envelope;
use metronome_host::server::Server;
use metronome_host::session::{Presence, Session};
use metronome_host::sessions::Sessions;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::presence::priority;

use super::show::{announce, count};

/// The session is available, for the first time or again: its own state first, then those who see it.
pub(super) fn available(server: &Server, env: &Envelope) {
    let session = &env.sender;
    let announcement = Announcement::new(&env.stanza);
    let priority = priority(&env.stanza.content).unwrap_or_default();
    let earlier = session.set_presence(Some(Presence { priority, announcement: announcement.clone() }));
    let contacts = server.sessions.contacts(session.account).unwrap_or_default();
    if earlier.is_none() {
        show_others(server, session, &contacts);
    }
    to_own_sessions(server, session, &announcement);
    to_contacts(server, session, &contacts, &announcement);
    take_back_from_lost(server, session, &contacts);
}

/// The session is not available any more.
pub(super) fn unavailable(server: &Server, session: &Session, contacts: Option<&Contacts>, announcement: &Announcement) {
    to_own_sessions(server, session, announcement);
    if let Some(contacts) = contacts {
        to_contacts(server, session, contacts, announcement);
    }
}

/// The account's own sessions see each other, the sender included (section 4.2.2).
fn to_own_sessions(server: &Server, session: &Session, announcement: &Announcement) {
    for own in server.sessions.of(session.account) {
        announce(server, announcement, &own);
    }
}

fn to_contacts(server: &Server, session: &Session, contacts: &Contacts, announcement: &Announcement) {
    for contact in contacts.iter().filter(|contact| contact.is_shown()) {
        to_contact(server, &contact.jid, announcement);
    }
    let hosts = server.hosts.load();
    let host = hosts.get(session.jid.domain());
    if host.is_some_and(|host| host.groups.is_seen_by_everybody(session.jid.bare_str())) {
        to_everybody(server, session, contacts, announcement);
    }
}

/// Who is in a group that everybody sees is shown to all of the host, whom its own roster need not know.
fn to_everybody(server: &Server, session: &Session, contacts: &Contacts, announcement: &Announcement) {
    for index in 0..Sessions::SLICES {
        for (account, jid) in server.sessions.with_contacts(index) {
            let told = account == session.account || contacts.get(jid.as_str()).is_some_and(Known::is_shown);
            if !told && jid.domain() == session.jid.domain() {
                to_contact(server, &jid, announcement);
            }
        }
    }
}

/// One contact's sessions share one frame.
fn to_contact(server: &Server, contact: &Jid, announcement: &Announcement) {
    let Some(account) = server.sessions.online(contact.as_str()) else { return };
    let mut written = None;
    for session in server.sessions.of(account) {
        let frame = || written.get_or_insert_with(|| announcement.to(contact.as_str())).clone();
        count(server, session.show(announcement.key, frame));
    }
}

/// Who has just come sees the account's other sessions, and the contacts whose presence it may see: that is what the probes of
/// section 4.3 ask for. Both rosters must say so, or a group that everybody sees.
fn show_others(server: &Server, session: &Session, contacts: &Contacts) {
    for own in server.sessions.of(session.account).iter().filter(|own| own.serial != session.serial) {
        count(server, own.show_to(session));
    }
    for contact in contacts.iter().filter(|contact| contact.sees()) {
        let Some(account) = server.sessions.online(contact.jid.as_str()) else { continue };
        let theirs = server.sessions.contacts(account);
        let shown = theirs.is_some_and(|theirs| theirs.get(session.jid.bare_str()).is_some_and(Known::is_shown));
        if !shown && contact.fixed != Fixed::ToGroup {
            continue;
        }
        for other in server.sessions.of(account) {
            count(server, other.show_to(session));
        }
    }
}

/// Whoever was cut off while this presence was being shown may have got it behind the goodbye.
fn take_back_from_lost(server: &Server, session: &Session, shown: &Contacts) {
    let Some(now) = server.sessions.contacts(session.account) else { return };
    if now.version == shown.version && now.groups == shown.groups {
        return;
    }
    let unavailable = Announcement::unavailable(&session.jid);
    for contact in shown.iter().filter(|contact| contact.is_shown()) {
        if !now.get(contact.jid.as_str()).is_some_and(Known::is_shown) {
            to_contact(server, &contact.jid, &unavailable);
        }
    }
}
