//! Who sent what, what was acked, what arrived on which connection, and the judgement over it.
//! Called by `crash`; one `Ledger` per pair of accounts, messages are numbered from 0.

use std::ops::Range;

use serde::Serialize;

/// How many broken messages are told in full.
const EXAMPLES_MAX: usize = 20;

/// The account of one sender and one recipient.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    messages: Vec<Message>,
    /// How each connection of the recipient ended, in order; an open one counts as `Clean`.
    connections: Vec<Ending>,
    /// Numbers that arrived and were never sent.
    foreign: u64,
}

#[derive(Clone, Debug, Default)]
struct Message {
    fate: Fate,
    /// The connections it arrived on.
    arrivals: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    /// Nothing was heard: the server may have it or not.
    #[default]
    Unknown,
    /// An iq sent after it to the same address was answered.
    Answered,
    /// It came back as an error, which is an honest answer.
    Refused,
}

/// How a connection of the recipient ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both sides closed the stream.
    Clean,
    /// Anything else: what was written and not proved may come again.
    Cut,
}

impl Ledger {
    /// Notes `count` messages about to be sent and returns their numbers.
    pub(crate) fn send(&mut self, count: u64) -> Range<u64> {
        let first = self.messages.len() as u64;
        self.messages.resize((first + count) as usize, Message::default());
        first..first + count
    }

    /// An iq sent after `numbers` on the same stream was answered.
    pub(crate) fn answered(&mut self, numbers: Range<u64>) {
        for message in &mut self.messages[numbers.start as usize..numbers.end as usize] {
            if message.fate == Fate::Unknown {
                message.fate = Fate::Answered;
            }
        }
    }

    /// The sender got `number` back as an error.
    pub(crate) fn refused(&mut self, number: u64) {
        if let Some(message) = self.messages.get_mut(number as usize) {
            message.fate = Fate::Refused;
        }
    }

    /// A connection of the recipient begins; returns its place in the ledger.
    pub(crate) fn connected(&mut self) -> usize {
        self.connections.push(Ending::Clean);
        self.connections.len() - 1
    }

    /// The connection at `connection` ended.
    pub(crate) fn ended(&mut self, connection: usize, ending: Ending) {
        self.connections[connection] = ending;
    }

    /// Message `number` arrived on `connection`.
    pub(crate) fn arrived(&mut self, number: u64, connection: usize) {
        match self.messages.get_mut(number as usize) {
            Some(message) => message.arrivals.push(connection),
            None => self.foreign += 1,
        }
    }

    /// Adds this pair to `verdict`.
    pub(crate) fn judge(&self, verdict: &mut Verdict) {
        for (number, message) in self.messages.iter().enumerate() {
            let broken = verdict.lost + verdict.duplicated;
            let arrived = !message.arrivals.is_empty();
            let answered = message.fate == Fate::Answered;
            verdict.sent += 1;
            verdict.acked += u64::from(answered || arrived);
            verdict.received += u64::from(arrived);
            verdict.lost += u64::from(answered && !arrived);
            verdict.refused += u64::from(message.fate == Fate::Refused);
            for pair in message.arrivals.windows(2) {
                if self.was_cut_between(pair[0], pair[1]) {
                    verdict.repeated += 1;
                } else {
                    verdict.duplicated += 1;
                }
            }
            if verdict.lost + verdict.duplicated > broken && verdict.examples.len() < EXAMPLES_MAX {
                verdict.examples.push(self.history(number));
            }
        }
        verdict.duplicated += self.foreign;
    }

    /// What happened to message `number`, for a person to read.
    fn history(&self, number: usize) -> String {
        let Message { fate, arrivals } = &self.messages[number];
        let ends = |connection: &usize| format!("{connection} ({:?})", self.connections[*connection]);
        let arrivals: Vec<String> = arrivals.iter().map(ends).collect();
        let all = self.connections.len();
        format!("message {number}: {fate:?}, arrived on connections [{}] of {all}", arrivals.join(", "))
    }

    /// Whether an arrival on `later` may repeat one on `earlier`: once per unclean cut from the one to the other.
    fn was_cut_between(&self, earlier: usize, later: usize) -> bool {
        earlier < later && self.connections[earlier..later].contains(&Ending::Cut)
    }
}

