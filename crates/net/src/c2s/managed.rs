//! A bound stream under management (XEP-0198): acknowledgements, the time without a connection, and the next one.
//! Parts of the stream's task; what is sent is numbered in `host`, what is read by the in-flight list.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::stream_management::element;
use metronome_model::{Handled, Outcome, Record, StreamNumber};
use metronome_proto::payload::compress;
use metronome_proto::payload::sm::{self, Said};
use metronome_proto::stanza::error::Condition as StanzaCondition;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::header;
use metronome_proto::xml::{Element, Scanner};
use metronome_route::resumables::Again;
use metronome_route::{interests, presence, resumables, returned};
use metronome_store::StoreError;
use metronome_store::journal::Line;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::compression;
use super::enabling::Enabling;
use super::negotiate::Bound;
use super::resume::{Arrival, Doors, Resumption};
use super::run::{Moved, Phase, Run};
use crate::socket::Socket;

/// For how long an answer to `<r/>` waits for what was read before it.
const ANSWER: Duration = Duration::from_millis(250);
/// After so many handled stanzas a client is told, whether it asks or not.
const UNTOLD_MAX: u32 = 64;
/// After this time it is told of any.
const UNTOLD: Duration = Duration::from_secs(5);
/// For how long a connection that is not wanted any more may take our last words.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a stream under management has besides.
#[derive(Default)]
pub(super) struct Management {
    pub(super) resumption: Option<Resumption>,
    /// Present until its `<enabled/>` is said.
    pub(super) enabling: Option<Box<Enabling>>,
    /// The client has asked; everything before this number in the list is settled first.
    asked: Option<u64>,
    /// Present only while an answer has to wait.
    answer_by: Option<Pin<Box<Sleep>>>,
    /// So many stanzas were handled when the client was told last.
    told: u32,
    /// Present while there are some that it was not told of.
    tell_by: Option<Pin<Box<Sleep>>>,
    /// So many handled stanzas are being stored.
    storing: Option<(u32, BoxFuture<'static, Outcome>)>,
    /// The connection that takes the place of the last one, once everything that was read is settled.
    arrival: Option<Box<Arrival>>,
    /// So many stanzas of the last connection count.
    rewound: Option<u32>,
    /// Whether the store was told of what must be known to it now.
    tried: Tried,
}

impl Management {
    /// Of a stream that another connection may take up.
    pub(super) fn new(resumption: Resumption) -> Management {
        Management { resumption: Some(resumption), ..Management::default() }
    }
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Tried {
    #[default]
    Not,
    Once,
}

impl Run {
    /// The task of a session of an earlier process, which waits for its client.
    fn again(server: &Arc<Server>, doors: &Arc<Doors>, again: Again) -> Option<Run> {
        let Again { session, stream } = again;
        let host = server.hosts.load().get(session.jid.domain()).cloned()?;
        let patience = Duration::from_secs(stream.max_s.into());
        let (server, doors) = (server.clone(), doors.clone());
        let (socket, scanner, unread, lang) = (Socket::Closed, Scanner::new(host.limits), Vec::new(), None);
        let door = doors.open(stream.token, session.clone());
        let mut run =
            Run::new(Bound { server, doors, socket, scanner, unread, host, session, lang, begins: None }, None);
        run.list.count(Some(stream.number), stream.handled, stream.marks);
        run.management = Some(Box::new(Management::new(Resumption { door, patience })));
        run.phase = Phase::Detached;
        run.set_deadline(patience);
        Some(run)
    }

    /// An element that is no stanza.
    pub(super) fn aside(&mut self, asked: &Element) {
        match Said::read(asked) {
            Some(Ok(Said::Enable { resumable, max_s })) => self.enable(resumable, max_s),
            Some(Ok(Said::Request)) if self.management.is_some() => {
                let before = self.list.wait_for_all();
                if let Some(management) = &mut self.management {
                    (management.asked, management.tried) = (Some(before), Tried::Not);
                }
            }
            Some(Ok(Said::Answer { h })) if self.management.is_some() => self.acknowledged(h),
            // Without management there is nothing to ask and nothing to answer.
            Some(Ok(Said::Request | Said::Answer { .. })) => self.fail(Condition::PolicyViolation),
            // This connection has a session of its own.
            Some(Ok(Said::Resume { .. })) => {
                self.session.say_aside(element(&sm::failed(StanzaCondition::UnexpectedRequest, None)));
            }
            Some(Err(malformed)) if asked.name() == "enable" => {
                tracing::debug!(jid = self.session.jid.as_str(), why = malformed.0, "stream management is not enabled");
                self.session.say_aside(element(&sm::failed(StanzaCondition::BadRequest, None)));
            }
            Some(Err(_)) => self.fail(Condition::InvalidXml),
            // It had its time before the resource: a stream with one does not begin anew.
            None if compress::asked(asked).is_some() => {
                let failed = compress::failure(compression::refusal(&self.host));
                self.session.say_aside(element(&failed));
            }
            None => self.fail(Condition::UnsupportedStanzaType),
        }
    }

