//! One stream's place at its component: what it is to write, which of it is proved, and what becomes of the rest when it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use metronome_proto::stanza::Stanza;
use metronome_proto::stream::error::Condition;

use super::component::{Component, Given, State, Stream, hash_of, kept_no_more};
use super::waiting::{Waiting, What};

/// What a stream is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// So many stanzas were appended, one at least.
    Stanzas(u64),
    /// It writes a ping with this number, and says by [`Attached::asked`] when that is done and by [`Attached::answered`] when it is answered.
    Asks(u64),
    /// It ends with this error.
    Ends(Condition),
}

/// One stream's place at its component. What is in its queue when it is dropped goes to the other streams, or waits for the next one.
#[derive(Debug)]
pub struct Attached {
    pub(super) component: Arc<Component>,
    pub(super) id: u64,
    pub(super) heard_ms: Arc<AtomicU64>,
}

impl Attached {
    /// The component.
    pub fn component(&self) -> &Arc<Component> {
        &self.component
    }

    /// Queues what the server itself says to this stream.
    pub fn push(&self, stanza: Arc<Stanza>, now_ms: u64, bytes_max: usize) -> Given {
        let sender = hash_of(stanza.from.bare_str());
        let waiting = Waiting { at_ms: now_ms, sender, payer: sender, what: What::Volatile(stanza) };
        let waker = {
            let mut guard = self.component.state.lock();
            let state = &mut *guard;
            let stream = state.streams.iter_mut().find(|stream| stream.id == self.id);
            let Some(stream) = stream.filter(|_| state.room.bytes() < bytes_max) else { return Given::Full };
            state.room.take(waiting.payer, waiting.bytes());
            stream.queue.push_back(waiting);
            stream.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Given::Queued
    }

    /// Something has come, whatever it is: the component is there. `now_ms` is steady time.
    pub fn hears(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// When something last came, steady milliseconds.
    pub fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }

    /// Notes a stanza that the stream has brought: its answer is to go back there.
    pub fn note_sent(&self, stanza: &Stanza) {
        self.component.state.lock().asked.note(stanza, self.id);
    }

    /// Appends what waits for this stream, whole stanzas, until `out` has `bytes_max` bytes; the last may go beyond. Pending if nothing waits:
    /// the task is woken when something comes.
    pub fn poll_drain(&self, cx: &mut Context<'_>, out: &mut Vec<u8>, bytes_max: usize) -> Poll<Drained> {
        let mut stanzas = 0;
        loop {
            let next = {
                let mut guard = self.component.state.lock();
                let State { streams, room, kept, .. } = &mut *guard;
                let Some(stream) = streams.iter_mut().find(|stream| stream.id == self.id) else {
                    return Poll::Pending;
                };
                if let Some(condition) = stream.ends {
                    return Poll::Ready(Drained::Ends(condition));
                }
                if stanzas == 0
                    && let Some(number) = stream.asks()
                {
                    return Poll::Ready(Drained::Asks(number));
                }
                if stream.is_parting && stream.written.is_empty() {
                    return Poll::Ready(Drained::Ends(Condition::SystemShutdown));
                }
                let may_take = out.len() < bytes_max && !stream.is_parting;
                let next = if may_take { stream.queue.pop_front() } else { None };
                match &next {
                    Some(waiting) if waiting.is_stored() && !stream.is_deaf => {
                        stream.written.push_back(waiting.clone())
                    }
                    Some(waiting) => kept_no_more(kept, room, waiting),
                    None if stanzas == 0 => stream.waker = Some(cx.waker().clone()),
                    None => {}
                }
                next
            };
            match next {
                // Outside of the lock: whoever pushes need not wait for it.
                Some(waiting) => waiting.write(out),
                None if stanzas > 0 => return Poll::Ready(Drained::Stanzas(stanzas)),
                None => return Poll::Pending,
            }
            stanzas += 1;
        }
    }

    /// The server stops: nothing more is taken from the queue, and the stream ends with `system-shutdown` as soon as what was written is
    /// proved.
    pub fn part(&self) {
        let waker = {
            let mut state = self.component.state.lock();
            let Some(stream) = state.streams.iter_mut().find(|stream| stream.id == self.id) else { return };
            stream.is_parting = true;
            stream.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The ping with this number has gone out; `now_ms` is steady time.
    pub fn asked(&self, number: u64, now_ms: u64) {
        let mut state = self.component.state.lock();
        let stream = state.streams.iter_mut().find(|stream| stream.id == self.id);
        if let Some(ping) = stream.and_then(|stream| stream.ping.as_mut()).filter(|ping| ping.number == number) {
            ping.at_ms = Some(now_ms);
        }
    }

    /// The component has answered the ping with this number, so it has what was written before.
    pub fn answered(&self, number: u64) {
        let waker = {
            let mut guard = self.component.state.lock();
            let State { streams, room, kept, .. } = &mut *guard;
            let Some(stream) = streams.iter_mut().find(|stream| stream.id == self.id) else { return };
            let Some(ping) = stream.ping.take_if(|ping| ping.number == number) else { return };
            stream.has_answered = true;
            for waiting in stream.written.drain(..ping.rows) {
                kept_no_more(kept, room, &waiting);
            }
            // Behind what was written meanwhile there is the next ping.
            stream.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Appends the answers that wait for this stream, which nobody else has a use for.
    pub fn take_answers(&self, out: &mut Vec<u8>) {
        let mut guard = self.component.state.lock();
        let State { streams, room, .. } = &mut *guard;
        let Some(stream) = streams.iter_mut().find(|stream| stream.id == self.id) else { return };
        let (answers, stays): (VecDeque<_>, _) =
            std::mem::take(&mut stream.queue).into_iter().partition(Waiting::is_answer);
        stream.queue = stays;
        for waiting in answers {
            room.leave(&waiting);
            waiting.write(out);
        }
    }

    /// Ends the stream's place; `now_ms` is steady time.
    pub fn detach(self, now_ms: u64) {
        self.leave(Some(now_ms));
    }

    fn leave(&self, now_ms: Option<u64>) {
        let wakers: Vec<Waker> = {
            let mut state = self.component.state.lock();
            let Some(at) = state.streams.iter().position(|stream| stream.id == self.id) else { return };
            let Stream { written, queue, since_ms, .. } = state.streams.remove(at);
            if state.streams.is_empty() {
                state.away_since_ms = Some(now_ms.unwrap_or(since_ms));
            }
            // Nobody knows whether what is not proved has arrived: it is sent again.
            written.into_iter().chain(queue).filter_map(|waiting| state.place(waiting)).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Without [`Attached::detach`], nobody knows more than when it came.
impl Drop for Attached {
    fn drop(&mut self) {
        self.leave(None);
    }
}
