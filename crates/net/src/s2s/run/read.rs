//! What comes in on a running stream: from the socket to the in-flight list, as fast as the list has room.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use metronome_proto::jid::Jid;
use metronome_proto::stanza::Received;
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::Item;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Held, Moved, Phase, Run};
use crate::socket::with_read_buffer;

/// For how long a stanza waits for a place among those of its recipient, in milliseconds.
const HELD_MS: u64 = 1_000;
/// For how long nobody waits for that recipient afterwards.
const SLOW_MS: u64 = 10_000;
/// Answers that wait for the socket; while there are more nothing is read.
const SAID_BYTES_MAX: usize = 64 * 1024;

impl Run {
    /// Reads while the list has room and the other side reads its answers.
    pub(super) fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        if !self.may_take() {
            return Ok(Moved::No);
        }
        if !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            self.take(&unread);
            return Ok(Moved::Yes);
        }
        let now_ms = self.server().clock.steady_ms();
        if self.budget.poll(cx, now_ms).is_pending() {
            return Ok(Moved::No);
        }
        with_read_buffer(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buffer)? {
                Poll::Pending => Ok(Moved::No),
                Poll::Ready(()) if buffer.filled().is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(()) => {
                    self.budget.spend(buffer.filled().len());
                    self.take(buffer.filled());
                    Ok(Moved::Yes)
                }
            }
        })
    }

    fn may_take(&self) -> bool {
        self.held.is_none() && self.list.has_room() && self.unwritten.len() <= SAID_BYTES_MAX
    }

    /// Hands on a stanza of a proved pair. One for an account that has too much in the list already waits a moment, and with it whatever comes
    /// behind: a burst is no reason to refuse anything. An account that is slow all the same is not waited for again for a while.
    pub(in crate::s2s) fn hand_on(&mut self, read: Received) {
        let now_ms = self.server().clock.steady_ms();
        let is_slow =
            |to: &Jid| self.slow.as_ref().is_some_and(|(slow, until_ms)| slow.same_bare(to) && now_ms < *until_ms);
        match &read.to {
            Some(to) if !self.list.has_place_for(to) && !is_slow(to) => {
                self.held = Some(Held { read, since_ms: now_ms });
            }
            _ => {
                let server = self.server().clone();
                metronome_route::from_remote(&server, &self.link, read, &mut self.list);
            }
        }
    }

    /// Lets go of what was held back: there is a place now, or its time is over.
    pub(super) fn release(&mut self) -> bool {
        let Some(Held { read, since_ms }) = self.held.take() else { return false };
        let now_ms = self.server().clock.steady_ms();
        if now_ms > since_ms + HELD_MS
            && let Some(to) = &read.to
        {
            self.slow = Some((to.clone(), now_ms + SLOW_MS));
        }
        self.hand_on(read);
        match &mut self.held {
            Some(held) => {
                held.since_ms = since_ms;
                false
            }
            None => true,
        }
    }

    /// The stream ends: what was read is handed on, whether there is a place or not.
    pub(super) fn let_go(&mut self) {
        if let Some(Held { read, .. }) = self.held.take() {
            let server = self.server().clone();
            metronome_route::from_remote(&server, &self.link, read, &mut self.list);
        }
    }

    /// Scans what was read; what there is no room for waits.
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.phase == Phase::Open {
            if !self.may_take() {
                self.unread = rest.to_vec();
                return;
            }
            match self.scanner.next(&mut rest) {
                Ok(Some(Item::Element(element))) => {
                    self.active_ms = self.server().clock.steady_ms();
                    self.heard(element);
                }
                Ok(Some(Item::Close)) => {
                    (self.closed_by_them, self.ended_by_them) = (true, true);
                    self.settle();
                }
                Ok(Some(Item::Open(_))) => self.fail(Condition::BadFormat),
                Ok(None) => return,
                Err(error) => self.fail(error.condition()),
            }
        }
        self.unread = rest.to_vec();
    }
}
