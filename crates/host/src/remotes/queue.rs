//! What waits for one pair of domains, as a plain value: stanzas in memory, the part of the outbox that is in the store only, and what was
//! written and is not proved to have arrived. Order is kept throughout: rows by their numbers, everything else where it came.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use metronome_model::OutboxRow;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use smallvec::SmallVec;

use crate::outbox::Frame;

/// What a stanza in memory counts for beside its content.
const STANZA_BYTES: usize = 512;

/// So many bytes are read from the store where something is needed and there is no room: others must not keep a stream from going on.
const READ_BYTES_MIN: usize = 64 * 1024;

/// A stanza that waits to be written.
#[derive(Debug, Clone)]
pub(super) enum Waiting {
    /// One with a row in the outbox.
    Stored(u64, Arc<Stanza>),
    /// One that is gone with the process, and comes back to its sender if it cannot go.
    Volatile(Arc<Stanza>),
    /// Presence that is told to many: nobody hears if it cannot go.
    Announced(Frame),
}

impl Waiting {
    fn bytes(&self) -> usize {
        STANZA_BYTES
            + match self {
                Waiting::Stored(_, stanza) | Waiting::Volatile(stanza) => stanza.content.len_bytes(),
                Waiting::Announced(frame) => frame.len(),
            }
    }

    fn row(&self) -> Option<u64> {
        match self {
            Waiting::Stored(row, _) => Some(*row),
            Waiting::Volatile(_) | Waiting::Announced(_) => None,
        }
    }

    /// Appends it as it stands in a stream.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Waiting::Stored(_, stanza) | Waiting::Volatile(stanza) => stanza.write(out),
            Waiting::Announced(frame) => {
                out.extend_from_slice(&frame.head);
                out.extend_from_slice(&frame.body);
            }
        }
    }
}

/// A row that was written and is not proved.
#[derive(Debug)]
struct Written {
    /// So many stanzas were written with it.
    count: u64,
    row: u64,
    sender: u64,
    fate: Fate,
}

/// Whether a row has gone out when its turn was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It has.
    Sent,
    /// It is larger than the other side takes: it goes back to its sender once everything before it is done.
    TooLarge,
}

/// Rows of the outbox that are in the store only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Those behind this one.
    pub after: u64,
    /// Up to this one.
    pub end: u64,
}

/// See the module. Row numbers come in their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Written next.
    ready: VecDeque<Waiting>,
    /// Read behind those.
    backlog: Option<Backlog>,
    /// Written behind the backlog: only rows beyond its end are among them.
    behind: VecDeque<Waiting>,
    /// Of both.
    bytes: usize,
    written: VecDeque<Written>,
    /// Stanzas written to the stream of now.
    count: u64,
    /// So many of them have arrived.
    proved: u64,
    /// Rows up to this one are done: proved, or given back to their senders.
    done_to: u64,
    newest: u64,
    /// Rows that are not done.
    rows: u64,
    /// How the rows of senders have changed; whoever has changed the queue takes it.
    pub(super) counted: Counted,
}

/// By how many the rows of a sender have grown, who is told by a hash.
pub(super) type Counted = SmallVec<[(u64, i64); 2]>;

/// How a sender is told from others: two with one hash share a bound.
pub(super) fn sender_of(jid: &Jid) -> u64 {
    let mut hasher = DefaultHasher::new();
    jid.bare_str().hash(&mut hasher);
    hasher.finish()
}

impl Queue {
    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows that are not done.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Stanzas written to the stream of now.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Rows up to this one are done.
    pub(super) fn done_to(&self) -> u64 {
        self.done_to
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.behind.is_empty() && self.backlog.is_none()
    }

    /// How many stanzas can be written now.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Whether nothing that was written waits for its proof.
    pub(super) fn is_proved(&self) -> bool {
        self.written.back().is_none_or(|last| last.count <= self.proved)
    }

    /// What an earlier process left in the store: so many rows of a sender, up to this one.
    pub(super) fn left(&mut self, sender: &Jid, rows: u64, newest: u64) {
        self.note_row(sender_of(sender), rows, newest);
        self.backlog = Some(Backlog { after: self.done_to, end: self.newest });
    }

    fn note_row(&mut self, sender: u64, rows: u64, newest: u64) {
        self.newest = self.newest.max(newest);
        self.rows += rows;
        self.counted.push((sender, rows as i64));
    }

    /// Adds a stanza behind all others.
    pub(super) fn push(&mut self, waiting: Waiting) {
        if let Waiting::Stored(row, stanza) = &waiting {
            self.note_row(sender_of(&stanza.from), 1, *row);
        }
        self.bytes += waiting.bytes();
        match self.backlog {
            None => self.ready.push_back(waiting),
            Some(_) => self.behind.push_back(waiting),
        }
    }

    /// Notes a row that is read from the store when its turn comes. Rows that wait behind the backlog are read again with it.
    pub(super) fn leave_to_store(&mut self, row: u64, sender: &Jid) {
        self.note_row(sender_of(sender), 1, row);
        let in_ready = self.ready.iter().rev().find_map(Waiting::row);
        let last_read = in_ready.or(self.written.back().map(|written| written.row)).unwrap_or(self.done_to);
        let after = self.backlog.map_or(last_read.max(self.done_to), |backlog| backlog.after);
        self.backlog = Some(Backlog { after, end: self.newest });
        let bytes = &mut self.bytes;
        self.behind.retain(|waiting| {
            let stays = waiting.row().is_none();
            *bytes -= if stays { 0 } else { waiting.bytes() };
            stays
        });
    }

    /// What is to be read from the store.
    pub(super) fn backlog(&self) -> Option<Backlog> {
        self.backlog
    }

