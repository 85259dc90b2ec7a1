//! A session and presence: its own, what its client can do and wants to be told, and that of others as it is shown.

use std::num::NonZeroU64;
use std::sync::Arc;

use metronome_proto::jid::Jid;

use super::{From, Phase, Presence, Session, Shown, State, Unseen, Unshown};
use crate::announcement::{Announcement, Says};
use crate::client_kind::{ClientKind, Wants};
use crate::outbox::{Frame, Pushed};

impl Session {
    /// Queues a presence if the session is available (RFC 6121 section 4.2.3); of several from one full JID only the latest matters.
    ///
    /// One that finds no room is made up for: once there is, the session is shown everyone anew.
    pub fn show(&self, announcement: &Announcement, frame: impl FnOnce() -> Frame) -> Shown {
        self.change(|state| match state.presence {
            None => Shown::NotAvailable,
            Some(_) => state.show(announcement, frame()),
        })
    }

    /// Queues a presence that is addressed to this session's full JID.
    pub fn show_directly(&self, announcement: &Announcement) -> Shown {
        self.change(|state| state.show(announcement, announcement.to(self.jid.as_str())))
    }

    /// The same without waking the session's task, unless much is waiting: [`Session::wake`] does that, a moment later.
    pub fn show_directly_unwoken(&self, announcement: &Announcement) -> Shown {
        self.change_unwoken(|state| state.show(announcement, announcement.to(self.jid.as_str())))
    }

    /// Its own presence comes back to it (section 4.2.2), whatever others have sent; its own goodbye does not.
    pub fn show_itself(&self, announcement: &Announcement) -> Shown {
        if !self.is_available() {
            return Shown::NotAvailable;
        }
        self.answer(announcement.to(self.jid.bare_str()));
        Shown::Queued
    }

    /// Sets or clears the session's presence; answers the earlier one.
    ///
    /// A session that becomes available with a priority of at least 0 starts to catch up with the unseen rows.
    pub fn set_presence(&self, presence: Option<Presence>) -> Option<Presence> {
        self.change(|state| {
            // Whoever ended it has told everybody, and another session may have its address by now.
            if state.phase == Phase::Ended {
                return None;
            }
            let takes = presence.as_ref().is_some_and(|presence| presence.priority >= 0);
            match state.phase {
                Phase::Quiet if takes => {
                    // Behind what it was handed when it was available before: ids only grow on a session.
                    state.phase = Phase::CatchingUp(From::Unseen);
                    (state.noted, state.unseen_to) = (0, u64::MAX);
                    state.unsettled = true;
                }
                Phase::CatchingUp(_) | Phase::Live if !takes => state.phase = Phase::Quiet,
                _ => {}
            }
            state.presence_serial += 1;
            match (&state.presence, &presence) {
                (None, Some(_)) => {
                    state.unshown = Some(Box::new(Unshown::new(Unseen::Present)));
                    (state.owes_last_items, state.told) = (true, None);
                }
                (_, None) => {
                    state.unshown = None;
                    state.kind = None;
                }
                _ => {}
            }
            std::mem::replace(&mut state.presence, presence)
        })
    }

    /// How others see it now, none if it is not available; and a number that tells whether that has changed since.
    pub fn shown(&self) -> (u64, Option<Announcement>) {
        let state = self.state.lock();
        (state.presence_serial, state.presence.as_ref().map(|presence| presence.announcement.clone()))
    }

    /// Shows this session to another one as it is now; nothing if it is not available.
    ///
    /// Its own task may change its presence at the same moment and show that change itself. So this goes on until what was shown
    /// last is what is: whoever comes last tells the truth.
    pub fn show_to(&self, viewer: &Session) -> Shown {
        let (mut serial, mut announcement) = self.shown();
        if announcement.is_none() {
            return Shown::NotAvailable;
        }
        loop {
            let announced = announcement.unwrap_or_else(|| Announcement::unavailable(&self.jid));
            let shown = viewer.show(&announced, || announced.to(viewer.jid.bare_str()));
            let (now, next) = self.shown();
            if now == serial {
                return shown;
            }
            (serial, announcement) = (now, next);
        }
    }

