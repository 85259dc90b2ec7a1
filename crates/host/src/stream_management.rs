//! A session under stream management (XEP-0198): acknowledgements, the loss of its connection, and another one in its place.
//! The numbers of what was sent are in `managed`; what the client sends is numbered by its in-flight list.

use std::task::{Context, Poll};

use metronome_model::{Noted, StreamNumber};
use metronome_proto::ns;
use metronome_proto::payload::sm::{self, Resumable};
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::Tree;

use metronome_store::journal::Line;

use crate::blocking::Chosen;
use crate::managed::{Managed, TooHigh};
use crate::outbox::{Again, Closing, Frame, Pushed, What};
use crate::proof::Ranges;
use crate::session::{Carbons, From, Phase, Session, State};

/// A bit of [`Noted::switches`]: it has asked for the roster.
const INTERESTED: u32 = 1;
/// It gets copies of the messages of other sessions (XEP-0280).
const CARBONS: u32 = 2;
/// It has asked for the blocklist (XEP-0191).
const BLOCKLIST: u32 = 4;
/// It works with privacy lists (XEP-0016).
const LISTS: u32 = 8;
/// The upper bits: [`List::mark`](crate::blocking::List::mark) of the list that it has chosen, 0 for none.
const LIST_SHIFT: u32 = 8;

/// The mark of the list that a session had chosen for itself, if it had.
pub fn chosen_list(switches: u32) -> Option<u32> {
    Some(switches >> LIST_SHIFT).filter(|mark| *mark != 0)
}

/// Whether the stream of a session goes on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It does.
    #[default]
    Not,
    /// The server ends it, and the session with it.
    Closing,
    /// Nobody is on the other side any more: its connection is given up.
    Cut,
    /// The server ends; the session waits for the next process.
    Hibernating,
}

/// An element of stream management as it is written.
pub fn element(tree: &Tree) -> Frame {
    Frame::whole(tree.to_vec(ns::CLIENT))
}

impl Session {
    /// Begins to be managed: counts from its `<enabled/>` on.
    pub fn manage(&self, resumable: Resumable, stored: Option<StreamNumber>) {
        self.change(|state| {
            state.managed = Some(Box::new(Managed::new(resumable).stored_as(stored)));
        });
    }

    /// This `<enabled/>` is written behind what waits already.
    pub fn enabled(&self, enabled: Frame) {
        self.change(|state| {
            let _ = state.outbox.push_aside(enabled, What::Enabled);
        });
    }

    /// Its `<enabled/>` is written before everything that waits.
    pub fn enabled_already(&self) {
        self.change(|state| {
            if let Some(managed) = &mut state.managed {
                managed.begin();
            }
        });
    }

    /// What the client had switched on, as [`Noted::switches`] says.
    pub fn switch_again(&self, switches: u32) {
        if switches & INTERESTED != 0 {
            self.set_interested();
        }
        if switches & CARBONS != 0 {
            self.set_carbons(Carbons::On);
        }
        if switches & BLOCKLIST != 0 {
            self.set_wants_blocklist();
        }
        if switches & LISTS != 0 {
            self.set_wants_lists();
        }
    }

    fn switches(&self) -> u32 {
        let bit = |is_on: bool, bit| if is_on { bit } else { 0 };
        let rules = self.rules();
        let chosen = rules.as_ref().filter(|rules| rules.chosen == Chosen::Active);
        bit(self.is_interested(), INTERESTED)
            | bit(self.has_carbons(), CARBONS)
            | bit(self.wants_blocklist(), BLOCKLIST)
            | bit(self.wants_lists(), LISTS)
            | chosen.map_or(0, |rules| rules.list.mark() << LIST_SHIFT)
    }

    /// Takes up the stream of an earlier process, without a connection: what came behind [`Noted::handed`] is read from the store.
    pub fn manage_again(&self, noted: &Noted, stored: StreamNumber) {
        self.change(|state| {
            state.managed = Some(Box::new(Managed::noted(noted).stored_as(Some(stored))));
            state.handed = noted.handed;
            state.detach();
            if let Phase::CatchingUp(_) = state.phase {
                // What it was given before is not its first that is unseen, but what it has not acknowledged.
                state.phase = Phase::CatchingUp(From::Handed);
                state.noted = noted.handed;
            }
        });
    }

    /// Whether it is under stream management.
    pub fn is_managed(&self) -> bool {
        self.state.lock().managed.is_some()
    }

