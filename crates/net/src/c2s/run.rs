//! A bound stream: one task that polls three independent parts, none of which waits for another — socket to in-flight list,
//! the entries of that list, outbox to socket — and the pages of stored messages beside them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metronome_host::hosts::Host;
use metronome_host::outbox::{Closing, Drained, Frame};
use metronome_host::server::Server;
use metronome_host::session::{Ending, Session};
use metronome_proto::ns;
use metronome_proto::stanza::{Received, Unreadable};
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::header;
use metronome_proto::xml::{Element, Item, Scanner};
use metronome_route::inflight::InFlight;
use metronome_route::{catch_up, csi, presence, push, returned};
use metronome_store::StoreError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::managed::Management;
use super::negotiate::Bound;
use super::resume::Doors;
use super::{BURST, RATE};
use crate::admission::Admitted;
use crate::budget::Budget;
use crate::socket::{CHUNK, Faulty, Socket, with_read_buffer, with_write_buffer};

/// For how long a client may leave everything unread before it is given up.
const STALLED: Duration = Duration::from_secs(60);
/// From our goodbye to the end of the connection.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// For how long a client that has closed its stream may take to close the connection itself.
const PARTING: Duration = Duration::from_secs(1);

/// The task of a bound stream.
pub(crate) struct Run {
    pub(super) server: Arc<Server>,
    pub(super) host: Arc<Host>,
    pub(super) session: Arc<Session>,
    pub(super) socket: Socket,
    pub(super) scanner: Scanner,
    pub(super) list: InFlight,
    pub(super) phase: Phase,
    /// Read and not scanned, because the list had no room.
    pub(super) unread: Vec<u8>,
    /// Taken from the outbox and not written.
    pub(super) unwritten: Vec<u8>,
    pub(super) unflushed: bool,
    budget: Budget,
    /// The language of stanzas that tell none.
    lang: Option<Box<str>>,
    pub(super) page: Option<BoxFuture<'static, Result<(), StoreError>>>,
    /// Present only while something is overdue: a client that reads nothing, or a stream that is being closed.
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
    /// The client has sent `</stream:stream>`.
    pub(super) closed_by_client: bool,
    /// The client had ended its connection before our last words: that says nothing about whether it has read what came before.
    ended_early: bool,
    /// We end the connection now.
    goodbye: bool,
    /// Why we close, if it is the client's own fault.
    fault: Option<Box<StreamError>>,
    /// Its connection's place among those of the server.
    pub(super) admitted: Option<Admitted>,
    /// Where streams are resumed.
    pub(super) doors: Arc<Doors>,
    /// Present under stream management (XEP-0198).
    pub(super) management: Option<Box<Management>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Stanzas flow.
    Open,
    /// Nothing more is read; what was read is being settled.
    Settling,
    /// The session is over; what waits for the client is written, then our last words.
    Draining,
    /// Our last words are being written.
    Last,
    /// Everything is written; the client closes now.
    Waiting,
    /// The connection is lost; what was read is being settled.
    Lost,
    /// The connection is lost, and the session waits for another one.
    Detached,
    /// There is another one; what was read on the last is being settled before the client is told.
    Resuming,
    /// The server ends, and the session goes on where the next process runs.
    Hibernating,
}

/// What one step achieved.
#[derive(PartialEq, Eq)]
pub(super) enum Moved {
    Yes,
    No,
}

impl Run {
    pub(super) fn new(bound: Bound, admitted: Option<Admitted>) -> Run {
        let Bound { server, doors, socket, scanner, unread, host, session, lang, begins } = bound;
        tracing::debug!(jid = session.jid.as_str(), mechanism = session.mechanism, "a session begins");
        let budget = Budget::new(host.values.rate(&RATE), host.values.bytes(&BURST), server.clock.steady_ms());
        let mut run = Run {
            server,
            list: InFlight::new(session.tickets.clone()),
            host,
            session,
            socket,
            scanner,
            phase: Phase::Open,
            unread,
            unwritten: Vec::new(),
            unflushed: false,
            budget,
            lang,
            page: None,
            deadline: None,
            closed_by_client: false,
            ended_early: false,
            goodbye: false,
            fault: None,
            admitted,
            doors,
            management: None,
        };
        if let Some(begins) = begins {
            run.begin(begins);
        }
        run
    }

