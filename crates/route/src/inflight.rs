//! The in-flight list of one stream: what was read and is not settled yet. It belongs to the session, not to the socket.
//! Polled by the stream's task; admission, permits and tickets complete here, in the order that `order` asks for.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::rooms::Item;
use metronome_host::server::{Load, Server};
use metronome_host::tickets::{Settled, Stored, Tickets};
use metronome_model::{Handled, Record, StreamNumber};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{IqType, Kind};
use metronome_store::Permit;
use smallvec::SmallVec;

use crate::order::Order;
use crate::{admit, deliver, finish};

/// Most stanzas of one client that are not settled.
pub const ENTRIES_MAX: usize = 64;
/// Most bytes of them.
pub const BYTES_MAX: usize = 512 * 1024;
/// Most requests of one client that are being answered at a time: as many answers may wait beside its outbox, however large they are.
const ANSWERS_MAX: usize = 8;

/// Most stanzas of one link that are not settled.
pub const LINK_ENTRIES_MAX: usize = 1024;
/// Most bytes of them.
pub const LINK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most of them for one bare address: one slow account leaves the places of a link to the others.
pub const LINK_ENTRIES_OF_ADDRESS_MAX: usize = 64;
/// Most requests of one link that are being answered at a time.
const LINK_ANSWERS_MAX: usize = 64;

/// What was read from one stream and is not settled.
pub struct InFlight {
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
    bytes: usize,
    tickets: Arc<Tickets>,
    /// Taken from `tickets`, kept for its capacity.
    settled: Vec<Settled>,
    /// Present under stream management.
    counted: Option<Box<Counted>>,
    /// Present for a link.
    recipients: Option<Box<Recipients>>,
}

/// How many entries there are for each bare address, by its hash.
#[derive(Debug, Default)]
struct Recipients(HashMap<u64, usize>);

impl Recipients {
    fn forget(&mut self, recipient: u64) {
        if let Some(count) = self.0.get_mut(&recipient) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&recipient);
            }
        }
    }
}

/// The stanzas of a client as XEP-0198 counts them.
#[derive(Debug)]
struct Counted {
    /// The number in the list of the stanza that would be counted as 0.
    zero: u64,
    /// The stream, if what is handled of it is stored.
    stream: Option<StreamNumber>,
    /// So many are known to be stored, modulo 2^32.
    stored: u32,
    /// Those to come that an earlier process has stored already.
    repeated: BTreeSet<u32>,
    /// Everything before this number in the list is waited for.
    awaited: u64,
}

impl Counted {
    fn h(&self, number: u64) -> u32 {
        number.wrapping_sub(self.zero) as u32
    }

    fn note_stored(&mut self, h: u32) {
        if is_lower(self.stored, h) {
            self.stored = h;
        }
    }
}

/// Whether one number comes before another, modulo 2^32.
fn is_lower(h: u32, other: u32) -> bool {
    (h.wrapping_sub(other) as i32) < 0
}

struct Entry {
    order: Order,
    kind: Kind,
    weight: usize,
    stage: Stage,
    /// So many stanzas are stored as handled with its record.
    handled: Option<u32>,
    /// For whom it is, in the list of a link.
    recipient: Option<u64>,
}

