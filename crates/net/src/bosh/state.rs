//! One session of BOSH without I/O: requests in the order of their numbers, answers in the same order, what is kept of them for those who
//! have lost one, and when it is over. Time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use metronome_proto::ns;
use metronome_proto::payload::bosh::{Condition, Kind, Request, answer, terminate};
use metronome_proto::stream::header;
use metronome_proto::xml::Limits;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests that may wait at the same time, and so also how far numbers may run ahead and how many answers are kept.
pub(super) const REQUESTS: usize = 2;
/// Bytes of what was read that wait for the stream before further requests have to.
const INPUT_BYTES_MAX: usize = 64 * 1024;
/// Bytes that wait for a request before the stream has to.
pub(super) const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// A session without a request for so long is over.
const INACTIVITY: Duration = Duration::from_secs(60);
/// Unless it said that it will be.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// Two empty requests must be as far apart.
const POLLING: Duration = Duration::from_secs(5);
/// The longest that an answer waits.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What a session was asked to be like, as far as that is granted.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// For how long an answer waits.
    pub(crate) wait: Duration,
    /// What answers are said to be.
    pub(crate) content: &'static str,
    hold: usize,
    domain: String,
}

impl Terms {
    /// Those for a request for a session.
    pub(crate) fn of(request: &Request, domain: &str) -> Terms {
        // Nothing that a browser would take for a page: others' words are in it.
        let content = match request.content.as_deref() {
            Some(asked) if asked.starts_with("text/plain") => "text/plain; charset=utf-8",
            _ => "text/xml; charset=utf-8",
        };
        Terms {
            wait: Duration::from_secs(request.wait.unwrap_or(0).into()).min(WAIT_MAX),
            content,
            hold: request.hold.unwrap_or(0).min(1) as usize,
            domain: domain.to_owned(),
        }
    }

    fn polls(&self) -> bool {
        self.hold == 0 || self.wait.is_zero()
    }
}

/// Where an answer goes.
type Reply = oneshot::Sender<Bytes>;

/// The state.
pub(super) struct State {
    /// The number of the last request that was taken.
    last: u64,
    /// Requests that came too early, with how they are answered.
    early: BTreeMap<u64, (Request, Reply)>,
    /// Requests that were taken and not answered, in order.
    held: VecDeque<(u64, Reply)>,
    /// The last answers.
    sent: VecDeque<(u64, Bytes)>,
    hold: usize,
    polls: bool,
    key: Option<String>,
    /// What the first answer says besides.
    greeting: Vec<(&'static str, String)>,
    /// The last request was empty, and came at this time.
    empty_at: Option<Instant>,
    /// Nobody has been waiting since.
    idle_since: Option<Instant>,
    patience: Duration,
    /// Read and not yet taken by the stream.
    pub(super) input: Vec<u8>,
    /// The header of the next stream, with what came behind it; the last one is not over yet.
    next: Option<Vec<u8>>,
    /// The stream waits for its header.
    expects_header: bool,
    pub(super) limits: Limits,
    /// Written and not yet answered.
    pub(super) output: Vec<u8>,
    /// The number of the last request that was answered with something.
    told: u64,
    over: Option<Over>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// How a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Its client has said so, in this request.
    Closed(u64),
    /// Its client has broken the rules.
    Broken(Condition),
    /// The stream has ended, with an error or without.
    Stream(Option<Condition>),
    /// Nobody has asked for anything.
    Silent,
}

impl State {
    pub(super) fn new(terms: &Terms, name: &str, rid: u64) -> State {
        let seconds = |time: Duration| time.as_secs().to_string();
        let greeting = vec![
            ("sid", name.to_owned()),
            ("wait", seconds(terms.wait)),
            ("hold", terms.hold.to_string()),
            ("requests", REQUESTS.to_string()),
            ("inactivity", seconds(INACTIVITY)),
            ("polling", seconds(POLLING)),
            ("maxpause", seconds(PAUSE_MAX)),
            ("ver", "1.6".to_owned()),
            ("from", terms.domain.clone()),
            ("xmlns:xmpp", ns::XBOSH.to_owned()),
            ("xmpp:version", "1.0".to_owned()),
            ("xmpp:restartlogic", "true".to_owned()),
        ];
        State {
            last: rid - 1,
            early: BTreeMap::new(),
            held: VecDeque::new(),
            sent: VecDeque::new(),
            hold: terms.hold,
            polls: terms.polls(),
            // The first request has none yet.
            key: None,
            greeting,
            empty_at: None,
            idle_since: None,
            patience: INACTIVITY,
            input: Vec::new(),
            next: None,
            expects_header: false,
            limits: Limits::BEFORE_AUTH,
            output: Vec::new(),
            told: 0,
            over: None,
            reader: None,
            writer: None,
        }
    }