    fn poll_phases(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let moved = match self.phase {
                Phase::Open => self.poll_open(cx),
                Phase::Settling => self.poll_settling(cx),
                Phase::Draining | Phase::Last => self.poll_write(cx),
                Phase::Waiting => return self.poll_waiting(cx),
                Phase::Lost => return self.list.poll_empty(&self.server, cx),
                Phase::Detached => {
                    ready!(self.poll_detached(cx));
                    continue;
                }
                Phase::Resuming => {
                    ready!(self.poll_resuming(cx));
                    continue;
                }
                Phase::Hibernating => return self.poll_hibernating(cx),
            };
            if self.poll_deadline(cx).is_ready() {
                self.lose();
                continue;
            }
            match moved {
                Ok(Moved::Yes) => {}
                Ok(Moved::No) => return Poll::Pending,
                Err(_) => self.lose(),
            }
        }
    }

    fn poll_open(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        // Who is being disconnected is not read any more, however slowly it takes what waits for it.
        match self.session.ending() {
            Ending::Not => {}
            Ending::Closing => {
                self.note_lost();
                self.settle();
                return Ok(Moved::Yes);
            }
            Ending::Cut => return Err(io::ErrorKind::TimedOut.into()),
            Ending::Hibernating => {
                self.phase = Phase::Hibernating;
                self.set_deadline(CLOSE);
                return Ok(Moved::Yes);
            }
        }
        let read = self.poll_read(cx)?;
        let was_full = !self.list.has_room();
        let _ = self.list.poll(&self.server, cx);
        // While it was full nothing was read, so nothing but this wakes the reading up again.
        let has_room_again = was_full && self.list.has_room();
        let page = self.poll_page(cx);
        let showed = presence::go_on_showing(&self.server, &self.session);
        let managed = self.poll_management(cx);
        if self.phase != Phase::Open {
            return Ok(Moved::Yes);
        }
        let wrote = self.poll_write(cx)?;
        let moved = has_room_again
            || showed
            || managed == Moved::Yes
            || read == Moved::Yes
            || page == Moved::Yes
            || wrote == Moved::Yes;
        Ok(if moved { Moved::Yes } else { Moved::No })
    }

    fn poll_settling(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let settled = self.list.poll_empty(&self.server, cx).is_ready();
        let wrote = self.poll_write(cx)?;
        if settled && self.phase == Phase::Settling {
            presence::gone(&self.server, &self.session);
            self.phase = Phase::Draining;
            self.set_deadline(CLOSE);
            return Ok(Moved::Yes);
        }
        Ok(wrote)
    }

    // ---- socket to list ----------------------------------------------------------------------------------------

    /// Reads while the list has room and the client reads its answers.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        if !self.list.has_room() || self.session.is_behind() {
            return Ok(Moved::No);
        }
        if !self.unread.is_empty() {
            let unread = std::mem::take(&mut self.unread);
            self.take(&unread);
            return Ok(Moved::Yes);
        }
        if self.budget.poll(cx, self.server.clock.steady_ms()).is_pending() {
            return Ok(Moved::No);
        }
        with_read_buffer(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let read = Pin::new(&mut self.socket).poll_read(cx, &mut buffer);
            if let Poll::Ready(Err(error)) = &read
                && let Some(error) = Faulty::of(error)
            {
                self.fail_with(error);
                return Ok(Moved::Yes);
            }
            match read? {
                Poll::Pending => Ok(Moved::No),
                Poll::Ready(()) if buffer.filled().is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(()) => {
                    let now_ms = self.server.clock.steady_ms();
                    self.session.heard(now_ms);
                    self.budget.spend(buffer.filled().len());
                    self.take(buffer.filled());
                    Ok(Moved::Yes)
                }
            }
        })
    }

    /// Scans what was read; what the list has no room for waits.
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.phase == Phase::Open {
            if !self.list.has_room() {
                self.unread = rest.to_vec();
                return;
            }
            match self.scanner.next(&mut rest) {
                Ok(Some(Item::Element(element))) => self.stanza(element),
                Ok(Some(Item::Close)) => {
                    self.closed_by_client = true;
                    self.settle();
                }
                Ok(Some(Item::Open(_))) => self.fail(Condition::BadFormat),
                Ok(None) => return,
                Err(error) => self.fail(error.condition()),
            }
        }
    }

    fn stanza(&mut self, element: Element) {
        match Received::read(element, ns::CLIENT) {
            Ok(mut read) => {
                if read.lang.is_none() {
                    read.lang.clone_from(&self.lang);
                }
                metronome_route::from_client(&self.server, &self.session, read, &mut self.list);
            }
            Err(Unreadable::Refused(refused)) => {
                if let Some(reply) = refused.into_reply(self.host.name.clone(), self.session.jid.clone()) {
                    self.session.answer(Frame::whole(reply.to_vec()));
                }
                self.list.push_settled();
            }
            Err(Unreadable::BadFrom) => self.fail(Condition::InvalidFrom),
            Err(Unreadable::NotStanza(element)) if csi::is_said(&self.server, &self.session, &element) => {}
            Err(Unreadable::NotStanza(element)) => self.aside(&element),
        }
    }

    /// The client has broken the protocol: what it sent before is settled, then the stream ends with this error.
    pub(super) fn fail(&mut self, condition: Condition) {
        self.fail_with(StreamError::new(condition));
    }

    /// The same with more to say.
    pub(super) fn fail_with(&mut self, error: StreamError) {
        tracing::debug!(jid = self.session.jid.as_str(), why = error.condition.name(), "a stream ends with an error");
        self.fault = Some(Box::new(error));
        self.settle();
    }

    /// Nothing more is read. What was read is settled, and what waits is written, for a limited time.
    fn settle(&mut self) {
        self.phase = Phase::Settling;
        self.set_deadline(STALLED);
    }

    // ---- stored messages ---------------------------------------------------------------------------------------

    fn poll_page(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        if self.page.is_none() {
            let unread = self.session.unread();
            let (server, session) = (self.server.clone(), self.session.clone());
            self.page = Some(if !unread.is_empty() {
                Box::pin(catch_up::again(server, session, unread))
            } else if let Some(at) = self.session.catch_up() {
                Box::pin(catch_up::next_page(server, session, at))
            } else {
                return Moved::No;
            });
        }
        match self.page.as_mut().map(|page| page.as_mut().poll(cx)) {
            Some(Poll::Pending) | None => Moved::No,
            Some(Poll::Ready(read)) => {
                self.page = None;
                if let Err(error) = read {
                    // Without its stored messages the session would miss some and get later ones: it comes back for them.
                    tracing::error!(jid = self.session.jid.as_str(), %error, "stored messages could not be read");
                    self.session.close(Condition::InternalServerError, Some("stored messages cannot be read now"));
                }
                Moved::Yes
            }
        }
    }

    // ---- outbox to socket --------------------------------------------------------------------------------------

    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let mut moved = self.poll_enabling(cx);
        if self.is_logging_in() {
            return Ok(moved);
        }
        loop {
            if !self.unwritten.is_empty() {
                match Pin::new(&mut self.socket).poll_write(cx, &self.unwritten)? {
                    Poll::Pending => return self.stalled(moved),
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(count) => {
                        self.unwritten.drain(..count);
                        self.progressed();
                        moved = Moved::Yes;
                        continue;
                    }
                }
            }
            self.unwritten = Vec::new();
            match self.poll_drain(cx)? {
                Moved::Yes => moved = Moved::Yes,
                Moved::No => break,
            }
        }
        self.poll_flush(cx)?;
        if self.phase == Phase::Last && !self.unflushed {
            self.phase = Phase::Waiting;
            // Where we end the stream there is nothing to be proved, and nothing to wait for.
            self.goodbye = !self.closed_by_client;
            self.set_deadline(if self.goodbye { CLOSE } else { PARTING });
            moved = Moved::Yes;
        }
        Ok(moved)
    }

    /// Moves frames from the outbox straight to the socket; only what the socket does not take is copied.
    fn poll_drain(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        if self.phase == Phase::Last {
            return Ok(Moved::No);
        }
        with_write_buffer(|buffer| {
            match self.session.poll_drain(cx, buffer, CHUNK) {
                Poll::Pending => return Ok(Moved::No),
                Poll::Ready(Drained::Closing(closing)) => return Ok(self.close(closing, cx)),
                Poll::Ready(Drained::Frames) => self.note_written(),
            }
            self.unflushed = true;
            match Pin::new(&mut self.socket).poll_write(cx, buffer)? {
                Poll::Ready(count) => {
                    self.progressed();
                    self.unwritten.extend_from_slice(&buffer[count..]);
                }
                Poll::Pending => self.unwritten.extend_from_slice(buffer),
            }
            Ok(Moved::Yes)
        })
    }

    /// The outbox is empty and no more will come.
    fn close(&mut self, closing: Closing, cx: &mut TaskContext<'_>) -> Moved {
        match self.phase {
            // The server ends this stream: what was read is settled first.
            Phase::Open => {
                self.settle();
                Moved::Yes
            }
            Phase::Draining => {
                let fault = self.fault.take().map(|fault| *fault).or_else(|| {
                    let error = StreamError::new(closing.condition?);
                    Some(match closing.text {
                        Some(text) => error.with_text(text),
                        None => error,
                    })
                });
                if let Some(fault) = fault {
                    fault.write(&mut self.unwritten);
                }
                self.ended_early = self.has_ended(cx);
                self.unwritten.extend_from_slice(header::CLOSE.as_bytes());
                self.unflushed = true;
                self.phase = Phase::Last;
                Moved::Yes
            }
            _ => Moved::No,
        }
    }

    /// Whether the client has ended its connection by now; what it says behind the end of its stream counts for nothing.
    fn has_ended(&mut self, cx: &mut TaskContext<'_>) -> bool {
        const READS_MAX: usize = 64;
        with_read_buffer(|buffer| {
            for _ in 0..READS_MAX {
                let mut buffer = ReadBuf::new(buffer);
                match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                    Poll::Ready(_) => return true,
                }
            }
            false
        })
    }

    fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> io::Result<()> {
        if self.unflushed && Pin::new(&mut self.socket).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
            self.progressed();
        }
        Ok(())
    }

    fn stalled(&mut self, moved: Moved) -> io::Result<Moved> {
        if self.deadline.is_none() {
            self.set_deadline(STALLED);
            // Polled once more, so that the new deadline wakes this task.
            return Ok(Moved::Yes);
        }
        Ok(moved)
    }

    fn progressed(&mut self) {
        if self.phase == Phase::Open {
            self.deadline = None;
        }
    }

    // ---- the end -----------------------------------------------------------------------------------------------

    /// Our last words are written: the client closes, as the side that ended its stream first (RFC 6120 section 4.4).
    ///
    /// Its clean end proves that it has read everything. Our own goodbye waits a little for that: a client that closes
    /// with the goodbye unread would reset the connection and prove nothing.
    fn poll_waiting(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            if self.goodbye && self.poll_deadline(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.goodbye
                && Pin::new(&mut self.socket).poll_shutdown(cx).is_pending()
                && self.poll_deadline(cx).is_pending()
            {
                return Poll::Pending;
            }
            let read = with_read_buffer(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                Pin::new(&mut self.socket).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
            });
            let clean = match read {
                Poll::Ready(Ok(count)) if count > 0 => continue,
                Poll::Ready(Ok(_)) => true,
                // An end of the connection without TLS's own goodbye is an end all the same; a reset is not.
                Poll::Ready(Err(error)) => error.kind() == io::ErrorKind::UnexpectedEof,
                Poll::Pending if self.poll_deadline(cx).is_pending() => return Poll::Pending,
                Poll::Pending if self.goodbye => false,
                Poll::Pending => {
                    self.goodbye = true;
                    self.set_deadline(CLOSE);
                    continue;
                }
            };
            if clean && self.closed_by_client && !self.ended_early {
                presence::closed_in_order(&self.server, &self.session);
            }
            return Poll::Ready(());
        }
    }

    /// The connection is gone.
    fn lose(&mut self) {
        push::lost(&self.server, &self.session);
        self.note_lost();
        if self.detach() {
            return;
        }
        presence::gone(&self.server, &self.session);
        returned::to_senders(&self.server, &self.session);
        self.session.shut();
        self.page = None;
        self.deadline = None;
        self.unread = Vec::new();
        self.unwritten = Vec::new();
        self.phase = Phase::Lost;
    }

    pub(super) fn set_deadline(&mut self, after: Duration) {
        self.deadline = Some(Box::pin(sleep_until(Instant::now() + after)));
    }

    pub(super) fn poll_deadline(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        match &mut self.deadline {
            Some(deadline) => deadline.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// Ready once the connection is over and everything that was read is settled. A future of its own, not an `async fn`,
/// because the compiler would keep two copies of it in the task of every idle session.
impl Future for Run {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        // A panic in a handler closes this one stream.
        match catch_unwind(AssertUnwindSafe(|| self.poll_phases(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            // Nobody is told: it goes on.
            Ok(Poll::Ready(())) if self.phase == Phase::Hibernating => return Poll::Ready(()),
            Ok(Poll::Ready(())) => {
                tracing::debug!(jid = self.session.jid.as_str(), "a session is over");
                self.note_over();
            }
            Err(_) => {
                self.server.counters.panics.add();
                tracing::error!(jid = self.session.jid.as_str(), "a handler panicked; its stream is closed");
            }
        }
        presence::gone(&self.server, &self.session);
        self.session.shut();
        Poll::Ready(())
    }
}
