//! One component: its streams, each with a queue of its own, and what waits while there is none. Everything changes under one small mutex; a
//! stanza is written by the stream that its sender's address chooses, so that of one sender the order is kept.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use metronome_proto::jid::Jid;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::stream::error::Condition;

use super::asked::Asked;
use crate::outbox::Frame;
use crate::sync::Mutex;

/// What a stanza in memory counts for beside its content.
const STANZA_BYTES: usize = 512;

/// For how long a request waits for a component that is away: whoever asks gives up soon after.
const REQUEST_MS: u64 = 10_000;

/// One component.
#[derive(Debug)]
pub struct Component {
    /// Its domain.
    pub name: Jid,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: Vec<Stream>,
    /// What waits for a stream, in the order in which it came.
    waiting: VecDeque<Waiting>,
    /// Of everything that waits, for a stream or in the queue of one.
    bytes: usize,
    asked: Asked,
    /// When it was last connected, steady milliseconds.
    away_since_ms: Option<u64>,
}

#[derive(Debug)]
struct Stream {
    /// The number of its link.
    id: u64,
    address: IpAddr,
    since_ms: u64,
    queue: VecDeque<Waiting>,
    waker: Option<Waker>,
    /// It is to end, and why.
    ends: Option<Condition>,
}

#[derive(Debug)]
struct Waiting {
    /// When it came, steady milliseconds.
    at_ms: u64,
    /// The hash of its sender's bare address.
    sender: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Stanza(Arc<Stanza>),
    /// Presence that is told to many: nobody hears if it cannot go.
    Announced(Frame),
}

impl Waiting {
    fn bytes(&self) -> usize {
        STANZA_BYTES
            + match &self.what {
                What::Stanza(stanza) => stanza.content.len_bytes(),
                What::Announced(frame) => frame.len(),
            }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.what {
            What::Stanza(stanza) => stanza.write(out),
            What::Announced(frame) => {
                out.extend_from_slice(&frame.head);
                out.extend_from_slice(&frame.body);
            }
        }
    }

    fn is_answer(&self) -> bool {
        matches!(&self.what, What::Stanza(stanza) if matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error)))
    }

    fn is_overdue(&self, now_ms: u64, keep_ms: u64) -> bool {
        let is_request =
            matches!(&self.what, What::Stanza(stanza) if matches!(stanza.kind, Kind::Iq(IqType::Get | IqType::Set)));
        let patience_ms = if is_request { keep_ms.min(REQUEST_MS) } else { keep_ms };
        now_ms.saturating_sub(self.at_ms) >= patience_ms
    }
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

/// What a stream is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// So many stanzas were appended, one at least.
    Stanzas(u64),
    /// It ends with this error.
    Ends(Condition),
}

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

/// One stream's place at its component. What is in its queue when it is dropped goes to the other streams, or waits for the next one.
#[derive(Debug)]
pub struct Attached {
    component: Arc<Component>,
    id: u64,
}

fn hash_of(sender: &Jid) -> u64 {
    let mut hasher = DefaultHasher::new();
    sender.bare_str().hash(&mut hasher);
    hasher.finish()
}

impl Component {
    pub(super) fn new(name: Jid) -> Component {
        Component { name, state: Mutex::default() }
    }

    /// Queues a stanza; `now_ms` is steady time, `bytes_max` what may wait for the component.
    pub fn push(&self, stanza: Arc<Stanza>, now_ms: u64, bytes_max: usize) -> Given {
        let sender = hash_of(&stanza.from);
        self.queue(Waiting { at_ms: now_ms, sender, what: What::Stanza(stanza) }, bytes_max)
    }

    /// Queues a presence of `from` that is told to many; it never comes back.
    pub fn push_announced(&self, from: &Jid, frame: Frame, now_ms: u64, bytes_max: usize) -> Given {
        self.queue(Waiting { at_ms: now_ms, sender: hash_of(from), what: What::Announced(frame) }, bytes_max)
    }

