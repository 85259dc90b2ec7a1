//! Sessions that have been handed what many get, and are woken together. While much is told, each wave waits a moment, so that what comes in
//! quick succession is written at once: one write for several notifications costs a connection hardly more than a write for one.
//! What is told after a silence, or to few, waits for nobody. Only the waking waits: what is handed to a session stands in its queue from
//! then on, in order, and whatever else wakes the session takes it along.

use std::sync::Arc;
use std::time::Duration;

use crate::session::Session;
use crate::sync::Mutex;

/// Who is told something together with at least so many others is woken with them.
pub const MANY: usize = 64;
/// How long a wave waits for more.
pub const PAUSE: Duration = Duration::from_millis(10);
/// Within so many milliseconds after a wave the next one waits; what is told after a longer silence does not.
pub const BUSY_MS: u64 = 100;
/// With so many sessions waiting, counted each time that they are told something, the wave does not wait any longer.
pub const WAITING_MAX: usize = 1 << 17;

/// Those who wait.
#[derive(Debug, Default)]
pub struct Waves {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Arc<Session>>,
    is_planned: bool,
    last_ms: Option<u64>,
}

/// What becomes of sessions that wait.
#[derive(Debug)]
pub enum Wave {
    /// All of these are woken now.
    Now(Vec<Arc<Session>>),
    /// Whoever added them takes them after [`PAUSE`].
    Later,
    /// Somebody else does.
    Planned,
}

impl Waves {
    /// Adds sessions that have something to write.
    pub fn add(&self, sessions: Vec<Arc<Session>>, now_ms: u64) -> Wave {
        let mut state = self.state.lock();
        match state.waiting.is_empty() {
            true => state.waiting = sessions,
            false => state.waiting.extend(sessions),
        }
        let is_busy = state.last_ms.is_some_and(|last_ms| now_ms.saturating_sub(last_ms) < BUSY_MS);
        if state.waiting.len() >= WAITING_MAX || (!is_busy && !state.is_planned) {
            state.last_ms = Some(now_ms);
            return Wave::Now(std::mem::take(&mut state.waiting));
        }
        match std::mem::replace(&mut state.is_planned, true) {
            true => Wave::Planned,
            false => Wave::Later,
        }
    }

    /// The wave that has waited for its time.
    pub fn take(&self, now_ms: u64) -> Vec<Arc<Session>> {
        let mut state = self.state.lock();
        (state.is_planned, state.last_ms) = (false, Some(now_ms));
        std::mem::take(&mut state.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::live;

    fn sessions(count: usize) -> Vec<Arc<Session>> {
        (0..count).map(|_| Arc::new(live())).collect()
    }

    #[test]
    fn what_is_told_after_a_silence_does_not_wait_and_what_follows_soon_does() {
        let waves = Waves::default();
        assert!(matches!(waves.add(sessions(2), 0), Wave::Now(woken) if woken.len() == 2));
        assert!(matches!(waves.add(sessions(2), 5), Wave::Later));
        assert!(matches!(waves.add(sessions(1), 6), Wave::Planned));
        // The clock may jump; a wave that is planned takes all along.
        assert!(matches!(waves.add(sessions(1), 500), Wave::Planned));
        assert_eq!(waves.take(501).len(), 4);
        assert!(matches!(waves.add(sessions(1), 502), Wave::Later));
        assert_eq!(waves.take(512).len(), 1);
        assert!(matches!(waves.add(sessions(1), 512 + BUSY_MS), Wave::Now(woken) if woken.len() == 1));
    }

    #[test]
    fn so_many_do_not_wait_longer() {
        let waves = Waves::default();
        let one = Arc::new(live());
        assert!(matches!(waves.add(vec![one.clone()], 0), Wave::Now(_)));
        assert!(matches!(waves.add(vec![one.clone()], 1), Wave::Later));
        assert!(matches!(waves.add(vec![one; WAITING_MAX], 2), Wave::Now(woken) if woken.len() == WAITING_MAX + 1));
        assert!(waves.take(3).is_empty());
    }
}
