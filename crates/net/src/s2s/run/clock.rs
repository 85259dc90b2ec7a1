//! What a running stream does by the clock: it ends what is silent, stalled, unproved or no longer certified, and tells the other side in
//! time that we are still there.

use std::task::Context as TaskContext;
use std::time::Duration;

use metronome_proto::payload::stream_limits::Announced;
use metronome_proto::stream::error::Condition;
use tokio::time::Instant;

use super::{Moved, Phase, Run};

/// How often the clock is looked at.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// For how long a stream may stay without any proof, in milliseconds.
const UNPROVED_MS: u64 = 60_000;
/// For how long the other side may leave unread what we write, or unanswered what we ask, in milliseconds.
pub(super) const STALLED_MS: u64 = 60_000;

/// After which silence of ours the other side hears something, so that it does not take the stream to be of no use (XEP-0478): well before
/// the time that it has announced.
pub(super) fn keep_alive_ms(limits: Announced) -> Option<u64> {
    let idle_ms = limits.idle_seconds.filter(|seconds| *seconds > 0)?.saturating_mul(1_000);
    Some((idle_ms / 4 * 3).saturating_sub(TICK.as_millis() as u64))
}

impl Run {
    /// Tells whether there is something to be done at once.
    pub(super) fn poll_tick(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        let mut moved = Moved::No;
        while self.tick.as_mut().poll(cx).is_ready() {
            self.tick.as_mut().reset(Instant::now() + TICK);
            if self.phase == Phase::Open && self.rules.has_changed().unwrap_or(false) {
                self.rules.mark_unchanged();
                self.judge_again();
            }
            let now_ms = self.server().clock.steady_ms();
            let may_write = self.cargo.look_at_the_clock(now_ms);
            self.look_at_the_clock(now_ms);
            if may_write || self.keep_alive(now_ms) == Moved::Yes {
                moved = Moved::Yes;
            }
        }
        moved
    }

    /// Says that we are still there (RFC 6120 section 4.6.1) where the other side would close the stream otherwise.
    fn keep_alive(&mut self, now_ms: u64) -> Moved {
        let is_due = self.keep_alive_ms.is_some_and(|most_ms| now_ms.saturating_sub(self.spoke_ms) > most_ms);
        if self.phase != Phase::Open || !is_due || !self.unwritten.is_empty() {
            return Moved::No;
        }
        self.spoke_ms = now_ms;
        self.unwritten.push(b' ');
        Moved::Yes
    }

    fn look_at_the_clock(&mut self, now_ms: u64) {
        let is_over = |since_ms: u64, most_ms: u64| now_ms.saturating_sub(since_ms) > most_ms;
        let has_unwritten = !self.unwritten.is_empty() || self.unflushed;
        if !has_unwritten {
            self.progressed_ms = now_ms;
        }
        let is_unanswered = self.cargo.asked_ms.is_some_and(|since_ms| is_over(since_ms, STALLED_MS));
        match self.phase {
            _ if has_unwritten && is_over(self.progressed_ms, STALLED_MS) => self.give_up(),
            Phase::Last | Phase::Waiting if now_ms > self.closing_ms => self.give_up(),
            Phase::Open if is_unanswered => self.give_up(),
            Phase::Open if self.proofs.is_empty() && self.cargo.is_empty() && is_over(self.since_ms, UNPROVED_MS) => {
                self.fail(Condition::ConnectionTimeout);
            }
            Phase::Open if self.parting_ms.is_none() && self.server().clock.unix_ms() > self.holds_until_ms => {
                tracing::info!(
                    link = self.link.id,
                    remote = &*self.link.domain,
                    "a certificate has ended, and the stream with it"
                );
                self.part();
            }
            Phase::Open => {
                self.give_up_asking(now_ms.saturating_sub(STALLED_MS));
                let is_read = self.list.is_empty() && self.unread.is_empty() && self.held.is_none();
                let is_quiet = is_read && !self.conversation.is_waiting() && !self.cargo.is_busy();
                if is_quiet && is_over(self.active_ms, self.idle_ms) {
                    tracing::debug!(link = self.link.id, remote = &*self.link.domain, "a silent stream is closed");
                    self.part();
                }
            }
            _ => {}
        }
    }
}
