//! One component: its streams, each with a queue of its own, and what waits while there is none. Everything changes under one small mutex; a
//! stanza is written by the stream that its sender's address chooses, so that of one sender the order is kept. What has a row in the outbox
//! is held until the component has answered a ping that was written behind it.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use metronome_model::OutboxRow;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::stream::error::Condition;

use super::asked::Asked;
use super::attached::Attached;
use super::kept::{Done, Kept};
use super::waiting::{Room, Waiting, What};
use crate::outbox::Frame;
use crate::sync::Mutex;

/// For how long the answer to a ping is waited for. Whoever has said something else since and not answered by then is taken to have what is
/// written to it; whoever is silent may hang, or be cut off, and is not.
const DEAF_MS: u64 = 30_000;
/// The same where an earlier ping was answered: it is slow, then.
const LATE_MS: u64 = 10 * 60_000;

/// One component.
#[derive(Debug)]
pub struct Component {
    /// Its domain.
    pub name: Jid,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) streams: Vec<Stream>,
    /// What waits for a stream, in the order in which it came.
    pub(super) waiting: VecDeque<Waiting>,
    /// Taken by everything that waits, for a stream or in the queue of one, by what is written and not proved, and by places.
    pub(super) room: Room,
    pub(super) kept: Kept,
    pub(super) asked: Asked,
    /// When it was last connected, steady milliseconds.
    pub(super) away_since_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Stream {
    /// The number of its link.
    pub(super) id: u64,
    pub(super) address: IpAddr,
    pub(super) since_ms: u64,
    pub(super) queue: VecDeque<Waiting>,
    /// Rows that were written and are not proved.
    pub(super) written: VecDeque<Waiting>,
    pub(super) ping: Option<Ping>,
    /// Of pings so far.
    pub(super) pings: u64,
    /// When something was last heard of it, steady milliseconds.
    pub(super) heard_ms: Arc<AtomicU64>,
    /// It has answered a ping.
    pub(super) has_answered: bool,
    /// A ping was not answered: what is written counts as proved.
    pub(super) is_deaf: bool,
    /// Nothing more is taken from its queue, and it ends once what was written is proved.
    pub(super) is_parting: bool,
    pub(super) waker: Option<Waker>,
    /// It is to end, and why.
    pub(super) ends: Option<Condition>,
}

/// A ping that was written behind so many rows.
#[derive(Debug)]
pub(super) struct Ping {
    pub(super) number: u64,
    pub(super) rows: usize,
    /// Since when it is on its way, steady milliseconds; none while the connection does not take it.
    pub(super) at_ms: Option<u64>,
}

/// What has waited for too long.
#[derive(Debug)]
pub struct Overdue {
    /// Its number in the outbox, if it has one: [`Component::returned`] says when it is not needed there any more.
    pub row: Option<u64>,
    /// The stanza.
    pub stanza: Arc<Stanza>,
}

/// What became of a stanza for a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a stanza that does not wait must be answered for"]
pub enum Given {
    /// A stream writes it, or it waits for one.
    Queued,
    /// Too much waits already.
    Full,
}

/// The component has as many streams as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Where a component stands, for administrators.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its streams: where each comes from, and since when, in steady milliseconds.
    pub streams: Vec<(IpAddr, u64)>,
    /// Stanzas that wait.
    pub waiting: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// When its last stream ended, steady milliseconds; none if it never had one, or has one now.
    pub away_since_ms: Option<u64>,
}

/// Tells senders apart by their bare addresses; two with one hash share what each may have.
pub(super) fn hash_of(sender: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sender.hash(&mut hasher);
    hasher.finish()
}

impl Component {
    pub(super) fn new(name: Jid) -> Component {
        Component { name, state: Mutex::default() }
    }

    /// Queues a stanza that is not stored; `now_ms` is steady time, `bytes_max` what may wait for the component, of which one payer
    /// ([`super::payer`]) gets half.
    pub fn push(&self, stanza: Arc<Stanza>, payer: u64, now_ms: u64, bytes_max: usize) -> Given {
        let sender = hash_of(stanza.from.bare_str());
        self.queue(Waiting { at_ms: now_ms, sender, payer, what: What::Volatile(stanza) }, bytes_max)
    }

