//! Streams with other servers while they live, as administrators see and end them. The task of a stream enters it here and notes which
//! pairs of domains it has come to serve; whoever wants it to end says so, and the task obeys.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;

use crate::sync::Mutex;

/// The table, by the numbers of the streams.
#[derive(Debug, Default)]
pub struct Linked(Mutex<BTreeMap<u64, Arc<Stream>>>);

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// Tells it from all others of this process.
    pub id: u64,
    /// Where its other end is.
    pub address: IpAddr,
    /// Who has opened it.
    pub opened: Opened,
    /// Whether others can read it on its way.
    pub secrecy: Secrecy,
    /// Since when, Unix time in milliseconds.
    pub since_ms: u64,
    state: Mutex<State>,
}

/// Who has opened a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// We have.
    ByUs,
    /// The other server has.
    ByThem,
}

/// Whether a stream is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// It is.
    Encrypted,
    /// It is not.
    Plain,
}

/// In which direction stanzas of a pair of domains go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To us.
    In,
    /// To them.
    Out,
}

/// A pair of domains in one direction, and what has proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Our domain.
    pub local: Jid,
    /// The other server's.
    pub remote: Jid,
    /// The direction.
    pub way: Way,
    /// How whoever sends has proved itself, in a word.
    pub proof: &'static str,
}

/// How a stream is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As if it were of no use any more.
    InOrder,
    /// With this error.
    With(Condition),
}

#[derive(Debug, Default)]
struct State {
    /// Bounded by whoever proves them: a stream has so many pairs at most.
    served: Vec<Served>,
    end: Option<End>,
    waker: Option<Waker>,
}

/// A stream's place in the table, which it leaves when this is dropped.
#[derive(Debug)]
pub struct Entered {
    table: Arc<Linked>,
    stream: Arc<Stream>,
}

impl Linked {
    /// Enters a stream; of two with one number the later one counts.
    pub fn enter(self: &Arc<Self>, stream: Stream) -> Entered {
        let stream = Arc::new(stream);
        self.0.lock().insert(stream.id, stream.clone());
        Entered { table: self.clone(), stream }
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<Arc<Stream>> {
        self.0.lock().values().cloned().collect()
    }

    /// Those that serve this remote domain.
    pub fn with(&self, remote: &str) -> Vec<Arc<Stream>> {
        let mut all = self.all();
        all.retain(|stream| stream.served().iter().any(|served| served.remote.as_str() == remote));
        all
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Stream {
    /// A stream that serves no pair yet; `since_ms` is Unix time in milliseconds.
    pub fn new(id: u64, address: IpAddr, opened: Opened, secrecy: Secrecy, since_ms: u64) -> Stream {
        Stream { id, address, opened, secrecy, since_ms, state: Mutex::default() }
    }

    /// The pairs that it serves, in the order in which they came.
    pub fn served(&self) -> Vec<Served> {
        self.state.lock().served.clone()
    }

    /// It serves this pair from now on; an earlier proof of the same is replaced.
    pub fn note(&self, served: Served) {
        let mut state = self.state.lock();
        state.served.retain(|known| !known.is_of(&served.local, &served.remote, served.way));
        state.served.push(served);
    }

    /// It does not serve this pair any more.
    pub fn forget(&self, local: &Jid, remote: &Jid, way: Way) {
        self.state.lock().served.retain(|known| !known.is_of(local, remote, way));
    }

    /// Ends it; of several ends the first counts.
    pub fn close(&self, end: End) {
        let waker = {
            let mut state = self.state.lock();
            state.end.get_or_insert(end);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready once it is to end, for its task, which is woken by that.
    pub fn poll_close(&self, cx: &mut Context<'_>) -> Poll<End> {
        let mut state = self.state.lock();
        match state.end {
            Some(end) => Poll::Ready(end),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Served {
    fn is_of(&self, local: &Jid, remote: &Jid, way: Way) -> bool {
        self.way == way && self.local == *local && self.remote == *remote
    }
}

impl Deref for Entered {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut table = self.table.0.lock();
        if table.get(&self.stream.id).is_some_and(|known| Arc::ptr_eq(known, &self.stream)) {
            table.remove(&self.stream.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: u64) -> Stream {
        Stream::new(id, "192.0.2.1".parse().unwrap(), Opened::ByThem, Secrecy::Encrypted, 0)
    }

    fn served(remote: &str, way: Way) -> Served {
        Served { local: jid("ours.example"), remote: jid(remote), way, proof: "certificate" }
    }

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn a_stream_is_in_the_table_while_it_lives() {
        let table = Arc::new(Linked::default());
        let (first, second) = (table.enter(stream(1)), table.enter(stream(2)));
        first.note(served("a.example", Way::In));
        second.note(served("b.example", Way::Out));
        assert_eq!(table.with("a.example").iter().map(|stream| stream.id).collect::<Vec<_>>(), [1]);
        drop(first);
        assert_eq!((table.count(), table.with("a.example").len()), (1, 0));
        let again = table.enter(stream(2));
        drop(second);
        assert_eq!(table.count(), 1, "the later one with the same number is still there");
        drop(again);
        assert_eq!(table.count(), 0);
    }

    #[test]
    fn a_pair_is_served_once_in_each_direction() {
        let stream = stream(1);
        stream.note(served("a.example", Way::In));
        stream.note(served("a.example", Way::Out));
        stream.note(Served { proof: "dialback", ..served("a.example", Way::In) });
        let proofs: Vec<_> = stream.served().iter().map(|served| (served.way, served.proof)).collect();
        assert_eq!(proofs, [(Way::Out, "certificate"), (Way::In, "dialback")]);
        stream.forget(&jid("ours.example"), &jid("a.example"), Way::In);
        assert_eq!(stream.served().len(), 1);
    }

    #[test]
    fn the_task_of_a_stream_hears_that_it_is_to_end() {
        let stream = stream(1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(stream.poll_close(&mut cx).is_pending());
        stream.close(End::With(Condition::PolicyViolation));
        stream.close(End::InOrder);
        assert_eq!(stream.poll_close(&mut cx), Poll::Ready(End::With(Condition::PolicyViolation)));
    }
}
