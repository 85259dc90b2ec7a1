//! A session's own presence for everyone who may see it (RFC 6121 sections 4.2, 4.4 and 4.5), and what it sees when it comes (4.3).
//! Asks the tables in memory only: whoever is not online costs one look.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_host::announcement::Announcement;
use metronome_host::blocking::What;
use metronome_host::contacts::{Contacts, Fixed, Known};
use metronome_host::envelope::Envelope;
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{Offered, Presence, Session, Shown, Unseen};
use metronome_host::sessions::Sessions;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::presence::{PresenceType, priority};
use metronome_proto::stanza::{Kind, Stanza};

use super::show::{announce, count, show_one, tell_one, to_remote};
use crate::{components, remotes};

/// The session is available, for the first time or again: its own state first, then those who see it.
pub(super) fn available(server: &Server, session: &Arc<Session>, env: &Envelope) {
    let announcement = Announcement::new(&env.stanza);
    let priority = priority(&env.stanza.content).unwrap_or_default();
    session.set_presence(Some(Presence { priority, announcement: announcement.clone() }));
    if !session.is_available() {
        return; // It has ended, and everybody has been told.
    }
    to_own_sessions(server, session, &announcement);
    go_on_showing(server, session);
    let contacts = server.sessions.contacts(session.account).unwrap_or_default();
    to_contacts(server, session, Some(&contacts), &announcement);
    take_back_from_lost(server, session, &contacts);
    // It has ended meanwhile, and those who were told of that before were shown it again behind it.
    if !session.is_available() && server.sessions.at(&session.jid).is_none() {
        unavailable(server, session, Some(&contacts), &Announcement::unavailable(&session.jid));
    }
}

/// The session is not available any more.
pub(super) fn unavailable(
    server: &Server,
    session: &Session,
    contacts: Option<&Contacts>,
    announcement: &Announcement,
) {
    to_own_sessions(server, session, announcement);
    to_contacts(server, session, contacts, announcement);
}

/// The account's own sessions see each other, the sender included (section 4.2.2).
fn to_own_sessions(server: &Server, session: &Session, announcement: &Announcement) {
    count(server, session.show_itself(announcement));
    for own in server.sessions.of(session.account).iter().filter(|own| own.serial != session.serial) {
        announce(server, announcement, own);
    }
}

/// Those who may see the account's presence. A locked account has nobody.
pub(super) fn to_contacts(
    server: &Server,
    session: &Session,
    contacts: Option<&Contacts>,
    announcement: &Announcement,
) {
    if !session.is_locked() {
        to_all_contacts(server, session, contacts, announcement);
    }
}

/// The same whether or not it is locked.
pub(super) fn to_all_contacts(
    server: &Server,
    session: &Session,
    contacts: Option<&Contacts>,
    announcement: &Announcement,
) {
    each_shown(server, session, contacts, |contact| to_contact(server, session, contact, announcement));
}

/// Everyone who may see a session's presence, as far as rosters and groups say.
pub(super) fn each_shown(server: &Server, session: &Session, contacts: Option<&Contacts>, mut tell: impl FnMut(&Jid)) {
    let Some(contacts) = contacts else { return };
    for contact in contacts.iter().filter(|contact| contact.is_shown()) {
        tell(&contact.jid);
    }
    let (hosts, bare) = (server.hosts.load(), session.jid.bare_str());
    let seeing = hosts.iter().filter(|host| host.groups.is_seen_by_everybody(bare));
    let domains: Vec<&str> = seeing.map(|host| host.name.as_str()).collect();
    if !domains.is_empty() {
        each_of_everybody(server, session, contacts, &domains, tell);
    }
}

/// Who is in a group that everybody sees is shown to all of the domains that have it, whom its own roster need not know.
fn each_of_everybody(
    server: &Server,
    session: &Session,
    contacts: &Contacts,
    domains: &[&str],
    mut tell: impl FnMut(&Jid),
) {
    for index in 0..Sessions::SLICES {
        for (account, jid) in server.sessions.with_contacts(index) {
            let told = account == session.account || contacts.get(jid.as_str()).is_some_and(Known::is_shown);
            if !told && domains.contains(&jid.domain()) {
                tell(&jid);
            }
        }
    }
}

