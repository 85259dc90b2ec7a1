//! The one way out of the server: what waits to be written to a stream, bounded in bytes and count.
//! Filled by `route`, drained by the stream's task in `net`; allocated on first push and freed when drained.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use metronome_proto::stream::error::Condition;

/// With this many bytes waiting nothing more is taken. The frame that reaches it may go beyond: refused, a larger one would be in the
/// way for ever.
pub const BYTES_MAX: usize = 1024 * 1024;
/// Most frames that wait for one stream.
pub const FRAMES_MAX: usize = 4096;
/// With this many bytes waiting only answers are taken, and the stream's own requests are no longer read: so answers find room,
/// whatever others send.
pub const BYTES_HIGH: usize = BYTES_MAX / 2;
/// With this many frames as well.
pub const FRAMES_HIGH: usize = FRAMES_MAX / 2;
/// Above so many bytes, parts of long answers find no room.
pub const BYTES_OF_PARTS: usize = BYTES_MAX / 8 * 7;
/// Above so many frames, they do not either.
pub const FRAMES_OF_PARTS: usize = FRAMES_MAX / 8 * 7;
/// With this many bytes waiting until somebody looks, all of them are sent.
pub const WAITING_BYTES_MAX: usize = 64 * 1024;
/// With this many bytes waiting for a client whose connection is lost only what must not be dropped is taken.
pub const DETACHED_BYTES_MAX: usize = 64 * 1024;

/// One element to write: a start of its own and a body that recipients share.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The start tag, written for this recipient (or the whole element).
    pub head: Bytes,
    /// Everything behind it, shared by all recipients; empty if `head` is the whole element.
    pub body: Bytes,
}

impl Frame {
    /// A frame that nobody shares.
    pub fn whole(bytes: Vec<u8>) -> Frame {
        Frame { head: bytes.into(), body: Bytes::new() }
    }

    /// Bytes on the wire.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What became of a pushed frame.
#[must_use = "a frame that was not queued must be answered for"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It stands in the queue of a stream that is being written.
    Queued,
    /// The bounds are reached; the frame was not taken.
    Full,
    /// The stream is closed; the frame was not taken.
    Gone,
}

/// Why the server ends a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The stream error to send, none for a plain close.
    pub condition: Option<Condition>,
    /// For the peer's log, in words.
    pub text: Option<&'static str>,
}

/// What a frame is to stream management (XEP-0198).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A stanza that is gone with its session.
    Stanza,
    /// A stored message: the id of its row in the owner's archive.
    Stored(u64),
    /// No stanza: it is not counted, and concerns the connection of now only.
    Aside,
    /// `<enabled/>`: what is written behind it is counted.
    Enabled,
}

/// The queue of one stream. A plain value: it lives behind the mutex of the session or link that owns it,
/// so that queueing a frame and noting what it was are one step.
#[derive(Debug, Default)]
pub struct Outbox {
    frames: VecDeque<Queued>,
    bytes: usize,
    closing: Option<Box<Closing>>,
    gone: bool,
    /// Nobody drains it for now: the session waits for another connection.
    detached: bool,
    /// How many of the last frames wait until something that matters comes behind them (XEP-0352), and their bytes.
    waiting: usize,
    waiting_bytes: usize,
    /// With so many waiting all of them are sent; none if nothing is to wait.
    waiting_max: Option<usize>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Queued {
    /// None for a stored message that is to be read again before it can be written.
    frame: Option<Frame>,
    what: What,
    /// Of several frames with one key only the latest matters (presence, chat states); 0 has no such key.
    key: u64,
}

impl Queued {
    fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, Frame::len)
    }
}

/// What is told of a stanza when it is written: what it is, and its bytes.
pub type Written<'a> = dyn FnMut(What, Frame) + 'a;

/// A stanza that was written on an earlier connection and perhaps never arrived.
#[derive(Debug)]
pub enum Again {
    /// Its row is read again.
    Stored(u64),
    /// As it was.
    Stanza(Frame),
}

impl Outbox {
    /// Queues a stanza. The owner wakes [`Outbox::take_waker`] once its mutex is free again.
    pub fn push(&mut self, frame: Frame) -> Pushed {
        self.push_up_to_half(frame, What::Stanza, 0)
    }

