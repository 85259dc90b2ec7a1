//! The contacts that a session still has to be shown: it has just come, or a presence found no room in its outbox.
//! Kept as the place in the order of the roster, so that it is as small for a thousand contacts as for one.

use metronome_proto::jid::Jid;

use crate::session::{Session, State};

/// The contacts that a session still has to be shown, because it has just come or because it missed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unshown {
    /// Those behind this address in the order of the roster; all if there is none.
    pub after: Option<Jid>,
    /// Who is told about.
    pub what: Unseen,
    /// Whether a presence found no room since this began.
    missed: Missed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    Nothing,
    Something,
}

impl Unshown {
    pub(crate) fn new(what: Unseen) -> Unshown {
        Unshown { after: None, what, missed: Missed::Nothing }
    }
}

/// What a session has to be shown of its contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// Those who are there: it knows of nobody yet.
    Present,
    /// Everyone as they are now, those too who are not there: a presence found no room.
    Everyone,
}

impl Session {
    /// Something about its contacts found no room: once there is, it is told of all of them anew.
    pub fn missed(&self) {
        self.change(State::missed);
    }

    /// The contacts that it must still be shown, as soon as there is room for them.
    pub fn unshown(&self) -> Option<Unshown> {
        let state = self.state.lock();
        let unshown = state.unshown.as_deref().filter(|_| !state.outbox.is_high() && state.is_drained())?;
        Some(unshown.clone())
    }

    /// It was shown the contacts up to this address, or all of them; what it missed meanwhile makes another round.
    pub fn shown_up_to(&self, address: Option<Jid>) {
        let mut state = self.state.lock();
        let Some(unshown) = &mut state.unshown else { return };
        match (address, unshown.missed) {
            (Some(address), _) => unshown.after = Some(address),
            (None, Missed::Something) => **unshown = Unshown::new(Unseen::Everyone),
            (None, Missed::Nothing) => state.unshown = None,
        }
    }
}

impl State {
    /// A presence found no room.
    pub(crate) fn missed(&mut self) {
        match &mut self.unshown {
            Some(unshown) => unshown.missed = Missed::Something,
            None if self.presence.is_some() => self.unshown = Some(Box::new(Unshown::new(Unseen::Everyone))),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::{drain, frame, gone, here, live};
    use crate::session::{Offered, Shown};

    #[test]
    fn a_presence_that_finds_no_room_is_made_up_for() {
        let session = live();
        let arrived = session.unshown().unwrap();
        assert_eq!((arrived.after.clone(), arrived.what), (None, Unseen::Present));
        session.shown_up_to(Some(session.jid.bare()));
        assert_eq!(session.unshown().unwrap().after, Some(session.jid.bare()));
        session.shown_up_to(None);
        assert_eq!(session.unshown(), None);
        while session.offer_volatile(frame()) == Offered::Queued {}
        assert_eq!(session.show(&here(), frame), Shown::Dropped);
        assert_eq!(session.unshown(), None, "not before there is room");
        // A goodbye goes through all the same: nobody would repeat it.
        assert_eq!(session.show(&gone(), frame), Shown::Queued);
        drain(&session);
        let missed = session.unshown().unwrap();
        assert_eq!((missed.after.clone(), missed.what), (None, Unseen::Everyone));
        // What is missed while it is shown the others waits for the next round, so that this one comes to its end.
        session.shown_up_to(Some(session.jid.bare()));
        while session.offer_volatile(frame()) == Offered::Queued {}
        assert_eq!(session.show(&here(), frame), Shown::Dropped);
        drain(&session);
        assert_eq!(session.unshown().unwrap().after, Some(session.jid.bare()));
        session.shown_up_to(None);
        assert_eq!(session.unshown().unwrap().after, None);
        session.set_presence(None);
        assert_eq!(session.unshown(), None);
    }
}
