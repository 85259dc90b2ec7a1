//! Who sent what, what was acked, what arrived on which connection, and the judgement over it.
//! Called by `crash`; one `Ledger` per pair of accounts, messages are numbered from 0.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::managed::Managed;

/// A client's end of a connection proves that it has read everything. A server that is killed so soon behind may not have stored that.
const SETTLING: Duration = Duration::from_millis(250);
/// How many broken messages are told in full.
const EXAMPLES_MAX: usize = 20;

/// The account of one sender and one recipient.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    messages: Vec<Message>,
    /// Those of the recipient, in order.
    connections: Vec<Connection>,
    /// Numbers that arrived and were never sent.
    foreign: u64,
    /// What the archives hold in the end, if they were read: the recipient's and the sender's.
    archives: [Option<Vec<u64>>; 2],
    resumed: u64,
    failed_resumes: u64,
    /// What the server must not do, and did.
    violations: Vec<String>,
}

/// Whose archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Recipient,
    Sender,
}

#[derive(Clone, Debug, Default)]
struct Message {
    fate: Fate,
    /// The connections it arrived on.
    arrivals: Vec<usize>,
    /// The recipient found it in its archive when its stream could not be resumed.
    synced: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    /// Nothing was heard: the server may have it or not.
    #[default]
    Unknown,
    /// The server has acknowledged it, or answered an iq sent after it to the same address.
    Answered,
    /// It came back as an error, which is an honest answer.
    Refused,
}

/// A connection of the recipient.
#[derive(Clone, Copy, Debug)]
struct Connection {
    /// How many kills had been when it began.
    kills: u32,
    /// An open one counts as `Clean`.
    ending: Ending,
    ended: Option<Instant>,
    /// From its end to the next kill.
    outlived: Option<Duration>,
}

impl Connection {
    /// Whether what came on it may come again.
    fn was_cut(&self) -> bool {
        self.ending == Ending::Cut || self.outlived.is_some_and(|outlived| outlived < SETTLING)
    }
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

    /// The server has acknowledged `numbers`, or answered an iq sent after them on the same stream.
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

    /// A connection of the recipient begins after `kills` kills; returns its place in the ledger.
    pub(crate) fn connected(&mut self, kills: u32) -> usize {
        self.connections.push(Connection { kills, ending: Ending::Clean, ended: None, outlived: None });
        self.connections.len() - 1
    }

    /// The connection at `connection` ended.
    pub(crate) fn ended(&mut self, connection: usize, ending: Ending) {
        self.connections[connection].ending = ending;
        self.connections[connection].ended = Some(Instant::now());
    }

    /// The server is killed now.
    pub(crate) fn killed(&mut self) {
        if let Some(last) = self.connections.last_mut() {
            last.outlived = last.outlived.or(last.ended.map(|ended| ended.elapsed()));
        }
    }

    /// Message `number` arrived on `connection`.
    pub(crate) fn arrived(&mut self, number: u64, connection: usize) {
        match self.messages.get_mut(number as usize) {
            Some(message) => message.arrivals.push(connection),
            None => self.foreign += 1,
        }
    }

    /// The recipient found message `number` in its archive.
    pub(crate) fn synced(&mut self, number: u64) {
        match self.messages.get_mut(number as usize) {
            Some(message) => message.synced = true,
            None => self.foreign += 1,
        }
    }

    /// The whole archive of one side after the last kill.
    pub(crate) fn archived(&mut self, owner: Owner, numbers: Vec<u64>) {
        self.archives[owner as usize] = Some(numbers);
    }

    /// What became of a client's streams.
    pub(crate) fn streams(&mut self, managed: Managed) {
        self.resumed += managed.resumed;
        self.failed_resumes += managed.failed;
        self.violations.extend(managed.violations);
    }

