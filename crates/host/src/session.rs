//! One client session while it is bound: its presence, its outbox and where it stands between stored and live messages.
//! Workers hand messages to it, its own task drains it; everything changes under one small mutex, never across an await.

// The paths are said because a model compiles these files as well, from another folder.
#[path = "session/presence.rs"]
mod presence;
#[path = "session/receipt.rs"]
mod receipt;
#[path = "session/stored.rs"]
mod stored;

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use arc_swap::{ArcSwapOption, Guard};
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;

use crate::activity::{Activity, Fate, Passing, Sparing};
use crate::announcement::Announcement;
use crate::blocking::{Chosen, Rules};
use crate::certificates::Certified;
use crate::client_kind::ClientKind;
use crate::copied::Copied;
use crate::directed::Directed;
use crate::managed::Managed;
use crate::outbox::{Closing, Drained, Frame, Outbox, Pushed};
use crate::proof::Proof;
pub use crate::stream_management::Ending;
use crate::sync::Mutex;
use crate::tickets::Tickets;
pub use crate::unshown::{Unseen, Unshown};

/// A bound resource of an account (RFC 6120 section 7).
#[derive(Debug)]
pub struct Session {
    /// The full JID, given at binding and never changed.
    pub jid: Jid,
    /// Whose session this is.
    pub account: AccountId,
    /// Tells this session from an earlier one with the same full JID.
    pub serial: u64,
    /// Unix time of the binding in milliseconds.
    pub since_ms: u64,
    /// Where the client connects from.
    pub address: IpAddr,
    /// The port it connects from.
    pub port: u16,
    /// Whether its account is locked.
    locked: AtomicBool,
    /// Whether it has asked for the roster (RFC 6121 section 2.2).
    interested: AtomicBool,
    /// Whether others on the way can read what it says.
    readable: AtomicBool,
    /// The privacy list that counts for it; none most of the time.
    rules: ArcSwapOption<Rules>,
    /// Whether there is one: cheaper to ask, for every presence that anybody sends.
    has_rules: AtomicBool,
    /// Whether it has asked for the blocklist (XEP-0191).
    wants_blocklist: AtomicBool,
    /// Whether it has asked for privacy lists (XEP-0016).
    wants_lists: AtomicBool,
    /// The certificate of its account that it has logged in with.
    certificate: ArcSwapOption<Certified>,
    /// Whether it gets copies of what the account's other sessions send and receive (XEP-0280).
    carbons: AtomicBool,
    /// How many of the account's sessions get copies; they share this number.
    copying: Arc<AtomicUsize>,
    /// The mechanism it logged in with.
    pub mechanism: &'static str,
    /// How its stanzas are settled.
    pub tickets: Arc<Tickets>,
    /// Its client reads what the archive has up to this id there itself (XEP-0386).
    archived_to: AtomicU64,
    /// Steady time at which something was last read from it, in milliseconds.
    heard_ms: AtomicU64,
    pub(crate) state: Mutex<State>,
}

/// An available session's presence.
#[derive(Debug, Clone)]
pub struct Presence {
    /// RFC 6121 section 4.7.2.3.
    pub priority: i8,
    /// The stanza as others get it.
    pub announcement: Announcement,
}

/// Whether an account is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It waits for a confirmation.
    Locked,
    /// It may speak to everybody.
    Open,
}

/// Whether a session gets copies of what its account's other sessions send and receive (XEP-0280).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carbons {
    /// It has asked for them.
    On,
    /// It has not, or not any more.
    Off,
}