    /// Takes the first rows of what [`Queue::backlog`] was when they were read; none at all if there are no more. Nothing happens if the
    /// stream was lost meanwhile. Of many that are large as many are taken as there are bytes of room for, and a few in any case; the others
    /// are read again.
    pub(super) fn fill(&mut self, read: Backlog, page: Vec<OutboxRow>, room: usize) {
        let Some(backlog) = &mut self.backlog else { return };
        if read.after != backlog.after {
            return;
        }
        let is_empty = page.is_empty();
        if is_empty {
            backlog.after = read.end;
        }
        let bytes_max = self.bytes.saturating_add(room.max(READ_BYTES_MIN));
        // Rows beyond the end wait in memory.
        for row in page.into_iter().filter(|row| row.id <= backlog.end) {
            if self.bytes >= bytes_max {
                break;
            }
            backlog.after = row.id;
            if row.id > self.done_to {
                let waiting = Waiting::Stored(row.id, Arc::new(row.stanza));
                self.bytes += waiting.bytes();
                self.ready.push_back(waiting);
            }
        }
        if backlog.after >= backlog.end {
            self.backlog = None;
            self.ready.append(&mut self.behind);
            if is_empty {
                // What the store has lost is waited for no more.
                let in_memory = self.ready.iter().filter(|waiting| waiting.row().is_some()).count();
                self.rows = (in_memory + self.written.len()) as u64;
            }
        }
    }

    /// Takes what is written next.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        let waiting = loop {
            let waiting = self.ready.pop_front()?;
            self.bytes -= waiting.bytes();
            // What was returned while it was read from the store again is done.
            if waiting.row().is_none_or(|row| row > self.done_to) {
                break waiting;
            }
        };
        self.count += 1;
        if let Waiting::Stored(row, stanza) = &waiting {
            let (count, sender) = (self.count, sender_of(&stanza.from));
            self.written.push_back(Written { count, row: *row, sender, fate: Fate::Sent });
        }
        if self.ready.is_empty() {
            self.ready = VecDeque::new();
        }
        Some(waiting)
    }

    /// What [`Queue::next`] has given last is larger than the other side takes, and was not written after all.
    pub(super) fn refuse(&mut self, last: &Waiting) {
        self.count -= 1;
        if let (Some(row), Some(written)) = (last.row(), self.written.back_mut()) {
            debug_assert_eq!(written.row, row, "nothing is taken between");
            (written.count, written.fate) = (self.count, Fate::TooLarge);
        }
    }

    /// So many stanzas of the stream of now have arrived.
    pub(super) fn arrived(&mut self, count: u64) {
        self.proved = self.proved.max(count);
        let proved = self.proved;
        let is_done = |written: &mut Written| written.count <= proved && written.fate == Fate::Sent;
        while let Some(written) = self.written.pop_front_if(is_done) {
            self.done_to = written.row;
            self.row_done(written.sender);
        }
    }

    /// The row that goes back to its sender now, because the other side does not take it: everything before it is done.
    pub(super) fn to_return(&self) -> Option<u64> {
        let first = self.written.front()?;
        (first.fate == Fate::TooLarge && first.count <= self.proved).then_some(first.row)
    }

    /// What [`Queue::to_return`] has said went back to its sender.
    pub(super) fn returned(&mut self, row: u64, sender: &Jid) {
        match self.written.pop_front_if(|written| written.row == row) {
            Some(written) => self.row_done(written.sender),
            // The stream was lost meanwhile: it is not to be read again.
            None if row > self.done_to => self.row_done(sender_of(sender)),
            None => return,
        }
        self.done_to = row;
        self.skip_done();
        self.arrived(0);
    }

    fn row_done(&mut self, sender: u64) {
        self.rows = self.rows.saturating_sub(1);
        self.counted.push((sender, -1));
    }

    /// The stream has ended: rows that are not proved are read again, what is not stored waits for the next stream.
    pub(super) fn lost(&mut self) {
        (self.count, self.proved) = (0, 0);
        self.written = VecDeque::new();
        let volatile = self.ready.drain(..).chain(self.behind.drain(..)).filter(|waiting| waiting.row().is_none());
        let volatile: VecDeque<Waiting> = volatile.collect();
        self.bytes = volatile.iter().map(Waiting::bytes).sum();
        self.backlog = (self.rows > 0).then_some(Backlog { after: self.done_to, end: self.newest });
        match self.backlog {
            Some(_) => self.behind = volatile,
            None => self.ready = volatile,
        }
    }

    /// No stream came about: what is not stored goes back to its senders, rows stay in the store.
    pub(super) fn failed(&mut self) -> Vec<Arc<Stanza>> {
        self.lost();
        self.bytes = 0;
        let volatile = std::mem::take(&mut self.ready).into_iter().chain(std::mem::take(&mut self.behind));
        let comes_back = |waiting| match waiting {
            Waiting::Volatile(stanza) => Some(stanza),
            Waiting::Stored(..) | Waiting::Announced(_) => None,
        };
        volatile.filter_map(comes_back).collect()
    }

    /// These rows, the oldest, are given back to their senders; none of them is in memory.
    pub(super) fn given_up<'a>(&mut self, rows: impl IntoIterator<Item = &'a OutboxRow>) {
        for row in rows {
            // One that was stored a moment ago may not have been told of yet.
            if row.id > self.done_to && row.id <= self.newest {
                self.row_done(sender_of(&row.stanza.from));
            }
            self.done_to = self.done_to.max(row.id);
        }
        self.skip_done();
    }

    /// What is done is not read any more.
    fn skip_done(&mut self) {
        let Some(backlog) = &mut self.backlog else { return };
        backlog.after = backlog.after.max(self.done_to);
        if backlog.after >= backlog.end {
            self.backlog = None;
            self.ready.append(&mut self.behind);
        }
    }
}