    fn queue(&self, waiting: Waiting, bytes_max: usize) -> Given {
        let waker = {
            let mut state = self.state.lock();
            if state.bytes >= bytes_max {
                return Given::Full;
            }
            state.bytes += waiting.bytes();
            state.place(waiting)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Given::Queued
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
        state.streams.push(Stream { id, address, since_ms: now_ms, queue: VecDeque::new(), waker: None, ends: None });
        state.away_since_ms = None;
        // Only the new one gets any of it, if it was away, and it does not run yet.
        for waiting in std::mem::take(&mut state.waiting) {
            let _ = state.place(waiting);
        }
        Ok(Attached { component: self.clone(), id })
    }

    /// By the clock: what has waited for a stream for too long, all of it if `keep_ms` is zero.
    pub fn take_overdue(&self, now_ms: u64, keep_ms: u64) -> Vec<Arc<Stanza>> {
        let mut state = self.state.lock();
        let (overdue, stays): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut state.waiting).into_iter().partition(|waiting| waiting.is_overdue(now_ms, keep_ms));
        state.waiting = stays;
        state.bytes -= overdue.iter().map(Waiting::bytes).sum::<usize>();
        let comes_back = |waiting: Waiting| match waiting.what {
            What::Stanza(stanza) => Some(stanza),
            What::Announced(_) => None,
        };
        overdue.into_iter().filter_map(comes_back).collect()
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
            bytes: state.bytes,
            away_since_ms: state.away_since_ms,
        }
    }
}

impl State {
    /// Puts a stanza where it belongs, and says whom to wake.
    fn place(&mut self, waiting: Waiting) -> Option<Waker> {
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
            What::Stanza(stanza) => self.asked.take(stanza),
            What::Announced(_) => None,
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

impl Attached {
    /// The component.
    pub fn component(&self) -> &Arc<Component> {
        &self.component
    }

    /// Queues what the server itself says to this stream.
    pub fn push(&self, stanza: Arc<Stanza>, now_ms: u64, bytes_max: usize) -> Given {
        let waiting = Waiting { at_ms: now_ms, sender: hash_of(&stanza.from), what: What::Stanza(stanza) };
        let waker = {
            let mut guard = self.component.state.lock();
            let state = &mut *guard;
            let stream = state.streams.iter_mut().find(|stream| stream.id == self.id);
            let Some(stream) = stream.filter(|_| state.bytes < bytes_max) else { return Given::Full };
            state.bytes += waiting.bytes();
            stream.queue.push_back(waiting);
            stream.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Given::Queued
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
                let state = &mut *guard;
                let Some(stream) = state.streams.iter_mut().find(|stream| stream.id == self.id) else {
                    return Poll::Pending;
                };
                if let Some(condition) = stream.ends {
                    return Poll::Ready(Drained::Ends(condition));
                }
                let next = if out.len() < bytes_max { stream.queue.pop_front() } else { None };
                match &next {
                    Some(waiting) => state.bytes -= waiting.bytes(),
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

    /// Appends the answers that wait for this stream, which nobody else has a use for.
    pub fn take_answers(&self, out: &mut Vec<u8>) {
        let answers: VecDeque<Waiting> = {
            let mut guard = self.component.state.lock();
            let state = &mut *guard;
            let Some(stream) = state.streams.iter_mut().find(|stream| stream.id == self.id) else { return };
            let (answers, stays) = std::mem::take(&mut stream.queue).into_iter().partition(Waiting::is_answer);
            stream.queue = stays;
            answers
        };
        let bytes: usize = answers.iter().map(Waiting::bytes).sum();
        self.component.state.lock().bytes -= bytes;
        answers.iter().for_each(|waiting| waiting.write(out));
    }

    /// Ends the stream's place; `now_ms` is steady time.
    pub fn detach(self, now_ms: u64) {
        let mut state = self.component.state.lock();
        if state.streams.len() == 1 {
            state.away_since_ms = Some(now_ms);
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let wakers: Vec<Waker> = {
            let mut state = self.component.state.lock();
            let Some(at) = state.streams.iter().position(|stream| stream.id == self.id) else { return };
            let left = state.streams.remove(at).queue;
            left.into_iter().filter_map(|waiting| state.place(waiting)).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
