//! What one session was sent and has not acknowledged (XEP-0198). Lives in a session's state beside its outbox, so that writing a
//! stanza and counting it are one step. Of a stored message only its id is kept: its row is read again where it must be sent again.

use std::collections::VecDeque;

use metronome_model::{Noted, StreamNumber};
use metronome_proto::payload::sm::Resumable;

use crate::outbox::{Again, Frame, What};

/// Most stanzas that are sent without an acknowledgement. Beyond that stored messages stay in the store, as with a full outbox.
pub const UNACKED_HIGH: usize = 2048;
/// With this many unacknowledged the stream is of no use any more: everybody else's presence alone may have filled it.
pub const UNACKED_MAX: usize = 4 * UNACKED_HIGH;
/// Most bytes of stanzas that are nowhere else. Beyond that the oldest of them are not sent again.
pub const BYTES_MAX: usize = 256 * 1024;
/// How much more than we know of a client may have had, where what it was sent last was not noted before the server ended.
pub const UNNOTED_MAX: u32 = 4096;

/// A client has acknowledged more than it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooHigh {
    /// What it says that it has had.
    pub h: u32,
    /// What it was sent.
    pub sent: u32,
}

/// One stanza that was written.
#[derive(Debug)]
enum Sent {
    Stored(u64),
    Stanza(Frame),
    /// It was sent too long ago to be kept, or it was a row that is known to be gone.
    Lost,
}

/// Whether the first number was reached before the server ended, or is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Exactly,
    /// More may have been written than was noted.
    AtLeast,
}

/// The stanzas of a stream under management.
#[derive(Debug)]
pub struct Managed {
    /// Whether `<enabled/>` has been written.
    counting: bool,
    /// Stanzas written, modulo 2^32; the last of them are `unacked`.
    sent: u32,
    /// The same without end; far more than that where it is not known.
    total: u64,
    known: Known,
    unacked: VecDeque<Sent>,
    /// Bytes of the frames in it.
    bytes: usize,
    /// Steady time of the `<r/>` that was not answered yet.
    asked_since_ms: Option<u64>,
    /// How many had been sent when it was asked.
    asked_at: u32,
    /// Stored messages that were written and are not in the journal yet.
    pub fresh: Vec<(u32, u64)>,
    /// Under which it is stored; none if it ends with the server, or with its connection.
    pub stored: Option<StreamNumber>,
    /// Whether another connection may take the place of a lost one.
    pub resumable: Resumable,
    /// How it was when it was noted last.
    pub noted: Option<(u32, usize, u64, u64, u32)>,
}

impl Managed {
    /// A stream whose `<enabled/>` is about to be written.
    pub fn new(resumable: Resumable) -> Managed {
        Managed {
            counting: false,
            sent: 0,
            total: 0,
            known: Known::Exactly,
            unacked: VecDeque::new(),
            bytes: 0,
            asked_since_ms: None,
            asked_at: 0,
            fresh: Vec::new(),
            stored: None,
            resumable,
            noted: None,
        }
    }

    /// Its `<enabled/>` stands before everything that is still to be written.
    pub fn begin(&mut self) {
        self.counting = true;
    }

    /// The same, stored under this number.
    #[must_use]
    pub fn stored_as(mut self, number: Option<StreamNumber>) -> Managed {
        self.stored = number;
        self
    }

    /// A stream of an earlier process.
    pub fn noted(noted: &Noted) -> Managed {
        let oldest = noted.unacked.first().map_or(0, |(behind, _)| behind.saturating_add(1) as usize);
        let mut unacked: VecDeque<Sent> = (0..oldest.min(UNACKED_MAX)).map(|_| Sent::Lost).collect();
        for (behind, id) in &noted.unacked {
            let at = unacked.len().checked_sub(1 + *behind as usize);
            if let Some(sent) = at.and_then(|at| unacked.get_mut(at)) {
                *sent = Sent::Stored(*id);
            }
        }
        Managed {
            counting: true,
            sent: noted.sent,
            total: u64::MAX / 2,
            known: Known::AtLeast,
            unacked,
            ..Managed::new(Resumable::Yes)
        }
    }

    /// What is to be noted of it now: the fields that it knows of.
    pub fn to_note(&self) -> Noted {
        let mut rows = Vec::new();
        for (behind, sent) in self.unacked.iter().rev().enumerate() {
            if let Sent::Stored(id) = sent {
                rows.push((behind as u32, *id));
            }
        }
        rows.reverse();
        Noted { sent: self.sent, unacked: rows, ..Noted::default() }
    }

    /// Whether `<enabled/>` has been written: before that there is nothing to resume.
    pub fn is_counting(&self) -> bool {
        self.counting
    }

    /// Whether another connection may take the place of a lost one now.
    pub fn is_resumable(&self) -> bool {
        self.counting && self.resumable == Resumable::Yes
    }

