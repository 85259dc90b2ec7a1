//! Which streams lead to which remote domain, and the task that makes more of them. With servers that are named for it, a further domain of ours
//! that wants to talk to one for which there is a stream is brought to that stream (XEP-0220 section 2.6.1); where that is refused it gets one of
//! its own. Others answer over the stream to whoever has opened the one that they were asked by, so they are not tried.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};

use futures_util::FutureExt as _;
use metronome_host::gate::ENABLED;
use metronome_host::hosts::Host;
use metronome_host::links::{Link, LinkKind};
use metronome_host::remotes::{Failure, FailureKind, Remote};
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant, sleep_until};

use super::authorise::Pair;
use super::negotiate::{Proved, named};
use super::run::{Places, Run};
use super::{Federation, outbound, policy};

/// What other tasks want of a stream.
#[derive(Debug)]
pub(super) enum Order {
    /// To carry this pair too.
    Carry(Arc<Remote>),
}

/// How other tasks reach a stream's.
#[derive(Debug, Default)]
pub(super) struct Handle(Mutex<Orders>);

#[derive(Debug, Default)]
struct Orders {
    waiting: VecDeque<Order>,
    waker: Option<Waker>,
    is_closed: bool,
}

/// Most orders that wait for one stream.
const ORDERS_MAX: usize = 64;