    /// Queues an element that is no stanza; it is not repeated on another connection.
    pub fn say_aside(&self, frame: Frame) {
        self.change(|state| {
            let _ = state.outbox.push_aside(frame, What::Aside);
        });
    }

    /// The client has had `h` stanzas; the archive ids that this proves.
    pub fn acknowledged(&self, h: u32) -> Result<Vec<(u64, u64)>, TooHigh> {
        self.change(|state| match &mut state.managed {
            Some(managed) => managed.acknowledge(h).map(ranges),
            None => Ok(Vec::new()),
        })
    }

    /// Whether so much was sent without an acknowledgement that nobody can be on the other side.
    pub fn is_hopeless(&self) -> bool {
        self.state.lock().managed.as_ref().is_some_and(|managed| managed.is_hopeless())
    }

    /// What is to be stored of its stream, if that has changed since it was asked for last.
    pub fn to_note(&self, at_ms: u64) -> Option<(StreamNumber, Noted)> {
        let switches = self.switches();
        let state = &mut *self.state.lock();
        let (handed, presence_serial) = (state.handed, state.presence_serial());
        let managed = state.managed.as_mut()?;
        let number = managed.stored.filter(|_| managed.is_counting())?;
        let noted = Noted { at_ms, switches, handed, ..managed.to_note() };
        let print = (noted.sent, noted.unacked.len(), handed, presence_serial, switches);
        if managed.noted == Some(print) {
            return None;
        }
        managed.noted = Some(print);
        Some((number, Noted { presence: state.presence_xml(&self.jid), ..noted }))
    }

    /// Whether its client has proved to have everything that it was given.
    pub fn has_proved_all(&self) -> bool {
        let state = self.state.lock();
        state.outbox.bytes() == 0 && state.managed.as_ref().is_some_and(|managed| managed.has_proved_all())
    }

    /// The number under which its stream is stored.
    pub fn stored_stream(&self) -> Option<StreamNumber> {
        self.state.lock().managed.as_ref()?.stored
    }

    /// The same once: nothing more is stored of it.
    pub fn take_stored_stream(&self) -> Option<StreamNumber> {
        self.state.lock().managed.as_mut()?.stored.take()
    }

    /// Its connection is lost; it waits for another one. False if it cannot: the client does not know yet that its stream is managed, or
    /// the session is being closed.
    pub fn detach(&self) -> bool {
        self.change(|state| {
            let waits =
                state.managed.as_ref().is_some_and(|managed| managed.is_counting()) && !state.outbox.is_closing();
            if waits {
                state.detach();
            }
            waits
        })
    }

    /// Whether its stream goes on. A connection is given up once.
    pub fn ending(&self) -> Ending {
        let mut state = self.state.lock();
        match state.ending {
            _ if state.outbox.is_closing() => Ending::Closing,
            Ending::Cut => std::mem::replace(&mut state.ending, Ending::Not),
            ending => ending,
        }
    }

    /// Gives up its connection, whose client does not answer: it may resume its stream on another one. Without that it ends.
    pub fn cut(&self, condition: Condition, text: &'static str) {
        self.change(|state| match &state.managed {
            Some(managed) if managed.is_resumable() => state.ending = Ending::Cut,
            _ => state.outbox.close(Closing { condition: Some(condition), text: Some(text) }),
        });
    }

    /// Has it wait for the next process; false if its stream is not stored, so that it ends with this one.
    pub fn hibernate(&self) -> bool {
        self.change(|state| {
            let waits =
                state.managed.as_ref().is_some_and(|managed| managed.is_resumable() && managed.stored.is_some());
            if waits && !state.outbox.is_closing() {
                state.ending = Ending::Hibernating;
            }
            waits
        })
    }

    /// Ready once the server ends it; for the time without a connection.
    pub fn poll_closing(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.state.lock().outbox.poll_closing(cx)
    }

    /// Whether it waits for another connection.
    pub fn is_detached(&self) -> bool {
        self.state.lock().outbox.is_detached()
    }

    /// Another connection takes the place of the lost one, on which the client has had `h` stanzas: `resumed` is written first, then what
    /// the client has not had, then what waits. Answers the archive ids that `h` proves.
    pub fn attach(&self, h: u32, resumed: Frame) -> Result<Vec<(u64, u64)>, TooHigh> {
        self.change(|state| {
            let Some(managed) = &mut state.managed else { return Ok(Vec::new()) };
            let proved = managed.acknowledge(h)?;
            state.outbox.attach(resumed, managed.take_unacked());
            Ok(ranges(proved))
        })
    }

