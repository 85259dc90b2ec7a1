//! A running stream with another server: one task that polls parts none of which waits for another — socket to in-flight list, the entries
//! of that list, keys that are being asked about, and what waits for the other side to the socket.

mod clock;
mod end;
mod read;
mod write;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream as _};
use metronome_host::hosts::Host;
use metronome_host::linked::{End, Entered, Opened, Secrecy, Stream};
use metronome_host::links::Link;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Received;
use metronome_proto::stream::error::StreamError;
use metronome_proto::xml::Scanner;
use metronome_route::inflight::InFlight;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::authorise::{Pair, Proofs};
use super::cargo::Cargo;
use super::dialback::{Conversation, Verdict};
use super::external::Shown;
use super::negotiate::{Proved, STANZA_BYTES_MIN};
use super::streams::Handle;
use super::{BURST, Ending, Federation, IDLE, RATE};
use crate::admission::{Admitted, Unproved};
use crate::budget::Budget;
use crate::socket::Socket;
use clock::TICK;

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
    /// The other side has begun to end the stream before our goodbye: that it ends says nothing about whether it has read everything.
    pub(super) ended_by_them: bool,
    closed_by_them: bool,
    /// What comes behind our goodbye counts, until the other side's.
    takes_last: bool,
    /// The other side has asked us to count when it was too late.
    wants_count: bool,
    /// The stream is to end once what was sent is proved, or at this steady time in milliseconds, if that comes first.
    parting_ms: Option<u64>,
    /// Until when the certificates hold that the stream was opened with, Unix time in milliseconds.
    holds_until_ms: u64,
    /// Steady milliseconds.
    since_ms: u64,
    active_ms: u64,
    progressed_ms: u64,
    spoke_ms: u64,
    /// After so many milliseconds without a word of ours it is told that we are still there, so that it keeps the stream.
    keep_alive_ms: Option<u64>,
    closing_ms: u64,
    idle_ms: u64,
    tick: Pin<Box<Sleep>>,
    /// The server's end, as far as it has not come.
    ending: BoxFuture<'static, Ending>,
    /// Counts it among those that have nothing more to be proved, while the server ends.
    quiet: Option<Arc<()>>,
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
            stream,
            opened,
            ways,
            id,
            shown,
            is_encrypted,
            proofs,
            accepted,
            asks,
            first,
            counts_theirs,
            limits,
            holds_until_ms,
            ..
        } = proved;
        let (socket, scanner, unread) = stream.into_parts();
        socket.give_up_after(clock::STALLED_MS as u32);
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
            cargo: if opened == Opened::ByThem { Cargo::of_accepted() } else { Cargo::default() },
            counts: false,
            asked: None,
            fault: None,
            has_failed: false,
            ended_by_them: false,
            closed_by_them: false,
            takes_last: false,
            wants_count: false,
            parting_ms: None,
            holds_until_ms,
            since_ms: now_ms,
            active_ms: now_ms,
            progressed_ms: now_ms,
            spoke_ms: now_ms,
            keep_alive_ms: clock::keep_alive_ms(limits),
            closing_ms: 0,
            idle_ms,
            tick: Box::pin(sleep_until(Instant::now() + TICK)),
            rules: server.gate.changes(),
            ending: federation.ending_beyond(Ending::Not),
            quiet: None,
            unproved,
            _admitted: admitted,
            _running: federation.running.clone(),
        };
        run.cargo.set_stanza_bytes_max(limits.bytes_max.map(|bytes| bytes.max(STANZA_BYTES_MIN)));
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
            let ticked = self.poll_tick(cx);
            match moved {
                Ok(_) if ticked == Moved::Yes => {}
                Ok(Moved::Yes) => {}
                Ok(Moved::No) if self.phase != before => {}
                Ok(Moved::No) => return Poll::Pending,
                Err(_) => self.lose(),
            }
        }
    }

    fn poll_open(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        if self.poll_ending(cx) == Moved::Yes {
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
        self.end_if_proved();
        let moved = ordered || has_room_again || released || verified || read == Moved::Yes || wrote == Moved::Yes;
        Ok(if moved { Moved::Yes } else { Moved::No })
    }

    /// Other tasks want something of this stream.
    fn poll_orders(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut moved = false;
        if let Poll::Ready(end) = self.entered.poll_close(cx) {
            match end {
                End::InOrder => self.part(),
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
