//! The queue between the writer's thread and one worker: first in, first out, and whoever waits is woken.
//! Its bound is the writer's permits, which everything in it holds.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// What waits for one worker.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// Present only while the worker sleeps.
    waker: Option<Waker>,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { state: Mutex::new(State { waiting: VecDeque::new(), waker: None }) }
    }
}

impl<T> Queue<T> {
    /// Appends a share of a batch, in its order.
    pub(crate) fn push(&self, share: Vec<T>) {
        if share.is_empty() {
            return;
        }
        let waker = {
            let mut state = self.state.lock();
            state.waiting.extend(share);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves up to `most` of what waits behind `turn`; with nothing there the task is woken by the next push.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>, turn: &mut Vec<T>, most: usize) -> Poll<()> {
        let mut state = self.state.lock();
        if state.waiting.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = state.waiting.len().min(most);
        turn.extend(state.waiting.drain(..count));
        Poll::Ready(())
    }
}
