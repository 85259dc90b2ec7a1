//! The presence of one account's sessions for those of another, when a subscription begins or ends.

use metronome_features::blocking::check;
use metronome_host::announcement::{Announcement, Says};
use metronome_host::blocking::What;
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{Session, Shown};
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Name;

use crate::remotes;

/// Shows every available session of one account to the available sessions of another.
pub(crate) fn show(server: &Server, of: AccountId, to: AccountId) {
    let viewers = server.sessions.of(to);
    for session in server.sessions.of(of).iter().filter(|session| !session.is_locked()) {
        for viewer in &viewers {
            count(server, show_one(server, session, viewer));
        }
    }
}

/// Tells the available sessions of an account that those of another are not there for it any more. Locked ones were not before.
pub(crate) fn hide(server: &Server, of: AccountId, to: AccountId) {
    let viewers = server.sessions.of(to);
    for session in server.sessions.of(of).iter().filter(|session| session.is_available() && !session.is_locked()) {
        let unavailable = Announcement::unavailable(&session.jid);
        for viewer in viewers.iter().filter(|viewer| lets(server, session, viewer)) {
            announce(server, &unavailable, viewer);
        }
    }
}

/// Shows every available session of an account to somebody on another server.
pub(crate) fn show_to(server: &Server, of: AccountId, to: &Jid) {
    for session in server.sessions.of(of).iter().filter(|session| !session.is_locked()) {
        if let (_, Some(announcement)) = session.shown() {
            to_remote(server, session, &announcement, to);
        }
    }
}

/// Tells somebody on another server that the sessions of an account are not there any more.
pub(crate) fn hide_from(server: &Server, of: AccountId, from: &Jid) {
    for session in server.sessions.of(of).iter().filter(|session| session.is_available() && !session.is_locked()) {
        to_remote(server, session, &Announcement::unavailable(&session.jid), from);
    }
}

/// Hands what a session says of itself to somebody on another server, if its list lets it.
pub(super) fn to_remote(server: &Server, of: &Session, announcement: &Announcement, to: &Jid) {
    if !of.is_guest() && !check::denies(server, of, to, What::PresenceOut) {
        remotes::announce(server, &of.jid, announcement, to);
    }
}

/// Whether the privacy lists of both let one session's presence reach another.
pub(super) fn lets(server: &Server, of: &Session, viewer: &Session) -> bool {
    !check::denies(server, of, &viewer.jid, What::PresenceOut)
        && !check::denies(server, viewer, &of.jid, What::PresenceIn)
}

/// Shows a session to another as it is now, if their lists let it.
pub(super) fn show_one(server: &Server, of: &Session, viewer: &Session) -> Shown {
    if !lets(server, of, viewer) {
        return Shown::NotAvailable;
    }
    let shown = of.show_to(viewer);
    take_back_if_denied(server, of, viewer);
    shown
}

/// Hands what a session says of itself to another, if their lists let it.
pub(super) fn tell_one(
    server: &Server,
    of: &Session,
    announcement: &Announcement,
    viewer: &Session,
    frame: impl FnOnce() -> Frame,
) {
    if lets(server, of, viewer) {
        count(server, viewer.show(announcement, frame));
        if announcement.says == Says::Here {
            take_back_if_denied(server, of, viewer);
        }
    }
}

/// A list that changed while a presence was being shown has taken it back before it came: it is taken back behind it as well.
pub(super) fn take_back_if_denied(server: &Server, of: &Session, viewer: &Session) {
    if !lets(server, of, viewer) {
        announce(server, &Announcement::unavailable(&of.jid), viewer);
    }
}

/// Hands an announcement to one session, if it is available.
pub(super) fn announce(server: &Server, announcement: &Announcement, viewer: &Session) {
    let shown = viewer.show(announcement, || announcement.to(viewer.jid.bare_str()));
    count(server, shown);
}

/// Counts what was dropped.
pub(crate) fn count(server: &Server, shown: Shown) {
    match shown {
        Shown::Queued => server.counters.delivered.add(Name::Presence),
        Shown::Dropped | Shown::Gone => server.counters.dropped.add(),
        Shown::NotAvailable => {}
    }
}
