//! What goes out on a stream with another server: the pairs of domains it carries, and the proof of what has arrived. The other side counts
//! stanzas (XEP-0198, without resumption) or, where it cannot, is pinged behind what was written (XEP-0199).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use futures_util::future::BoxFuture;
use metronome_host::remotes::{Backlog, Carrier, Remote};
use metronome_host::server::Server;
use metronome_model::OutboxRow;
use metronome_proto::ns;
use metronome_proto::payload::{ping, sm};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::Content;
use metronome_store::StoreError;
use tokio::sync::oneshot;

use super::authorise::Pair;

/// For how long the answer to a ping is waited for, in milliseconds.
const PING_MS: u64 = 60_000;
/// For how long the answer to the request to count is waited for.
const ENABLE_MS: u64 = 60_000;
/// For how long who has opened the stream may take to say that it counts.
const AWAITED_MS: u64 = 1_000;
/// For how long who has not answered a ping is not pinged again.
const DEAF_MS: u64 = 10 * 60_000;

/// See the module.
#[derive(Default)]
pub(super) struct Cargo {
    carried: Vec<Carried>,
    /// The place in `carried` whose turn it is.
    turn: usize,
    next_key: u64,
    counting: Counting,
    /// Stanzas that the other side has been sent since it counts, modulo 2^32.
    sent: u32,
    /// And so many of them it has.
    acked: u32,
    stretches: VecDeque<Stretch>,
    /// Since when its count is waited for, steady milliseconds.
    pub(super) asked_ms: Option<u64>,
    page: Option<Page>,
    ping: Option<Ping>,
    /// A ping was not answered, and until then, in steady milliseconds, there is no other: what is sent is proved by the orderly end of
    /// the stream, or not at all.
    deaf_until_ms: u64,
    /// The largest stanza that the other side takes, if it has said so (XEP-0478).
    stanza_bytes_max: Option<usize>,
    /// The stream is about to end: what waits is for another one.
    is_closed: bool,
}

/// A pair that the stream carries.
struct Carried {
    key: u64,
    carrier: Carrier,
}

/// Stanzas of one pair that were written one behind the other.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    key: u64,
    /// The last of them, as the other side counts.
    sent: u32,
    /// The last of them, as the pair counts.
    written: u64,
}

/// Rows that are being read for a pair.
struct Page {
    key: u64,
    read: Backlog,
    rows: BoxFuture<'static, Result<Vec<OutboxRow>, StoreError>>,
}

/// A ping that was written behind so many stanzas of a pair.
struct Ping {
    key: u64,
    written: u64,
    answer: oneshot::Receiver<Stanza>,
}

/// Whether the other side counts what it gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Counting {
    /// It does not.
    #[default]
    No,
    /// It has opened the stream, so it is the one to say that it counts, and nothing is sent before it has said so or something else, or
    /// before this steady time in milliseconds, which is known once there is something to be carried: what is sent uncounted can be
    /// proved by pings only, and those are not answered any more by who stops.
    Awaited(Option<u64>),
    /// It has been asked to, at this steady time in milliseconds. What is sent counts from then on, if it says yes.
    Asked(u64),
    /// It does.
    Yes,
    /// It has not answered for so long that nobody waits for it any more.
    Silent,
}

impl Counting {
    /// Whether what is sent is counted, because the other side counts or may turn out to.
    fn counts(self) -> bool {
        matches!(self, Counting::Asked(_) | Counting::Yes)
    }
}

/// The other side says that it has more than it was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooHigh {
    pub(super) h: u32,
    pub(super) sent: u32,
}

/// What was appended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Loaded {
    Something,
    Nothing,
}

impl Cargo {
    /// For a stream that the other side has opened.
    pub(super) fn of_accepted() -> Cargo {
        Cargo { counting: Counting::Awaited(None), ..Cargo::default() }
    }

    /// Carries one more pair from this steady time on, in milliseconds.
    pub(super) fn carry(&mut self, mut carrier: Carrier, now_ms: u64) {
        if self.counting == Counting::Awaited(None) {
            self.counting = Counting::Awaited(Some(now_ms + AWAITED_MS));
        }
        self.next_key += 1;
        if let Some(bytes) = self.stanza_bytes_max {
            carrier.set_stanza_bytes_max(bytes);
        }
        self.carried.push(Carried { key: self.next_key, carrier });
    }

    /// The other side takes no larger stanzas than this, in bytes; said before anything is carried.
    pub(super) fn set_stanza_bytes_max(&mut self, bytes: Option<usize>) {
        self.stanza_bytes_max = bytes;
    }