    /// Notes what was written.
    pub fn wrote(&mut self, what: What, frame: Frame) {
        let sent = match what {
            What::Enabled => {
                self.counting = true;
                return;
            }
            What::Aside => return,
            _ if !self.counting => return,
            What::Stored(id) => Sent::Stored(id),
            What::Stanza => {
                self.bytes += frame.len();
                Sent::Stanza(frame)
            }
        };
        self.sent = self.sent.wrapping_add(1);
        self.total += 1;
        if let (Sent::Stored(id), Some(_)) = (&sent, self.stored) {
            self.fresh.push((self.sent, *id));
        }
        self.unacked.push_back(sent);
        self.lose_oldest();
    }

    /// Keeps within [`BYTES_MAX`].
    fn lose_oldest(&mut self) {
        if self.bytes <= BYTES_MAX {
            return;
        }
        for sent in &mut self.unacked {
            if let Sent::Stanza(frame) = sent {
                self.bytes -= frame.len();
                *sent = Sent::Lost;
            }
            if self.bytes <= BYTES_MAX / 2 {
                return;
            }
        }
    }

    /// The client has had `h` stanzas: the ids of those that are rows, in the order in which they were sent. A number below an earlier
    /// one changes nothing.
    pub fn acknowledge(&mut self, h: u32) -> Result<Vec<u64>, TooHigh> {
        let unacked = self.unacked.len() as u32;
        let missing = self.sent.wrapping_sub(h);
        if missing > u32::MAX / 2 || u64::from(missing) > self.total {
            let more = h.wrapping_sub(self.sent);
            if self.known == Known::Exactly || more > UNNOTED_MAX {
                return Err(TooHigh { h, sent: self.sent });
            }
            self.sent = h;
        }
        self.asked_since_ms = self.asked_since_ms.filter(|_| self.asked_at.wrapping_sub(h) as i32 > 0);
        let acked = unacked.saturating_sub(self.sent.wrapping_sub(h));
        let mut ids = Vec::new();
        for sent in self.unacked.drain(..acked as usize) {
            match sent {
                Sent::Stored(id) => ids.push(id),
                Sent::Stanza(frame) => self.bytes -= frame.len(),
                Sent::Lost => {}
            }
        }
        Ok(ids)
    }

    /// Everything that was not acknowledged, to be sent once more on another connection; from here on the numbers are exact again.
    pub fn take_unacked(&mut self) -> impl DoubleEndedIterator<Item = Again> + use<> {
        let unacked = std::mem::take(&mut self.unacked);
        self.sent = self.sent.wrapping_sub(unacked.len() as u32);
        self.total -= unacked.len() as u64;
        self.known = Known::Exactly;
        self.bytes = 0;
        self.asked_since_ms = None;
        unacked.into_iter().filter_map(|sent| match sent {
            Sent::Stored(id) => Some(Again::Stored(id)),
            Sent::Stanza(frame) => Some(Again::Stanza(frame)),
            Sent::Lost => None,
        })
    }

    /// Whether everything that was sent is acknowledged.
    pub fn has_proved_all(&self) -> bool {
        self.unacked.is_empty()
    }

    /// Whether this row was sent and not acknowledged.
    pub fn holds(&self, id: u64) -> bool {
        self.unacked.iter().any(|sent| matches!(sent, Sent::Stored(sent) if *sent == id))
    }

    /// Whether no more stored messages should be sent before the client acknowledges some.
    pub fn is_full(&self) -> bool {
        self.unacked.len() >= UNACKED_HIGH
    }

    /// Whether the client has been sent more than anybody waits for.
    pub fn is_hopeless(&self) -> bool {
        self.unacked.len() >= UNACKED_MAX
    }

    /// Whether an acknowledgement is wanted and was not asked for.
    pub fn wants_answer(&self) -> bool {
        self.asked_since_ms.is_none() && !self.unacked.is_empty()
    }

    /// An `<r/>` is on its way.
    pub fn ask(&mut self, now_ms: u64) {
        self.asked_since_ms = Some(now_ms);
        self.asked_at = self.sent;
    }

    /// Nobody is there to answer.
    pub fn forget_question(&mut self) {
        self.asked_since_ms = None;
    }

    /// The steady time of the `<r/>` that was not answered yet.
    pub fn asked_since_ms(&self) -> Option<u64> {
        self.asked_since_ms
    }

    /// Heap bytes.
    pub fn memory_usage(&self) -> usize {
        self.bytes + self.unacked.capacity() * size_of::<Sent>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        Frame::whole(text.as_bytes().to_vec())
    }

    fn counting() -> Managed {
        let mut managed = Managed::new(Resumable::Yes);
        managed.wrote(What::Stanza, frame("<before/>"));
        managed.wrote(What::Enabled, frame("<enabled/>"));
        managed
    }

