//! The presence of one account's sessions for those of another, when a subscription begins or ends.

use metronome_host::announcement::Announcement;
use metronome_host::server::Server;
use metronome_host::session::{Session, Shown};
use metronome_model::AccountId;

/// Shows every available session of one account to the available sessions of another.
pub(crate) fn show(server: &Server, of: AccountId, to: AccountId) {
    let viewers = server.sessions.of(to);
    for session in server.sessions.of(of).iter().filter(|session| !session.is_locked()) {
        for viewer in &viewers {
            count(server, session.show_to(viewer));
        }
    }
}

/// Tells the available sessions of an account that those of another are not there for it any more. Locked ones were not before.
pub(crate) fn hide(server: &Server, of: AccountId, to: AccountId) {
    let viewers = server.sessions.of(to);
    for session in server.sessions.of(of).iter().filter(|session| session.is_available() && !session.is_locked()) {
        let unavailable = Announcement::unavailable(&session.jid);
        for viewer in &viewers {
            announce(server, &unavailable, viewer);
        }
    }
}

/// Hands an announcement to one session, if it is available.
pub(super) fn announce(server: &Server, announcement: &Announcement, viewer: &Session) {
    let shown = viewer.show(announcement, || announcement.to(viewer.jid.bare_str()));
    count(server, shown);
}

/// Counts what was dropped.
pub(super) fn count(server: &Server, shown: Shown) {
    match shown {
        Shown::Queued => server.counters.presences_delivered.add(),
        Shown::Dropped => server.counters.dropped.add(),
        Shown::NotAvailable => {}
    }
}
