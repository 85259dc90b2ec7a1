//! A running stream with another server: one task that polls parts none of which waits for another — socket to in-flight list, the entries
//! of that list, keys that are being asked about, and what waits for the other side to the socket.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream as _};
use metronome_host::hosts::Host;
use metronome_host::linked::{End, Entered, Secrecy, Stream};
use metronome_host::links::Link;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Received;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::header;
use metronome_proto::xml::{Item, Scanner};
use metronome_route::inflight::InFlight;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::authorise::{Pair, Proofs};
use super::cargo::{Cargo, Loaded};
use super::dialback::{Conversation, Verdict};
use super::external::Shown;
use super::negotiate::Proved;
use super::streams::Handle;
use super::{BURST, Federation, IDLE, RATE};
use crate::admission::{Admitted, Unproved};
use crate::budget::Budget;
use crate::socket::{CHUNK, Socket, with_read_buffer, with_write_buffer};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// For how long a stream may stay without any proof, in milliseconds.
const UNPROVED_MS: u64 = 60_000;
/// For how long the other side may leave unread what we write, or unanswered what we ask, in milliseconds.
const STALLED_MS: u64 = 60_000;
/// From our goodbye to the end of the connection, in milliseconds.
const CLOSE_MS: u64 = 5_000;
/// For how long a stanza waits for a place among those of its recipient, in milliseconds.
const HELD_MS: u64 = 1_000;
/// For how long nobody waits for that recipient afterwards.
const SLOW_MS: u64 = 10_000;
/// Answers that wait for the socket; while there are more nothing is read.
const SAID_BYTES_MAX: usize = 64 * 1024;

/// The task of a stream.
pub(super) struct Run {
    pub(super) federation: Arc<Federation>,
    pub(super) host: Arc<Host>,
    pub(super) link: Arc<Link>,
    pub(super) handle: Arc<Handle>,
    socket: Socket,
    pub(super) scanner: Scanner,
    pub(super) list: InFlight,
    phase: Phase,
    /// Read and not scanned, because the list had no room.
    unread: Vec<u8>,
    /// Read, and held back because its recipient has too much in the list.
    held: Option<Held>,
    /// An account that holds others up is not waited for until then, in steady milliseconds.
    slow: Option<(Jid, u64)>,
    /// Said and not written.
    pub(super) unwritten: Vec<u8>,
    unflushed: bool,
    budget: Budget,
    /// Its place among those that administrators see.
    pub(super) entered: Entered,
    /// The stream's id.
    pub(super) id: String,
    pub(super) shown: Shown,
    pub(super) is_encrypted: bool,
    pub(super) proofs: Proofs,
    pub(super) conversation: Conversation,
    pub(super) verifying: FuturesUnordered<BoxFuture<'static, (Pair, Verdict)>>,
    /// Whether the other side can count what it gets (XEP-0198).
    pub(super) counts_theirs: bool,
    pub(super) cargo: Cargo,
    /// Whether what is read counts (XEP-0198), and before which place in the list everything is settled before the other side hears how
    /// much.
    pub(super) counts: bool,
    pub(super) asked: Option<u64>,
    fault: Option<Box<StreamError>>,
    /// We have ended the stream with an error: there is nothing to be waited for.
    has_failed: bool,
    closed_by_them: bool,
    /// Steady milliseconds.
    since_ms: u64,
    active_ms: u64,
    progressed_ms: u64,
    pub(super) question_ms: Option<u64>,
    closing_ms: u64,
    idle_ms: u64,
    tick: Pin<Box<Sleep>>,
    stopped: BoxFuture<'static, ()>,
    /// Tells of changes of the rules about other servers.
    rules: watch::Receiver<u64>,
    /// Its place among those that have proved nothing.
    pub(super) unproved: Option<Unproved>,
    _admitted: Option<Admitted>,
    /// Counts it among the running streams.
    _running: Arc<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Stanzas flow.
    Open,
    /// Nothing more is read; what was read is being settled.
    Settling,
    /// Our last words are being written.
    Last,
    /// Everything is written; the other side closes now.
    Waiting,
    /// The connection is lost; what was read is being settled.
    Lost,
}

