//! BOSH (XEP-0124, XEP-0206), as a connection like any other: what comes in requests is read as the bytes of a stream (RFC 6120), and what is
//! written leaves in answers. `state` has the rules, without I/O; `carrier` is the connection; the requests come from `http`.

mod carrier;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use metronome_proto::payload::bosh::{Condition, Request, terminate};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use crate::websocket::Privacy;
pub(crate) use carrier::Carrier;
pub(crate) use state::Terms;
use state::{Over, State};

/// For how long a session that is over can still be asked for its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(60);
/// Most bytes of sessions that are over, which have no place of their address any more. One that is too much is forgotten at once, and
/// whoever asks for it finds nothing.
const OVER_BYTES_MAX: usize = 16 << 20;
/// What such a session has besides what its stream has said.
const OVER_BYTES: usize = 2 * 1024;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_name: HashMap<Box<str>, Arc<Session>>,
    /// Bytes of those that are over.
    over_bytes: usize,
}

/// One of them.
pub(crate) struct Session {
    name: Box<str>,
    privacy: Privacy,
    terms: Terms,
    state: Mutex<State>,
}

/// What is said to a request.
pub(crate) struct Answer {
    /// The element.
    pub(crate) body: Bytes,
    /// What it must be said to be.
    pub(crate) content: &'static str,
}

impl Sessions {
    /// Begins a session, whose name must not be guessed: the connection of its stream, and the session itself.
    pub(crate) fn begin(
        self: &Arc<Self>,
        name: String,
        privacy: Privacy,
        terms: Terms,
        rid: u64,
    ) -> (Carrier, Arc<Session>) {
        let state = Mutex::new(State::new(&terms, &name, rid));
        let session = Arc::new(Session { name: name.into(), privacy, terms, state });
        self.0.lock().by_name.insert(session.name.clone(), session.clone());
        (Carrier::new(self.clone(), session.clone()), session)
    }

    /// The session of this name, for requests that others can read as well or as little as those before.
    pub(crate) fn find(&self, name: &str, privacy: Privacy) -> Option<Arc<Session>> {
        let found = self.0.lock().by_name.get(name).cloned();
        found.filter(|session| session.privacy == Privacy::Readable || privacy == Privacy::Private)
    }

    /// The stream is over; whoever asks for it still hears how, for a while.
    fn over(self: &Arc<Self>, session: &Session) {
        let bytes = OVER_BYTES + session.state.lock().keep_last_answer();
        let mut table = self.0.lock();
        if table.over_bytes + bytes > OVER_BYTES_MAX {
            table.by_name.remove(&session.name);
            return;
        }
        table.over_bytes += bytes;
        let (sessions, name) = (self.clone(), session.name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(LAST_ANSWER).await;
            let mut table = sessions.0.lock();
            table.by_name.remove(&name);
            table.over_bytes -= bytes;
        });
    }
}

impl Session {
    /// Whether a request may be larger than what strangers say. Where it may not be the session is over.
    pub(crate) fn takes_much(&self) -> bool {
        let mut state = self.state.lock();
        let may = !state.is_strangers();
        if !may {
            state.end(Over::Broken(Condition::PolicyViolation));
        }
        may
    }

    /// Takes a request of so many bytes, and answers it when it is its turn, or its time.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request, bytes: usize) -> Answer {
        let (rid, waits) = (request.rid, self.terms.wait);
        let (reply, mut answered) = oneshot::channel();
        self.state.lock().request(request, bytes, reply, Instant::now());
        let waiting = Waiting(self);
        let answer = match tokio::time::timeout(waits, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => {
                self.state.lock().expire(rid, Instant::now());
                answered.await
            }
        };
        drop(waiting);
        let body = answer.unwrap_or_else(|_| terminate(Some(Condition::ItemNotFound), b"").into());
        Answer { body, content: self.terms.content }
    }
}

/// Somebody waits for an answer. Dropped, they do so no more: perhaps because the connection is lost.
struct Waiting<'a>(&'a Session);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().left(Instant::now());
    }
}