    /// Queues a stored message.
    pub fn push_stored(&mut self, id: u64, frame: Frame) -> Pushed {
        self.push_up_to_half(frame, What::Stored(id), 0)
    }

    /// Queues a frame that waits while nobody looks at the client, in the place of one that waits with the same `key`, if that is not 0.
    pub fn push_waiting(&mut self, frame: Frame, key: u64) -> Pushed {
        let Some(waiting_max) = self.waiting_max else { return self.push_up_to_half(frame, What::Stanza, key) };
        if self.is_closing() {
            return Pushed::Gone;
        }
        if self.is_high() {
            return Pushed::Full;
        }
        let first = self.frames.len() - self.waiting;
        match self.frames.range_mut(first..).find(|queued| key != 0 && queued.key == key) {
            Some(earlier) => {
                self.bytes = self.bytes - earlier.len() + frame.len();
                self.waiting_bytes = self.waiting_bytes - earlier.len() + frame.len();
                earlier.frame = Some(frame);
            }
            None => {
                (self.bytes, self.waiting_bytes) = (self.bytes + frame.len(), self.waiting_bytes + frame.len());
                self.waiting += 1;
                self.frames.push_back(Queued { frame: Some(frame), what: What::Stanza, key });
            }
        }
        if self.waiting >= waiting_max || self.waiting_bytes >= WAITING_BYTES_MAX {
            self.send_waiting();
        }
        Pushed::Queued
    }

    /// Queues a stanza that says nothing of others before those that wait, which go on waiting.
    pub fn push_before_waiting(&mut self, frame: Frame) -> Pushed {
        if self.waiting == 0 || self.is_closing() || self.is_high() {
            return self.push(frame);
        }
        self.insert_before_waiting(frame, What::Stanza)
    }

    fn insert_before_waiting(&mut self, frame: Frame, what: What) -> Pushed {
        self.bytes += frame.len();
        self.frames.insert(self.frames.len() - self.waiting, Queued { frame: Some(frame), what, key: 0 });
        Pushed::Queued
    }

    /// From now on what can wait does, up to so many frames.
    pub fn hold(&mut self, waiting_max: usize) {
        self.waiting_max = Some(waiting_max);
    }

    /// Nothing waits any more.
    pub fn hold_no_more(&mut self) {
        self.waiting_max = None;
        self.send_waiting();
    }

    fn send_waiting(&mut self) {
        (self.waiting, self.waiting_bytes) = (0, 0);
    }

    /// Queues the answer to a request of the stream's own, or what the stream must be told to stay in step: up to the last bound.
    pub fn push_answer(&mut self, frame: Frame) -> Pushed {
        self.push_to_the_last(frame, What::Stanza, 0)
    }

    /// Queues a part of a long answer, which leaves room for short ones.
    pub fn push_part(&mut self, frame: Frame) -> Pushed {
        if self.is_closing() {
            return Pushed::Gone;
        }
        let is_full = self.bytes >= BYTES_OF_PARTS || self.frames.len() >= FRAMES_OF_PARTS;
        if is_full { Pushed::Full } else { self.append(frame, What::Stanza, 0) }
    }

    /// Queues what is no stanza, as an answer. There is none for a connection that is lost.
    pub fn push_aside(&mut self, frame: Frame, what: What) -> Pushed {
        match self.detached {
            true => Pushed::Gone,
            false if self.waiting > 0 && !self.is_closing() && !self.is_full() => {
                self.insert_before_waiting(frame, what)
            }
            false => self.push_to_the_last(frame, what, 0),
        }
    }

    /// Queues a goodbye: as an answer, and in the place of what waits with the same `key`.
    pub fn push_goodbye(&mut self, frame: Frame, key: u64) -> Pushed {
        if self.waiting_max.is_some() && !self.is_high() {
            return self.push_waiting(frame, key.max(1));
        }
        self.push_to_the_last(frame, What::Stanza, key.max(1))
    }

    /// Queues a frame of which only the latest with this `key` matters.
    ///
    /// While the queue is long, or nobody looks at the client, a waiting frame with the same key is replaced in its place.
    pub fn push_latest(&mut self, frame: Frame, key: u64) -> Pushed {
        self.push_waiting(frame, key.max(1))
    }

    fn push_to_the_last(&mut self, frame: Frame, what: What, key: u64) -> Pushed {
        if self.is_closing() {
            return Pushed::Gone;
        }
        if key != 0 && self.replace(&frame, key) {
            return Pushed::Queued;
        }
        if self.is_full() { Pushed::Full } else { self.append(frame, what, key) }
    }

