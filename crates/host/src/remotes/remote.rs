//! One pair of domains, ours and another server's: what waits for it, and whether a stream carries it. Filled by `route`, drained by the
//! task of whichever stream holds its [`Carrier`]; everything changes under one small mutex.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use metronome_model::OutboxRow;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::error::{Condition, StanzaError};

use super::carrier::{Carrier, Most};
use super::queue::{Backlog, Queue, Waiting};
use super::shared::{Account, Payer, Shared};
use crate::outbox::Frame;
use crate::sync::Mutex;

/// With fewer stanzas that can be written at once the next page of rows is read.
const READY_MIN: usize = 64;

/// The first wait after a stream did not come about; it doubles with each further one.
const PAUSE_FIRST_MS: u64 = 1_000;

/// The longest wait.
const PAUSE_MS_MAX: u64 = 60_000;

/// Why no stream comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether it is worth trying again.
    pub kind: FailureKind,
    /// What senders are told, in words.
    pub text: &'static str,
}

/// See [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// There is no such server, or there may be none to it: what is stored comes back as well, with `remote-server-not-found`.
    NoServer,
    /// It cannot be reached now, or does not prove who it is: what is stored waits for its time, the rest comes back with
    /// `remote-server-timeout`.
    Unreachable,
    /// Too many streams are being made for the sake of the same account or server: what is stored waits, the rest comes back with
    /// `resource-constraint`.
    Crowded,
}

impl Failure {
    /// What senders are told.
    pub fn error(&self) -> StanzaError {
        let condition = match self.kind {
            FailureKind::NoServer => Condition::RemoteServerNotFound,
            FailureKind::Unreachable => Condition::RemoteServerTimeout,
            FailureKind::Crowded => Condition::ResourceConstraint,
        };
        StanzaError::new(condition).with_text(self.text)
    }
}

/// Whether a stream carries the pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing waits, and there is none.
    Idle,
    /// Something waits; [`super::Remotes::poll_wanted`] has not given it out yet.
    Wanted,
    /// Somebody makes a stream.
    Connecting,
    /// A stream carries it.
    Up,
    /// It did not come about, and is tried again after this steady time in milliseconds, if something waits.
    Failed(Failure, u64),
}

/// What has come of the tries to reach the other server since it last proved that something has arrived, or since this process began.
/// What waits for it is given back only once they were in vain: time that has passed while we were away is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tries {
    /// None has ended.
    Open,
    /// A stream was there and has ended with something unproved, which deserves another one.
    Lost,
    /// No stream came about, or two have ended like that.
    InVain,
}

/// One pair of domains.
#[derive(Debug)]
pub struct Remote {
    /// Our domain.
    pub local: Jid,
    /// The other server's.
    pub remote: Jid,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// Who pays for what waits in memory: whoever was the first.
    account: Option<Account>,
    standing: Standing,
    failures: u32,
    tries: Tries,
    /// When its last stream ended or it was last used, steady milliseconds; for the table to forget it.
    used_ms: u64,
    /// Unix time of the oldest row, or one before it.
    oldest_ms: u64,
    /// Rows up to this one are removed from the store, or being removed.
    removed_to: u64,
    waker: Option<Waker>,
    /// With this change there is something new for the stream's task.
    wakes: bool,
    /// It has become wanted with this change.
    calls: bool,
    /// Somebody returns what has waited for too long, or is too large.
    giving_up: bool,
    /// Larger than the other side takes, and not stored.
    too_large: Vec<Arc<Stanza>>,
}

/// What became of a stanza for another server.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a stanza that does not wait must be answered for"]
pub enum Pushed {
    /// It waits.
    Queued,
    /// It does not: the last try to reach the server has failed.
    Down(Failure),
    /// It does not: too much waits already.
    Full,
}