    /// Adds this pair to `verdict`.
    pub(crate) fn judge(&self, verdict: &mut Verdict) {
        self.judge_archives(verdict);
        for (number, message) in self.messages.iter().enumerate() {
            let broken = verdict.lost + verdict.duplicated;
            let arrived = !message.arrivals.is_empty() || message.synced;
            let answered = message.fate == Fate::Answered;
            verdict.sent += 1;
            verdict.acked += u64::from(answered || arrived);
            verdict.received += u64::from(arrived);
            let is_missing = (answered || arrived) && self.is_missing(number as u64);
            verdict.lost += u64::from(answered && !arrived || is_missing);
            verdict.refused += u64::from(message.fate == Fate::Refused);
            for pair in message.arrivals.windows(2) {
                if self.was_cut_between(pair[0], pair[1]) {
                    verdict.wire_duplicates += 1;
                } else {
                    verdict.duplicated += 1;
                }
            }
            if verdict.lost + verdict.duplicated > broken {
                verdict.example(self.history(number));
            }
        }
        verdict.duplicated += self.foreign;
        verdict.resumed += self.resumed;
        verdict.failed_resumes += self.failed_resumes;
        verdict.violations += self.violations.len() as u64;
        verdict.examples.extend(self.violations.iter().take(EXAMPLES_MAX).cloned());
    }

    /// Every message once, and in the order in which it was sent.
    fn judge_archives(&self, verdict: &mut Verdict) {
        for (owner, numbers) in [Owner::Recipient, Owner::Sender].iter().zip(&self.archives) {
            let Some(numbers) = numbers else { continue };
            let mut seen = HashSet::new();
            let mut latest = None;
            for number in numbers {
                if !seen.insert(number) {
                    verdict.archive_duplicates += 1;
                    verdict.example(format!("message {number} is in the archive of the {owner:?} more than once"));
                } else if *number as usize >= self.messages.len() {
                    verdict.violations += 1;
                    verdict.example(format!("the archive of the {owner:?} has a message that nobody sent"));
                } else if latest.is_some_and(|latest| latest > number) {
                    verdict.violations += 1;
                    verdict.example(format!("message {number} comes too late in the archive of the {owner:?}"));
                }
                latest = latest.max(Some(number));
            }
        }
    }

    /// Whether an archive that was read does not have message `number`.
    fn is_missing(&self, number: u64) -> bool {
        let lacks = |archive: &Vec<u64>| archive.binary_search(&number).is_err() && !archive.contains(&number);
        self.archives.iter().flatten().any(lacks)
    }

    /// What happened to message `number`, for a person to read.
    fn history(&self, number: usize) -> String {
        let Message { fate, arrivals, synced } = &self.messages[number];
        let ends = |connection: &usize| {
            let Connection { kills, ending, outlived, .. } = self.connections[*connection];
            let kill = outlived.map(|outlived| format!(", the next {} ms after its end", outlived.as_millis()));
            format!("{connection} ({ending:?}, begun after {kills} kills{})", kill.unwrap_or_default())
        };
        let arrivals: Vec<String> = arrivals.iter().map(ends).collect();
        let all = self.connections.len();
        let also = if *synced { ", synced" } else { "" };
        let missing = if self.is_missing(number as u64) { ", not in each archive" } else { "" };
        format!("message {number}: {fate:?}, arrived on connections [{}] of {all}{also}{missing}", arrivals.join(", "))
    }

    /// Whether an arrival on `later` may repeat one on `earlier`: once per unclean cut from the one to the other.
    fn was_cut_between(&self, earlier: usize, later: usize) -> bool {
        earlier < later && self.connections[earlier..later].iter().any(Connection::was_cut)
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
    /// Streams that were resumed on a new process.
    pub(crate) resumed: u64,
    /// Streams that their clients wanted to resume and could not.
    pub(crate) failed_resumes: u64,
    /// Messages that an archive has more than once.
    pub(crate) archive_duplicates: u64,
    /// Repetitions on the wire that a cut explains.
    pub(crate) wire_duplicates: u64,
    /// Whatever else must not be.
    #[serde(skip)]
    pub(crate) violations: u64,
    #[serde(skip)]
    pub(crate) refused: u64,
    /// The first broken messages, each with what happened to it.
    #[serde(skip)]
    pub(crate) examples: Vec<String>,
}

impl Verdict {
    /// Whether the server broke its promise.
    pub(crate) fn is_broken(&self) -> bool {
        self.lost + self.duplicated + self.archive_duplicates + self.violations > 0
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text);
        }
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

