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
/// Answers that are kept for a client that says which of them it has not had.
const KEPT_MAX: usize = 2 * REQUESTS;
/// After so long an answer that a client has not had is likely lost, and the client is told of it.
const REPORT_AFTER: Duration = Duration::from_secs(2);
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
    sent: VecDeque<Sent>,
    /// The number of the last request that was answered.
    answered: u64,
    /// Up to which number the client is known to have had the answers.
    had: u64,
    acknowledging: Acknowledging,
    /// An answer that seems to be lost, and since when; the next answer tells so.
    report: Option<(u64, Duration)>,
    /// The last that was told to be lost.
    reported: u64,
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

/// An answer as it was given.
struct Sent {
    rid: u64,
    body: Bytes,
    at: Instant,
}

/// Whether a client says which answers it has had (section 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acknowledging {
    No,
    Yes,
}

/// How a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Its client has said so.
    Closed,
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
            answered: 0,
            had: 0,
            acknowledging: Acknowledging::No,
            report: None,
            reported: 0,
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

    /// Whether its client has not logged in.
    pub(super) fn is_strangers(&self) -> bool {
        self.limits == Limits::BEFORE_AUTH
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
        if self.is_strangers() && bytes > 2 * self.limits.stanza_bytes {
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
            && self.unread() < INPUT_BYTES_MAX
            && let Some((request, reply)) = self.early.remove(&(self.last + 1))
        {
            self.process(request, reply, now);
        }
    }

    /// Bytes that the stream has not taken, and those for the one behind it, which may never begin.
    fn unread(&self) -> usize {
        self.input.len() + self.next.as_ref().map_or(0, Vec::len)
    }

    fn process(&mut self, request: Request, reply: Reply, now: Instant) {
        if !self.opens(&request) {
            return self.refuse(reply, Condition::ItemNotFound);
        }
        self.last = request.rid;
        let is_first = request.sid.is_none();
        if is_first && request.ack == Some(1) {
            self.acknowledging = Acknowledging::Yes;
        } else {
            self.note_had(&request, now);
        }
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
            self.over = Some(Over::Closed);
            self.finish();
        } else if request.pause.is_some() {
            while let Some((rid, reply)) = self.held.pop_front() {
                let body = self.body(rid);
                self.say(rid, reply, body, now);
            }
            wake(&mut self.writer);
            self.idle_since = Some(now);
        } else {
            while self.held.len() > self.hold {
                self.answer(now);
            }
            // Whoever has lost something is told at once.
            if self.report.is_some() {
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

    /// What the client has had of our answers: what it says, or what its requests imply, of which only so many may be on the way. One that
    /// was lost is noted for the next answer.
    fn note_had(&mut self, request: &Request, now: Instant) {
        let acknowledged = request.ack.filter(|_| self.acknowledging == Acknowledging::Yes);
        let had = match (acknowledged, self.acknowledging) {
            (Some(ack), _) => ack,
            // It need not say so if nothing is missing.
            (None, Acknowledging::Yes) if self.held.is_empty() => request.rid - 1,
            (None, _) => request.rid.saturating_sub(REQUESTS as u64),
        };
        self.had = self.had.max(had.min(self.answered));
        let missing = acknowledged.and_then(|ack| self.sent.iter().find(|sent| sent.rid == ack + 1));
        if let Some(missing) = missing
            && missing.rid > self.reported
            && now.duration_since(missing.at) >= REPORT_AFTER
        {
            self.reported = missing.rid;
            self.report = Some((missing.rid, now.duration_since(missing.at)));
        }
    }

    /// A number that has been there: an answer that was lost.
    fn repeat(&mut self, rid: u64, reply: Reply) {
        if let Some(sent) = self.sent.iter().find(|sent| sent.rid == rid) {
            let _ = reply.send(sent.body.clone());
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
        let body = self.body(rid);
        self.say(rid, reply, body, now);
        self.left(now);
        wake(&mut self.writer);
    }

    /// The answer to this request: everything that was written, and what is to be said besides.
    fn body(&mut self, rid: u64) -> Bytes {
        let mut attributes = std::mem::take(&mut self.greeting);
        // Section 9.1: always in the first answer, and then whenever it says more than the answer itself.
        let received = self.received();
        if !attributes.is_empty() || received != rid {
            attributes.push(("ack", received.to_string()));
        }
        if let Some((lost, since)) = self.report.take() {
            attributes.push(("report", lost.to_string()));
            attributes.push(("time", since.as_millis().to_string()));
        }
        if !self.output.is_empty() {
            self.told = rid;
        }
        let attributes: Vec<(&str, &str)> = attributes.iter().map(|(name, value)| (*name, &**value)).collect();
        answer(&attributes, &std::mem::take(&mut self.output)).into()
    }

    /// The number up to which all requests have come.
    fn received(&self) -> u64 {
        let next = |rid: &u64| Some(rid + 1).filter(|next| self.early.contains_key(next));
        std::iter::successors(Some(self.last), next).last().unwrap_or(self.last)
    }

    fn say(&mut self, rid: u64, reply: Reply, body: Bytes, now: Instant) {
        self.answered = rid;
        self.sent.push_back(Sent { rid, body: body.clone(), at: now });
        let is_dispensable = |sent: &Sent| self.acknowledging == Acknowledging::No || sent.rid <= self.had;
        while self.sent.len() > KEPT_MAX || self.sent.len() > REQUESTS && is_dispensable(&self.sent[0]) {
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

    /// Whether everything that was written is known to have been read, where the client has ended it.
    pub(super) fn is_read(&self) -> bool {
        self.over == Some(Over::Closed) && self.told <= self.had && self.output.is_empty()
    }

    /// Ends it; the first reason stays.
    pub(super) fn end(&mut self, over: Over) {
        if self.over.is_none() {
            self.over = Some(over);
            self.finish();
        }
    }

    /// Nobody reads or writes any more: only the last answer is kept. How many bytes of the stream are in it.
    pub(super) fn keep_last_answer(&mut self) -> usize {
        (self.input, self.next) = (Vec::new(), None);
        self.output.shrink_to_fit();
        self.output.len()
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
        // Every answer is the last one from now on.
        self.sent = VecDeque::new();
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    fn last_words(&mut self) -> Bytes {
        let output = std::mem::take(&mut self.output);
        match self.over {
            Some(Over::Stream(condition)) => terminate(condition, &output),
            Some(Over::Closed) => terminate(None, &output),
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