    fn push_up_to_half(&mut self, frame: Frame, what: What, key: u64) -> Pushed {
        if self.is_closing() {
            return Pushed::Gone;
        }
        if key != 0 && self.replace(&frame, key) {
            return Pushed::Queued;
        }
        let is_full = self.is_high() || (self.detached && self.bytes >= DETACHED_BYTES_MAX);
        if is_full { Pushed::Full } else { self.append(frame, what, key) }
    }

    /// Behind all that waits, which so need not wait any more.
    fn append(&mut self, frame: Frame, what: What, key: u64) -> Pushed {
        self.send_waiting();
        self.bytes += frame.len();
        self.frames.push_back(Queued { frame: Some(frame), what, key });
        Pushed::Queued
    }

    /// The waker of the task that drains this queue, if it sleeps.
    pub fn take_waker(&mut self) -> Option<Waker> {
        // While there is nobody to write to only its end is of interest.
        if self.detached && !self.is_closing() { None } else { self.waker.take() }
    }

    /// Ready once the stream is to be closed.
    pub fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closing() {
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the stream after what is queued; the first reason stays.
    pub fn close(&mut self, closing: Closing) {
        self.closing.get_or_insert_with(|| Box::new(closing));
        self.send_waiting();
    }

    /// Takes no more frames and forgets those that wait; the stream's task calls this at its end.
    pub fn shut(&mut self) {
        self.gone = true;
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.send_waiting();
    }

    /// Takes out everything that waits and tells the stanzas that are nowhere else; for a stream that is over.
    pub fn take_stanzas(&mut self) -> impl Iterator<Item = Frame> + use<> {
        self.bytes = 0;
        self.send_waiting();
        let frames = std::mem::take(&mut self.frames).into_iter();
        frames.filter(|queued| queued.what == What::Stanza).filter_map(|queued| queued.frame)
    }

    /// Its connection is lost, and the session waits for another one. What is no stanza was for that connection.
    pub fn detach(&mut self) {
        self.detached = true;
        self.hold_no_more();
        self.frames.retain(|queued| !matches!(queued.what, What::Aside | What::Enabled));
        self.bytes = self.frames.iter().map(Queued::len).sum();
    }

    /// Whether nobody drains it for now.
    pub fn is_detached(&self) -> bool {
        self.detached
    }

    /// There is a connection again: first this frame, which is no stanza, then what was perhaps lost with the last one, then what waits.
    pub fn attach(&mut self, first: Frame, again: impl DoubleEndedIterator<Item = Again>) {
        self.detached = false;
        for again in again.rev() {
            let (frame, what) = match again {
                Again::Stored(id) => (None, What::Stored(id)),
                Again::Stanza(frame) => (Some(frame), What::Stanza),
            };
            self.frames.push_front(Queued { frame, what, key: 0 });
        }
        self.frames.push_front(Queued { frame: Some(first), what: What::Aside, key: 0 });
        self.bytes = self.frames.iter().map(Queued::len).sum();
    }

    /// The rows that must be read before the queue can be written any further, in the order in which they are wanted.
    pub fn unread(&self) -> Vec<u64> {
        /// As many are read at once.
        const ROWS: usize = 32;
        if self.detached || self.is_closing() || self.frames.front().is_none_or(|first| first.frame.is_some()) {
            return Vec::new();
        }
        let stored = self.frames.iter().take_while(|queued| queued.frame.is_none()).take(ROWS);
        stored.filter_map(|queued| if let What::Stored(id) = queued.what { Some(id) } else { None }).collect()
    }

    /// Gives the first of the [`Outbox::unread`] rows its frame; none if the row is gone, which then is left out.
    pub fn fill(&mut self, id: u64, frame: Option<Frame>) {
        let Some(at) = self.frames.iter().position(|queued| queued.frame.is_none() && queued.what == What::Stored(id))
        else {
            return;
        };
        match frame {
            Some(frame) => {
                self.bytes += frame.len();
                self.frames[at].frame = Some(frame);
            }
            None => drop(self.frames.remove(at)),
        }
    }

    /// Appends queued frames to `out` until it holds `bytes_max` bytes; answers whether there was anything. `written` is told of each.
    ///
    /// With nothing that can be written the task is woken by the next push or close.
    pub fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
        bytes_max: usize,
        written: &mut Written<'_>,
    ) -> Poll<Drained> {
        if self.frames.len() == self.waiting || self.frames.front().is_none_or(|first| first.frame.is_none()) {
            if let Some(closing) = &self.closing {
                return Poll::Ready(Drained::Closing((**closing).clone()));
            }
            if self.frames.is_empty() {
                self.frames = VecDeque::new();
            }
            // The same task asks again and again: a waker that would wake it already need not be cloned.
            if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                self.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        while out.len() < bytes_max
            && self.frames.len() > self.waiting
            && let Some(queued) = self.frames.pop_front_if(|first| first.frame.is_some())
        {
            let Some(frame) = queued.frame else { break };
            self.bytes -= frame.len();
            out.extend_from_slice(&frame.head);
            out.extend_from_slice(&frame.body);
            written(queued.what, frame);
        }
        Poll::Ready(Drained::Frames)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether this stored message waits to be written.
    pub fn holds(&self, id: u64) -> bool {
        self.frames.iter().any(|queued| queued.what == What::Stored(id))
    }

    /// Whether so much waits that nothing is added.
    fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX || self.frames.len() >= FRAMES_MAX
    }

    /// Whether so much waits that only answers should be added.
    pub fn is_high(&self) -> bool {
        self.bytes >= BYTES_HIGH || self.frames.len() >= FRAMES_HIGH
    }

    /// Heap bytes that the queue itself holds.
    pub fn memory_usage(&self) -> usize {
        self.bytes + self.frames.capacity() * size_of::<Queued>()
    }

    /// Whether the server has decided to end this stream.
    pub fn is_closing(&self) -> bool {
        self.gone || self.closing.is_some()
    }

    /// Looked for only in a long queue: in a short one the earlier frame is about to be written anyway, unless there is nobody to
    /// write it.
    fn replace(&mut self, frame: &Frame, key: u64) -> bool {
        const LONG: usize = 64;
        self.send_waiting();
        if self.frames.len() < LONG && !self.detached {
            return false;
        }
        let Some(waiting) = self.frames.iter_mut().rev().find(|queued| queued.key == key) else { return false };
        if self.bytes - waiting.len() + frame.len() > BYTES_MAX {
            return false;
        }
        self.bytes = self.bytes - waiting.len() + frame.len();
        waiting.frame = Some(frame.clone());
        true
    }
}

/// What [`Outbox::poll_drain`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Drained {
    /// Frames were appended.
    Frames,
    /// Nothing waits any more and the stream is to be closed.
    Closing(Closing),
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn drain(outbox: &mut Outbox) -> (Vec<u8>, Poll<Drained>) {
        let mut out = Vec::new();
        let poll = outbox.poll_drain(&mut Context::from_waker(Waker::noop()), &mut out, usize::MAX, &mut |_, _| {});
        (out, poll)
    }

