//! One client session while it is bound: its presence, its outbox and where it stands between stored and live messages.
//! Workers hand messages to it, its own task drains it; everything changes under one small mutex, never across an await.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use arc_swap::{ArcSwapOption, Guard};
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;

use crate::activity::{Activity, Fate, Passing, Sparing};
use crate::announcement::{Announcement, Says};
use crate::blocking::{Chosen, Rules};
use crate::certificates::Certified;
use crate::client_kind::{ClientKind, Wants};
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
    /// Its outbox is full, or closed.
    Dropped,
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

    // ---- stored messages -------------------------------------------------------------------------------------

    /// Offers a stored message that any available session of the account may get.
    pub fn offer(&self, id: u64, frame: Frame) -> Offered {
        self.change(|state| match state.phase {
            Phase::Ended => Offered::Gone,
            Phase::Quiet => Offered::Deferred,
            Phase::CatchingUp(_) => state.note(id),
            Phase::Live => state.hand(id, frame),
        })
    }

    /// Offers a stored message that is for this session whatever its presence: one that is addressed to its full JID (RFC 6121
    /// section 8.5.3.1), or a copy that it has asked for.
    pub fn offer_direct(&self, id: u64, frame: Frame) -> Offered {
        self.change(|state| match state.phase {
            Phase::Ended => Offered::Gone,
            Phase::CatchingUp(_) => state.note(id),
            Phase::Live => state.hand(id, frame),
            Phase::Quiet => match state.give(id, frame) {
                Pushed::Queued => Offered::Queued,
                // The row stays unseen: it is read when the session becomes available.
                Pushed::Full => Offered::Deferred,
                Pushed::Gone => Offered::Gone,
            },
        })
    }

    /// Where to go on reading stored messages; none if the session does not catch up or its outbox must be written first.
    pub fn catch_up(&self) -> Option<CatchUp> {
        let state = self.state.lock();
        match state.phase {
            Phase::CatchingUp(from) if state.is_drained() && (state.has_room() || state.wants_proof()) => {
                let unseen_to = Some(state.unseen_to).filter(|&id| id != u64::MAX);
                Some(CatchUp { after: state.handed, noted: state.noted, from, unseen_to, unsettled: state.unsettled })
            }
            _ => None,
        }
    }

    /// Hands over one row that was read while catching up; false means stop reading, there is no room.
    pub fn catch_up_with(&self, id: u64, frame: impl FnOnce() -> Frame) -> bool {
        self.change(|state| {
            if !state.reads(id) || !state.has_room() {
                return false;
            }
            // What the session was given before it became available is not given twice, even if it is not written yet.
            let is_queued = state.phase == Phase::CatchingUp(From::Unseen) && state.outbox.holds(id);
            if id > state.handed && !is_queued && !state.holds(id) && state.give(id, frame()) != Pushed::Queued {
                return false;
            }
            state.handed = state.handed.max(id);
            true
        })
    }

    /// Passes over one row that was read while catching up and is not for this session; false means stop reading.
    pub fn pass_over(&self, id: u64) -> bool {
        self.change(|state| {
            let reads = state.reads(id);
            if reads {
                state.handed = state.handed.max(id);
            }
            reads
        })
    }

    /// Of the rows beyond this one it gets all that are for it, and not only those that nobody has seen: what another session of the
    /// account sends is never unseen.
    pub fn reads_unseen_to(&self, id: u64) {
        let mut state = self.state.lock();
        state.unseen_to = state.unseen_to.min(id);
    }

    /// What clients of the account had proved before this session became available is cleared.
    pub fn settled(&self) {
        self.state.lock().unsettled = false;
    }

    /// Every row up to `looked_at` was read or does not exist: the session is live, unless more was delivered meanwhile.
    pub fn caught_up(&self, looked_at: u64) {
        self.change(|state| {
            if let Phase::CatchingUp(from) = state.phase {
                let is_bounded = from == From::Unseen && state.unseen_to != u64::MAX;
                state.handed = state.handed.max(if is_bounded { state.unseen_to } else { looked_at });
                state.phase = match state.noted <= state.handed {
                    true => Phase::Live,
                    false if is_bounded => Phase::CatchingUp(From::Handed),
                    false => state.phase,
                };
            }
        });
    }

    // ---- everything else that is written -----------------------------------------------------------------------

    /// Offers a message that is not stored. A session that catches up gets it behind what it has, within its bounds.
    pub fn offer_volatile(&self, frame: Frame) -> Offered {
        self.change(|state| match state.outbox.push(frame) {
            Pushed::Queued => Offered::Queued,
            Pushed::Full => Offered::Full,
            Pushed::Gone => Offered::Gone,
        })
    }

    /// Offers a message that is not stored and does not matter to a person who does not look at the client (XEP-0352).
    pub fn offer_passing(&self, frame: Frame, passing: Passing) -> Offered {
        self.change(|state| {
            let pushed = match (state.sparing.map(|sparing| sparing.fate_of(passing)), passing) {
                (Some(Fate::Dropped), _) if !state.outbox.is_closing() => return Offered::Spared,
                (Some(Fate::Held), Passing::ChatState(key)) => state.outbox.push_waiting(frame, key),
                (Some(Fate::Held), _) => state.outbox.push_waiting(frame, 0),
                _ => state.outbox.push(frame),
            };
            match pushed {
                Pushed::Queued => Offered::Queued,
                Pushed::Full => Offered::Full,
                Pushed::Gone => Offered::Gone,
            }
        })
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

    /// Queues a presence if the session is available (RFC 6121 section 4.2.3); of several from one full JID only the latest matters.
    ///
    /// One that finds no room is made up for: once there is, the session is shown everyone anew.
    pub fn show(&self, announcement: &Announcement, frame: impl FnOnce() -> Frame) -> Shown {
        self.change(|state| match state.presence {
            None => Shown::NotAvailable,
            Some(_) => state.show(announcement, frame()),
        })
    }

    /// Queues a presence that is addressed to this session's full JID.
    pub fn show_directly(&self, announcement: &Announcement) -> Shown {
        self.change(|state| state.show(announcement, announcement.to(self.jid.as_str())))
    }

    /// Its own presence comes back to it (section 4.2.2), whatever others have sent; its own goodbye does not.
    pub fn show_itself(&self, announcement: &Announcement) {
        if self.is_available() {
            self.answer(announcement.to(self.jid.bare_str()));
        }
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

    // ---- presence ----------------------------------------------------------------------------------------------

    /// Sets or clears the session's presence; answers the earlier one.
    ///
    /// A session that becomes available with a priority of at least 0 starts to catch up with the unseen rows.
    pub fn set_presence(&self, presence: Option<Presence>) -> Option<Presence> {
        self.change(|state| {
            // Whoever ended it has told everybody, and another session may have its address by now.
            if state.phase == Phase::Ended {
                return None;
            }
            let takes = presence.as_ref().is_some_and(|presence| presence.priority >= 0);
            match state.phase {
                Phase::Quiet if takes => {
                    // Behind what it was handed when it was available before: ids only grow on a session.
                    state.phase = Phase::CatchingUp(From::Unseen);
                    (state.noted, state.unseen_to) = (0, u64::MAX);
                    state.unsettled = true;
                }
                Phase::CatchingUp(_) | Phase::Live if !takes => state.phase = Phase::Quiet,
                _ => {}
            }
            state.presence_serial += 1;
            match (&state.presence, &presence) {
                (None, Some(_)) => {
                    state.unshown = Some(Box::new(Unshown::new(Unseen::Present)));
                    (state.owes_last_items, state.told) = (true, None);
                }
                (_, None) => {
                    state.unshown = None;
                    state.kind = None;
                }
                _ => {}
            }
            std::mem::replace(&mut state.presence, presence)
        })
    }

    /// How others see it now, none if it is not available; and a number that tells whether that has changed since.
    pub fn shown(&self) -> (u64, Option<Announcement>) {
        let state = self.state.lock();
        (state.presence_serial, state.presence.as_ref().map(|presence| presence.announcement.clone()))
    }

    /// Shows this session to another one as it is now; nothing if it is not available.
    ///
    /// Its own task may change its presence at the same moment and show that change itself. So this goes on until what was shown
    /// last is what is: whoever comes last tells the truth.
    pub fn show_to(&self, viewer: &Session) -> Shown {
        let (mut serial, mut announcement) = self.shown();
        if announcement.is_none() {
            return Shown::NotAvailable;
        }
        loop {
            let announced = announcement.unwrap_or_else(|| Announcement::unavailable(&self.jid));
            let shown = viewer.show(&announced, || announced.to(viewer.jid.bare_str()));
            let (now, next) = self.shown();
            if now == serial {
                return shown;
            }
            (serial, announcement) = (now, next);
        }
    }

    /// Whether it has said that it is available.
    pub fn is_available(&self) -> bool {
        self.state.lock().presence.is_some()
    }

    /// The priority of an available session.
    pub fn priority(&self) -> Option<i8> {
        self.state.lock().presence.as_ref().map(|presence| presence.priority)
    }

    /// What its client says that it can do (XEP-0115); none if it has said nothing since it became available.
    pub fn kind(&self) -> Option<Arc<ClientKind>> {
        self.state.lock().kind.clone()
    }

    /// Its client says, or has proved, what it can do. Nothing happens if it is not available. What it wants from here on and did not want
    /// before, it is owed.
    pub fn set_kind(&self, kind: Arc<ClientKind>) {
        let mut state = self.state.lock();
        if state.presence.is_some() {
            state.owes_last_items |= state.kind.as_ref().is_some_and(|known| known.name() != kind.name());
            state.kind = Some(kind);
        }
    }

    /// What counts for all clients that announce the same does not for this one: it has told something else of itself. Nothing happens if it
    /// announces another thing by now.
    pub fn set_kind_alone(&self, kind: Arc<ClientKind>) {
        let mut state = self.state.lock();
        if state.kind.as_ref().is_some_and(|known| known.name() == kind.name()) {
            state.kind = Some(kind);
        }
    }

    /// The presence that others see, as XML; none if it is not available.
    pub fn presence_xml(&self) -> Option<Box<[u8]>> {
        self.state.lock().presence_xml(&self.jid)
    }

    /// Whether its client is known to want what this node tells, and is there.
    pub fn wants_node(&self, node: &str) -> bool {
        self.state.lock().kind.as_ref().is_some_and(|kind| kind.wants_node(node))
    }

    /// Of which nodes it must still be told what was published before it came, or before it wanted them; from here on it counts as told. None
    /// while it is not known what it wants.
    pub fn take_owed_last_items(&self) -> Option<Wants> {
        let mut state = self.state.lock();
        let kind = state.kind.clone().filter(|_| state.owes_last_items)?;
        let wants = kind.wants()?.beyond(state.told.as_ref().and_then(|told| told.wants()));
        (state.owes_last_items, state.told) = (false, Some(kind));
        Some(wants).filter(|wants| !wants.is_empty())
    }

    // ---- proof of receipt and end ------------------------------------------------------------------------------

    /// Whether so much waits for proof that a ping should not wait for its time.
    pub fn wants_proof(&self) -> bool {
        self.state.lock().wants_proof()
    }

    /// Whether so much waits to be written that the client's requests should be neither read nor answered. What is being closed waits
    /// for nothing.
    pub fn is_behind(&self) -> bool {
        let state = self.state.lock();
        state.outbox.is_high() && !state.outbox.is_closing()
    }

    /// Whether a ping is due: something waits for proof, or `idle` asks for a sign of life. Queues it. Under stream management it is a
    /// request for an acknowledgement.
    pub fn ping(&self, now_ms: u64, idle: bool, frame: impl FnOnce(u64) -> Frame) {
        self.change(|state| {
            if state.managed.as_ref().is_some_and(|managed| managed.is_counting()) {
                state.request_answer(now_ms, idle);
                return;
            }
            let due = state.proof.wants_ping() || (idle && state.proof.asked_since_ms().is_none());
            // With a full outbox it is asked again at the next tick: the answer to a ping that never left cannot come.
            if due && state.outbox.push_before_waiting(frame(state.proof.next_ping())) == Pushed::Queued {
                state.proof.ask(now_ms);
            }
        });
    }

    /// The steady time of the unanswered ping.
    pub fn pinged_since_ms(&self) -> Option<u64> {
        let state = self.state.lock();
        let asked = state.managed.as_ref().and_then(|managed| managed.asked_since_ms());
        asked.or(state.proof.asked_since_ms())
    }

    /// The answer to ping `number`: the archive ids it proves, none if it answers no ping of ours.
    pub fn pong(&self, number: u64) -> Option<Vec<(u64, u64)>> {
        self.change(|state| state.proof.answered(number))
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

    /// The archive ids that a graceful close proves: all that were written.
    pub fn proved_by_close(&self) -> Vec<(u64, u64)> {
        self.change(|state| if state.outbox.bytes() == 0 { state.proved_by_close() } else { Vec::new() })
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

impl State {
    fn new() -> State {
        State {
            outbox: Outbox::default(),
            managed: None,
            presence: None,
            presence_serial: 0,
            kind: None,
            owes_last_items: false,
            told: None,
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

    /// Whether a row that was read is to be handed over or passed over now. One beyond the unseen rows is read again, with those
    /// before it that somebody has seen.
    fn reads(&mut self, id: u64) -> bool {
        if self.phase == Phase::CatchingUp(From::Unseen) && id > self.unseen_to {
            self.handed = self.handed.max(self.unseen_to);
            self.phase = Phase::CatchingUp(From::Handed);
            return false;
        }
        matches!(self.phase, Phase::CatchingUp(_))
    }

    /// The XML of the presence that others see.
    pub(crate) fn presence_xml(&self, of: &Jid) -> Option<Box<[u8]>> {
        let frame = self.presence.as_ref()?.announcement.to(of.bare_str());
        Some([frame.head, frame.body].concat().into())
    }

    /// Grows with every change of the presence.
    pub(crate) fn presence_serial(&self) -> u64 {
        self.presence_serial
    }

    /// Queues a stored message, and keeps its id until the client has proved to have it.
    fn give(&mut self, id: u64, frame: Frame) -> Pushed {
        let pushed = self.outbox.push_stored(id, frame);
        if pushed == Pushed::Queued && self.managed.is_none() {
            self.proof.given(id);
        }
        pushed
    }

    /// Whether a client takes what is queued: there is one, and its stream is not being closed. Reading on for nobody would never end.
    pub(crate) fn is_drained(&self) -> bool {
        !self.outbox.is_closing() && !self.outbox.is_detached()
    }

    fn show(&mut self, announcement: &Announcement, frame: Frame) -> Shown {
        let pushed = match announcement.says {
            Says::Here if announcement.key == 0 => self.outbox.push(frame),
            Says::Here => self.outbox.push_latest(frame, announcement.key),
            Says::Gone => self.outbox.push_goodbye(frame, announcement.key),
        };
        if pushed == Pushed::Queued {
            return Shown::Queued;
        }
        self.missed();
        Shown::Dropped
    }

    /// Leaves room for answers to the client's own requests while stored messages flow.
    fn has_room(&self) -> bool {
        !self.outbox.is_high() && !self.is_unproved()
    }

    /// Whether so much waits for proof that nothing more should be handed over.
    fn is_unproved(&self) -> bool {
        self.proof.is_full() || self.managed.as_ref().is_some_and(|managed| managed.is_full())
    }

    /// Whether nothing but an own ping is in the way of more stored messages.
    fn wants_proof(&self) -> bool {
        let wants = match &self.managed {
            Some(managed) => managed.is_full() && managed.wants_answer(),
            None => self.proof.is_full() && self.proof.wants_ping(),
        };
        !self.outbox.is_high() && wants
    }

    fn note(&mut self, id: u64) -> Offered {
        self.noted = self.noted.max(id);
        self.unseen_to = self.unseen_to.min(id - 1);
        Offered::Deferred
    }

    fn hand(&mut self, id: u64, frame: Frame) -> Offered {
        if id <= self.handed {
            return Offered::Deferred;
        }
        let pushed = if self.is_unproved() { Pushed::Full } else { self.give(id, frame) };
        match pushed {
            Pushed::Queued => {
                self.handed = id;
                Offered::Queued
            }
            // Only the id is kept; the row is read again when the client has read what waits.
            Pushed::Full => {
                // While live, everything before it was handed over or was not for this session.
                self.handed = self.handed.max(id - 1);
                self.phase = Phase::CatchingUp(From::Handed);
                self.note(id)
            }
            Pushed::Gone => Offered::Gone,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::outbox::{FRAMES_HIGH, FRAMES_MAX};

    pub(crate) fn session() -> Session {
        let bound = Bound {
            jid: Jid::parse("alice@localhost/x").unwrap(),
            account: AccountId::from_bytes([7; 16]),
            since_ms: 0,
            heard_ms: 0,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 5,
            mechanism: "PLAIN",
        };
        Session::new(bound, 1)
    }

    pub(crate) fn frame() -> Frame {
        Frame::whole(b"<a/>".to_vec())
    }

    pub(crate) fn gone() -> Announcement {
        Announcement::unavailable(&Jid::parse("alice@localhost/x").unwrap())
    }

    pub(crate) fn here() -> Announcement {
        let mut here = gone();
        here.says = Says::Here;
        here
    }

    fn available() -> Option<Presence> {
        Some(Presence { priority: 0, announcement: here() })
    }

    pub(crate) fn live() -> Session {
        let session = session();
        session.set_presence(available());
        session.caught_up(0);
        session
    }

    pub(crate) fn drain(session: &Session) -> usize {
        let mut out = Vec::new();
        let _ = session.poll_drain(&mut Context::from_waker(std::task::Waker::noop()), &mut out, usize::MAX);
        out.len() / frame().len()
    }

    #[test]
    fn a_ping_that_finds_no_room_is_asked_again() {
        let session = live();
        assert_eq!(session.offer(1, frame()), Offered::Queued);
        while session.offer_volatile(frame()) == Offered::Queued {}
        session.ping(5, false, |_| frame());
        assert_eq!(session.pinged_since_ms(), None, "it never left");
        assert_eq!(drain(&session), FRAMES_HIGH);
        session.ping(6, false, |_| frame());
        assert_eq!(session.pinged_since_ms(), Some(6));
        assert_eq!(session.pong(1), Some(vec![(1, 1)]));
    }

    #[test]
    fn stored_messages_that_find_no_room_are_read_again_and_others_are_refused() {
        let session = live();
        for id in 1..=FRAMES_HIGH as u64 {
            assert_eq!(session.offer(id, frame()), Offered::Queued);
        }
        let next = FRAMES_HIGH as u64 + 1;
        assert_eq!(session.offer(next, frame()), Offered::Deferred);
        assert_eq!(session.offer_volatile(frame()), Offered::Full);
        assert_eq!(session.offer(next + 1, frame()), Offered::Deferred);
        assert_eq!(drain(&session), FRAMES_HIGH);
        let at = session.catch_up().unwrap();
        assert_eq!((at.after, at.noted, at.from), (next - 1, next + 1, From::Handed));
    }

    #[test]
    fn many_small_frames_leave_room_for_answers_too() {
        let session = live();
        for id in 1..=FRAMES_MAX as u64 + 1 {
            let _ = session.offer(id, frame());
        }
        session.answer(frame());
        let mut out = Vec::new();
        let _ = session.poll_drain(&mut Context::from_waker(std::task::Waker::noop()), &mut out, 1);
        assert!(session.is_behind() && session.catch_up().is_none(), "the store is not read into a full outbox");
        drain(&session);
        assert!(!session.is_behind() && session.catch_up().is_some());
    }

    #[test]
    fn more_separate_ids_than_can_be_proved_wait_in_the_store() {
        let session = live();
        let mut id = 0;
        while session.offer(id + 2, frame()) == Offered::Queued {
            id += 2;
        }
        assert_eq!(id as usize, 2 * crate::proof::RANGES_MAX);
        drain(&session);
        // Nothing more is handed out before a ping covers what was, and that need not wait for the clock.
        assert!(session.wants_proof() && session.catch_up().is_some());
        assert!(!session.catch_up_with(id + 2, || panic!("there is no room for proof")));
        session.ping(1, false, |_| frame());
        assert!(!session.wants_proof());
        // On from the one that found no room; the one before it was not for this session.
        assert_eq!(session.catch_up().unwrap().after, id + 1);
        assert_eq!(session.pong(1).unwrap().len(), crate::proof::RANGES_MAX);
    }

    #[test]
    fn a_full_address_gets_messages_before_its_presence_and_not_once_more_after_it() {
        let session = session();
        assert_eq!(session.offer(1, frame()), Offered::Deferred);
        assert_eq!(session.offer_direct(2, frame()), Offered::Queued);
        session.set_presence(available());
        assert!(session.catch_up_with(1, frame));
        assert!(session.catch_up_with(2, || panic!("it has this one")));
        session.caught_up(2);
        assert_eq!(drain(&session), 2);
    }

    #[test]
    fn what_comes_while_unseen_rows_are_read_is_read_with_all_that_others_have_seen() {
        let session = session();
        session.set_presence(available());
        assert!(session.catch_up_with(3, frame));
        // A copy of what another session has sent: its row is never unseen.
        assert_eq!(session.offer_direct(6, frame()), Offered::Deferred);
        assert_eq!(session.offer(8, frame()), Offered::Deferred);
        assert!(session.catch_up_with(5, frame));
        assert!(!session.catch_up_with(8, || panic!("the row before it comes first")));
        let at = session.catch_up().unwrap();
        assert_eq!((at.after, at.noted, at.from), (5, 8, From::Handed));
        assert!(session.catch_up_with(6, frame) && session.pass_over(7) && session.catch_up_with(8, frame));
        session.caught_up(8);
        assert_eq!(session.offer(9, frame()), Offered::Queued);
        assert_eq!(drain(&session), 5);
    }

    #[test]
    fn a_session_that_gets_copies_reads_unseen_rows_only_up_to_where_it_began() {
        let session = session();
        session.set_presence(available());
        session.reads_unseen_to(5);
        assert!(session.catch_up_with(4, frame));
        // Committed behind the beginning, and read before a worker has offered the copy of 6.
        assert!(!session.catch_up_with(7, || panic!("6 comes first")));
        assert_eq!(session.catch_up().map(|at| (at.after, at.from)), Some((5, From::Handed)));
        let session = live();
        session.set_presence(None);
        session.set_presence(available());
        session.reads_unseen_to(5);
        session.caught_up(0);
        assert_eq!(session.offer_direct(6, frame()), Offered::Queued, "with nothing behind it the session is live");
    }

    #[test]
    fn a_session_that_comes_back_goes_on_behind_what_it_had() {
        let session = live();
        assert_eq!(session.offer(7, frame()), Offered::Queued);
        session.set_presence(None);
        assert_eq!(session.offer(8, frame()), Offered::Deferred);
        session.set_presence(available());
        let at = session.catch_up().unwrap();
        assert_eq!((at.after, at.from), (7, From::Unseen));
    }

    #[test]
    fn answers_that_nobody_reads_end_the_stream() {
        let session = session();
        for _ in 0..=FRAMES_MAX {
            session.answer(frame());
        }
        assert!(session.is_closing());
        assert_eq!(session.offer_volatile(frame()), Offered::Gone);
    }

    #[test]
    fn presence_is_for_available_sessions_only() {
        let session = session();
        assert_eq!(session.show(&gone(), || panic!("nobody writes it")), Shown::NotAvailable);
        assert_eq!(session.show_directly(&gone()), Shown::Queued);
        let (before, _) = session.shown();
        session.set_presence(available());
        let (after, shown) = session.shown();
        assert!(after > before && shown.is_some());
        assert_eq!(session.show(&here(), frame), Shown::Queued);
    }

    #[test]
    fn an_ended_session_does_not_become_available_again() {
        let session = live();
        assert!(session.end().is_some());
        assert!(session.set_presence(available()).is_none());
        assert!(!session.is_available() && session.end().is_none());
    }

    #[test]
    fn an_ended_session_takes_nothing_and_tells_its_last_presence_once() {
        let session = live();
        assert!(session.end().is_some());
        assert!(session.end().is_none());
        assert_eq!(session.offer(1, frame()), Offered::Gone);
        assert_eq!(session.offer_direct(1, frame()), Offered::Gone);
        assert!(session.catch_up().is_none());
    }
}