impl Handle {
    /// Gives an order; back if the stream is ending or has too many.
    fn order(&self, order: Order) -> Result<(), Order> {
        let waker = {
            let mut orders = self.0.lock();
            if orders.is_closed || orders.waiting.len() >= ORDERS_MAX {
                return Err(order);
            }
            orders.waiting.push_back(order);
            orders.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The next order; the stream's task is woken by it.
    pub(super) fn poll_order(&self, cx: &mut TaskContext<'_>) -> Poll<Order> {
        let mut orders = self.0.lock();
        match orders.waiting.pop_front() {
            Some(order) => Poll::Ready(order),
            None => {
                orders.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// No more orders.
    pub(super) fn close(&self) {
        let mut orders = self.0.lock();
        (orders.is_closed, orders.waker) = (true, None);
    }

    /// Orders that came before it was closed, and that nobody obeys.
    pub(super) fn left(&self) -> VecDeque<Order> {
        std::mem::take(&mut self.0.lock().waiting)
    }
}

/// Streams for one pair are opened so far apart at least: a server that takes us in and throws us out again is not run down.
const PAUSE: Duration = Duration::from_secs(1);

/// A domain of ours, and a stream that is for it.
type Known = (Jid, Weak<Handle>);

/// What is known of all streams over which we may send.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// By remote domain; each with a domain of ours that it is for.
    running: Mutex<HashMap<Box<str>, Vec<Known>>>,
    /// When the last stream of a pair was or is to be opened; those of long ago are forgotten.
    opened: Mutex<HashMap<Pair, Instant>>,
}

impl Streams {
    /// When a stream for this pair may be opened; nobody else opens one then.
    fn turn(&self, pair: Pair, now: Instant) -> Instant {
        let mut opened = self.opened.lock();
        opened.retain(|_, at| now < *at + PAUSE);
        let turn = opened.get(&pair).map_or(now, |last| *last + PAUSE);
        opened.insert(pair, turn);
        turn
    }

    /// This stream leads from this domain of ours to that one.
    pub(super) fn note(&self, pair: &Pair, handle: &Arc<Handle>) {
        let mut streams = self.running.lock();
        // Whoever adds cleans: the table is no larger than the streams there are.
        streams.retain(|_, handles| {
            handles.retain(|(_, handle)| handle.strong_count() > 0);
            !handles.is_empty()
        });
        let handles = streams.entry(pair.remote.as_str().into()).or_default();
        if !handles.iter().any(|(local, known)| *local == pair.local && known.ptr_eq(&Arc::downgrade(handle))) {
            handles.push((pair.local.clone(), Arc::downgrade(handle)));
        }
    }

    /// A stream to a domain that takes orders, and is for one of these domains of ours.
    fn find(&self, remote: &Jid, is_for: impl Fn(&Jid) -> bool) -> Option<Arc<Handle>> {
        let streams = self.running.lock();
        let handles = streams.get(remote.as_str())?.iter().filter(|(local, _)| is_for(local));
        let handles: Vec<_> = handles.filter_map(|(_, handle)| handle.upgrade()).collect();
        drop(streams);
        handles.into_iter().find(|handle| !handle.0.lock().is_closed)
    }
}

/// Makes a stream for every pair that wants one, until the server stops.
pub(super) async fn run(federation: Arc<Federation>) {
    let server = federation.server.clone();
    let mut changes = server.gate.changes();
    loop {
        // Where nobody federates there are no other servers.
        if server.hosts.load().iter().any(|host| host.values.flag(&ENABLED)) {
            server.remotes.open();
        }
        let wanted = tokio::select! {
            wanted = poll_fn(|cx| server.remotes.poll_wanted(cx)) => wanted,
            Ok(()) = changes.changed() => continue,
            () = server.control.stopped() => return,
        };
        let may_share = may_share(&server, &wanted);
        let brought = match federation.streams.find(&wanted.remote, |local| may_share || *local == wanted.local) {
            Some(handle) => handle.order(Order::Carry(wanted)),
            None => Err(Order::Carry(wanted)),
        };
        if let Err(Order::Carry(remote)) = brought {
            dial_anew(&federation, remote);
        }
    }
}

fn may_share(server: &Server, wanted: &Remote) -> bool {
    server.hosts.load().spoken_for(wanted.local.as_str()).is_some_and(|host| policy::shares(host, &wanted.remote))
}

/// Makes a stream of its own for a pair, in a task of its own.
pub(super) fn dial_anew(federation: &Arc<Federation>, remote: Arc<Remote>) {
    let federation = federation.clone();
    tokio::spawn(async move {
        let dialled = AssertUnwindSafe(dial(federation.clone(), remote.clone())).catch_unwind().await;
        if dialled.is_err() {
            // Whatever the other side has said to cause it: the pair does not wait for this task for ever.
            federation.server.counters.panics.add();
            tracing::error!(remote = remote.remote.as_str(), "making a stream to another server panicked");
            fail(&federation, &remote, Condition::RemoteServerTimeout);
        }
    });
}

async fn dial(federation: Arc<Federation>, remote: Arc<Remote>) {
    let server = &federation.server;
    let pair = Pair { local: remote.local.clone(), remote: remote.remote.clone() };
    tokio::select! {
        () = sleep_until(federation.streams.turn(pair, Instant::now())) => {}
        () = server.control.stopped() => return,
    }
    let Ok(turn) = federation.dialling.turn(remote.payer()).await else {
        return fail(&federation, &remote, Condition::ResourceConstraint);
    };
    let host = server.hosts.load().spoken_for(remote.local.as_str()).cloned();
    let connected = match host {
        None => Err(Condition::RemoteServerNotFound),
        Some(host) => match server.gate.judge(&host, remote.remote.as_str(), server.clock.unix_ms()) {
            Err(why) => {
                tracing::debug!(
                    host = remote.local.as_str(),
                    remote = remote.remote.as_str(),
                    why = why.as_str(),
                    "no stream is made"
                );
                Err(Condition::RemoteServerNotFound)
            }
            Ok(()) => tokio::select! {
                connected = outbound::connect(&federation, &host, &remote.remote) => connected.map(|proved| (proved, host)),
                () = server.control.stopped() => return,
            },
        },
    };
    drop(turn);
    match connected {
        Ok((proved, host)) => start(&federation, host, proved, (None, None)).await,
        Err(condition) => fail(&federation, &remote, condition),
    }
}

/// Runs a stream until it is over.
pub(super) async fn start(federation: &Arc<Federation>, host: Arc<Host>, proved: Proved, places: Places) {
    let number = federation.server.remotes.next_link();
    let link = Link::new(number, LinkKind::Server, named(proved.remote.as_ref()), proved.address);
    let handle = Arc::new(Handle::default());
    Run::new(federation, host, proved, (handle, link), places).await;
}

/// The other side does not take our stanzas of a pair. The stream that was made for it tells; any other one was only worth a try.
pub(super) fn not_accepted(federation: &Arc<Federation>, pair: &Pair, is_own_stream: bool, condition: Condition) {
    let Some(remote) = federation.server.remotes.of(&pair.local, &pair.remote) else { return };
    if is_own_stream { fail(federation, &remote, condition) } else { dial_anew(federation, remote) }
}

fn fail(federation: &Federation, remote: &Arc<Remote>, condition: Condition) {
    let (kind, text) = match condition {
        Condition::RemoteServerNotFound => (FailureKind::NoServer, "there is no such server"),
        Condition::ResourceConstraint => (FailureKind::Crowded, "too many servers are being connected to"),
        Condition::InternalServerError => (FailureKind::Unreachable, "the server does not believe who we are"),
        _ => (FailureKind::Unreachable, "the server cannot be reached"),
    };
    metronome_route::remotes::failed(&federation.server, remote, Failure { kind, text });
}

#[cfg(test)]
mod tests {
    use metronome_host::remotes::Remotes;

    use super::*;

    fn remote() -> Arc<Remote> {
        let (local, remote) = (Jid::parse("a.example").unwrap(), Jid::parse("b.example").unwrap());
        Remotes::default().of(&local, &remote).unwrap()
    }

    #[test]
    fn a_stream_that_ends_takes_no_orders_and_gives_back_those_it_has() {
        let handle = Arc::new(Handle::default());
        let streams = Streams::default();
        let (local, domain) = (Jid::parse("a.example").unwrap(), Jid::parse("b.example").unwrap());
        let pair = |remote: &Jid| Pair { local: local.clone(), remote: remote.clone() };
        streams.note(&pair(&domain), &handle);
        streams.note(&pair(&domain), &handle);
        assert!(streams.find(&domain, |known| *known == local).is_some());
        assert!(streams.find(&domain, |known| *known == domain).is_none(), "it is for another domain of ours");
        assert!(handle.order(Order::Carry(remote())).is_ok());
        handle.close();
        assert!(handle.order(Order::Carry(remote())).is_err());
        assert!(streams.find(&domain, |_| true).is_none());
        assert_eq!(handle.left().len(), 1);
        drop(handle);
        let other = Arc::new(Handle::default());
        streams.note(&pair(&Jid::parse("c.example").unwrap()), &other);
        assert_eq!(streams.running.lock().len(), 1, "what is gone is forgotten");
    }

    #[test]
    fn a_pair_that_is_thrown_out_again_and_again_takes_its_time() {
        let pair = |remote: &str| Pair { local: Jid::parse("a.example").unwrap(), remote: Jid::parse(remote).unwrap() };
        let (streams, now) = (Streams::default(), Instant::now());
        assert_eq!(streams.turn(pair("b.example"), now), now);
        assert_eq!(streams.turn(pair("b.example"), now), now + PAUSE);
        assert_eq!(streams.turn(pair("c.example"), now), now, "others do not notice");
        let later = now + 2 * PAUSE;
        assert_eq!(streams.turn(pair("c.example"), later), later);
        assert_eq!(streams.opened.lock().len(), 1, "what is long ago is forgotten");
    }

    #[test]
    fn so_many_orders_wait() {
        let handle = Handle::default();
        assert!((0..ORDERS_MAX).all(|_| handle.order(Order::Carry(remote())).is_ok()));
        assert!(handle.order(Order::Carry(remote())).is_err());
    }
}