    // ---- requests ----------------------------------------------------------------------------------------------

    /// Takes a request, at once or when those before it have come.
    pub(super) fn request(&mut self, request: Request, bytes: usize, reply: Reply, now: Instant) {
        let rid = request.rid;
        if self.over.is_some() {
            let _ = reply.send(self.last_words());
            return;
        }
        // Who has not logged in has little to say.
        if self.limits == Limits::BEFORE_AUTH && bytes > 2 * self.limits.stanza_bytes {
            return self.refuse(reply, Condition::PolicyViolation);
        }
        if rid <= self.last {
            return self.repeat(rid, reply);
        }
        if rid > self.last + REQUESTS as u64 {
            return self.refuse(reply, Condition::ItemNotFound);
        }
        if let Some((_, earlier)) = self.early.insert(rid, (request, reply)) {
            let _ = earlier.send(again());
        }
        self.take(now);
    }

    /// Takes what is next while there is room for it.
    pub(super) fn take(&mut self, now: Instant) {
        while self.over.is_none()
            && self.input.len() < INPUT_BYTES_MAX
            && let Some((request, reply)) = self.early.remove(&(self.last + 1))
        {
            self.process(request, reply, now);
        }
    }

    fn process(&mut self, request: Request, reply: Reply, now: Instant) {
        if !self.opens(&request) {
            return self.refuse(reply, Condition::ItemNotFound);
        }
        self.last = request.rid;
        let is_first = request.sid.is_none();
        let is_empty =
            request.payload.is_empty() && request.kind == Kind::Usual && request.pause.is_none() && !is_first;
        let came_before = std::mem::replace(&mut self.empty_at, is_empty.then_some(now));
        let is_soon = came_before.is_some_and(|before| now.duration_since(before) < POLLING);
        let was_told = self.told + 1 >= request.rid;
        // Whoever polls, or asks although somebody waits for an answer already, has to take its time.
        if is_empty && is_soon && !was_told && (self.polls || self.held.iter().any(|(_, reply)| !reply.is_closed())) {
            return self.refuse(reply, Condition::PolicyViolation);
        }
        self.patience = request.pause.map_or(INACTIVITY, |pause| Duration::from_secs(pause.into()).min(PAUSE_MAX));
        match request.kind {
            Kind::Usual if is_first => self.input.extend_from_slice(&request.header()),
            Kind::Usual => self.read(&request.payload),
            Kind::Restart => self.next = Some(request.header()),
            Kind::Terminate => {
                self.read(&request.payload);
                self.input.extend_from_slice(header::CLOSE.as_bytes());
            }
        }
        if self.expects_header
            && let Some(next) = self.next.take()
        {
            self.expects_header = false;
            self.input.extend_from_slice(&next);
        }
        self.idle_since = None;
        self.held.push_back((request.rid, reply));
        if request.kind == Kind::Terminate {
            self.over = Some(Over::Closed(request.rid));
            self.finish();
        } else if request.pause.is_some() {
            while let Some((rid, reply)) = self.held.pop_front() {
                self.say(rid, reply, answer(&[], b"").into());
            }
            self.idle_since = Some(now);
        } else {
            while self.held.len() > self.hold {
                self.answer(now);
            }
            self.flush(now);
        }
        wake(&mut self.reader);
    }

    fn read(&mut self, payload: &[u8]) {
        match &mut self.next {
            Some(next) => next.extend_from_slice(payload),
            None => self.input.extend_from_slice(payload),
        }
    }

    /// XEP-0124 section 15: whether the request comes from whom the one before it came from.
    fn opens(&mut self, request: &Request) -> bool {
        if let Some(last) = &self.key {
            let Some(key) = &request.key else { return false };
            let hash = Sha1::digest(key.to_ascii_lowercase().as_bytes());
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            if !bool::from(hash.as_bytes().ct_eq(last.as_bytes())) {
                return false;
            }
        }
        let next = request.newkey.as_ref().or(request.key.as_ref().filter(|_| self.key.is_some()));
        self.key = next.map(|key| key.to_ascii_lowercase());
        true
    }