    /// Queues a presence of `from` that is told to many; it never comes back.
    pub fn push_announced(&self, from: &Jid, frame: Frame, payer: u64, now_ms: u64, bytes_max: usize) -> Given {
        let sender = hash_of(from.bare_str());
        self.queue(Waiting { at_ms: now_ms, sender, payer, what: What::Announced(frame) }, bytes_max)
    }

    fn queue(&self, waiting: Waiting, bytes_max: usize) -> Given {
        let waker = {
            let mut state = self.state.lock();
            if !state.room.is_for(waiting.payer, bytes_max) {
                return Given::Full;
            }
            state.room.take(waiting.payer, waiting.bytes());
            state.place(waiting)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Given::Queued
    }

    /// Whether there is room for one more stanza of this payer.
    pub fn has_room(&self, payer: u64, bytes_max: usize) -> bool {
        self.state.lock().room.is_for(payer, bytes_max)
    }

    /// Takes what an earlier process has left in the store, in the order of the numbers; its time begins anew.
    pub fn left(self: &Arc<Self>, row: OutboxRow, payer: u64, now_ms: u64) {
        self.place(&row.stanza, payer, now_ms).fill(row.id, &Arc::new(row.stanza));
    }

    /// A place for one more stream of this link; it gets what has waited. `now_ms` is steady time.
    pub fn attach(
        self: &Arc<Self>,
        id: u64,
        address: IpAddr,
        streams_max: usize,
        now_ms: u64,
    ) -> Result<Attached, TooMany> {
        let mut state = self.state.lock();
        if state.streams.len() >= streams_max {
            return Err(TooMany);
        }
        let heard_ms = Arc::new(AtomicU64::new(now_ms));
        state.streams.push(Stream::new(id, address, now_ms, heard_ms.clone()));
        state.away_since_ms = None;
        // Only the new one gets any of it, if it was away, and it does not run yet.
        for waiting in std::mem::take(&mut state.waiting) {
            let _ = state.place(waiting);
        }
        Ok(Attached { component: self.clone(), id, heard_ms })
    }

    /// By the clock, steady milliseconds: what has waited for a stream for too long, all of it if `keep_ms` is zero.
    pub fn take_overdue(&self, now_ms: u64, keep_ms: u64) -> Vec<Overdue> {
        let mut state = self.state.lock();
        let away_since_ms = state.away_since_ms.unwrap_or_default();
        state.take(|waiting| waiting.is_overdue(now_ms, keep_ms, away_since_ms))
    }

    /// Everything that waits for a stream and is not stored, for the end of the server.
    pub fn take_volatile(&self) -> Vec<Overdue> {
        self.state.lock().take(|waiting| !waiting.is_stored())
    }

    /// By the clock, steady milliseconds: who is there and does not answer pings is not waited for.
    pub fn look_for_answers(&self, now_ms: u64) {
        let mut guard = self.state.lock();
        let State { streams, room, kept, .. } = &mut *guard;
        for stream in streams.iter_mut().filter(|stream| stream.hears_nothing(now_ms)) {
            (stream.is_deaf, stream.ping) = (true, None);
            for waiting in std::mem::take(&mut stream.written) {
                kept_no_more(kept, room, &waiting);
            }
        }
    }

    /// The sender of a stored stanza has it back.
    pub fn returned(&self, row: u64, stanza: &Stanza) {
        self.state.lock().kept.done(row, stanza);
    }

    /// What the store need not keep any more, each once; of pairs of domains that `may` refuses, later.
    pub fn take_done(&self, may: impl FnMut(&str, &str) -> bool) -> Vec<Done> {
        self.state.lock().kept.take_done(may)
    }

    /// Whether nothing is lost by forgetting it.
    pub fn is_unused(&self) -> bool {
        let state = self.state.lock();
        state.streams.is_empty() && state.waiting.is_empty() && state.kept.is_empty() && state.room.bytes() == 0
    }

    /// Ends all its streams with this error.
    pub fn close(&self, condition: Condition) {
        let wakers: Vec<Waker> = {
            let mut state = self.state.lock();
            state.streams.iter_mut().for_each(|stream| stream.ends = Some(condition));
            state.streams.iter_mut().filter_map(|stream| stream.waker.take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether a stream of it is open.
    pub fn is_connected(&self) -> bool {
        !self.state.lock().streams.is_empty()
    }

    /// Where it stands.
    pub fn report(&self) -> Report {
        let state = self.state.lock();
        Report {
            streams: state.streams.iter().map(|stream| (stream.address, stream.since_ms)).collect(),
            waiting: state.waiting.len() + state.streams.iter().map(|stream| stream.queue.len()).sum::<usize>(),
            bytes: state.room.bytes(),
            away_since_ms: state.away_since_ms,
        }
    }
}

impl Stream {
    fn new(id: u64, address: IpAddr, since_ms: u64, heard_ms: Arc<AtomicU64>) -> Stream {
        Stream {
            id,
            address,
            since_ms,
            queue: VecDeque::new(),
            written: VecDeque::new(),
            ping: None,
            pings: 0,
            heard_ms,
            has_answered: false,
            is_deaf: false,
            is_parting: false,
            waker: None,
            ends: None,
        }
    }

    /// Whether the ping was not answered in time by somebody who has said other things since.
    fn hears_nothing(&self, now_ms: u64) -> bool {
        let patience_ms = if self.has_answered { LATE_MS } else { DEAF_MS };
        let asked_ms = self.ping.as_ref().and_then(|ping| ping.at_ms);
        asked_ms.is_some_and(|at_ms| {
            now_ms >= at_ms.saturating_add(patience_ms) && self.heard_ms.load(Ordering::Relaxed) > at_ms
        })
    }

    /// The number of the ping by which what was written is proved, if one is to be written now.
    pub(super) fn asks(&mut self) -> Option<u64> {
        if self.written.is_empty() || self.ping.is_some() {
            return None;
        }
        self.pings += 1;
        self.ping = Some(Ping { number: self.pings, rows: self.written.len(), at_ms: None });
        Some(self.pings)
    }
}

/// A row has arrived: it costs nothing any more.
pub(super) fn kept_no_more(kept: &mut Kept, room: &mut Room, waiting: &Waiting) {
    if let What::Stored(row, stanza) = &waiting.what {
        kept.done(*row, stanza);
    }
    room.leave(waiting);
}

impl State {
    /// Takes of what waits for a stream what is chosen; nobody hears of presence that was told to many.
    fn take(&mut self, mut is_taken: impl FnMut(&Waiting) -> bool) -> Vec<Overdue> {
        let all = std::mem::take(&mut self.waiting);
        let (taken, stays): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(|waiting| is_taken(waiting));
        self.waiting = stays;
        taken.iter().for_each(|waiting| self.room.leave(waiting));
        let comes_back = |waiting: Waiting| match waiting.what {
            What::Stored(row, stanza) => Some(Overdue { row: Some(row), stanza }),
            What::Volatile(stanza) => Some(Overdue { row: None, stanza }),
            What::Announced(_) => None,
        };
        taken.into_iter().filter_map(comes_back).collect()
    }

    /// Puts a stanza where it belongs, and says whom to wake.
    pub(super) fn place(&mut self, waiting: Waiting) -> Option<Waker> {
        match self.choose(&waiting) {
            Some(at) => {
                let stream = &mut self.streams[at];
                stream.queue.push_back(waiting);
                stream.waker.take()
            }
            None => {
                self.waiting.push_back(waiting);
                None
            }
        }
    }

    /// An answer goes to the stream that has asked. For everything else the sender's address decides: each stream draws a number for it, and the
    /// highest wins, so that a stream that comes or goes changes little for the others.
    fn choose(&mut self, waiting: &Waiting) -> Option<usize> {
        let answered = match &waiting.what {
            What::Volatile(stanza) => self.asked.take(stanza),
            What::Stored(..) | What::Announced(_) => None,
        };
        let asker = answered.and_then(|id| self.streams.iter().position(|stream| stream.id == id));
        let draw = |stream: &Stream| {
            let mut hasher = DefaultHasher::new();
            (stream.id, waiting.sender).hash(&mut hasher);
            hasher.finish()
        };
        asker.or_else(|| {
            let streams = self.streams.iter().enumerate();
            streams.max_by_key(|(_, stream)| draw(stream)).map(|(at, _)| at)
        })
    }
}
