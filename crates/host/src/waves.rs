//! Sessions that have been handed what many get, and are woken together. While much is told, each wave waits a moment, so that what comes in
//! quick succession is written at once: one write for several stanzas costs a connection hardly more than a write for one.
//! What is told now and then, or to few, waits for nobody. Only the waking waits: what is handed to a session stands in its queue from
//! then on, in order, and whatever else wakes the session takes it along.

use std::sync::Arc;
use std::time::Duration;

use crate::session::Session;
use crate::sync::Mutex;

/// Who is told something together with at least so many others is woken with them.
pub const MANY: usize = 16;
/// How long a wave of few waits for more.
pub const PAUSE: Duration = Duration::from_millis(10);
/// For so many sessions it waits a millisecond longer: it takes them so long to be written to, and to read.
const SESSIONS_PER_MS: usize = 32;
/// No wave waits longer.
pub const PAUSE_MAX: Duration = Duration::from_millis(40);
/// What comes behind so many others within [`BUSY_MS`] waits for more.
const BUSY_AFTER: usize = 3;
/// In milliseconds.
pub const BUSY_MS: u64 = 250;
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
    /// When something was told last; the latest stands last.
    told_ms: [Option<u64>; BUSY_AFTER],
}

/// What becomes of sessions that wait.
#[derive(Debug)]
pub enum Wave {
    /// All of these are woken now.
    Now(Vec<Arc<Session>>),
    /// Whoever added them takes them after so long.
    Later(Duration),
    /// Somebody else does.
    Planned,
}

impl Waves {
    /// Adds sessions that have something to write, at a steady time in milliseconds.
    pub fn add(&self, sessions: Vec<Arc<Session>>, now_ms: u64) -> Wave {
        let mut state = self.state.lock();
        let pause = pause_of(sessions.len());
        match state.waiting.is_empty() {
            true => state.waiting = sessions,
            false => state.waiting.extend(sessions),
        }
        let is_busy = state.told_ms[0].is_some_and(|told_ms| now_ms.saturating_sub(told_ms) < BUSY_MS);
        state.told_ms.rotate_left(1);
        state.told_ms[BUSY_AFTER - 1] = Some(now_ms);
        if state.waiting.len() >= WAITING_MAX || (!is_busy && !state.is_planned) {
            return Wave::Now(std::mem::take(&mut state.waiting));
        }
        match std::mem::replace(&mut state.is_planned, true) {
            true => Wave::Planned,
            false => Wave::Later(pause),
        }
    }

    /// The wave that has waited for its time.
    pub fn take(&self) -> Vec<Arc<Session>> {
        let mut state = self.state.lock();
        state.is_planned = false;
        std::mem::take(&mut state.waiting)
    }
}

fn pause_of(sessions: usize) -> Duration {
    (PAUSE + Duration::from_millis((sessions / SESSIONS_PER_MS) as u64)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::live;

    fn sessions(count: usize) -> Vec<Arc<Session>> {
        (0..count).map(|_| Arc::new(live())).collect()
    }

    /// Tells something so often that what comes behind it waits.
    fn busy(at_ms: u64) -> Waves {
        let waves = Waves::default();
        for _ in 0..BUSY_AFTER {
            assert!(matches!(waves.add(sessions(2), at_ms), Wave::Now(woken) if woken.len() == 2));
        }
        waves
    }

    #[test]
    fn what_is_told_now_and_then_does_not_wait_and_what_comes_in_quick_succession_does() {
        let waves = busy(0);
        assert!(matches!(waves.add(sessions(2), 5), Wave::Later(PAUSE)));
        assert!(matches!(waves.add(sessions(1), 6), Wave::Planned));
        // Whatever the time: a wave that is planned takes all along.
        assert!(matches!(waves.add(sessions(1), 5000), Wave::Planned));
        assert_eq!(waves.take().len(), 4);
        for turn in 2..100 {
            let ten_times_a_second = turn * 5000 / 50;
            assert!(matches!(waves.add(sessions(1), 5000 + ten_times_a_second), Wave::Now(woken) if woken.len() == 1));
        }
    }

    #[test]
    fn the_more_are_told_the_longer_they_may_wait_within_a_bound() {
        assert_eq!((pause_of(MANY), pause_of(1000)), (PAUSE, PAUSE_MAX));
        assert_eq!(pause_of(usize::MAX), PAUSE_MAX);
    }

    #[test]
    fn so_many_do_not_wait_longer() {
        let waves = busy(0);
        let one = Arc::new(live());
        assert!(matches!(waves.add(vec![one.clone()], 1), Wave::Later(_)));
        assert!(matches!(waves.add(vec![one; WAITING_MAX], 2), Wave::Now(woken) if woken.len() == WAITING_MAX + 1));
        assert!(waves.take().is_empty());
    }
}
