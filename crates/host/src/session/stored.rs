//! A session and the messages that are stored: what it is handed by workers, and what it reads itself while it catches up.

use super::{CatchUp, From, Offered, Phase, Session, State};
use crate::outbox::{Frame, Pushed};

impl Session {
    /// Offers a stored message that any available session of the account may get.
    pub fn offer(&self, id: u64, frame: Frame) -> Offered {
        self.change(|state| match state.phase {
            Phase::Ended => Offered::Gone,
            Phase::Quiet => Offered::Deferred,
            Phase::CatchingUp(_) => state.note(id),
            Phase::Live => state.hand(id, frame),
        })
    }

    /// Offers a stored message that is for this session whatever its presence: one that is addressed to its full JID (RFC 6121
    /// section 8.5.3.1), or a copy that it has asked for.
    pub fn offer_direct(&self, id: u64, frame: Frame) -> Offered {
        self.change(|state| match state.phase {
            Phase::Ended => Offered::Gone,
            Phase::CatchingUp(_) => state.note(id),
            Phase::Live => state.hand(id, frame),
            Phase::Quiet => match state.give(id, frame) {
                Pushed::Queued => Offered::Queued,
                // The row stays unseen: it is read when the session becomes available.
                Pushed::Full => Offered::Deferred,
                Pushed::Gone => Offered::Gone,
            },
        })
    }

    /// Where to go on reading stored messages; none if the session does not catch up or its outbox must be written first.
    pub fn catch_up(&self) -> Option<CatchUp> {
        let state = self.state.lock();
        match state.phase {
            Phase::CatchingUp(from) if state.is_drained() && (state.has_room() || state.wants_proof()) => {
                let unseen_to = Some(state.unseen_to).filter(|&id| id != u64::MAX);
                Some(CatchUp { after: state.handed, noted: state.noted, from, unseen_to, unsettled: state.unsettled })
            }
            _ => None,
        }
    }

    /// Hands over one row that was read while catching up; false means stop reading, there is no room.
    pub fn catch_up_with(&self, id: u64, frame: impl FnOnce() -> Frame) -> bool {
        self.change(|state| {
            if !state.reads(id) || !state.has_room() {
                return false;
            }
            // What the session was given before it became available is not given twice, even if it is not written yet.
            let is_queued = state.phase == Phase::CatchingUp(From::Unseen) && state.outbox.holds(id);
            if id > state.handed && !is_queued && !state.holds(id) && state.give(id, frame()) != Pushed::Queued {
                return false;
            }
            state.handed = state.handed.max(id);
            true
        })
    }

    /// Passes over one row that was read while catching up and is not for this session; false means stop reading.
    pub fn pass_over(&self, id: u64) -> bool {
        self.change(|state| {
            let reads = state.reads(id);
            if reads {
                state.handed = state.handed.max(id);
            }
            reads
        })
    }

    /// Of the rows beyond this one it gets all that are for it, and not only those that nobody has seen: what another session of the
    /// account sends is never unseen.
    pub fn reads_unseen_to(&self, id: u64) {
        let mut state = self.state.lock();
        state.unseen_to = state.unseen_to.min(id);
    }

    /// What clients of the account had proved before this session became available is cleared.
    pub fn settled(&self) {
        self.state.lock().unsettled = false;
    }

    /// Every row up to `looked_at` was read or does not exist: the session is live, unless more was delivered meanwhile.
    pub fn caught_up(&self, looked_at: u64) {
        self.change(|state| {
            if let Phase::CatchingUp(from) = state.phase {
                let is_bounded = from == From::Unseen && state.unseen_to != u64::MAX;
                state.handed = state.handed.max(if is_bounded { state.unseen_to } else { looked_at });
                state.phase = match state.noted <= state.handed {
                    true => Phase::Live,
                    false if is_bounded => Phase::CatchingUp(From::Handed),
                    false => state.phase,
                };
            }
        });
    }
}

impl State {
    /// Whether a row that was read is to be handed over or passed over now. One beyond the unseen rows is read again, with those
    /// before it that somebody has seen.
    fn reads(&mut self, id: u64) -> bool {
        if self.phase == Phase::CatchingUp(From::Unseen) && id > self.unseen_to {
            self.handed = self.handed.max(self.unseen_to);
            self.phase = Phase::CatchingUp(From::Handed);
            return false;
        }
        matches!(self.phase, Phase::CatchingUp(_))
    }

    /// Queues a stored message, and keeps its id until the client has proved to have it.
    fn give(&mut self, id: u64, frame: Frame) -> Pushed {
        let pushed = self.outbox.push_stored(id, frame);
        if pushed == Pushed::Queued && self.managed.is_none() {
            self.proof.given(id);
        }
        pushed
    }

    fn note(&mut self, id: u64) -> Offered {
        self.noted = self.noted.max(id);
        self.unseen_to = self.unseen_to.min(id - 1);
        Offered::Deferred
    }

    fn hand(&mut self, id: u64, frame: Frame) -> Offered {
        if id <= self.handed {
            return Offered::Deferred;
        }
        let pushed = if self.is_unproved() { Pushed::Full } else { self.give(id, frame) };
        match pushed {
            Pushed::Queued => {
                self.handed = id;
                Offered::Queued
            }
            // Only the id is kept; the row is read again when the client has read what waits.
            Pushed::Full => {
                // While live, everything before it was handed over or was not for this session.
                self.handed = self.handed.max(id - 1);
                self.phase = Phase::CatchingUp(From::Handed);
                self.note(id)
            }
            Pushed::Gone => Offered::Gone,
        }
    }

    /// Leaves room for answers to the client's own requests while stored messages flow.
    fn has_room(&self) -> bool {
        !self.outbox.is_high() && !self.is_unproved()
    }

    /// Whether so much waits for proof that nothing more should be handed over.
    fn is_unproved(&self) -> bool {
        self.proof.is_full() || self.managed.as_ref().is_some_and(|managed| managed.is_full())
    }

    /// Whether nothing but an own ping is in the way of more stored messages.
    pub(super) fn wants_proof(&self) -> bool {
        let wants = match &self.managed {
            Some(managed) => managed.is_full() && managed.wants_answer(),
            None => self.proof.is_full() && self.proof.wants_ping(),
        };
        !self.outbox.is_high() && wants
    }
}