/// The result of `crash`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    pub(crate) kills: u32,
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) received: u64,
    pub(crate) duplicated: u64,
    pub(crate) lost: u64,
    /// Repetitions that a cut explains.
    #[serde(skip)]
    pub(crate) repeated: u64,
    #[serde(skip)]
    pub(crate) refused: u64,
    /// The first broken messages, each with what happened to it.
    #[serde(skip)]
    pub(crate) examples: Vec<String>,
}

impl Verdict {
    /// Whether the server broke its promise.
    pub(crate) fn is_broken(&self) -> bool {
        self.lost > 0 || self.duplicated > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Event {
        Answered,
        Refused,
        Connected,
        Arrived,
        Ended(Ending),
    }
    use Ending::{Clean, Cut};
    use Event::{Answered, Arrived, Connected, Ended, Refused};

    /// What happens to one message, and `[acked, received, duplicated, lost, repeated]`.
    const CASES: &[(&str, &[Event], [u64; 5])] = &[
        ("nothing is known of it", &[], [0, 0, 0, 0, 0]),
        ("acked and never delivered is lost", &[Answered], [1, 0, 0, 1, 0]),
        ("arrival is an ack", &[Connected, Arrived], [1, 1, 0, 0, 0]),
        ("acked and delivered", &[Answered, Connected, Arrived, Ended(Clean)], [1, 1, 0, 0, 0]),
        ("refused is not lost", &[Refused], [0, 0, 0, 0, 0]),
        ("refused stays refused when a later iq is answered", &[Refused, Answered], [0, 0, 0, 0, 0]),
        ("twice on one connection is a duplicate", &[Connected, Arrived, Arrived, Ended(Cut)], [1, 1, 1, 0, 0]),
        ("again after a cut is allowed", &[Connected, Arrived, Ended(Cut), Connected, Arrived], [1, 1, 0, 0, 1]),
        ("again after a clean close is not", &[Connected, Arrived, Ended(Clean), Connected, Arrived], [1, 1, 1, 0, 0]),
        (
            "once per cut",
            &[Connected, Arrived, Ended(Cut), Connected, Arrived, Ended(Cut), Connected, Arrived],
            [1, 1, 0, 0, 2],
        ),
        (
            "a cut allows one repetition, not two",
            &[Connected, Arrived, Ended(Cut), Connected, Arrived, Ended(Clean), Connected, Arrived],
            [1, 1, 1, 0, 1],
        ),
        (
            "a cut of a connection in between counts",
            &[Connected, Arrived, Ended(Clean), Connected, Ended(Cut), Connected, Arrived],
            [1, 1, 0, 0, 1],
        ),
        (
            "a cut before the first arrival does not",
            &[Connected, Ended(Cut), Connected, Arrived, Arrived],
            [1, 1, 1, 0, 0],
        ),
    ];

    #[test]
    fn each_history_of_a_message_is_judged() {
        for (name, events, expected) in CASES {
            let mut ledger = Ledger::default();
            let mut connection = 0;
            assert_eq!(ledger.send(1), 0..1);
            for event in *events {
                match event {
                    Answered => ledger.answered(0..1),
                    Refused => ledger.refused(0),
                    Connected => connection = ledger.connected(),
                    Arrived => ledger.arrived(0, connection),
                    Ended(ending) => ledger.ended(connection, *ending),
                }
            }
            let mut verdict = Verdict::default();
            ledger.judge(&mut verdict);
            let found = [verdict.acked, verdict.received, verdict.duplicated, verdict.lost, verdict.repeated];
            assert_eq!(found, *expected, "{name}");
            assert_eq!(verdict.is_broken(), expected[2] + expected[3] > 0, "{name}");
        }
    }

    #[test]
    fn a_message_that_nobody_sent_breaks_the_promise() {
        let mut ledger = Ledger::default();
        ledger.connected();
        ledger.arrived(7, 0);
        let mut verdict = Verdict::default();
        ledger.judge(&mut verdict);
        assert!(verdict.is_broken());
    }
}