    fn texts(managed: &mut Managed) -> Vec<String> {
        let text = |again| match again {
            Again::Stored(id) => id.to_string(),
            Again::Stanza(frame) => String::from_utf8(frame.head.to_vec()).unwrap(),
        };
        managed.take_unacked().map(text).collect()
    }

    #[test]
    fn what_is_written_behind_enabled_is_counted_and_what_is_no_stanza_is_not() {
        let mut managed = counting();
        managed.wrote(What::Stored(7), frame("<m/>"));
        managed.wrote(What::Aside, frame("<a/>"));
        managed.wrote(What::Stanza, frame("<p/>"));
        managed.wrote(What::Stored(9), frame("<m/>"));
        assert_eq!(managed.acknowledge(4), Err(TooHigh { h: 4, sent: 3 }));
        assert_eq!(
            managed.acknowledge(u32::MAX),
            Err(TooHigh { h: u32::MAX, sent: 3 }),
            "it is not four less than none"
        );
        assert_eq!(managed.acknowledge(2), Ok(vec![7]));
        assert_eq!(managed.acknowledge(1), Ok(vec![]), "less than before is passed over");
        assert!(managed.holds(9) && !managed.holds(7));
        managed.wrote(What::Stanza, frame("<q/>"));
        assert_eq!(texts(&mut managed), ["9", "<q/>"]);
        assert_eq!(managed.acknowledge(3), Err(TooHigh { h: 3, sent: 2 }), "they count when they are written again");
    }

    #[test]
    fn numbers_begin_anew_at_their_end() {
        let mut managed = Managed::noted(&Noted { sent: u32::MAX, ..Noted::default() });
        assert_eq!(managed.acknowledge(u32::MAX), Ok(vec![]));
        let _ = managed.take_unacked();
        for id in 1..=3 {
            managed.wrote(What::Stored(id), frame("<m/>"));
        }
        assert_eq!(managed.acknowledge(3), Err(TooHigh { h: 3, sent: 2 }));
        assert_eq!(managed.acknowledge(0), Ok(vec![1]));
        assert_eq!(managed.acknowledge(u32::MAX), Ok(vec![]));
        assert_eq!(managed.acknowledge(2), Ok(vec![2, 3]));
    }

    #[test]
    fn stanzas_that_are_nowhere_else_are_kept_within_bounds() {
        let mut managed = counting();
        for _ in 0..BYTES_MAX / 1000 * 3 {
            managed.wrote(What::Stanza, frame(&"x".repeat(1000)));
            managed.wrote(What::Stored(1), frame(&"y".repeat(1000)));
        }
        assert!(managed.memory_usage() < 2 * BYTES_MAX, "{}", managed.memory_usage());
        let sent = managed.sent;
        let again = texts(&mut managed);
        assert!(again.last().is_some_and(|last| last == "1") && again.len() < sent as usize);
        assert_eq!(
            again.iter().filter(|again| *again == "1").count(),
            BYTES_MAX / 1000 * 3,
            "rows are always sent again"
        );
    }

    #[test]
    fn an_answer_is_for_what_was_sent_before_the_question() {
        let mut managed = counting();
        assert!(!managed.wants_answer());
        managed.wrote(What::Stored(1), frame("<m/>"));
        assert!(managed.wants_answer());
        managed.ask(5);
        managed.wrote(What::Stored(2), frame("<m/>"));
        assert_eq!(managed.acknowledge(0), Ok(vec![]));
        assert_eq!(managed.asked_since_ms(), Some(5), "that was on its way before");
        assert_eq!(managed.acknowledge(1), Ok(vec![1]));
        assert_eq!(managed.asked_since_ms(), None);
        assert!(managed.wants_answer());
    }

    #[test]
    fn what_was_noted_is_what_comes_back() {
        let mut managed = counting();
        managed.wrote(What::Stored(7), frame("<m/>"));
        managed.wrote(What::Stanza, frame("<p/>"));
        managed.wrote(What::Stored(9), frame("<m/>"));
        managed.wrote(What::Stanza, frame("<p/>"));
        let noted = managed.to_note();
        assert_eq!((noted.sent, &*noted.unacked), (4, &[(3, 7), (1, 9)][..]));
        let mut back = Managed::noted(&noted);
        assert_eq!(back.to_note(), noted);
        assert_eq!(back.acknowledge(1), Ok(vec![7]));
        assert_eq!(texts(&mut back), ["9"]);
        // More than was noted may have been written, but not without end.
        let mut back = Managed::noted(&noted);
        assert_eq!(back.acknowledge(4 + UNNOTED_MAX + 1), Err(TooHigh { h: 4 + UNNOTED_MAX + 1, sent: 4 }));
        assert_eq!(back.acknowledge(100), Ok(vec![7, 9]));
        assert_eq!(back.acknowledge(99), Ok(vec![]));
    }
}
