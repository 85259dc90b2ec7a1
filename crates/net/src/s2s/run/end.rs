//! How a running stream ends: in order once what was sent is proved, with an error, or because the connection is lost.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use metronome_proto::payload::sm::Said;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::header;
use metronome_proto::xml::Item;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Moved, Phase, Run};
use crate::s2s::Ending;
use crate::socket::{Socket, with_read_buffer};

/// From our goodbye to the end of the connection, in milliseconds.
const CLOSE_MS: u64 = 5_000;
/// For how long a stream that is to end waits for the proof of what was sent, in milliseconds.
const PROOF_MS: u64 = 3_000;
/// Most chunks that are looked through for the other side's goodbye before ours is said.
const CHUNKS_MAX: usize = 64;

impl Run {
    /// The server ends: what was sent is proved first, on all streams, since an answer to a ping may come over another one.
    pub(super) fn poll_ending(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        let Poll::Ready(ending) = self.ending.as_mut().poll(cx) else { return Moved::No };
        match ending {
            Ending::Now => self.fail(Condition::SystemShutdown),
            Ending::Not | Ending::Proving => {
                self.ending = self.federation.ending_beyond(ending);
                self.part_until(u64::MAX);
            }
        }
        Moved::Yes
    }

    /// The stream is of no use any more: it ends in order, as soon as what was sent is proved, and within a few seconds. What waits goes over
    /// another one.
    pub(super) fn part(&mut self) {
        if self.parting_ms.is_none() {
            self.part_until(self.server().clock.steady_ms() + PROOF_MS);
            self.end_if_proved();
        }
    }

    fn part_until(&mut self, until_ms: u64) {
        self.parting_ms = Some(until_ms);
        self.handle.close();
        self.cargo.close();
    }

    /// Whether nothing more is to be carried.
    pub(in crate::s2s) fn is_parting(&self) -> bool {
        self.parting_ms.is_some() || self.phase != Phase::Open
    }

    /// Ends a stream that was only waiting for proof. One whose server ends waits for the others as well.
    pub(super) fn end_if_proved(&mut self) {
        let Some(until_ms) = self.parting_ms.filter(|_| self.phase == Phase::Open) else { return };
        let now_ms = self.server().clock.steady_ms();
        let is_proved = !self.cargo.awaits_proof(now_ms);
        if until_ms == u64::MAX {
            self.quiet = is_proved.then(|| self.federation.quiet.clone());
        } else if is_proved || now_ms > until_ms {
            self.settle();
        }
    }

    /// The other side has broken the protocol, or is not served any more: what it sent before is settled, then the stream ends.
    pub(in crate::s2s) fn fail(&mut self, condition: Condition) {
        self.fail_with(StreamError::new(condition));
    }

    /// The same with more to say.
    pub(in crate::s2s) fn fail_with(&mut self, error: StreamError) {
        tracing::info!(link = self.link.id, remote = &*self.link.domain, peer = %self.link.address,
            why = error.condition.name(), "a server's stream ends with an error");
        self.fault = Some(Box::new(error));
        self.settle();
    }

    /// Nothing more is read, and nothing that waits is written: it waits for another stream. What was read is settled.
    pub(in crate::s2s) fn settle(&mut self) {
        if self.phase == Phase::Open {
            self.let_go();
            self.phase = Phase::Settling;
            self.progressed_ms = self.server().clock.steady_ms();
            self.quiet = Some(self.federation.quiet.clone());
            self.handle.close();
        }
    }

    pub(super) fn poll_settling(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let server = self.server().clone();
        let settled = self.list.poll_empty(&server, cx).is_ready();
        let wrote = self.poll_flush_said(cx)?;
        if settled {
            self.answer_how_many();
            self.hear_out(cx);
            self.say_last();
            self.phase = Phase::Last;
            return Ok(Moved::Yes);
        }
        Ok(wrote)
    }