#[derive(PartialEq, Eq)]
enum Moved {
    Yes,
    No,
}

/// A stanza that waits for a place, and since when: steady milliseconds.
struct Held {
    read: Received,
    since_ms: u64,
}

/// A stream that another server has opened has a place among those of its address.
pub(super) type Places = (Option<Admitted>, Option<Unproved>);

impl Run {
    pub(super) fn new(
        federation: &Arc<Federation>,
        host: Arc<Host>,
        proved: Proved,
        (handle, link): (Arc<Handle>, Arc<Link>),
        (admitted, unproved): Places,
    ) -> Run {
        let Proved {
            stream, opened, ways, id, shown, is_encrypted, proofs, accepted, asks, first, counts_theirs, ..
        } = proved;
        let (socket, scanner, unread) = stream.into_parts();
        let server = federation.server.clone();
        let now_ms = server.clock.steady_ms();
        let values = server.hosts.load().values.clone();
        let idle_ms = host.values.duration(&IDLE).as_millis() as u64;
        let secrecy = if is_encrypted { Secrecy::Encrypted } else { Secrecy::Plain };
        let entered = Stream::new(link.id, link.address, opened, secrecy, server.clock.unix_ms());
        let mut run = Run {
            federation: federation.clone(),
            list: InFlight::of_link(link.tickets.clone()),
            host,
            link,
            handle,
            socket,
            scanner,
            phase: Phase::Open,
            unread,
            held: None,
            slow: None,
            unwritten: Vec::new(),
            unflushed: false,
            budget: Budget::new(values.rate(&RATE), values.bytes(&BURST), now_ms),
            entered: server.linked.enter(entered),
            id,
            shown,
            is_encrypted,
            proofs,
            conversation: Conversation::new(ways),
            verifying: FuturesUnordered::new(),
            counts_theirs,
            cargo: Cargo::default(),
            counts: false,
            asked: None,
            fault: None,
            has_failed: false,
            closed_by_them: false,
            since_ms: now_ms,
            active_ms: now_ms,
            progressed_ms: now_ms,
            question_ms: None,
            closing_ms: 0,
            idle_ms,
            tick: Box::pin(sleep_until(Instant::now() + TICK)),
            rules: server.gate.changes(),
            stopped: Box::pin(async move { server.control.stopped().await }),
            unproved,
            _admitted: admitted,
            _running: federation.running.clone(),
        };
        run.begin(accepted, asks, first);
        run
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.federation.server
    }

