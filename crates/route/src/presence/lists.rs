//! What a change of privacy lists means for presence (XEP-0016 sections 2.10 and 2.11, XEP-0191 sections 3.3 and 3.4): whoever may not see
//! a session any more is told that it is gone, whoever may again is shown it, and the same the other way round.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_host::announcement::Announcement;
use metronome_host::blocking::{Blocking, Rules, What};
use metronome_host::server::Server;
use metronome_host::session::{Session, Unseen};
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::payload::privacy::Who;
use metronome_proto::stream::error::Condition;

use super::broadcast;
use super::show::{announce, count, show_one};
use crate::remotes;

/// The lists of an account have changed: each of its sessions goes by the one that counts for it now.
pub(crate) fn lists_changed(server: &Server, owner: AccountId, blocking: &Blocking) {
    for session in server.sessions.of(owner) {
        rules_changed(server, &session, blocking.rules(session.active_list().as_deref()));
    }
}

/// After a failed commit nobody knows what the lists are: they are read again, and sessions that cannot know them end.
pub(crate) async fn in_doubt(server: Arc<Server>, owner: AccountId) {
    let _locked = server.owners.lock(&[owner]).await;
    let sessions = server.sessions.of(owner);
    let Some(first) = sessions.first() else { return };
    match server.facts.of(&*server.store, &first.jid).await {
        Ok(Some(facts)) => lists_changed(&server, owner, &facts.blocking),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(jid = first.jid.bare_str(), %error, "privacy lists could not be read again; sessions are ended");
            sessions.iter().for_each(|session| {
                session.close(Condition::InternalServerError, Some("privacy lists cannot be read now"));
            });
        }
    }
}

/// Another list counts for a session from here on. What was said of it and to it before, and would not be now, is taken back.
pub(crate) fn rules_changed(server: &Server, session: &Arc<Session>, rules: Option<Arc<Rules>>) {
    let now = rules.clone();
    let before = session.set_rules(rules);
    if before == now || session.is_locked() {
        return;
    }
    let change = Change { server, session, before, now };
    let contacts = server.sessions.contacts(session.account);
    if session.is_available() {
        broadcast::each_shown(server, session, contacts.as_deref(), |contact| change.of_shown(contact));
    }
    change.of_directed();
    change.of_directors();
    for contact in contacts.iter().flat_map(|contacts| contacts.iter()).filter(|contact| contact.sees()) {
        if remotes::is_remote(server, &contact.jid) {
            match change.verdict(&contact.jid, What::PresenceIn) {
                // Whichever of its resources were there.
                Verdict::Denied => announce(server, &Announcement::unavailable(&contact.jid), session),
                Verdict::Allowed => broadcast::show_contact(server, session, contact, Unseen::Present),
                Verdict::AsBefore => {}
            }
            continue;
        }
        let mut is_seen_again = false;
        for other in server.sessions.named(contact.jid.as_str()) {
            match change.verdict(&other.jid, What::PresenceIn) {
                Verdict::Denied => announce(server, &Announcement::unavailable(&other.jid), session),
                Verdict::Allowed => is_seen_again = true,
                Verdict::AsBefore => {}
            }
        }
        if is_seen_again {
            broadcast::show_contact(server, session, contact, Unseen::Present);
        }
    }
}

/// A session and the lists that counted for it before and count now.
struct Change<'a> {
    server: &'a Server,
    session: &'a Arc<Session>,
    before: Option<Arc<Rules>>,
    now: Option<Arc<Rules>>,
}

/// What a change makes of somebody.
enum Verdict {
    Denied,
    Allowed,
    AsBefore,
}

impl Change<'_> {
    fn verdict(&self, other: &Jid, what: What) -> Verdict {
        let denied =
            |rules: &Option<Arc<Rules>>| check::rules_deny(self.server, self.session, rules.as_deref(), other, what);
        match (denied(&self.before), denied(&self.now)) {
            (false, true) => Verdict::Denied,
            (true, false) => Verdict::Allowed,
            _ => Verdict::AsBefore,
        }
    }

    /// Somebody who sees the session, but for the lists.
    fn of_shown(&self, contact: &Jid) {
        if remotes::is_remote(self.server, contact) {
            return self.of_remote(contact);
        }
        for viewer in self.server.sessions.named(contact.as_str()) {
            match self.verdict(&viewer.jid, What::PresenceOut) {
                // Who does not let it in has never seen it.
                Verdict::Denied if check::denies(self.server, &viewer, &self.session.jid, What::PresenceIn) => {}
                Verdict::Denied => announce(self.server, &Announcement::unavailable(&self.session.jid), &viewer),
                Verdict::Allowed => count(self.server, show_one(self.server, self.session, &viewer)),
                Verdict::AsBefore => {}
            }
        }
    }

    /// Somebody on another server who sees the session, but for the lists.
    fn of_remote(&self, contact: &Jid) {
        let announcement = match (self.verdict(contact, What::PresenceOut), self.session.shown()) {
            (Verdict::Denied, _) => Announcement::unavailable(&self.session.jid),
            (Verdict::Allowed, (_, Some(announcement))) => announcement,
            _ => return,
        };
        remotes::announce(self.server, &self.session.jid, &announcement, contact);
    }

    /// Of those that the list names, whoever has sent the session presence directly is gone for it. Whom else it denies is a contact, or
    /// nobody knows.
    fn of_directors(&self) {
        let named = self.now.iter().flat_map(|rules| rules.list.items()).filter_map(|item| match &item.who {
            Who::Jid(jid) if jid.local().is_some() => Some(jid),
            _ => None,
        });
        for other in named.flat_map(|jid| self.server.sessions.named(jid.bare_str())) {
            let is_denied = matches!(self.verdict(&other.jid, What::PresenceIn), Verdict::Denied);
            if is_denied && other.has_directed(&self.session.jid) {
                count(self.server, self.session.show_directly(&Announcement::unavailable(&other.jid)));
            }
        }
    }

    /// Those who were sent presence directly hear that it is over, and are owed no goodbye at the end.
    fn of_directed(&self) {
        for to in self.session.directed() {
            let unavailable = Announcement::unavailable(&self.session.jid);
            let is_denied = matches!(self.verdict(&to, What::PresenceOut), Verdict::Denied);
            if is_denied && remotes::is_remote(self.server, &to) {
                remotes::announce(self.server, &self.session.jid, &unavailable, &to);
            }
            let viewers = self.server.sessions.named(to.bare_str());
            for viewer in viewers.iter().filter(|viewer| to.is_bare() || viewer.jid == to) {
                let is_denied = matches!(self.verdict(&viewer.jid, What::PresenceOut), Verdict::Denied);
                if is_denied && !check::denies(self.server, viewer, &self.session.jid, What::PresenceIn) {
                    count(self.server, viewer.show_directly(&unavailable));
                }
            }
            if is_denied {
                self.session.forget_directed(&to);
            }
        }
    }
}
