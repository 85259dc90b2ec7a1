//! XEP-0198 section 5: another connection takes the place of one that was lost. Every stream that may be resumed has a door, known by
//! the name that its client was given; the task of the stream waits behind it, and a connection that has logged in is handed over there.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use hashlink::LruCache;
use metronome_host::session::Session;
use metronome_proto::payload::sm;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::{Scanner, Tree};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::admission::Admitted;
use crate::socket::Socket;

/// What a stream's name is known by: the name itself is told to the client only.
pub(crate) type Token = [u8; 32];

/// The token of a name.
pub(crate) fn token(name: &str) -> Token {
    Sha256::digest(name.as_bytes()).into()
}

/// Of so many streams that are over it is known how far they came.
const OVER_MAX: usize = 10_000;

/// All doors of the server.
pub struct Doors {
    doors: Mutex<HashMap<Token, Weak<Door>>>,
    over: Mutex<LruCache<Token, Over>>,
}

/// A stream that was given up: its client need not send again what it is told was handled.
struct Over {
    jid: Box<str>,
    h: u32,
}

impl Default for Doors {
    fn default() -> Doors {
        Doors { doors: Mutex::default(), over: Mutex::new(LruCache::new(OVER_MAX)) }
    }
}

/// Where a connection is handed over to the stream that it resumes.
pub(crate) struct Door {
    pub(crate) session: Arc<Session>,
    token: Token,
    doors: Weak<Doors>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    arrival: Option<Box<Arrival>>,
    waker: Option<Waker>,
}

/// A connection that takes the place of a lost one.
pub(crate) struct Arrival {
    pub(crate) socket: Socket,
    pub(crate) scanner: Scanner,
    /// Read behind `<resume/>`.
    pub(crate) unread: Vec<u8>,
    /// What is written before the answer, such as the end of SASL2.
    pub(crate) before: Vec<u8>,
    /// What the answer stands in.
    pub(crate) answer: fn(Tree) -> Vec<u8>,
    /// The name, to be repeated in the answer.
    pub(crate) previd: Box<str>,
    /// How many stanzas the client has had.
    pub(crate) h: u32,
    /// Its place among the connections of the server.
    pub(crate) admitted: Option<Admitted>,
}

impl Doors {
    /// Opens a door for a stream; it is closed when the last one who has it drops it.
    pub(crate) fn open(self: &Arc<Self>, token: Token, session: Arc<Session>) -> Arc<Door> {
        let door = Arc::new(Door { session, token, doors: Arc::downgrade(self), state: Mutex::default() });
        self.doors.lock().insert(token, Arc::downgrade(&door));
        door
    }

    /// The stream with this name, if `jid` is its account's address; why not otherwise.
    pub(crate) fn find(&self, name: &str, jid: &str) -> Option<Arc<Door>> {
        let door = self.doors.lock().get(&token(name))?.upgrade()?;
        // A name that is not its own is as good as none.
        (door.session.jid.bare_str() == jid && !door.session.is_closing()).then_some(door)
    }

    /// The answer where there is no stream of that name, or it is somebody else's, or over: for one of this address that is over, with
    /// how many stanzas were handled.
    pub(crate) fn failed(&self, name: &str, jid: &str) -> Tree {
        let token = token(name);
        // One that is still being settled is not told: the number must not be too low.
        let mut over = self.over.lock();
        let h = over.get(&token).filter(|over| *over.jid == *jid).map(|over| over.h);
        sm::failed(Condition::ItemNotFound, h)
    }

    /// How many streams may be resumed, those with a connection included.
    pub fn count(&self) -> usize {
        self.doors.lock().len()
    }
}

impl Door {
    /// The stream is over, and everything that was read of it is settled: so many stanzas were handled.
    pub(crate) fn close(&self, handled: u32) {
        if let Some(doors) = self.doors.upgrade() {
            doors.over.lock().insert(self.token, Over { jid: self.session.jid.bare_str().into(), h: handled });
        }
    }

    /// Hands over a connection. An earlier one that is still waiting is dropped: the client has given it up.
    pub(crate) fn arrive(&self, arrival: Box<Arrival>) {
        let (earlier, waker) = {
            let mut state = self.state.lock();
            (state.arrival.replace(arrival), state.waker.take())
        };
        drop(earlier);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A connection that has arrived; without one the task is woken by the next.
    pub(crate) fn poll_arrival(&self, cx: &mut TaskContext<'_>) -> Poll<Box<Arrival>> {
        let mut state = self.state.lock();
        match state.arrival.take() {
            Some(arrival) => Poll::Ready(arrival),
            None => {
                if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    state.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(doors) = self.doors.upgrade() {
            doors.doors.lock().remove(&self.token);
        }
    }
}

/// A stream that its client may resume.
pub(crate) struct Resumption {
    pub(crate) door: Arc<Door>,
    /// For how long it waits.
    pub(crate) patience: Duration,
}