    /// The stanzas that are nowhere else and were not acknowledged, those that were never written included; they are forgotten here. None
    /// without stream management, where nobody knows what has arrived.
    pub fn take_unacknowledged(&self) -> Vec<Frame> {
        let state = &mut *self.state.lock();
        let Some(managed) = &mut state.managed else { return Vec::new() };
        let written = managed.take_unacked().filter_map(|again| match again {
            Again::Stanza(frame) => Some(frame),
            Again::Stored(_) => None,
        });
        written.chain(state.outbox.take_stanzas()).collect()
    }

    /// The stored messages that were written since this was asked last, for the journal.
    pub fn take_fresh(&self) -> Vec<Line> {
        let mut state = self.state.lock();
        let Some(managed) = &mut state.managed else { return Vec::new() };
        let Some(stream) = managed.stored else { return Vec::new() };
        managed.fresh.drain(..).map(|(sent, id)| Line { stream, sent, id }).collect()
    }

    /// Rows that must be read again before anything else can be written; see [`crate::outbox::Outbox::unread`].
    pub fn unread(&self) -> Vec<u64> {
        self.state.lock().outbox.unread()
    }

    /// Such a row as it is written; none if it is gone.
    pub fn fill(&self, id: u64, frame: Option<Frame>) {
        self.change(|state| state.outbox.fill(id, frame));
    }
}

impl State {
    fn detach(&mut self) {
        self.outbox.detach();
        // XEP-0352 section 5.2: a client says anew that nobody looks at it.
        self.sparing = None;
        self.ending = Ending::Not;
        if let Some(managed) = &mut self.managed {
            managed.forget_question();
        }
        // What comes from now on is read from the store when there is a connection again.
        if self.phase == Phase::Live {
            self.phase = Phase::CatchingUp(From::Handed);
            self.noted = self.handed;
        }
    }

    /// Asks for an acknowledgement if one is wanted, or if a sign of life is.
    pub(crate) fn request_answer(&mut self, now_ms: u64, idle: bool) {
        let Some(managed) = &mut self.managed else { return };
        let due = managed.wants_answer() || (idle && managed.asked_since_ms().is_none());
        if due && self.outbox.push_aside(element(&sm::request()), What::Aside) == Pushed::Queued {
            managed.ask(now_ms);
        }
    }

    /// Whether the client was given this row and has not proved to have it.
    pub(crate) fn holds(&self, id: u64) -> bool {
        self.proof.holds(id) || self.managed.as_ref().is_some_and(|managed| managed.holds(id))
    }

    /// What an orderly end proves: everything that was written.
    pub(crate) fn proved_by_close(&mut self) -> Vec<(u64, u64)> {
        let mut proved = self.proof.closed();
        if let Some(managed) = &mut self.managed {
            let rows = managed.to_note().unacked.into_iter().map(|(_, id)| id);
            proved.extend(ranges(rows.collect()));
        }
        proved
    }
}