impl Pushed {
    /// What a sender is told whose stanza does not wait.
    pub fn error(&self) -> Option<StanzaError> {
        match self {
            Pushed::Queued => None,
            Pushed::Down(failure) => Some(failure.error()),
            Pushed::Full => {
                let text = "too much waits for this server already";
                Some(StanzaError::new(Condition::ResourceConstraint).with_text(text))
            }
        }
    }
}

/// Where a pair stands, for administrators.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether a stream carries it.
    pub standing: Standing,
    /// Bytes that wait in memory.
    pub bytes: usize,
    /// Stored stanzas that are not known to have arrived.
    pub rows: u64,
    /// Stanzas written to the stream of now.
    pub written: u64,
}

impl Remote {
    pub(super) fn new(local: Jid, remote: Jid, shared: Arc<Shared>) -> Remote {
        let state = State {
            queue: Queue::default(),
            account: None,
            standing: Standing::Idle,
            failures: 0,
            tries: Tries::Open,
            used_ms: 0,
            oldest_ms: u64::MAX,
            removed_to: 0,
            waker: None,
            wakes: false,
            calls: false,
            giving_up: false,
            too_large: Vec::new(),
        };
        Remote { local, remote, shared, state: Mutex::new(state) }
    }

    /// Changes the state, keeps the sum of all pairs, and outside the lock wakes the stream's task if there is something new for it, or asks
    /// for a stream.
    fn change<R>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, waker, calls, counted) = {
            let mut state = self.state.lock();
            let before = state.queue.bytes();
            let result = change(&mut state);
            let now = state.queue.bytes();
            match now >= before {
                true => self.shared.bytes.fetch_add(now - before, Ordering::Relaxed),
                false => self.shared.bytes.fetch_sub(before - now, Ordering::Relaxed),
            };
            match &state.account {
                Some(account) if now >= before => account.add(now - before),
                Some(account) => account.take(before - now),
                None => {}
            }
            let waker = if std::mem::take(&mut state.wakes) { state.waker.take() } else { None };
            (result, waker, std::mem::take(&mut state.calls), std::mem::take(&mut state.queue.counted))
        };
        self.shared.count(&counted);
        if calls {
            self.shared.wanted(self);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    fn has_room(&self, state: &State) -> bool {
        self.room(state) > 0
    }

    /// How many more bytes may wait in memory.
    fn room(&self, state: &State) -> usize {
        let bounds = self.shared.bounds.load();
        let of_payer = state.account.as_ref().map_or(usize::MAX, |account| account.room(&bounds));
        let of_all = bounds.all_bytes.saturating_sub(self.shared.bytes.load(Ordering::Relaxed));
        bounds.bytes.saturating_sub(state.queue.bytes()).min(of_payer).min(of_all)
    }

    /// Who is to pay where nothing waits in memory, as something of this sender will; none if somebody does already.
    fn account_of(&self, sender: &Jid) -> Option<Account> {
        let (waits, payer_now) = {
            let state = self.state.lock();
            (state.queue.bytes() > 0, state.account.as_ref().map(|account| account.payer))
        };
        if waits {
            return None;
        }
        let payer = self.shared.payer(sender, &self.remote);
        (payer_now != Some(payer)).then(|| self.shared.account(payer))
    }

    /// For whose sake something waits, or last did.
    pub fn payer(&self) -> Payer {
        let account = self.state.lock().account.as_ref().map(|account| account.payer);
        account.unwrap_or_else(|| self.shared.payer(&self.local, &self.remote))
    }

    /// Queues a stanza that is gone with the process.
    pub fn push(self: &Arc<Self>, stanza: Arc<Stanza>) -> Pushed {
        let from = stanza.from.clone();
        self.push_volatile(&from, Waiting::Volatile(stanza))
    }

    /// Queues a presence of `from` that is told to many; it never comes back.
    pub fn push_announced(self: &Arc<Self>, from: &Jid, frame: Frame) -> Pushed {
        self.push_volatile(from, Waiting::Announced(frame))
    }

    fn push_volatile(self: &Arc<Self>, from: &Jid, waiting: Waiting) -> Pushed {
        let account = self.account_of(from);
        self.change(|state| {
            if let Standing::Failed(failure, _) = &state.standing {
                return Pushed::Down(failure.clone());
            }
            state.charge(account);
            if !self.has_room(state) {
                return Pushed::Full;
            }
            state.queue.push(waiting);
            state.want();
            Pushed::Queued
        })
    }

    /// Whether another stanza of this sender may be stored for the pair. What is being committed is not counted yet, so a few more may be.
    pub fn refuse_stored(&self, sender: &Jid) -> Result<(), Pushed> {
        let (bounds, of_sender) = (self.shared.bounds.load(), self.shared.rows_of(sender));
        let state = self.state.lock();
        match &state.standing {
            Standing::Failed(failure, _) if failure.kind == FailureKind::NoServer => Err(Pushed::Down(failure.clone())),
            _ if state.queue.rows() >= bounds.rows || of_sender >= bounds.rows_of_account => Err(Pushed::Full),
            _ => Ok(()),
        }
    }

    /// Queues a stanza that is stored under this number since `at_ms`, Unix time in milliseconds. Called in the order of the numbers; it
    /// finds room always, in memory or in the store where it is already.
    pub fn push_stored(self: &Arc<Self>, row: u64, at_ms: u64, stanza: Arc<Stanza>) {
        let account = self.account_of(&stanza.from);
        self.change(|state| {
            if row <= state.queue.done_to() {
                return; // Given back already.
            }
            if state.queue.rows() == 0 {
                state.oldest_ms = at_ms;
            }
            state.charge(account);
            match self.has_room(state) && !matches!(state.standing, Standing::Failed(..)) {
                true => state.queue.push(Waiting::Stored(row, stanza)),
                false => state.queue.leave_to_store(row, &stanza.from),
            }
            state.want();
        });
    }

    /// Notes what an earlier process has left: so many rows of a sender up to this one, the oldest of this Unix time in milliseconds.
    pub(super) fn left(self: &Arc<Self>, sender: &Jid, rows: u64, newest: u64, oldest_ms: u64) {
        let account = self.account_of(sender);
        self.change(|state| {
            state.charge(account);
            state.queue.left(sender, rows, newest);
            state.oldest_ms = state.oldest_ms.min(oldest_ms);
            state.want();
        });
    }

    /// The right to carry the pair, for a stream whose other end has proved itself both ways. None while another stream has it: two streams
    /// would send what is stored twice, so of those that are made at the same time the first one carries until it ends.
    pub fn carry(self: &Arc<Self>) -> Option<Carrier> {
        let is_free = self.change(|state| {
            let is_free = state.standing != Standing::Up;
            if is_free {
                (state.standing, state.failures) = (Standing::Up, 0);
            }
            is_free
        });
        is_free.then(|| Carrier::new(self.clone()))
    }

    /// Somebody makes a stream, so nobody else need.
    pub(super) fn connecting(&self) -> bool {
        let mut state = self.state.lock();
        let is_wanted = state.standing == Standing::Wanted;
        if is_wanted {
            state.standing = Standing::Connecting;
        }
        is_wanted
    }

    /// No stream came about: what is not stored comes back. `now_ms` is steady time. Nothing happens while a stream carries the pair.
    pub fn failed(self: &Arc<Self>, failure: Failure, now_ms: u64) -> Vec<Arc<Stanza>> {
        self.change(|state| {
            if state.standing == Standing::Up {
                return Vec::new();
            }
            let pause_ms = (PAUSE_FIRST_MS << state.failures.min(16)).min(PAUSE_MS_MAX);
            state.failures += 1;
            state.tries = Tries::InVain;
            (state.standing, state.used_ms) = (Standing::Failed(failure, now_ms + pause_ms), now_ms);
            state.queue.failed()
        })
    }

    /// By the clock, steady time in milliseconds: one that has failed is tried again once its pause is over.
    pub(super) fn tick(self: &Arc<Self>, now_ms: u64) {
        self.change(|state| match state.standing {
            Standing::Failed(_, until_ms) if until_ms <= now_ms => {
                state.standing = Standing::Idle;
                state.used_ms = now_ms;
                state.want();
            }
            _ => {}
        });
    }

    /// Whether nothing is lost by forgetting it, and nothing has happened since this steady time in milliseconds.
    pub(super) fn is_unused(&self, since_ms: u64) -> bool {
        let state = self.state.lock();
        matches!(state.standing, Standing::Idle | Standing::Failed(..))
            && state.queue.is_empty()
            && state.queue.rows() == 0
            && state.queue.done_to() == state.removed_to
            && state.used_ms <= since_ms
    }

    /// Whether [`Remote::take_done`] would say something.
    pub fn has_done(&self) -> bool {
        let state = self.state.lock();
        state.queue.done_to() > state.removed_to
    }

    /// Up to which row the outbox is done with and not yet cleaned; the caller removes them from the store.
    pub fn take_done(&self) -> Option<u64> {
        let mut state = self.state.lock();
        let done_to = state.queue.done_to();
        (done_to > state.removed_to).then(|| {
            state.removed_to = done_to;
            done_to
        })
    }

    /// Behind which row those stand that may have waited since before this Unix time in milliseconds, or, where there is no such server,
    /// since any time; none while a stream carries the pair, or before the server was tried to be reached in vain.
    pub fn overdue_after(&self, before_ms: u64) -> Option<(u64, u64)> {
        let state = self.state.lock();
        let before_ms = match &state.standing {
            Standing::Up => return None,
            _ if state.tries != Tries::InVain => return None,
            Standing::Failed(failure, _) if failure.kind == FailureKind::NoServer => u64::MAX,
            _ => before_ms,
        };
        (state.queue.rows() > 0 && state.oldest_ms < before_ms).then(|| (state.queue.done_to(), before_ms))
    }

    /// Begins to give up what has waited since before this Unix time in milliseconds; false if there is nothing to be done, or if it has begun
    /// already. Ends with [`Remote::end_giving_up`].
    pub fn begin_giving_up(&self, before_ms: u64) -> bool {
        let begins = self.overdue_after(before_ms).is_some();
        begins && !std::mem::replace(&mut self.state.lock().giving_up, true)
    }

    /// See [`Remote::begin_giving_up`].
    pub fn end_giving_up(&self) {
        self.state.lock().giving_up = false;
    }

    /// Why the pair has no stream, as senders of stored stanzas hear it when their time is over.
    pub fn failure(&self) -> Option<Failure> {
        match &self.state.lock().standing {
            Standing::Failed(failure, _) => Some(failure.clone()),
            _ => None,
        }
    }

    /// Gives these rows up, the oldest in their order, of which the next one is from `next_ms`; false if a stream carries the pair by now
    /// and may write them.
    pub fn give_up(self: &Arc<Self>, rows: &[OutboxRow], next_ms: u64) -> bool {
        self.change(|state| {
            if state.standing == Standing::Up {
                return false;
            }
            // None of them is in memory from here on.
            state.queue.lost();
            state.queue.given_up(rows);
            state.oldest_ms = next_ms;
            state.removed_to = state.removed_to.max(state.queue.done_to());
            true
        })
    }

    /// Where it stands.
    pub fn report(&self) -> Report {
        let state = self.state.lock();
        let queue = &state.queue;
        Report { standing: state.standing.clone(), bytes: queue.bytes(), rows: queue.rows(), written: queue.count() }
    }

    pub(super) fn poll_drain(self: &Arc<Self>, cx: &mut Context<'_>, out: &mut Vec<u8>, most: Most) -> Poll<u64> {
        let mut stanzas = 0;
        loop {
            // Written outside the lock: whoever pushes need not wait for it.
            let next = self.change(|state| {
                let next = if out.len() < most.bytes { state.queue.next() } else { None };
                if next.is_none() && stanzas == 0 {
                    state.waker = Some(cx.waker().clone());
                }
                next
            });
            match next {
                Some(waiting) => {
                    let before = out.len();
                    waiting.write(out);
                    if out.len() - before <= most.stanza_bytes {
                        stanzas += 1;
                        continue;
                    }
                    out.truncate(before);
                    self.change(|state| {
                        state.queue.refuse(&waiting);
                        if let Waiting::Volatile(stanza) = waiting {
                            state.too_large.push(stanza);
                        }
                    });
                }
                None if stanzas > 0 => return Poll::Ready(stanzas),
                None => return Poll::Pending,
            }
        }
    }

    /// What is not stored and larger than the other side takes, for whoever returns it.
    pub(super) fn take_too_large(&self) -> Vec<Arc<Stanza>> {
        std::mem::take(&mut self.state.lock().too_large)
    }

    /// Begins to return a row that is larger than the other side takes, and tells which. None if there is no such row, or if something is
    /// being returned already. Ends with [`Remote::end_giving_up`].
    pub fn begin_returning(&self) -> Option<u64> {
        let mut state = self.state.lock();
        let row = state.queue.to_return().filter(|_| !state.giving_up)?;
        state.giving_up = true;
        Some(row)
    }

    /// The next row that is larger than the other side takes, for whoever has begun with [`Remote::begin_returning`].
    pub fn goes_back(&self) -> Option<u64> {
        self.state.lock().queue.to_return()
    }

    /// This row went back to its sender; the caller removes it from the store, as [`Remote::take_done`] says.
    pub fn returned(self: &Arc<Self>, row: u64, sender: &Jid) {
        self.change(|state| {
            state.queue.returned(row, sender);
            state.tries = Tries::Open;
        });
    }

    pub(super) fn written(&self) -> u64 {
        self.state.lock().queue.count()
    }

    pub(super) fn arrived(self: &Arc<Self>, count: u64) {
        self.change(|state| {
            let before = state.queue.done_to();
            state.queue.arrived(count);
            if state.queue.done_to() > before {
                state.tries = Tries::Open;
            }
        });
    }

    pub(super) fn wants_proof(&self) -> bool {
        !self.state.lock().queue.is_proved()
    }

    pub(super) fn reads(&self) -> Option<Backlog> {
        let state = self.state.lock();
        let ready = state.queue.ready();
        let wants_more = ready == 0 || (ready < READY_MIN && self.has_room(&state));
        state.queue.backlog().filter(|_| wants_more)
    }

    pub(super) fn fill(self: &Arc<Self>, read: Backlog, page: Vec<OutboxRow>) {
        self.change(|state| {
            let room = self.room(state);
            state.queue.fill(read, page, room);
            state.wakes = true;
        });
    }

    /// The stream of this carrier has ended; what waits wants another one.
    pub(super) fn lost(self: &Arc<Self>) {
        self.change(|state| {
            state.waker = None;
            state.tries = match state.tries {
                Tries::Open if state.queue.rows() > 0 => Tries::Lost,
                Tries::Lost if state.queue.rows() > 0 => Tries::InVain,
                tries => tries,
            };
            state.queue.lost();
            state.standing = Standing::Idle;
            state.want();
        });
    }
}

impl State {
    /// From now on this one pays, if nobody has begun to meanwhile.
    fn charge(&mut self, account: Option<Account>) {
        if self.queue.bytes() == 0 && account.is_some() {
            self.account = account;
        }
    }

    /// Something waits: the stream's task is woken, or a stream is asked for if nobody is at it.
    fn want(&mut self) {
        self.wakes = true;
        if self.standing == Standing::Idle && !self.queue.is_empty() {
            self.standing = Standing::Wanted;
            self.calls = true;
        }
    }
}