    /// Looks whether the other side has ended its stream by now: that it does so later proves that it has read everything.
    fn hear_out(&mut self, cx: &mut TaskContext<'_>) {
        // Who counts sends again what we have not counted; what others have sent before they know of our goodbye would be lost.
        self.takes_last = self.is_in_order() && !self.counts;
        let unread = std::mem::take(&mut self.unread);
        self.take_last(&unread);
        for _ in 0..CHUNKS_MAX {
            // What there is no room for is read behind our goodbye.
            if !self.list.has_room() || !matches!(self.poll_read_last(cx), Poll::Ready(Moved::Yes)) {
                return;
            }
        }
    }

    fn is_in_order(&self) -> bool {
        self.fault.as_ref().is_none_or(|fault| fault.condition == Condition::SystemShutdown)
    }

    fn say_last(&mut self) {
        let is_in_order = self.is_in_order();
        if is_in_order && self.counts {
            // So that nothing is sent again that has arrived.
            self.say_how_many();
        }
        self.takes_last &= is_in_order;
        if let Some(fault) = self.fault.take() {
            self.has_failed = true;
            fault.write(&mut self.unwritten);
        }
        self.unwritten.extend_from_slice(header::CLOSE.as_bytes());
        self.closing_ms = self.server().clock.steady_ms() + CLOSE_MS;
    }

    pub(super) fn poll_last(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let moved = self.poll_flush_said(cx)?;
        if self.unwritten.is_empty() && !self.unflushed {
            self.phase = Phase::Waiting;
            return Ok(Moved::Yes);
        }
        Ok(moved)
    }

    /// Our last words are written: the other side closes, and its clean end proves that it has read everything.
    pub(super) fn poll_waiting(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            self.poll_tick(cx);
            let server = self.server().clone();
            if self.phase == Phase::Lost {
                return self.list.poll_empty(&server, cx);
            }
            if self.closed_by_them || self.has_failed {
                let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
            }
            let _ = self.list.poll(&server, cx);
            if !self.list.has_room() {
                return Poll::Pending;
            }
            let is_over = self.closed_by_them
                || match self.poll_read_last(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(moved) => moved == Moved::No,
                };
            if is_over {
                self.lose();
            }
        }
    }

    fn poll_read_last(&mut self, cx: &mut TaskContext<'_>) -> Poll<Moved> {
        with_read_buffer(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.take_last(buffer.filled());
                    Poll::Ready(Moved::Yes)
                }
                Poll::Ready(_) => Poll::Ready(Moved::No),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// What the other side says at the end: how much it has had, and its own goodbye. Anything else comes too late, unless it would be lost.
    fn take_last(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            match self.scanner.next(&mut rest) {
                Ok(Some(Item::Element(element))) if matches!(Said::read(&element), Some(Ok(Said::Enable { .. }))) => {
                    // Too late to be answered; it will send again what was not counted.
                    (self.wants_count, self.takes_last) = (true, false);
                }
                Ok(Some(Item::Element(element))) if self.takes_last => {
                    self.heard(element);
                    self.let_go();
                    if self.phase == Phase::Waiting {
                        // Behind our goodbye nothing is said, whatever it is asked.
                        self.unwritten = Vec::new();
                    }
                }
                Ok(Some(Item::Element(element))) => self.heard_last(&element),
                Ok(Some(Item::Close)) => {
                    self.closed_by_them = true;
                    match self.phase {
                        Phase::Waiting if !self.ended_by_them => self.cargo.closed_in_order(),
                        _ => self.ended_by_them = true,
                    }
                }
                Ok(Some(Item::Open(_)) | None) | Err(_) => return,
            }
        }
    }

    /// The other side is silent. What was written to it goes on another stream or back to its senders, so it must not arrive on this one
    /// as well once the network is back.
    pub(super) fn give_up(&mut self) {
        self.socket.abort();
        self.lose();
    }

    /// The connection is gone.
    pub(super) fn lose(&mut self) {
        self.let_go();
        self.cargo.unload();
        self.handle.close();
        self.socket = Socket::Closed;
        (self.unread, self.unwritten, self.unflushed) = (Vec::new(), Vec::new(), false);
        self.phase = Phase::Lost;
    }
}