    fn poll_phases(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let before = self.phase;
            let moved = match self.phase {
                Phase::Open => self.poll_open(cx),
                Phase::Settling => self.poll_settling(cx),
                Phase::Last => self.poll_last(cx),
                Phase::Waiting => return self.poll_waiting(cx),
                Phase::Lost => {
                    let server = self.server().clone();
                    return self.list.poll_empty(&server, cx);
                }
            };
            self.poll_tick(cx);
            match moved {
                Ok(Moved::Yes) => {}
                Ok(Moved::No) if self.phase != before => {}
                Ok(Moved::No) => return Poll::Pending,
                Err(_) => self.lose(),
            }
        }
    }

    fn poll_open(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            self.fail(Condition::SystemShutdown);
            return Ok(Moved::Yes);
        }
        let ordered = self.poll_orders(cx);
        let read = self.poll_read(cx)?;
        let was_full = !self.list.has_room();
        let server = self.server().clone();
        let _ = self.list.poll(&server, cx);
        // While it was full nothing was read, so nothing but this wakes the reading up again.
        let has_room_again = was_full && self.list.has_room();
        let released = self.release();
        let verified = self.poll_verifying(cx);
        self.answer_how_many();
        if self.phase != Phase::Open {
            return Ok(Moved::Yes);
        }
        let wrote = self.poll_write(cx)?;
        let moved = ordered || has_room_again || released || verified || read == Moved::Yes || wrote == Moved::Yes;
        Ok(if moved { Moved::Yes } else { Moved::No })
    }

    /// Other tasks want something of this stream.
    fn poll_orders(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut moved = false;
        if let Poll::Ready(end) = self.entered.poll_close(cx) {
            match end {
                End::InOrder => self.settle(),
                End::With(condition) => self.fail(condition),
            }
        }
        while let Poll::Ready(order) = self.handle.poll_order(cx) {
            self.obey(order);
            moved = true;
        }
        moved
    }

    fn poll_verifying(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut moved = false;
        while let Poll::Ready(Some((pair, verdict))) = Pin::new(&mut self.verifying).poll_next(cx) {
            self.verified(&pair, verdict);
            moved = true;
        }
        moved
    }

    fn poll_settling(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let server = self.server().clone();
        let settled = self.list.poll_empty(&server, cx).is_ready();
        let wrote = self.poll_flush_said(cx)?;
        if settled {
            self.answer_how_many();
            self.say_last();
            self.phase = Phase::Last;
            return Ok(Moved::Yes);
        }
        Ok(wrote)
    }

    fn say_last(&mut self) {
        if let Some(fault) = self.fault.take() {
            self.has_failed = true;
            fault.write(&mut self.unwritten);
        } else if self.counts {
            // So that nothing is sent again that has arrived.
            self.say_how_many();
        }
        self.unwritten.extend_from_slice(header::CLOSE.as_bytes());
        self.closing_ms = self.server().clock.steady_ms() + CLOSE_MS;
    }

    fn poll_last(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let moved = self.poll_flush_said(cx)?;
        if self.unwritten.is_empty() && !self.unflushed {
            self.phase = Phase::Waiting;
            return Ok(Moved::Yes);
        }
        Ok(moved)
    }

    // ---- socket to list ----------------------------------------------------------------------------------------

    /// Reads while the list has room and the other side reads its answers.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
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
    pub(super) fn hand_on(&mut self, read: Received) {
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
    fn release(&mut self) -> bool {
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
    fn let_go(&mut self) {
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
                    self.closed_by_them = true;
                    self.settle();
                }
                Ok(Some(Item::Open(_))) => self.fail(Condition::BadFormat),
                Ok(None) => return,
                Err(error) => self.fail(error.condition()),
            }
        }
    }

    /// The other side has broken the protocol, or is not served any more: what it sent before is settled, then the stream ends.
    pub(super) fn fail(&mut self, condition: Condition) {
        self.fail_with(StreamError::new(condition));
    }

    /// The same with more to say.
    pub(super) fn fail_with(&mut self, error: StreamError) {
        tracing::info!(link = self.link.id, remote = &*self.link.domain, peer = %self.link.address,
            why = error.condition.name(), "a server's stream ends with an error");
        self.fault = Some(Box::new(error));
        self.settle();
    }

    /// Nothing more is read, and nothing that waits is written: it waits for another stream. What was read is settled.
    pub(super) fn settle(&mut self) {
        if self.phase == Phase::Open {
            self.let_go();
            self.phase = Phase::Settling;
            self.progressed_ms = self.server().clock.steady_ms();
            self.handle.close();
        }
    }

    // ---- what waits to socket ----------------------------------------------------------------------------------

    /// Writes what was said, then what waits.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let mut moved = self.poll_said(cx)?;
        while self.unwritten.is_empty() {
            match self.poll_load(cx)? {
                Moved::Yes => moved = Moved::Yes,
                Moved::No => break,
            }
        }
        self.poll_flush(cx)?;
        Ok(moved)
    }

    fn poll_flush_said(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let moved = self.poll_said(cx)?;
        self.poll_flush(cx)?;
        Ok(moved)
    }

    fn poll_said(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let mut moved = Moved::No;
        while !self.unwritten.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.unwritten)? {
                Poll::Pending => return Ok(moved),
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    self.unwritten.drain(..count);
                    self.unflushed = true;
                    self.progressed();
                    moved = Moved::Yes;
                }
            }
        }
        self.unwritten = Vec::new();
        Ok(moved)
    }

    /// Moves what waits straight to the socket; only what the socket does not take is copied.
    fn poll_load(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let server = self.server().clone();
        with_write_buffer(|buffer| {
            if self.cargo.poll_load(&server, cx, buffer, CHUNK) == Loaded::Nothing {
                return Ok(Moved::No);
            }
            (self.unflushed, self.active_ms) = (true, server.clock.steady_ms());
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

    fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> io::Result<()> {
        if self.unflushed && Pin::new(&mut self.socket).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
            self.progressed();
        }
        Ok(())
    }

    fn progressed(&mut self) {
        self.progressed_ms = self.server().clock.steady_ms();
    }

    // ---- time --------------------------------------------------------------------------------------------------

    fn poll_tick(&mut self, cx: &mut TaskContext<'_>) {
        while self.tick.as_mut().poll(cx).is_ready() {
            self.tick.as_mut().reset(Instant::now() + TICK);
            if self.phase == Phase::Open && self.rules.has_changed().unwrap_or(false) {
                self.rules.mark_unchanged();
                self.judge_again();
            }
            let now_ms = self.server().clock.steady_ms();
            self.look_at_the_clock(now_ms);
        }
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
            Phase::Open => {
                if self.question_ms.is_some_and(|since_ms| is_over(since_ms, STALLED_MS)) {
                    self.give_up_asking();
                }
                let is_read = self.list.is_empty() && self.unread.is_empty() && self.held.is_none();
                let is_quiet = is_read && !self.conversation.is_waiting() && !self.cargo.is_busy();
                if is_quiet && is_over(self.active_ms, self.idle_ms) {
                    tracing::debug!(link = self.link.id, remote = &*self.link.domain, "a silent stream is closed");
                    self.settle();
                }
            }
            _ => {}
        }
    }

    // ---- the end -----------------------------------------------------------------------------------------------

    /// Our last words are written: the other side closes, and its clean end proves that it has read everything.
    fn poll_waiting(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            self.poll_tick(cx);
            if self.phase == Phase::Lost {
                let server = self.server().clone();
                return self.list.poll_empty(&server, cx);
            }
            if self.closed_by_them || self.has_failed {
                let _ = Pin::new(&mut self.socket).poll_shutdown(cx);
            }
            if self.closed_by_them {
                return Poll::Ready(());
            }
            let read = with_read_buffer(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        self.take_last(buffer.filled());
                        Poll::Ready(Moved::Yes)
                    }
                    Poll::Ready(_) => Poll::Ready(Moved::No),
                    Poll::Pending => Poll::Pending,
                }
            });
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Moved::Yes) => {}
                Poll::Ready(Moved::No) => return Poll::Ready(()),
            }
        }
    }

    /// What the other side says behind our goodbye: how much it has had, and its own goodbye. Anything else comes too late.
    fn take_last(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            match self.scanner.next(&mut rest) {
                Ok(Some(Item::Element(element))) => self.heard_last(&element),
                Ok(Some(Item::Close)) => {
                    self.closed_by_them = true;
                    self.cargo.closed_in_order();
                }
                Ok(Some(Item::Open(_)) | None) | Err(_) => return,
            }
        }
    }

    /// The other side is silent. What was written to it goes on another stream or back to its senders, so it must not arrive on this one
    /// as well once the network is back.
    fn give_up(&mut self) {
        self.socket.abort();
        self.lose();
    }

    /// The connection is gone.
    fn lose(&mut self) {
        self.let_go();
        self.cargo.unload();
        self.handle.close();
        self.socket = Socket::Closed;
        (self.unread, self.unwritten, self.unflushed) = (Vec::new(), Vec::new(), false);
        self.phase = Phase::Lost;
    }
}

/// Ready once the connection is over and everything that was read is settled.
impl Future for Run {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        // A panic in a handler closes this one stream.
        match catch_unwind(AssertUnwindSafe(|| self.poll_phases(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => {
                tracing::debug!(link = self.link.id, remote = &*self.link.domain, "a server's stream is over");
            }
            Err(_) => {
                self.server().counters.panics.add();
                tracing::error!(
                    link = self.link.id,
                    remote = &*self.link.domain,
                    "a handler panicked; its stream is closed"
                );
            }
        }
        self.over();
        Poll::Ready(())
    }
}