fn ranges(ids: Vec<u64>) -> Vec<(u64, u64)> {
    let mut ranges = Ranges::default();
    ids.into_iter().for_each(|id| ranges.add(id));
    ranges.take()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use metronome_model::AccountId;
    use metronome_proto::jid::Jid;

    use super::*;
    use crate::announcement::Announcement;
    use crate::session::{Bound, Presence};

    const ENABLED: &str = "<enabled/>";
    const RESUMED: &str = "<resumed/>";

    fn session() -> Session {
        let bound = Bound {
            jid: Jid::parse("alice@localhost/x").unwrap(),
            account: AccountId::from_bytes([7; 16]),
            since_ms: 0,
            heard_ms: 0,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 5,
            mechanism: "PLAIN",
        };
        let session = Session::new(bound, 1);
        let announcement = Announcement::unavailable(&session.jid);
        session.set_presence(Some(Presence { priority: 0, announcement }));
        session.caught_up(0);
        session
    }

    fn frame(text: &str) -> Frame {
        Frame::whole(text.as_bytes().to_vec())
    }

    /// A session, its archive, and a client on a line that breaks.
    struct Talk {
        session: Session,
        /// The last id of the archive.
        last: u64,
        /// Stanzas that are not stored, so far.
        volatile: u64,
        /// Written and not read by the client.
        line: Vec<String>,
        /// Read by the client, stanzas only.
        had: Vec<String>,
        /// How many of them were counted before `had` began.
        before: u32,
    }

    impl Talk {
        fn new() -> Talk {
            let session = session();
            session.manage(Resumable::Yes, None);
            session.enabled(frame(ENABLED));
            let mut talk = Talk { session, last: 0, volatile: 0, line: Vec::new(), had: Vec::new(), before: 0 };
            // The client knows that its stream may be resumed.
            talk.write(usize::MAX);
            talk.line.clear();
            talk
        }

        fn write(&mut self, bytes_max: usize) {
            for id in self.session.unread() {
                self.session.fill(id, Some(frame(&format!("<m{id}/>"))));
            }
            let mut out = Vec::new();
            let _ = self.session.poll_drain(&mut Context::from_waker(Waker::noop()), &mut out, bytes_max);
            let text = String::from_utf8(out).unwrap();
            self.line.extend(text.split_inclusive("/>").map(str::to_owned));
        }

        /// The client reads so many elements.
        fn read(&mut self, count: usize) {
            let count = count.min(self.line.len());
            let is_stanza = |text: &String| text.starts_with("<m") || text.starts_with("<v");
            self.had.extend(self.line.drain(..count).filter(is_stanza));
        }

        fn h(&self) -> u32 {
            self.before + self.had.len() as u32
        }

        /// What the session reads from the store.
        fn catch_up(&mut self) {
            while let Some(at) = self.session.catch_up() {
                let Some(id) = (at.after + 1..=self.last).next() else {
                    self.session.caught_up(at.noted);
                    continue;
                };
                if !self.session.catch_up_with(id, || frame(&format!("<m{id}/>"))) {
                    return;
                }
            }
        }

        fn resume(&mut self) {
            self.line.clear();
            assert!(self.session.detach());
            assert!(self.session.catch_up().is_none() && self.session.unread().is_empty(), "nobody is there");
        }

        fn attach(&mut self) {
            self.session.attach(self.h(), frame(RESUMED)).unwrap();
        }
    }

    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn asking_about_a_session_wakes_nobody() {
        let session = session();
        session.manage(Resumable::Yes, Some(StreamNumber(1)));
        session.enabled(frame(ENABLED));
        let counts = Arc::new(Counts(AtomicUsize::new(0)));
        let waker = Waker::from(counts.clone());
        let mut cx = Context::from_waker(&waker);
        while session.poll_drain(&mut cx, &mut Vec::new(), usize::MAX).is_ready() {}
        let _ = (session.is_managed(), session.is_hopeless(), session.is_detached(), session.stored_stream());
        let _ = (session.unread(), session.to_note(1), session.take_fresh(), session.ending(), session.catch_up());
        let _ = (session.unshown(), session.is_behind(), session.is_attentive(), session.is_closing());
        assert_eq!(counts.0.load(Ordering::Relaxed), 0, "its task would go round for ever");
        let _ = session.offer_volatile(frame("<v/>"));
        assert_eq!(counts.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_client_on_a_line_that_breaks_has_every_stored_message_once_and_in_order() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut talk = Talk::new();
            let mut is_there = true;
            for _ in 0..400 {
                match random.u8(0..12) {
                    0..4 => {
                        talk.last += 1;
                        let id = talk.last;
                        let _ = talk.session.offer(id, frame(&format!("<m{id}/>")));
                    }
                    4..6 => {
                        talk.volatile += 1;
                        let _ = talk.session.offer_volatile(frame(&format!("<v{}/>", talk.volatile)));
                    }
                    6..8 if is_there => {
                        talk.catch_up();
                        talk.write(random.usize(1..200));
                    }
                    8..10 if is_there => talk.read(random.usize(0..20)),
                    10 if is_there => drop(talk.session.acknowledged(talk.h()).unwrap()),
                    11 if is_there => {
                        talk.resume();
                        is_there = false;
                    }
                    11 => {
                        talk.attach();
                        is_there = true;
                    }
                    _ => {}
                }
            }
            if !is_there {
                talk.attach();
            }
            for _ in 0..talk.last + talk.volatile {
                talk.catch_up();
                talk.write(usize::MAX);
                talk.read(usize::MAX);
            }
            let stored: Vec<u64> =
                talk.had.iter().filter_map(|text| text.strip_prefix("<m")?.strip_suffix("/>")?.parse().ok()).collect();
            assert_eq!(stored, (1..=talk.last).collect::<Vec<_>>(), "seed {seed}");
            let volatile: Vec<&String> = talk.had.iter().filter(|text| text.starts_with("<v")).collect();
            assert_eq!(volatile.iter().collect::<BTreeSet<_>>().len(), volatile.len(), "seed {seed}: each once");
            assert_eq!(volatile.len() as u64, talk.volatile, "seed {seed}: few enough to be kept");
        }
    }
}