/// What became of a presence for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a presence that was dropped is counted"]
pub enum Shown {
    /// In its outbox.
    Queued,
    /// Its outbox is full.
    Dropped,
    /// Its outbox is closed.
    Gone,
    /// It is not available, so presence is not for it.
    NotAvailable,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    /// What was sent and not acknowledged; none without stream management.
    pub(crate) managed: Option<Box<Managed>>,
    pub(crate) presence: Option<Presence>,
    /// Grows with every change of the presence.
    presence_serial: u64,
    /// What its client says that it can do; none if it says nothing.
    kind: Option<Arc<ClientKind>>,
    /// Whether it has come, or wants something else, and was not told yet what was published before.
    owes_last_items: bool,
    /// What it was when it was told that the last time.
    told: Option<Arc<ClientKind>>,
    /// Since when it has missed what was published, Unix time in milliseconds, if it has said so when it came (XEP-0312).
    since_ms: Option<NonZeroU64>,
    /// How its client is spared while nobody looks at it; none while somebody does (XEP-0352).
    pub(crate) sparing: Option<Sparing>,
    /// Who was sent presence directly and sees it for no other reason (RFC 6121 section 4.6); none most of the time.
    pub(crate) directed: Option<Box<Directed>>,
    /// The contacts it still has to be shown; none most of the time.
    pub(crate) unshown: Option<Box<Unshown>>,
    pub(crate) phase: Phase,
    /// The highest archive id handed to this session, or passed over for it.
    pub(crate) handed: u64,
    /// While catching up: the highest id that was delivered meanwhile and is still to be read from the store.
    pub(crate) noted: u64,
    /// While unseen rows are read: those beyond this id are read like all rows, for copies are among them.
    unseen_to: u64,
    /// What of its messages was copied to others; none most of the time.
    copied: Option<Box<Copied>>,
    /// Whether its stream goes on.
    pub(crate) ending: Ending,
    /// Since it became available, what was proved before has not been cleared yet.
    unsettled: bool,
    pub(crate) proof: Proof,
}

/// Where a session stands between the store and live delivery.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not available, or with negative priority: gets only what is addressed to its full JID.
    #[default]
    Quiet,
    /// Reads stored messages in id order; what is delivered meanwhile is noted and read as well.
    CatchingUp(From),
    /// Gets messages from the workers.
    Live,
    /// Unbound.
    Ended,
}

/// Which stored messages a catching-up session reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// It has become available: the rows that nobody has proved to have seen.
    Unseen,
    /// Its outbox was full: every row since the last that it was handed.
    Handed,
}

/// Where a session goes on reading stored messages.
#[derive(Debug, Clone, Copy)]
pub struct CatchUp {
    /// Rows beyond this id.
    pub after: u64,
    /// Every row up to this id is in the store by now.
    pub noted: u64,
    /// Which rows.
    pub from: From,
    /// Up to which id unseen rows are read; without a bound, every one of them is.
    pub unseen_to: Option<u64>,
    /// Whether what its account's clients have proved must be cleared before unseen rows are believed.
    pub unsettled: bool,
}

/// What became of a message that was offered to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message that nobody took must be accounted for"]
pub enum Offered {
    /// In its outbox.
    Queued,
    /// It will read it from the store, in its order.
    Deferred,
    /// Not given: nobody looks at its client, and it does not matter.
    Spared,
    /// Not taken: its outbox is full, and the message is not stored.
    Full,
    /// The session has ended.
    Gone,
}

/// Who a session is, given at binding.
#[derive(Debug)]
pub struct Bound {
    /// The full JID.
    pub jid: Jid,
    /// Whose session it is.
    pub account: AccountId,
    /// Unix time in milliseconds.
    pub since_ms: u64,
    /// Steady time in milliseconds.
    pub heard_ms: u64,
    /// Where the client connects from.
    pub address: IpAddr,
    /// The port it connects from.
    pub port: u16,
    /// The mechanism it logged in with.
    pub mechanism: &'static str,
}

impl Session {
    /// A session that has just been bound; [`crate::sessions::Sessions::bind`] is the caller.
    pub(crate) fn new(bound: Bound, serial: u64) -> Session {
        Session {
            jid: bound.jid,
            account: bound.account,
            serial,
            since_ms: bound.since_ms,
            address: bound.address,
            port: bound.port,
            locked: AtomicBool::new(false),
            interested: AtomicBool::new(false),
            readable: AtomicBool::new(false),
            rules: ArcSwapOption::empty(),
            has_rules: AtomicBool::new(false),
            wants_blocklist: AtomicBool::new(false),
            wants_lists: AtomicBool::new(false),
            certificate: ArcSwapOption::empty(),
            carbons: AtomicBool::new(false),
            copying: Arc::default(),
            mechanism: bound.mechanism,
            tickets: Arc::default(),
            archived_to: AtomicU64::new(0),
            heard_ms: AtomicU64::new(bound.heard_ms),
            state: Mutex::new(State::new()),
        }
    }