    #[test]
    fn frames_leave_in_the_order_they_came() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(Frame::whole(b"<a/>".to_vec())), Pushed::Queued);
        assert_eq!(outbox.push(Frame { head: "<b>".into(), body: "</b>".into() }), Pushed::Queued);
        assert_eq!(drain(&mut outbox).0, b"<a/><b></b>");
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn a_full_outbox_refuses_and_keeps_what_it_has() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(Frame::whole(vec![b'x'; BYTES_HIGH])), Pushed::Queued);
        assert_eq!(outbox.push(Frame::whole(b"y".to_vec())), Pushed::Full);
        assert_eq!(drain(&mut outbox).0.len(), BYTES_HIGH);
        assert_eq!(outbox.push(Frame::whole(b"y".to_vec())), Pushed::Queued);
    }

    #[test]
    fn answers_find_room_whatever_others_send() {
        let mut outbox = Outbox::default();
        while outbox.push(Frame::whole(vec![b'x'; 100_000])) == Pushed::Queued {}
        let taken = outbox.bytes();
        assert!((BYTES_HIGH..BYTES_MAX).contains(&taken));
        assert_eq!(outbox.push_answer(Frame::whole(vec![b'a'; BYTES_MAX])), Pushed::Queued, "one may be large");
        assert_eq!(outbox.push_answer(Frame::whole(b"a".to_vec())), Pushed::Full);
        assert_eq!(drain(&mut outbox).0.len(), taken + BYTES_MAX);
    }

    #[test]
    fn only_the_latest_presence_waits_in_a_long_queue() {
        let mut outbox = Outbox::default();
        for number in 0..1000 {
            assert_eq!(outbox.push_latest(Frame::whole(format!("<p{number}/>").into_bytes()), 9), Pushed::Queued);
        }
        let (out, _) = drain(&mut outbox);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("<p999/>"), "{text}");
        assert_eq!(text.matches('<').count(), 64);
    }

    #[test]
    fn closing_comes_after_what_was_queued_and_nothing_follows_it() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(Frame::whole(b"<last/>".to_vec())), Pushed::Queued);
        let closing = Closing { condition: Some(Condition::SystemShutdown), text: None };
        outbox.close(closing.clone());
        assert_eq!(outbox.push(Frame::whole(b"<late/>".to_vec())), Pushed::Gone);
        assert_eq!(drain(&mut outbox), (b"<last/>".to_vec(), Poll::Ready(Drained::Frames)));
        assert_eq!(drain(&mut outbox).1, Poll::Ready(Drained::Closing(closing)));
    }

    fn text(outbox: &mut Outbox) -> String {
        String::from_utf8(drain(outbox).0).unwrap()
    }

    #[test]
    fn what_can_wait_waits_for_what_matters_and_leaves_before_it() {
        let mut outbox = Outbox::default();
        let frame = |name: &str| Frame::whole(format!("<{name}/>").into_bytes());
        outbox.hold(300);
        for (name, key) in [("p1", 1), ("p2", 2), ("p1-new", 1)] {
            assert_eq!(outbox.push_latest(frame(name), key), Pushed::Queued);
        }
        assert_eq!(outbox.push_waiting(frame("room"), 0), Pushed::Queued);
        assert_eq!(text(&mut outbox), "");
        assert!(outbox.bytes() > 0);
        assert_eq!(outbox.push_before_waiting(frame("ping")), Pushed::Queued);
        assert_eq!(text(&mut outbox), "<ping/>");
        assert_eq!(outbox.push_goodbye(frame("gone-2"), 2), Pushed::Queued);
        assert_eq!(outbox.push(frame("message")), Pushed::Queued);
        assert_eq!(outbox.push_latest(frame("later"), 1), Pushed::Queued);
        assert_eq!(text(&mut outbox), "<p1-new/><gone-2/><room/><message/>");
        outbox.hold_no_more();
        assert_eq!(text(&mut outbox), "<later/>");
        assert_eq!(outbox.push_latest(frame("now"), 1), Pushed::Queued);
        assert_eq!(text(&mut outbox), "<now/>");
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn what_is_written_before_those_that_wait_has_its_bound_too() {
        let mut outbox = Outbox::default();
        outbox.hold(300);
        assert_eq!(outbox.push_waiting(Frame::whole(b"<m/>".to_vec()), 0), Pushed::Queued);
        let aside = || Frame::whole(b"<a/>".to_vec());
        while outbox.push_aside(aside(), What::Aside) == Pushed::Queued {}
        assert!(outbox.frames.len() <= FRAMES_MAX);
    }

    #[test]
    fn not_everything_waits() {
        let mut outbox = Outbox::default();
        outbox.hold(3);
        for number in 0..3 {
            assert_eq!(text(&mut outbox), "");
            assert_eq!(outbox.push_waiting(Frame::whole(b"<m/>".to_vec()), 0), Pushed::Queued, "{number}");
        }
        assert_eq!(text(&mut outbox), "<m/><m/><m/>");
        outbox.hold(1000);
        assert_eq!(outbox.push_waiting(Frame::whole(vec![b'x'; WAITING_BYTES_MAX]), 0), Pushed::Queued);
        assert_eq!(drain(&mut outbox).0.len(), WAITING_BYTES_MAX);
        assert_eq!(outbox.push_waiting(Frame::whole(b"<m/>".to_vec()), 7), Pushed::Queued);
        outbox.close(Closing { condition: None, text: None });
        assert_eq!(text(&mut outbox), "<m/>", "nothing waits for the end");
        assert_eq!(outbox.push_waiting(Frame::whole(b"<m/>".to_vec()), 7), Pushed::Gone);
    }
}