    fn resumption(&self) -> Option<&Resumption> {
        self.management.as_ref()?.resumption.as_ref()
    }

    /// Section 4: the client has had `h` stanzas.
    fn acknowledged(&mut self, h: u32) {
        match self.session.acknowledged(h) {
            Ok(ids) => self.server.note_seen(self.session.account, ids),
            Err(wrong) => {
                let application = Some(sm::too_high(wrong.h, wrong.sent));
                self.fail_with(StreamError { application, ..StreamError::new(Condition::UndefinedCondition) });
            }
        }
    }

    /// Answers what was asked as far as it can be answered, and takes a connection that has arrived.
    pub(super) fn poll_management(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        if self.management.is_none() {
            return Moved::No;
        }
        if let Some(arrival) = self.poll_arrival(cx) {
            self.take_over(arrival);
            return Moved::Yes;
        }
        self.volunteer(cx);
        let stored = self.poll_storing(cx);
        let answered = self.poll_answer(cx);
        if stored == Moved::Yes || answered == Moved::Yes { Moved::Yes } else { Moved::No }
    }

    /// What is written now outlives the process in the journal: after a crash the client's number tells which of it has arrived.
    pub(super) fn note_written(&self) {
        if self.management.is_none() {
            return;
        }
        let lines = self.session.take_fresh();
        if let (false, Some(journal)) = (lines.is_empty(), self.server.journal.get()) {
            journal.append(&lines);
        }
    }

    fn poll_arrival(&mut self, cx: &mut TaskContext<'_>) -> Option<Box<Arrival>> {
        match self.resumption()?.door.poll_arrival(cx) {
            Poll::Ready(arrival) => Some(arrival),
            Poll::Pending => None,
        }
    }

    fn poll_storing(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        let Some(management) = &mut self.management else { return Moved::No };
        let Some((h, storing)) = &mut management.storing else { return Moved::No };
        let Poll::Ready(outcome) = storing.as_mut().poll(cx) else { return Moved::No };
        if outcome.is_done() {
            self.list.note_stored(*h);
        }
        management.storing = None;
        Moved::Yes
    }