    /// Makes it share with another session of its account what all of them know.
    pub(crate) fn beside(mut self, other: &Session) -> Session {
        self.copying = other.copying.clone();
        self
    }

    /// Changes the state, then wakes the session's task outside the lock if the outbox has something for it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, waker) = {
            let mut state = self.state.lock();
            let result = change(&mut state);
            (result, state.outbox.take_waker())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Changes the state without waking the session's task, unless much is waiting: [`Session::wake`] does that, a moment later.
    fn change_unwoken<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        /// With this many bytes waiting nothing is gained by more.
        const UNWOKEN_BYTES_MAX: usize = 16 * 1024;
        let (result, waker) = {
            let mut state = self.state.lock();
            let result = change(&mut state);
            let is_much = state.outbox.bytes() >= UNWOKEN_BYTES_MAX;
            (result, if is_much { state.outbox.take_waker() } else { None })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Whether it belongs to a guest (SASL ANONYMOUS), whose account ends with its last session.
    pub fn is_guest(&self) -> bool {
        self.account.is_guest()
    }

    /// Whether its account is locked: it may speak to its host and to itself only.
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Acquire)
    }

    /// Locks or unlocks it.
    pub fn set_locked(&self, lock: Lock) {
        self.locked.store(lock == Lock::Locked, Ordering::Release);
    }

    /// Whether changes of the roster are pushed to it.
    pub fn is_interested(&self) -> bool {
        self.interested.load(Ordering::Acquire)
    }

    /// It has asked for the roster.
    pub fn set_interested(&self) {
        self.interested.store(true, Ordering::Release);
    }

    /// Whether others on the way can read what it says: its stream is not encrypted.
    pub fn is_readable(&self) -> bool {
        self.readable.load(Ordering::Acquire)
    }

    /// Its client knows where the archive stood when it was bound, and reads what was in it there.
    pub fn reads_archive_to(&self, id: u64) {
        self.archived_to.store(id, Ordering::Release);
    }

    /// Whether the client reads this row of the archive there.
    pub fn has_archived(&self, id: u64) -> bool {
        id <= self.archived_to.load(Ordering::Acquire)
    }

    /// Its stream is not encrypted.
    pub fn set_readable(&self) {
        self.readable.store(true, Ordering::Release);
    }

    /// Whether it gets copies of what the account's other sessions send and receive (XEP-0280).
    pub fn has_carbons(&self) -> bool {
        self.carbons.load(Ordering::Acquire)
    }

    /// It wants copies from now on, or no more.
    pub fn set_carbons(&self, carbons: Carbons) {
        let (before, now) = (self.carbons.swap(carbons == Carbons::On, Ordering::AcqRel), carbons == Carbons::On);
        match (before, now) {
            (false, true) => self.copying.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.copying.fetch_sub(1, Ordering::AcqRel),
            _ => return,
        };
    }

    /// Whether another session of the account may get copies of what this one sends. Asks nobody else, so it is cheap.
    pub fn is_copied(&self) -> bool {
        self.copying.load(Ordering::Acquire) > usize::from(self.has_carbons())
    }

    /// Whether its client is looking at what comes, as far as the server knows.
    pub fn is_attentive(&self) -> bool {
        let state = self.state.lock();
        state.sparing.is_none() && !state.outbox.is_closing() && !state.outbox.is_detached()
    }

    /// Notes that a message of this session, known by this number, was copied to others.
    pub fn note_copied(&self, message: u64) {
        self.state.lock().copied.get_or_insert_default().note(message);
    }

    /// Whether the message known by this number was one of the last that were copied to others.
    pub fn was_copied(&self, message: u64) -> bool {
        self.state.lock().copied.as_ref().is_some_and(|copied| copied.holds(message))
    }

    /// The privacy list that counts for it now, its own or the account's.
    pub fn rules(&self) -> Guard<Option<Arc<Rules>>> {
        self.rules.load()
    }

    /// Whether a privacy list counts for it.
    pub fn has_rules(&self) -> bool {
        self.has_rules.load(Ordering::Acquire)
    }

    /// Another list counts for it, or none; answers the one before. Whoever changes lists holds the owner's lock, or has just bound it.
    pub fn set_rules(&self, rules: Option<Arc<Rules>>) -> Option<Arc<Rules>> {
        let is_some = rules.is_some();
        let before = self.rules.swap(rules);
        self.has_rules.store(is_some, Ordering::Release);
        before
    }

    /// The name of the list that it has chosen for itself (XEP-0016 section 2.4).
    pub fn active_list(&self) -> Option<Box<str>> {
        let rules = self.rules.load();
        rules.as_ref().filter(|rules| rules.chosen == Chosen::Active).map(|rules| rules.list.name.clone())
    }

    /// Whether changes of the blocklist are pushed to it.
    pub fn wants_blocklist(&self) -> bool {
        self.wants_blocklist.load(Ordering::Acquire)
    }

    /// It has asked for the blocklist.
    pub fn set_wants_blocklist(&self) {
        self.wants_blocklist.store(true, Ordering::Release);
    }

    /// Whether its client works with privacy lists.
    pub fn wants_lists(&self) -> bool {
        self.wants_lists.load(Ordering::Acquire)
    }

    /// Its client has asked about privacy lists.
    pub fn set_wants_lists(&self) {
        self.wants_lists.store(true, Ordering::Release);
    }

    /// The certificate that it has logged in with, if it is one that is stored with its account (XEP-0257).
    pub fn certificate(&self) -> Option<Certified> {
        self.certificate.load().as_deref().copied()
    }

    /// It has logged in with this certificate, or whoever resumes it has; none if the proof was another one.
    pub fn set_certificate(&self, certified: Option<Certified>) {
        self.certificate.store(certified.map(Arc::new));
    }

    /// Notes that the client was heard at this steady time.
    pub fn heard(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Steady time at which something was last read from the client.
    pub fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }

    // ---- everything else that is written -----------------------------------------------------------------------

    /// Offers a message that is not stored. A session that catches up gets it behind what it has, within its bounds.
    pub fn offer_volatile(&self, frame: Frame) -> Offered {
        self.change(|state| offered(state.outbox.push(frame)))
    }

    /// The same without waking the session's task, unless much is waiting: [`Session::wake`] does that, a moment later.
    pub fn offer_volatile_unwoken(&self, frame: Frame) -> Offered {
        self.change_unwoken(|state| offered(state.outbox.push(frame)))
    }

    /// Offers a message that is not stored and does not matter to a person who does not look at the client (XEP-0352).
    pub fn offer_passing(&self, frame: Frame, passing: Passing) -> Offered {
        self.change(|state| state.push_passing(frame, passing))
    }

    /// The same without waking the session's task, unless much is waiting: [`Session::wake`] does that, a moment later.
    pub fn offer_passing_unwoken(&self, frame: Frame, passing: Passing) -> Offered {
        self.change_unwoken(|state| state.push_passing(frame, passing))
    }

    /// Wakes the session's task, which writes what waits.
    pub fn wake(&self) {
        self.change(|_| ());
    }

    /// Its client says whether anybody looks at it (XEP-0352). What has waited is sent once somebody does.
    pub fn set_activity(&self, activity: Activity) {
        self.change(|state| {
            state.sparing = match activity {
                Activity::Active => None,
                Activity::Inactive(sparing) => Some(sparing),
            };
            match state.sparing {
                Some(sparing) => state.outbox.hold(sparing.held_max),
                None => state.outbox.hold_no_more(),
            }
        });
    }

    /// Whether its client has not said that nobody looks at it.
    pub fn is_active(&self) -> bool {
        self.state.lock().sparing.is_none()
    }

    /// Queues an answer to the client's own request. Answers are never dropped: with a full outbox the stream ends.
    pub fn answer(&self, frame: Frame) {
        self.change(|state| {
            if state.outbox.push_answer(frame) == Pushed::Full {
                state.outbox.close(Closing {
                    condition: Some(Condition::ResourceConstraint),
                    text: Some("answers are not being read"),
                });
            }
        });
    }

    /// Queues a part of what the client gets for having entered a room: like an answer, but there may be much of it, and the stream goes on
    /// where there is no room for it. Does not wake the session's task, unless much is waiting: [`Session::wake`] does, behind the last part.
    pub fn offer_part(&self, frame: Frame) -> Offered {
        self.change_unwoken(|state| offered(state.outbox.push_part(frame)))
    }

    /// Ends the stream after what is queued.
    pub fn close(&self, condition: Condition, text: Option<&'static str>) {
        self.change(|state| state.outbox.close(Closing { condition: Some(condition), text }));
    }

    /// Whether the server has decided to end this stream.
    pub fn is_closing(&self) -> bool {
        self.state.lock().outbox.is_closing()
    }

    /// Drains the outbox; see [`Outbox::poll_drain`].
    pub fn poll_drain(&self, cx: &mut Context<'_>, out: &mut Vec<u8>, bytes_max: usize) -> Poll<Drained> {
        let state = &mut *self.state.lock();
        let managed = &mut state.managed;
        state.outbox.poll_drain(cx, out, bytes_max, &mut |what, frame| {
            if let Some(managed) = managed {
                managed.wrote(what, frame);
            }
        })
    }

    /// Bytes that wait to be written.
    pub fn outbox_bytes(&self) -> usize {
        self.state.lock().outbox.bytes()
    }

    // ---- proof of receipt and end ------------------------------------------------------------------------------

    /// Whether so much waits to be written that the client's requests should be neither read nor answered. What is being closed waits
    /// for nothing.
    pub fn is_behind(&self) -> bool {
        let state = self.state.lock();
        state.outbox.is_high() && !state.outbox.is_closing()
    }

    /// Ends the session: nothing can be handed to it any more, and its stream closes once what it has is written.
    /// Answers its last presence, the first time.
    pub fn end(&self) -> Option<Presence> {
        self.change(|state| {
            state.phase = Phase::Ended;
            state.unshown = None;
            state.outbox.close(Closing { condition: None, text: None });
            state.presence_serial += 1;
            state.presence.take()
        })
    }

    /// Forgets what waits: its connection is lost.
    pub fn shut(&self) {
        self.change(|state| state.outbox.shut());
    }

    /// Heap bytes beyond the session itself.
    pub fn memory_usage(&self) -> usize {
        let state = self.state.lock();
        let announcement = state.presence.as_ref().map_or(0, |presence| presence.announcement.memory_usage());
        let directed = state.directed.as_ref().map_or(0, |directed| directed.memory_usage());
        let managed = state.managed.as_ref().map_or(0, |managed| size_of::<Managed>() + managed.memory_usage());
        state.outbox.memory_usage() + announcement + directed + managed
    }
}

