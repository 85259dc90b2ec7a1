//! How fast somebody may send: a bucket of bytes that fills with time. What comes faster is not read, so it waits on the network.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How much the other side may still send now.
pub(crate) struct Budget {
    bytes_per_second: u64,
    burst: u64,
    tokens: i64,
    at_ms: u64,
    /// Present only while it must wait.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Budget {
    /// A full burst.
    pub(crate) fn new(bytes_per_second: u64, burst: u64, now_ms: u64) -> Budget {
        Budget { bytes_per_second: bytes_per_second.max(1), burst, tokens: burst as i64, at_ms: now_ms, wait: None }
    }

    /// So many bytes were read.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.tokens -= bytes as i64;
    }

    /// Ready once something may be read.
    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>, now_ms: u64) -> Poll<()> {
        loop {
            let earned = now_ms.saturating_sub(self.at_ms).saturating_mul(self.bytes_per_second) / 1000;
            if earned > 0 {
                self.tokens = self.tokens.saturating_add_unsigned(earned).min(self.burst as i64);
                self.at_ms = now_ms;
            }
            if self.tokens > 0 {
                self.wait = None;
                return Poll::Ready(());
            }
            let (debt, rate) = (self.tokens.unsigned_abs(), self.bytes_per_second);
            let wait = self.wait.get_or_insert_with(|| {
                let wait_ms = debt.saturating_mul(1000) / rate + 1;
                Box::pin(sleep_until(Instant::now() + Duration::from_millis(wait_ms)))
            });
            ready!(wait.as_mut().poll(cx));
            // The sleep is over; a clock that lags behind it must not leave this task without one.
            self.wait = None;
            self.tokens = self.tokens.max(1);
        }
    }
}
