//! Tickets: how a stream learns that its stanzas are settled (committed and delivered, or refused).
//! A stanza's `Envelope` carries its `Ticket`; whoever drops the envelope last settles it, panics included.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// A stanza that is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Its number.
    pub number: u64,
    /// What became of its record.
    pub record: Stored,
}

/// Whether the record of a stanza is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is.
    Yes,
    /// It was refused, or there was nothing to store.
    No,
}

/// The settled numbers of one stream, from workers to the stream's in-flight list.
///
/// Holds at most as many numbers as that list has entries, since a number is settled once.
#[derive(Debug, Default)]
pub struct Tickets {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    settled: Vec<Settled>,
    /// Present only while the stream waits; settling wakes nobody who did not ask.
    waker: Option<Waker>,
}

impl Tickets {
    /// A ticket for the stanza with this number.
    pub fn ticket(self: &Arc<Self>, number: u64) -> Ticket {
        Ticket { tickets: Some(self.clone()), number, record: Stored::No }
    }

    /// Moves everything settled since the last call into `into`.
    pub fn take(&self, into: &mut Vec<Settled>) {
        into.append(&mut self.state.lock().settled);
    }

    /// As [`Tickets::take`], and if nothing was settled the task is woken by the next one.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut Vec<Settled>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.settled.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        into.append(&mut state.settled);
        Poll::Ready(())
    }

    fn settle(&self, settled: Settled) {
        let waker = {
            let mut state = self.state.lock();
            state.settled.push(settled);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The promise that one stanza will be settled; dropping it is what settles.
#[derive(Debug)]
pub struct Ticket {
    /// None once the stream has settled the stanza itself.
    tickets: Option<Arc<Tickets>>,
    number: u64,
    record: Stored,
}

impl Ticket {
    /// The record of the stanza is durable.
    pub fn stored(&mut self) {
        self.record = Stored::Yes;
    }

    /// Ends the ticket without a word: the stream's own task has settled the stanza.
    pub fn redeem(mut self) {
        self.tickets = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(tickets) = &self.tickets {
            tickets.settle(Settled { number: self.number, record: self.record });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_ticket_settles_its_number_once() {
        let tickets = Arc::new(Tickets::default());
        let (first, mut second) = (tickets.ticket(1), tickets.ticket(2));
        second.stored();
        drop(second);
        drop(first);
        let mut settled = Vec::new();
        tickets.take(&mut settled);
        let settled_as = |number, record| Settled { number, record };
        assert_eq!(settled, [settled_as(2, Stored::Yes), settled_as(1, Stored::No)]);
        settled.clear();
        tickets.take(&mut settled);
        assert!(settled.is_empty());
    }

    #[test]
    fn a_ticket_settles_when_its_holder_panics() {
        let tickets = Arc::new(Tickets::default());
        let ticket = tickets.ticket(7);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = ticket;
            panic!("a delivery fails");
        }));
        let mut settled = Vec::new();
        tickets.take(&mut settled);
        assert_eq!(settled, [Settled { number: 7, record: Stored::No }]);
    }
}