enum Stage {
    /// Its turn to be admitted has not come.
    Waiting(Box<Envelope>),
    /// Facts are being gathered.
    Admitting(BoxFuture<'static, Box<Envelope>>),
    /// Admitted; the writer has no room.
    Permitting(BoxFuture<'static, (Permit, Box<Envelope>)>),
    /// Admitted with nothing to store; earlier ones to its address are not settled.
    Held(Box<Envelope>),
    /// With its room, which settles it by its ticket.
    Handed,
    /// With the writer or a worker, which settle it by its ticket.
    Submitted,
    /// Done.
    Settled,
    /// Only while an entry is being moved on.
    Moving,
}

/// What earlier entries mean for one entry of the list.
#[derive(Default)]
struct Before {
    /// Some entry is not settled.
    unsettled: bool,
    /// An entry that holds up everything behind it is not settled.
    barrier: bool,
    /// Addresses with an entry that is not settled.
    addresses: SmallVec<[u64; 8]>,
    /// Addresses with an entry that their room does not have yet: a room takes one after another, settled or not.
    before_rooms: SmallVec<[u64; 8]>,
    /// Addresses with an entry that its room has: the room stores one after another, so only what is for others may be stored before.
    at_rooms: SmallVec<[u64; 8]>,
    /// Addresses with an entry that is not admitted, or that the recipient must get before what is stored behind it.
    held_up: SmallVec<[u64; 8]>,
    /// How many requests are admitted and not answered.
    requests: usize,
    /// How many may be.
    answers_max: usize,
    /// Some entry may have something to store and is not with the writer yet: a crash may leave it undone.
    gap: bool,
    /// Of the entry itself: its stream and its number there, if what is handled is stored.
    counts: Option<(StreamNumber, u32)>,
}

impl Before {
    /// Whether an entry may be admitted. A client that does not read its answers gets no more of them made.
    fn admits(&self, order: Order, env: &Envelope) -> bool {
        if is_request(env.stanza.kind) && (self.requests >= self.answers_max || is_behind(env)) {
            return false;
        }
        match order {
            Order::Free => true,
            Order::All => !self.unsettled,
            Order::To(address) => !self.barrier && !self.held_up.contains(&address),
        }
    }

    /// Whether an entry with nothing to store may be delivered. An answer waits for room, unless others wait for its lock.
    fn delivers(&self, order: Order, env: &Envelope) -> bool {
        if env.locked.is_none() && is_request(env.stanza.kind) && is_for_sender_only(env) && is_behind(env) {
            return false;
        }
        match order {
            Order::Free => true,
            Order::All => !self.unsettled,
            Order::To(address) => !self.barrier && !self.addresses.contains(&address),
        }
    }

    /// Whether an entry may go to its room.
    fn hands(&self, order: Order) -> bool {
        match order {
            Order::Free => true,
            Order::All => !self.unsettled,
            Order::To(address) => !self.barrier && !self.before_rooms.contains(&address),
        }
    }

    /// What its record says of the stream of an entry; and the number that counts once that is durable.
    fn handled(&self, order: Order) -> (Option<Handled>, Option<u32>) {
        let gap = self.gap || self.at_rooms.iter().any(|room| order != Order::To(*room));
        match self.counts {
            Some((stream, h)) if gap => (Some(Handled::Only(stream, h)), None),
            Some((stream, h)) => (Some(Handled::UpTo(stream, h)), Some(h)),
            None => (None, None),
        }
    }

    fn add(&mut self, entry: &Entry) {
        if matches!(entry.stage, Stage::Settled) {
            return;
        }
        self.gap |= match &entry.stage {
            Stage::Submitted | Stage::Handed => false,
            Stage::Held(env) => env.destination == Destination::Room,
            _ => true,
        };
        if is_request(entry.kind) && !matches!(entry.stage, Stage::Waiting(_)) {
            self.requests += 1;
        }
        if entry.order == Order::Free {
            return;
        }
        self.unsettled = true;
        match entry.order {
            Order::Free => {}
            Order::All => self.barrier = true,
            Order::To(address) => {
                if !self.addresses.contains(&address) {
                    self.addresses.push(address);
                }
                let (rooms, others) = (&mut self.at_rooms, &mut self.before_rooms);
                let known = if matches!(entry.stage, Stage::Handed) { rooms } else { others };
                if !known.contains(&address) {
                    known.push(address);
                }
                let lets_on = match &entry.stage {
                    Stage::Submitted | Stage::Handed => true,
                    // A record behind it would reach the recipient before it, from the worker.
                    Stage::Held(env) => is_for_sender_only(env),
                    _ => false,
                };
                if !lets_on && !self.held_up.contains(&address) {
                    self.held_up.push(address);
                }
            }
        }
    }
}

impl InFlight {
    /// An empty list whose stanzas are settled through `tickets`.
    pub fn new(tickets: Arc<Tickets>) -> InFlight {
        InFlight {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            tickets,
            settled: Vec::new(),
            counted: None,
            recipients: None,
        }
    }

    /// An empty list of a link: it holds more, and a bounded part of that for each recipient.
    pub fn of_link(tickets: Arc<Tickets>) -> InFlight {
        InFlight { recipients: Some(Box::default()), ..InFlight::new(tickets) }
    }

    /// Whether a link may have one more stanza in it for this address. Those that are with the writer or with a room do not count: they
    /// wait for the disk like all others, and for nobody in particular.
    pub fn has_place_for(&self, to: &Jid) -> bool {
        let Some(recipients) = &self.recipients else { return true };
        recipients.0.get(&hash_of(to)).is_none_or(|count| *count < LINK_ENTRIES_OF_ADDRESS_MAX)
    }

    /// Counts what is pushed from here on. `stream` is the number under which it is stored; `handled` and `repeated` are what was stored of
    /// it by an earlier process.
    pub fn count(&mut self, stream: Option<StreamNumber>, handled: u32, repeated: impl IntoIterator<Item = u32>) {
        let zero = self.next().wrapping_sub(u64::from(handled));
        let repeated = repeated.into_iter().collect();
        self.counted = Some(Box::new(Counted { zero, stream, stored: handled, repeated, awaited: 0 }));
    }

    /// What is handled from here on is not stored: nobody will resume this stream.
    pub fn stop_storing(&mut self) {
        if let Some(counted) = &mut self.counted {
            counted.stream = None;
        }
    }

    /// How many of the counted stanzas are settled, all before them included.
    pub fn handled(&self) -> u32 {
        self.counted.as_ref().map_or(0, |counted| counted.h(self.first))
    }

    /// Before another connection takes the place of the last one: how many of its stanzas the client need not send again. None while some
    /// of them are being done.
    ///
    /// What waits only because the client has not read its answers has not been begun, so it is forgotten and sent again. Behind it there
    /// may be some that are done; those do not count once more.
    pub fn rewind(&mut self) -> Option<u32> {
        self.tickets.take(&mut self.settled);
        self.reap();
        let counted = self.counted.as_mut()?;
        let is_still = |entry: &Entry| matches!(entry.stage, Stage::Settled | Stage::Held(_) | Stage::Waiting(_));
        if !self.entries.iter().all(is_still) {
            return None;
        }
        let is_waiting = |entry: &Entry| matches!(entry.stage, Stage::Waiting(_));
        let begun = self.entries.iter().position(is_waiting).unwrap_or(self.entries.len());
        for (number, entry) in (self.first..).zip(&self.entries).skip(begun) {
            if matches!(entry.stage, Stage::Settled) {
                let h = counted.h(number).wrapping_add(1);
                counted.repeated.insert(h);
            }
        }
        self.forget_from(begun);
        Some(self.read())
    }

    /// Counts as if only so many of the client's stanzas had been read: it sends the others again.
    pub fn rewind_to(&mut self, h: u32) {
        self.forget_from(0);
        let next = self.next();
        if let Some(counted) = &mut self.counted {
            counted.zero = next.wrapping_sub(u64::from(h));
        }
    }

    /// Drops all entries from this place on: none of them is in anybody else's hands.
    fn forget_from(&mut self, place: usize) {
        for entry in self.entries.drain(place..) {
            self.bytes -= entry.weight;
            if let Stage::Waiting(mut env) | Stage::Held(mut env) = entry.stage
                && let Some(ticket) = env.ticket.take()
            {
                ticket.redeem();
            }
        }
    }

    /// How many counted stanzas were read.
    fn read(&self) -> u32 {
        self.counted.as_ref().map_or(0, |counted| counted.h(self.next()))
    }

    /// How many the client may be told of: those that are settled and, where the stream is stored, stored as handled.
    pub fn acknowledged(&self) -> u32 {
        let handled = self.handled();
        match (self.to_store(handled), &self.counted) {
            (Some(_), Some(counted)) => counted.stored,
            _ => handled,
        }
    }

    /// How many are known to be stored as handled.
    pub fn stored(&self) -> u32 {
        self.counted.as_ref().map_or(0, |counted| counted.stored)
    }

    /// The stream, if so many handled stanzas must still be stored before the client may know of them.
    pub fn to_store(&self, h: u32) -> Option<StreamNumber> {
        self.counted.as_ref().filter(|counted| is_lower(counted.stored, h))?.stream
    }

    /// So many are stored as handled by now.
    pub fn note_stored(&mut self, h: u32) {
        if let Some(counted) = &mut self.counted {
            counted.note_stored(h);
        }
    }

    /// Everything that was pushed until now is waited for: the task is woken when it is settled.
    pub fn wait_for_all(&mut self) -> u64 {
        let next = self.next();
        if let Some(counted) = &mut self.counted {
            counted.awaited = next;
        }
        next
    }

    /// Whether everything before this number of [`InFlight::wait_for_all`] is settled.
    pub fn is_settled(&self, before: u64) -> bool {
        self.first >= before
    }

    /// How many stanzas were counted before this number of [`InFlight::wait_for_all`].
    pub fn counted(&self, before: u64) -> u32 {
        self.counted.as_ref().map_or(0, |counted| counted.h(before))
    }

    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Whether the next stanza was handled by an earlier process; it then counts, and nothing is done.
    pub(crate) fn is_repeated(&mut self) -> bool {
        let next = self.next();
        self.counted.as_mut().is_some_and(|counted| {
            let h = counted.h(next).wrapping_add(1);
            counted.repeated.remove(&h)
        })
    }

    /// Counts a stanza that is settled with its arrival.
    pub fn push_settled(&mut self) {
        if self.counted.is_some() {
            let (order, kind, stage) = (Order::Free, Kind::Iq(IqType::Result), Stage::Settled);
            self.entries.push_back(Entry { order, kind, weight: 0, stage, handled: None, recipient: None });
        }
    }

    /// Whether another stanza may be read.
    pub fn has_room(&self) -> bool {
        let (entries_max, bytes_max) = match self.recipients {
            None => (ENTRIES_MAX, BYTES_MAX),
            Some(_) => (LINK_ENTRIES_MAX, LINK_BYTES_MAX),
        };
        self.entries.len() < entries_max && self.bytes < bytes_max
    }

    /// Whether everything is settled.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends a stanza; the next poll moves it on.
    pub(crate) fn push(&mut self, order: Order, mut env: Box<Envelope>) {
        env.ticket = Some(self.tickets.ticket(self.next()));
        let (kind, weight) = (env.stanza.kind, env.weight());
        self.bytes += weight;
        let recipients = self.recipients.as_mut().zip(env.stanza.to.as_ref());
        let recipient = recipients.map(|(recipients, to)| {
            let recipient = hash_of(to);
            *recipients.0.entry(recipient).or_default() += 1;
            recipient
        });
        let stage = Stage::Waiting(env);
        self.entries.push_back(Entry { order, kind, weight, stage, handled: None, recipient });
    }

    /// Moves every entry as far as it goes. Ready once the list has room and nothing in it waits for this task.
    ///
    /// When pending, the task is woken by whatever the list waits for. Settled entries that nothing waits for are
    /// reaped with the next poll and wake nobody.
    pub fn poll(&mut self, server: &Arc<Server>, cx: &mut Context<'_>) -> Poll<()> {
        self.tickets.take(&mut self.settled);
        loop {
            self.reap();
            self.advance(server, cx);
            self.tickets.take(&mut self.settled);
            if !self.settled.is_empty() {
                continue;
            }
            // What was settled just now, without a ticket, leaves the list before anyone waits for a ticket.
            self.reap();
            if !self.waits() {
                return Poll::Ready(());
            }
            if self.tickets.poll_take(cx, &mut self.settled).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// As [`InFlight::poll`], but ready only once the list is empty; for the end of a stream.
    pub fn poll_empty(&mut self, server: &Arc<Server>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let _ = self.poll(server, cx);
            self.reap();
            if self.is_empty() {
                return Poll::Ready(());
            }
            if self.tickets.poll_take(cx, &mut self.settled).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Whether this task has something to do once an entry is settled.
    fn waits(&self) -> bool {
        let awaited = self.counted.as_ref().is_some_and(|counted| counted.awaited > self.first);
        awaited
            || !self.has_room()
            || self
                .entries
                .iter()
                .any(|entry| !matches!(entry.stage, Stage::Handed | Stage::Submitted | Stage::Settled))
    }

    fn reap(&mut self) {
        for Settled { number, record } in self.settled.drain(..) {
            // A number below `first` cannot be: an entry leaves the list only after it was settled, once.
            let Some(entry) = self.entries.get_mut((number - self.first) as usize) else { continue };
            entry.stage = Stage::Settled;
            if record == Stored::No {
                entry.handled = None;
            }
        }
        while self.entries.front().is_some_and(|entry| matches!(entry.stage, Stage::Settled)) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= entry.weight;
                self.first += 1;
                if let (Some(recipient), Some(recipients)) = (entry.recipient, &mut self.recipients) {
                    recipients.forget(recipient);
                }
                if let (Some(h), Some(counted)) = (entry.handled, &mut self.counted) {
                    counted.note_stored(h);
                }
            }
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.settled = Vec::new();
        }
    }

    fn advance(&mut self, server: &Arc<Server>, cx: &mut Context<'_>) {
        let answers_max = if self.recipients.is_some() { LINK_ANSWERS_MAX } else { ANSWERS_MAX };
        let mut before = Before { answers_max, ..Before::default() };
        for (number, entry) in (self.first..).zip(&mut self.entries) {
            before.counts =
                self.counted.as_ref().and_then(|counted| Some((counted.stream?, counted.h(number).wrapping_add(1))));
            entry.advance(server, cx, &before);
            if matches!(entry.stage, Stage::Handed | Stage::Submitted)
                && let (Some(recipient), Some(recipients)) = (entry.recipient.take(), &mut self.recipients)
            {
                recipients.forget(recipient);
            }
            before.add(entry);
        }
    }
}

impl Entry {
    fn advance(&mut self, server: &Arc<Server>, cx: &mut Context<'_>, before: &Before) {
        while self.step(server, cx, before).is_continue() {}
    }

    /// One stage further; `Break` where the entry has to wait or is out of this list's hands.
    fn step(&mut self, server: &Arc<Server>, cx: &mut Context<'_>, before: &Before) -> ControlFlow<()> {
        let (stage, flow) = match std::mem::replace(&mut self.stage, Stage::Moving) {
            Stage::Waiting(env) if before.admits(self.order, &env) => {
                (Stage::Admitting(Box::pin(admit::admit(server.clone(), env))), ControlFlow::Continue(()))
            }
            Stage::Admitting(mut admission) => match admission.as_mut().poll(cx) {
                // A room stores what it lets pass.
                Poll::Ready(env) if env.record.is_empty() || env.destination == Destination::Room => {
                    (Stage::Held(env), ControlFlow::Continue(()))
                }
                Poll::Ready(env) => match server.writer.try_permit(env.weight()) {
                    Some(permit) => (self.submit(server, permit, env, before), ControlFlow::Break(())),
                    None => (Stage::Permitting(wait_for_permit(server.clone(), env)), ControlFlow::Continue(())),
                },
                Poll::Pending => (Stage::Admitting(admission), ControlFlow::Break(())),
            },
            Stage::Permitting(mut permit) => match permit.as_mut().poll(cx) {
                Poll::Ready((permit, env)) => (self.submit(server, permit, env, before), ControlFlow::Break(())),
                Poll::Pending => (Stage::Permitting(permit), ControlFlow::Break(())),
            },
            Stage::Held(env) if env.destination == Destination::Room => match before.hands(self.order) {
                true => self.hand(server, env, before),
                false => (Stage::Held(env), ControlFlow::Break(())),
            },
            Stage::Held(mut env) if before.delivers(self.order, &env) => {
                if let Some(ticket) = env.ticket.take() {
                    ticket.redeem();
                }
                deliver::admitted(server, &mut env);
                (Stage::Settled, ControlFlow::Break(()))
            }
            other => (other, ControlFlow::Break(())),
        };
        self.stage = stage;
        flow
    }

    /// Hands a stanza to its room, whose inbox keeps the order from here on. What comes of it may become durable together with its being
    /// handled.
    fn hand(&mut self, server: &Server, mut env: Box<Envelope>, before: &Before) -> (Stage, ControlFlow<()>) {
        (env.record.handled, self.handled) = before.handled(self.order);
        let address = env.stanza.to.as_ref().unwrap_or(&env.stanza.from).bare();
        match server.rooms.push(&address, Item::Stanza(env)) {
            Ok(()) => (Stage::Handed, ControlFlow::Break(())),
            Err(Item::Stanza(mut env)) => {
                (env.record, self.handled) = (Record::default(), None);
                finish::refuse(server, &mut env, Condition::ResourceConstraint.into());
                (Stage::Held(env), ControlFlow::Continue(()))
            }
            Err(_) => (Stage::Settled, ControlFlow::Break(())),
        }
    }

    /// Hands a record to the writer, whose queue keeps the order from here on. What it stores and that it is handled become durable
    /// together: after a crash the client either repeats it, or need not.
    fn submit(&mut self, server: &Server, permit: Permit, mut env: Box<Envelope>, before: &Before) -> Stage {
        let mut record = std::mem::take(&mut env.record);
        (record.handled, self.handled) = before.handled(self.order);
        server.writer.submit(permit, record, Load::Stanza(env));
        Stage::Submitted
    }
}

fn is_request(kind: Kind) -> bool {
    matches!(kind, Kind::Iq(IqType::Get | IqType::Set))
}

/// Whether so much waits for the session that sent it that no more answers are made for it. What comes over a link is answered through the
/// bounded queue of its domain.
fn is_behind(env: &Envelope) -> bool {
    env.sender.as_session().is_some_and(|session| session.is_behind())
}

/// How one recipient is told from others: two with one hash share their places.
fn hash_of(to: &Jid) -> u64 {
    let mut hasher = DefaultHasher::new();
    to.bare_str().hash(&mut hasher);
    hasher.finish()
}

/// Whether nobody but its sender hears of this stanza: a request that the server answers, or a refused one.
fn is_for_sender_only(env: &Envelope) -> bool {
    let is_ours = matches!(env.destination, Destination::Host | Destination::Service(_));
    let to_client = env.stanza.to.as_ref().is_some_and(|to| to.is_full()) && !is_ours;
    let to_other = to_client || env.destination == Destination::Remote;
    env.destination == Destination::Nobody || (matches!(env.stanza.kind, Kind::Iq(_)) && !to_other)
}

fn wait_for_permit(server: Arc<Server>, env: Box<Envelope>) -> BoxFuture<'static, (Permit, Box<Envelope>)> {
    Box::pin(async move { (server.writer.permit(env.weight()).await, env) })
}