    /// A client that never asks hears all the same, so that it need not keep what it has sent: as if it had asked now.
    fn volunteer(&mut self, cx: &mut TaskContext<'_>) {
        let Some(management) = self.management.as_mut().filter(|management| management.asked.is_none()) else { return };
        let untold = self.list.handled().wrapping_sub(management.told);
        if untold == 0 {
            return;
        }
        let by = management.tell_by.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + UNTOLD)));
        if untold >= UNTOLD_MAX || by.as_mut().poll(cx).is_ready() {
            (management.asked, management.tried) = (Some(self.list.wait_for_all()), Tried::Not);
        }
    }

    /// The client hears of no stanza as handled that the store does not know of as handled: the number must never fall.
    fn poll_answer(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        let list = &self.list;
        // It is counted from `<enabled/>` on, so that comes first.
        let Some(management) = self.management.as_mut().filter(|management| management.enabling.is_none()) else {
            return Moved::No;
        };
        let Some(before) = management.asked else { return Moved::No };
        let is_settled = list.is_settled(before);
        let to_store = list.to_store(list.counted(before));
        if !is_settled || to_store.is_some() {
            if let (true, Some(stream), None, Tried::Not) =
                (is_settled, to_store, &management.storing, management.tried)
            {
                let h = list.handled();
                management.tried = Tried::Once;
                management.storing = Some((h, store_handled(self.server.clone(), stream, h)));
                return Moved::Yes;
            }
            // The store is slow, or cannot do it now: in the end the client hears what it knows of.
            let by = management.answer_by.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + ANSWER)));
            if by.as_mut().poll(cx).is_pending() {
                return Moved::No;
            }
        }
        management.tried = Tried::Not;
        (management.asked, management.answer_by, management.tell_by) = (None, None, None);
        management.told = list.handled();
        self.session.say_aside(element(&sm::answer(list.acknowledged())));
        Moved::Yes
    }

    // ---- without a connection ----------------------------------------------------------------------------------

    /// The connection is lost. Whether the session waits for another one.
    pub(super) fn detach(&mut self) -> bool {
        if self.resumption().is_none() || self.phase != Phase::Open || !self.session.detach() {
            return false;
        }
        tracing::debug!(jid = self.session.jid.as_str(), "a session waits for its client");
        self.wait_for_client();
        if let Some(oldest) = self.server.sessions.one_too_many(self.session.account) {
            oldest.close(Condition::PolicyViolation, Some("too many sessions wait for their clients"));
            presence::gone(&self.server, &oldest);
        }
        true
    }

    fn wait_for_client(&mut self) {
        self.drop_connection();
        self.phase = Phase::Detached;
        let patience = self.resumption().map_or(Duration::ZERO, |resumption| resumption.patience);
        self.set_deadline(patience);
    }

    fn drop_connection(&mut self) {
        self.socket = Socket::Closed;
        self.admitted = None;
        self.page = None;
        self.unread = Vec::new();
        self.unwritten = Vec::new();
        self.unflushed = false;
        self.deadline = None;
        if let Some(management) = &mut self.management {
            // Whoever asked is not there any more.
            (management.asked, management.answer_by, management.tell_by) = (None, None, None);
        }
    }

    /// What was read goes on being settled. Pending until a connection arrives, the session is ended, or its time is over.
    pub(super) fn poll_detached(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let _ = self.list.poll_empty(&self.server, cx);
        if let Some(arrival) = self.poll_arrival(cx) {
            self.take_over(arrival);
            return Poll::Ready(());
        }
        let is_over = self.session.poll_closing(cx).is_ready() || self.poll_deadline(cx).is_ready();
        if !is_over {
            return Poll::Pending;
        }
        self.give_up();
        Poll::Ready(())
    }

    /// Another connection of the same client. What was read on the last one is settled first: the client must hear of all of it.
    fn take_over(&mut self, arrival: Box<Arrival>) {
        if self.phase == Phase::Open {
            let socket = mem::replace(&mut self.socket, Socket::Closed);
            if self.unwritten.is_empty() {
                tokio::spawn(farewell(socket, StreamError::new(Condition::Conflict)));
            }
            if !self.session.detach() {
                return self.give_up();
            }
            self.drop_connection();
        }
        self.phase = Phase::Resuming;
        self.set_deadline(super::run::CLOSE);
        if let Some(management) = &mut self.management {
            management.arrival = Some(arrival);
            (management.rewound, management.tried) = (None, Tried::Not);
        }
    }

    /// Section 5: once everything that was begun is done, and known to be, the numbers can be told.
    pub(super) fn poll_resuming(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(arrival) = self.poll_arrival(cx) {
            self.take_over(arrival);
        }
        if self.session.poll_closing(cx).is_ready() {
            self.give_up();
            return Poll::Ready(());
        }
        let _ = self.list.poll_empty(&self.server, cx);
        let _ = self.poll_storing(cx);
        let mut handled = self.poll_handled();
        // What has just been begun must be polled once, to wake this task.
        while handled.is_none() && self.poll_storing(cx) == Moved::Yes {
            handled = self.poll_handled();
        }
        let is_late = handled.is_none() && self.poll_deadline(cx).is_ready();
        let Some(management) = &mut self.management else { return Poll::Pending };
        match handled {
            Some(h) => {
                if let Some(arrival) = management.arrival.take() {
                    self.attach(*arrival, h);
                }
                Poll::Ready(())
            }
            None if is_late => {
                // The store does not answer. What the client would be told now might be done twice: it comes again.
                if let Some(arrival) = management.arrival.take() {
                    tokio::spawn(farewell(arrival.socket, StreamError::new(Condition::ResourceConstraint)));
                }
                self.wait_for_client();
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    }

    /// How many stanzas are handled, as the store knows; none while that is being found out.
    fn poll_handled(&mut self) -> Option<u32> {
        let management = self.management.as_mut()?;
        if management.storing.is_some() {
            return None;
        }
        let h = match management.rewound {
            Some(h) => h,
            None => *management.rewound.insert(self.list.rewind()?),
        };
        match (self.list.to_store(h), management.tried) {
            (None, _) => {}
            (Some(stream), Tried::Not) => {
                management.tried = Tried::Once;
                management.storing = Some((h, store_handled(self.server.clone(), stream, h)));
                return None;
            }
            // It cannot be stored now. What is not is sent again: nothing of it was stored, so nothing comes twice into an archive.
            (Some(_), Tried::Once) => {
                let stored = self.list.stored();
                self.list.rewind_to(stored);
                return Some(stored);
            }
        }
        Some(h)
    }

    fn attach(&mut self, arrival: Arrival, handled: u32) {
        let Arrival { socket, scanner, unread, before, answer, previd, h, admitted } = arrival;
        let mut resumed = before;
        resumed.extend(answer(sm::resumed(&previd, handled)));
        match self.session.attach(h, Frame::whole(resumed)) {
            Ok(ids) => {
                tracing::debug!(jid = self.session.jid.as_str(), "a session is resumed");
                self.server.note_seen(self.session.account, ids);
                self.session.heard(self.server.clock.steady_ms());
                (self.socket, self.scanner, self.unread, self.admitted) = (socket, scanner, unread, admitted);
                self.phase = Phase::Open;
                self.deadline = None;
                interests::resumed(&self.server, &self.session);
                resumables::note_now(&self.server, &self.session);
                if let Some(management) = &mut self.management {
                    management.told = handled;
                }
            }
            Err(wrong) => {
                let application = Some(sm::too_high(wrong.h, wrong.sent));
                let error = StreamError { application, ..StreamError::new(Condition::UndefinedCondition) };
                tokio::spawn(farewell(socket, error));
                self.give_up();
            }
        }
    }

    /// Its client may send again, in another session, what it has not been told of.
    pub(super) fn note_lost(&self) {
        if self.management.is_some() {
            self.server.lost.note(self.session.account, self.server.clock.unix_ms());
        }
    }

    /// Its client, should it come back after all, hears how far its stream came (section 5). One that has said goodbye knows.
    pub(super) fn note_over(&self) {
        if let Some(resumption) = self.resumption().filter(|_| !self.closed_by_client) {
            resumption.door.close(self.list.handled());
        }
    }

    /// The session is over without anybody to tell.
    fn give_up(&mut self) {
        if self.list.is_empty() {
            self.note_over();
        }
        presence::gone(&self.server, &self.session);
        returned::to_senders(&self.server, &self.session);
        self.note_lost();
        self.session.shut();
        self.drop_connection();
        self.phase = Phase::Lost;
    }

    // ---- the server ends ---------------------------------------------------------------------------------------

    /// The server ends, and the session does not: the connection is dropped once what was read is settled, and the client resumes
    /// its stream where the next process runs.
    pub(super) fn poll_hibernating(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let settled = self.list.poll_empty(&self.server, cx).is_ready();
        if settled || self.poll_deadline(cx).is_ready() {
            self.drop_connection();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Takes up the sessions of an earlier process, whose journal said what it had `written`; before anybody connects.
pub async fn take_up(server: &Arc<Server>, doors: &Arc<Doors>, written: &[Line]) -> Result<(), StoreError> {
    let again = resumables::take_up(server, written).await?;
    if !again.is_empty() {
        tracing::info!(sessions = again.len(), "sessions wait for their clients");
    }
    for run in again.into_iter().filter_map(|again| Run::again(server, doors, again)) {
        tokio::spawn(run);
    }
    Ok(())
}

fn store_handled(server: Arc<Server>, stream: StreamNumber, h: u32) -> BoxFuture<'static, Outcome> {
    let record = Record { handled: Some(Handled::UpTo(stream, h)), ..Record::default() };
    Box::pin(async move { server.commit(record).await })
}

/// Our last words on a connection whose place another one has taken, or whose client cannot count.
async fn farewell(mut socket: Socket, error: StreamError) {
    let mut words = Vec::new();
    error.write(&mut words);
    words.extend_from_slice(header::CLOSE.as_bytes());
    let said = async {
        socket.write_all(&words).await?;
        socket.shutdown().await
    };
    let _ = timeout(FAREWELL, said).await;
}