/// Whatever ends it, it is not counted among those that get copies any more.
impl Drop for Session {
    fn drop(&mut self) {
        self.set_carbons(Carbons::Off);
    }
}

fn offered(pushed: Pushed) -> Offered {
    match pushed {
        Pushed::Queued => Offered::Queued,
        Pushed::Full => Offered::Full,
        Pushed::Gone => Offered::Gone,
    }
}

impl State {
    fn push_passing(&mut self, frame: Frame, passing: Passing) -> Offered {
        let pushed = match (self.sparing.map(|sparing| sparing.fate_of(passing)), passing) {
            (Some(Fate::Dropped), _) if !self.outbox.is_closing() => return Offered::Spared,
            (Some(Fate::Held), Passing::ChatState(key)) => self.outbox.push_waiting(frame, key),
            (Some(Fate::Held), _) => self.outbox.push_waiting(frame, 0),
            _ => self.outbox.push(frame),
        };
        offered(pushed)
    }

    fn new() -> State {
        State {
            outbox: Outbox::default(),
            managed: None,
            presence: None,
            presence_serial: 0,
            kind: None,
            owes_last_items: false,
            told: None,
            since_ms: None,
            sparing: None,
            directed: None,
            unshown: None,
            phase: Phase::Quiet,
            handed: 0,
            noted: 0,
            unseen_to: u64::MAX,
            copied: None,
            ending: Ending::Not,
            unsettled: false,
            proof: Proof::default(),
        }
    }

    /// Whether a client takes what is queued: there is one, and its stream is not being closed. Reading on for nobody would never end.
    pub(crate) fn is_drained(&self) -> bool {
        !self.outbox.is_closing() && !self.outbox.is_detached()
    }
}

#[cfg(test)]
#[path = "session/tests.rs"]
pub(crate) mod tests;