    /// From now on nothing more is taken out of the queues: what waits is for another stream. What was sent may still be proved.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether something was sent whose proof is worth waiting for.
    pub(super) fn awaits_proof(&self, now_ms: u64) -> bool {
        match self.counting {
            Counting::Yes if self.sent != self.acked => true,
            _ if self.is_deaf(now_ms) => false,
            _ => self.carried.iter().any(|carried| carried.carrier.wants_proof()),
        }
    }

    fn is_deaf(&self, now_ms: u64) -> bool {
        now_ms < self.deaf_until_ms
    }

    /// Whether it carries nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.carried.is_empty()
    }

    /// The pairs that are carried.
    pub(super) fn pairs(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.carried.iter().map(|carried| carried.carrier.remote())
    }

    /// Whether this pair is carried.
    pub(super) fn carries(&self, pair: &Pair) -> bool {
        self.pairs().any(|remote| remote.local == pair.local && remote.remote == pair.remote)
    }

    /// Whether something was sent that may not have arrived, or is about to be sent.
    pub(super) fn is_busy(&self) -> bool {
        self.page.is_some() || self.ping.is_some() || self.asked_ms.is_some()
    }

    /// The request to count, if it was not made yet.
    pub(super) fn ask_to_count(&mut self, out: &mut Vec<u8>, now_ms: u64) {
        if self.counting == Counting::No {
            self.counting = Counting::Asked(now_ms);
            (self.sent, self.acked) = (0, 0);
            sm::enable().write(out, ns::SERVER);
        }
    }

    /// The other side has sent something: if it wanted to count, it would have said so before.
    pub(super) fn is_spoken_to(&mut self) {
        if matches!(self.counting, Counting::Awaited(_)) {
            self.counting = Counting::No;
        }
    }

    /// The other side counts from here on, because it wanted to.
    pub(super) fn count(&mut self) {
        (self.counting, self.sent, self.acked) = (Counting::Yes, 0, 0);
    }

    /// Its answer to the request; false if there was none.
    pub(super) fn counts(&mut self, counts: sm::Answered) -> bool {
        match (self.counting, counts) {
            (Counting::Asked(_), sm::Answered::Enabled) => self.counting = Counting::Yes,
            (Counting::Asked(_), sm::Answered::Failed) => {
                self.stretches.clear();
                self.counting = Counting::No;
            }
            // Too late to be of use, and no offence. It is not asked again.
            (Counting::Silent, _) => {}
            (Counting::No | Counting::Awaited(_) | Counting::Yes, _) => return false,
        }
        true
    }

    /// By the clock, steady time in milliseconds: who has announced that it counts and does not say so is believed to have refused, and who
    /// has not announced it is not waited for any longer. Whether there may be something to be written now.
    pub(super) fn look_at_the_clock(&mut self, now_ms: u64) -> bool {
        match self.counting {
            Counting::Asked(since_ms) if now_ms.saturating_sub(since_ms) > ENABLE_MS => {
                self.stretches.clear();
                self.counting = Counting::Silent;
                false
            }
            Counting::Awaited(Some(until_ms)) if now_ms > until_ms => {
                self.counting = Counting::No;
                true
            }
            _ => false,
        }
    }

    /// The other side has so many stanzas.
    pub(super) fn acknowledged(&mut self, h: u32) -> Result<(), TooHigh> {
        if self.counting == Counting::Silent {
            return Ok(());
        }
        let (is_old, is_high) = (is_behind(h, self.acked), is_behind(self.sent, h));
        if is_old || is_high {
            return Err(TooHigh { h, sent: self.sent });
        }
        (self.acked, self.asked_ms) = (h, None);
        while let Some(&Stretch { key, sent, written }) = self.stretches.front() {
            let missing = if is_behind(h, sent) { sent.wrapping_sub(h) } else { 0 };
            if let Some(carried) = self.carried.iter().find(|carried| carried.key == key) {
                carried.carrier.arrived(written.saturating_sub(u64::from(missing)));
            }
            if missing > 0 {
                break;
            }
            self.stretches.pop_front();
        }
        Ok(())
    }

    /// Appends what waits, of one pair after the other, and behind it the request for proof. When nothing waits the task is woken by what
    /// comes.
    pub(super) fn poll_load(
        &mut self,
        server: &Arc<Server>,
        cx: &mut TaskContext<'_>,
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Loaded {
        if matches!(self.counting, Counting::Awaited(_)) {
            return Loaded::Nothing;
        }
        let before = out.len();
        self.poll_page(server, cx);
        let mut tried = 0;
        while !self.is_closed && tried < self.carried.len() && out.len() < bytes_max {
            self.turn %= self.carried.len();
            let Carried { key, carrier } = &self.carried[self.turn];
            let key = *key;
            let drained = carrier.poll_drain(cx, out, bytes_max);
            for stanza in carrier.take_too_large() {
                metronome_route::remotes::too_large(server, &stanza);
            }
            match drained {
                Poll::Ready(count) => {
                    let written = carrier.written();
                    self.note_sent(key, count, written);
                    tried = 0;
                }
                Poll::Pending => tried += 1,
            }
            self.turn += 1;
        }
        let now_ms = server.clock.steady_ms();
        self.poll_ping(cx, now_ms);
        self.ask_for_proof(server, out, now_ms);
        if out.len() > before { Loaded::Something } else { Loaded::Nothing }
    }

    fn note_sent(&mut self, key: u64, count: u64, written: u64) {
        if !self.counting.counts() {
            return;
        }
        self.sent = self.sent.wrapping_add(count as u32);
        match self.stretches.back_mut() {
            Some(last) if last.key == key => (last.sent, last.written) = (self.sent, written),
            _ => self.stretches.push_back(Stretch { key, sent: self.sent, written }),
        }
    }

    /// One question at a time: its answer covers what was written before it, and the next is asked behind what came meanwhile.
    fn ask_for_proof(&mut self, server: &Arc<Server>, out: &mut Vec<u8>, now_ms: u64) {
        match self.counting {
            Counting::Yes if self.asked_ms.is_none() && self.sent != self.acked => {
                sm::request().write(out, ns::SERVER);
                self.asked_ms = Some(now_ms);
            }
            // Who has begun to count late has not counted everything.
            Counting::Yes if self.sent != self.acked => {}
            Counting::No | Counting::Silent | Counting::Yes if self.ping.is_none() && !self.is_deaf(now_ms) => {
                self.ping(server, out);
            }
            _ => {}
        }
    }

    fn ping(&mut self, server: &Arc<Server>, out: &mut Vec<u8>) {
        let Some(Carried { key, carrier }) = self.carried.iter().find(|carried| carried.carrier.wants_proof()) else {
            return;
        };
        let (from, to) = (carrier.remote().local.clone(), carrier.remote().remote.clone());
        let id = server.rng.token();
        let Some(answer) = server.asked.ask(&id, &from, &to, server.clock.steady_ms() + PING_MS) else { return };
        let content = Content::from_tree(&ping::request());
        Stanza::new(Kind::Iq(IqType::Get), from).with_to(to).with_id(&id).with_content(content).write(out);
        self.ping = Some(Ping { key: *key, written: carrier.written(), answer });
    }

    fn poll_ping(&mut self, cx: &mut TaskContext<'_>, now_ms: u64) {
        let Some(ping) = &mut self.ping else { return };
        let Poll::Ready(answer) = std::pin::Pin::new(&mut ping.answer).poll(cx) else { return };
        // An error is an answer as well: whoever refuses a ping has read what came before it.
        self.deaf_until_ms = if answer.is_err() { now_ms + DEAF_MS } else { 0 };
        if let (Ok(_), Some(carried)) = (answer, self.carried.iter().find(|carried| carried.key == ping.key)) {
            carried.carrier.arrived(ping.written);
        }
        self.ping = None;
    }

    /// Reads rows where a pair wants some.
    fn poll_page(&mut self, server: &Arc<Server>, cx: &mut TaskContext<'_>) {
        loop {
            if self.is_closed {
                self.page = None;
                return;
            }
            if self.page.is_none() {
                let wanted =
                    self.carried.iter().find_map(|Carried { key, carrier }| Some((*key, carrier, carrier.reads()?)));
                let Some((key, carrier, read)) = wanted else { return };
                let rows = Box::pin(metronome_route::remotes::page(server.clone(), carrier.remote().clone(), read));
                self.page = Some(Page { key, read, rows });
            }
            let Some(page) = &mut self.page else { return };
            let Poll::Ready(rows) = page.rows.as_mut().poll(cx) else { return };
            let (key, read) = (page.key, page.read);
            self.page = None;
            match rows {
                Ok(rows) => {
                    if let Some(carried) = self.carried.iter().find(|carried| carried.key == key) {
                        carried.carrier.fill(read, rows);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "what waits for another server cannot be read");
                    // It waits for another stream.
                    self.carried.retain(|carried| carried.key != key);
                }
            }
        }
    }

    /// The other side has closed its stream in order after ours: everything has arrived.
    pub(super) fn closed_in_order(&mut self) {
        for carried in self.carried.drain(..) {
            carried.carrier.closed_in_order();
        }
    }

    /// Nothing more is written; what waits waits for another stream.
    pub(super) fn unload(&mut self) {
        self.carried.clear();
        (self.page, self.ping, self.asked_ms) = (None, None, None);
    }
}

/// Whether one number comes before another, modulo 2^32.
fn is_behind(h: u32, other: u32) -> bool {
    (h.wrapping_sub(other) as i32) < 0
}

#[cfg(test)]
mod tests;