    /// A number that has been there: an answer that was lost.
    fn repeat(&mut self, rid: u64, reply: Reply) {
        if let Some((_, sent)) = self.sent.iter().find(|(sent, _)| *sent == rid) {
            let _ = reply.send(sent.clone());
            return;
        }
        match self.held.iter_mut().find(|(held, _)| *held == rid) {
            Some((_, waiting)) => {
                self.idle_since = None;
                let _ = std::mem::replace(waiting, reply).send(again());
            }
            None => self.refuse(reply, Condition::ItemNotFound),
        }
    }

    fn refuse(&mut self, reply: Reply, condition: Condition) {
        self.over = Some(Over::Broken(condition));
        let _ = reply.send(terminate(Some(condition), b"").into());
        self.finish();
    }

    // ---- answers -----------------------------------------------------------------------------------------------

    /// What was written may go out.
    pub(super) fn flush(&mut self, now: Instant) {
        if !self.output.is_empty() && !self.held.is_empty() {
            self.answer(now);
        }
    }

    /// Answers the oldest request.
    fn answer(&mut self, now: Instant) {
        let Some((rid, reply)) = self.held.pop_front() else { return };
        let greeting = std::mem::take(&mut self.greeting);
        let attributes: Vec<(&str, &str)> = greeting.iter().map(|(name, value)| (*name, &**value)).collect();
        if !self.output.is_empty() {
            self.told = rid;
        }
        let body = answer(&attributes, &std::mem::take(&mut self.output));
        self.say(rid, reply, body.into());
        self.left(now);
        wake(&mut self.writer);
    }

    fn say(&mut self, rid: u64, reply: Reply, body: Bytes) {
        self.sent.push_back((rid, body.clone()));
        if self.sent.len() > REQUESTS {
            self.sent.pop_front();
        }
        let _ = reply.send(body);
    }

    /// The time of this request is over, and so is that of those before it.
    pub(super) fn expire(&mut self, rid: u64, now: Instant) {
        while self.held.front().is_some_and(|(held, _)| *held <= rid) {
            self.answer(now);
        }
        // One that came too early waits in vain.
        if let Some((_, reply)) = self.early.remove(&rid) {
            let _ = reply.send(again());
        }
    }

    /// Somebody does not wait any more. If nobody does, time begins to count.
    pub(super) fn left(&mut self, now: Instant) {
        if self.idle_since.is_none() && self.held.iter().all(|(_, reply)| reply.is_closed()) {
            self.idle_since = Some(now);
            wake(&mut self.reader);
        }
    }

    /// When it is over unless somebody asks for something.
    pub(super) fn idle_until(&self) -> Option<Instant> {
        self.idle_since.map(|since| since + self.patience)
    }

    // ---- the stream --------------------------------------------------------------------------------------------

    /// The stream begins anew: it waits for a header.
    pub(super) fn restart(&mut self) {
        match self.next.take() {
            Some(next) => self.input.extend_from_slice(&next),
            None => self.expects_header = true,
        }
    }

    /// How it has ended, if it has.
    pub(super) fn over(&self) -> Option<Over> {
        self.over
    }

    /// Whether everything that was written is known to have been read, where the client has ended it: answers before the one that it held
    /// when it did.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.over, Some(Over::Closed(rid)) if self.told + 2 <= rid && self.output.is_empty())
    }

    /// Ends it; the first reason stays.
    pub(super) fn end(&mut self, over: Over) {
        if self.over.is_none() {
            self.over = Some(over);
            self.finish();
        }
    }

    /// Everybody who waits is told: the first of them everything.
    fn finish(&mut self) {
        if let Some((rid, reply)) = self.held.pop_front() {
            if !self.output.is_empty() {
                self.told = rid;
            }
            let _ = reply.send(self.last_words());
            self.output = Vec::new();
        }
        let rest = self.held.drain(..).map(|(_, reply)| reply);
        for reply in rest.chain(std::mem::take(&mut self.early).into_values().map(|(_, reply)| reply)) {
            let _ = reply.send(answer(&[], b"").into());
        }
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    fn last_words(&mut self) -> Bytes {
        let output = std::mem::take(&mut self.output);
        match self.over {
            Some(Over::Stream(condition)) => terminate(condition, &output),
            Some(Over::Closed(_)) => terminate(None, &output),
            Some(Over::Broken(condition)) => terminate(Some(condition), b""),
            Some(Over::Silent) | None => terminate(Some(Condition::ItemNotFound), b""),
        }
        .into()
    }
}

/// A request that must be made again: a recoverable condition (XEP-0124 section 17.3).
fn again() -> Bytes {
    answer(&[("type", "error")], b"").into()
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