    /// Whether it has said that it is available.
    pub fn is_available(&self) -> bool {
        self.state.lock().presence.is_some()
    }

    /// The priority of an available session.
    pub fn priority(&self) -> Option<i8> {
        self.state.lock().presence.as_ref().map(|presence| presence.priority)
    }

    /// What its client says that it can do (XEP-0115); none if it has said nothing since it became available.
    pub fn kind(&self) -> Option<Arc<ClientKind>> {
        self.state.lock().kind.clone()
    }

    /// Its client says, or has proved, what it can do. Nothing happens if it is not available. What it wants from here on and did not want
    /// before, it is owed.
    pub fn set_kind(&self, kind: Arc<ClientKind>) {
        let mut state = self.state.lock();
        if state.presence.is_some() {
            state.owes_last_items |= state.kind.as_ref().is_some_and(|known| known.name() != kind.name());
            state.kind = Some(kind);
        }
    }

    /// What counts for all clients that announce the same does not for this one: it has told something else of itself. Nothing happens if it
    /// announces another thing by now.
    pub fn set_kind_alone(&self, kind: Arc<ClientKind>) {
        let mut state = self.state.lock();
        if state.kind.as_ref().is_some_and(|known| known.name() == kind.name()) {
            state.kind = Some(kind);
        }
    }

    /// Since when its client has missed what was published, Unix time in milliseconds, as it has said when it became available (XEP-0312).
    pub fn since_ms(&self) -> Option<u64> {
        self.state.lock().since_ms.map(NonZeroU64::get)
    }

    /// It has become available and says that, or says nothing of it.
    pub fn set_since_ms(&self, since_ms: Option<u64>) {
        self.state.lock().since_ms = since_ms.and_then(|since_ms| NonZeroU64::new(since_ms.max(1)));
    }

    /// The presence that others see, as XML; none if it is not available.
    pub fn presence_xml(&self) -> Option<Box<[u8]>> {
        self.state.lock().presence_xml(&self.jid)
    }

    /// Whether its client is known to want what this node tells, and is there.
    pub fn wants_node(&self, node: &str) -> bool {
        self.state.lock().kind.as_ref().is_some_and(|kind| kind.wants_node(node))
    }

    /// Of which nodes it must still be told what was published before it came, or before it wanted them; from here on it counts as told. None
    /// while it is not known what it wants.
    pub fn take_owed_last_items(&self) -> Option<Wants> {
        let mut state = self.state.lock();
        let kind = state.kind.clone().filter(|_| state.owes_last_items)?;
        let wants = kind.wants()?.beyond(state.told.as_ref().and_then(|told| told.wants()));
        (state.owes_last_items, state.told) = (false, Some(kind));
        Some(wants).filter(|wants| !wants.is_empty())
    }
}

impl State {
    /// The XML of the presence that others see.
    pub(crate) fn presence_xml(&self, of: &Jid) -> Option<Box<[u8]>> {
        let frame = self.presence.as_ref()?.announcement.to(of.bare_str());
        Some([frame.head, frame.body].concat().into())
    }

    /// Grows with every change of the presence.
    pub(crate) fn presence_serial(&self) -> u64 {
        self.presence_serial
    }

    fn show(&mut self, announcement: &Announcement, frame: Frame) -> Shown {
        let pushed = match announcement.says {
            Says::Here if announcement.key == 0 => self.outbox.push(frame),
            Says::Here => self.outbox.push_latest(frame, announcement.key),
            Says::Gone => self.outbox.push_goodbye(frame, announcement.key),
        };
        match pushed {
            Pushed::Full => {
                self.missed();
                Shown::Dropped
            }
            Pushed::Gone => Shown::Gone,
            _ => Shown::Queued,
        }
    }
}
