//! What a session's client has proved to have: by answers to pings, by acknowledgements, or by closing its stream in order.

use super::Session;
use crate::outbox::{Frame, Pushed};

impl Session {
    /// Whether so much waits for proof that a ping should not wait for its time.
    pub fn wants_proof(&self) -> bool {
        self.state.lock().wants_proof()
    }

    /// Whether a ping is due: something waits for proof, or `idle` asks for a sign of life. Queues it. Under stream management it is a
    /// request for an acknowledgement.
    pub fn ping(&self, now_ms: u64, idle: bool, frame: impl FnOnce(u64) -> Frame) {
        self.change(|state| {
            if state.managed.as_ref().is_some_and(|managed| managed.is_counting()) {
                state.request_answer(now_ms, idle);
                return;
            }
            let due = state.proof.wants_ping() || (idle && state.proof.asked_since_ms().is_none());
            // With a full outbox it is asked again at the next tick: the answer to a ping that never left cannot come.
            if due && state.outbox.push_before_waiting(frame(state.proof.next_ping())) == Pushed::Queued {
                state.proof.ask(now_ms);
            }
        });
    }

    /// The steady time of the unanswered ping.
    pub fn pinged_since_ms(&self) -> Option<u64> {
        let state = self.state.lock();
        let asked = state.managed.as_ref().and_then(|managed| managed.asked_since_ms());
        asked.or(state.proof.asked_since_ms())
    }

    /// The answer to ping `number`: the archive ids it proves, none if it answers no ping of ours.
    pub fn pong(&self, number: u64) -> Option<Vec<(u64, u64)>> {
        self.change(|state| state.proof.answered(number))
    }

    /// The archive ids that a graceful close proves: all that were written.
    pub fn proved_by_close(&self) -> Vec<(u64, u64)> {
        self.change(|state| if state.outbox.bytes() == 0 { state.proved_by_close() } else { Vec::new() })
    }
}