    /// What happens to one message, and `[acked, received, duplicated, lost, wire duplicates]`.
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
                    Connected => connection = ledger.connected(0),
                    Arrived => ledger.arrived(0, connection),
                    Ended(ending) => ledger.ended(connection, *ending),
                }
            }
            let mut verdict = Verdict::default();
            ledger.judge(&mut verdict);
            let found = [verdict.acked, verdict.received, verdict.duplicated, verdict.lost, verdict.wire_duplicates];
            assert_eq!(found, *expected, "{name}");
            assert_eq!(verdict.is_broken(), expected[2] + expected[3] > 0, "{name}");
        }
    }

    /// What it is about, the archives of the recipient and of the sender, and `[lost, archive duplicates, violations]`.
    type Case = (&'static str, [&'static [u64]; 2], [u64; 3]);

    /// With three acked messages.
    const ARCHIVES: &[Case] = &[
        ("every message once and in order", [&[0, 1, 2], &[0, 1, 2]], [0, 0, 0]),
        ("missing in one archive", [&[0, 2], &[0, 1, 2]], [1, 0, 0]),
        ("twice in one archive", [&[0, 1, 1, 2], &[0, 1, 2]], [0, 1, 0]),
        ("twice, far apart", [&[0, 1, 2], &[0, 1, 2, 0]], [0, 1, 0]),
        ("out of order", [&[0, 2, 1], &[0, 1, 2]], [0, 0, 1]),
        ("never sent", [&[0, 1, 2, 3], &[0, 1, 2]], [0, 0, 1]),
    ];

    #[test]
    fn the_archives_must_have_each_acked_message_once() {
        for (name, [recipient, sender], expected) in ARCHIVES {
            let mut ledger = Ledger::default();
            let connection = ledger.connected(0);
            ledger.send(3);
            ledger.answered(0..3);
            (0..3).for_each(|number| ledger.arrived(number, connection));
            ledger.archived(Owner::Recipient, recipient.to_vec());
            ledger.archived(Owner::Sender, sender.to_vec());
            let mut verdict = Verdict::default();
            ledger.judge(&mut verdict);
            assert_eq!([verdict.lost, verdict.archive_duplicates, verdict.violations], *expected, "{name}");
            assert_eq!(verdict.is_broken(), expected.iter().sum::<u64>() > 0, "{name}");
        }
    }

    #[test]
    fn a_kill_right_behind_an_orderly_end_counts_as_a_cut() {
        for (settles, allowed) in [(Duration::ZERO, [0, 1]), (SETTLING, [1, 0])] {
            let mut ledger = Ledger::default();
            ledger.send(1);
            let first = ledger.connected(0);
            ledger.arrived(0, first);
            ledger.ended(first, Clean);
            ledger.connections[first].ended = Instant::now().checked_sub(settles);
            ledger.killed();
            let second = ledger.connected(1);
            ledger.arrived(0, second);
            let mut verdict = Verdict::default();
            ledger.judge(&mut verdict);
            assert_eq!([verdict.duplicated, verdict.wire_duplicates], allowed, "{settles:?}");
        }
    }

    #[test]
    fn a_message_found_in_the_archive_is_received() {
        let mut ledger = Ledger::default();
        ledger.send(1);
        ledger.answered(0..1);
        ledger.synced(0);
        let mut verdict = Verdict::default();
        ledger.judge(&mut verdict);
        assert_eq!((verdict.received, verdict.lost, verdict.duplicated), (1, 0, 0));
    }

    #[test]
    fn a_message_that_nobody_sent_breaks_the_promise() {
        let mut ledger = Ledger::default();
        ledger.connected(0);
        ledger.arrived(7, 0);
        let mut verdict = Verdict::default();
        ledger.judge(&mut verdict);
        assert!(verdict.is_broken());
    }
}