/// One contact's sessions share one frame.
fn to_contact(server: &Server, of: &Session, contact: &Jid, announcement: &Announcement) {
    let (viewers, mut written) = (server.sessions.named(contact.as_str()), None);
    if viewers.is_empty() && remotes::is_remote(server, contact) {
        return to_remote(server, of, announcement, contact);
    }
    for viewer in viewers {
        let frame = || written.get_or_insert_with(|| announcement.to(contact.as_str())).clone();
        tell_one(server, of, announcement, &viewer, frame);
    }
}

/// What a session must still be shown: the account's other sessions, then contact after contact the requests that wait for an answer
/// (section 3.1.3) and the presence that it may see, which is what the probes of section 4.3 ask for. Stops where the outbox is full
/// and goes on from there.
pub(super) fn go_on_showing(server: &Server, session: &Session) -> bool {
    let Some(unshown) = session.unshown() else { return false };
    if unshown.after.is_none() {
        for own in server.sessions.of(session.account).iter().filter(|own| own.serial != session.serial) {
            count(server, own.show_to(session));
        }
    }
    let contacts = server.sessions.contacts(session.account).filter(|_| !session.is_locked()).unwrap_or_default();
    for contact in contacts.behind(unshown.after.as_ref()) {
        if let Some(request) = &contact.request
            && !check::denies(server, session, &request.from, What::OtherIn)
        {
            tell(server, session, request);
        }
        if contact.sees() {
            show_contact(server, session, contact, unshown.what);
        }
        if session.is_behind() {
            session.shown_up_to(Some(contact.jid.clone()));
            return true;
        }
    }
    session.shown_up_to(None);
    true
}

fn tell(server: &Server, session: &Session, request: &Stanza) {
    match session.offer_volatile(Frame::whole(request.to_vec())) {
        Offered::Queued => server.counters.delivered.add(request.kind.name()),
        _ => {
            server.counters.dropped.add();
            session.missed();
        }
    }
}

/// Both rosters must say that the session may see the contact, or a group that everybody sees.
pub(super) fn show_contact(server: &Server, session: &Session, contact: &Known, what: Unseen) {
    let theirs = server.sessions.named(contact.jid.as_str());
    if theirs.is_empty() && remotes::is_remote(server, &contact.jid) {
        return probe(server, session, &contact.jid);
    }
    let may_see = theirs.first().is_some_and(|first| {
        contact.fixed == Fixed::ToGroup
            || server
                .sessions
                .contacts(first.account)
                .is_some_and(|theirs| theirs.get(session.jid.bare_str()).is_some_and(Known::is_shown))
            || (contact.fixed == Fixed::ByGroup && server.hosts.load().shows(&contact.jid, &session.jid))
    });
    let mut seen = false;
    for other in theirs.iter().filter(|other| may_see && !other.is_locked()) {
        let shown = show_one(server, other, session);
        seen |= shown != Shown::NotAvailable;
        count(server, shown);
    }
    if !seen && what == Unseen::Everyone {
        announce(server, &Announcement::unavailable(&contact.jid), session);
    }
}

/// Asks another server for the presence of a contact there (section 4.3.1). The answers are for this session alone.
fn probe(server: &Server, session: &Session, contact: &Jid) {
    let leads_there = server.remotes.is_open() || components::takes(server, contact);
    if leads_there && !session.is_guest() && !check::denies(server, session, contact, What::PresenceIn) {
        let probe = Stanza::new(Kind::Presence(PresenceType::Probe), session.jid.clone());
        remotes::announce(server, &session.jid, &Announcement::new(&probe), contact);
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
            to_contact(server, session, &contact.jid, &unavailable);
        }
    }
}
