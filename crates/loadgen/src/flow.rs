//! One who says numbered things, and many who must hear all of them, in order: a few are under way at a time, or so many are said in a
//! second. Called by `pubsub` and `rooms`, which say what is said; a mark with the number stands between bars in it. Who comes may be told
//! something of an earlier run on the same store: the mark tells runs apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::sync::{Notify, watch};

use crate::connect::{Session, Stream};
use crate::frames::{attribute, between};
use crate::report::Latencies;
use crate::steady::{Phase, Traffic};

/// Times of so many are remembered: who is ahead of the others is so by no more than what all together may lack.
const REMEMBERED: usize = 4096;

/// How far what is said has come, for all tasks of one audience.
pub(crate) struct Flow {
    /// What no earlier run has called itself.
    run: String,
    listeners: u64,
    window: u64,
    /// What all listeners have received together.
    received: AtomicU64,
    /// Somebody has received the last copy of something.
    went_on: Notify,
    begin: Instant,
    /// When number `n` was said, in microseconds since the beginning, at `n` modulo the length.
    sent_at: Vec<AtomicU64>,
    /// How many there are, once there will be no more.
    last: watch::Sender<Option<u64>>,
}

impl Flow {
    /// For an audience of this size, with so many under way at a time.
    pub(crate) fn new(listeners: usize, window: u32) -> Arc<Flow> {
        Arc::new(Flow {
            run: format!("{:x}", fastrand::u64(..)),
            listeners: listeners as u64,
            window: u64::from(window),
            received: AtomicU64::new(0),
            went_on: Notify::new(),
            begin: Instant::now(),
            sent_at: (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect(),
            last: watch::Sender::new(None),
        })
    }

    /// Up to which number things may be said now.
    pub(crate) fn limit(&self) -> u64 {
        self.received.load(Ordering::Acquire) / self.listeners + self.window
    }

    /// Returns when the limit has risen.
    pub(crate) async fn went_on(&self) {
        self.went_on.notified().await;
    }

    /// What stands between bars in number `number`.
    pub(crate) fn mark(&self, number: u64) -> String {
        format!("{}.{number}", self.run)
    }

    /// Number `number` is said now.
    pub(crate) fn sent(&self, number: u64) {
        let now = self.begin.elapsed().as_micros() as u64;
        self.sent_at[number as usize % REMEMBERED].store(now, Ordering::Release);
    }

    /// Nothing more is said: there were `count`.
    pub(crate) fn end(&self, count: u64) {
        self.last.send_replace(Some(count));
    }

    fn add(&self, count: u64) {
        let before = self.received.fetch_add(count, Ordering::AcqRel);
        if before / self.listeners != (before + count) / self.listeners {
            self.went_on.notify_one();
        }
    }

    fn since(&self, number: u64) -> Duration {
        let sent = self.sent_at[number as usize % REMEMBERED].load(Ordering::Acquire);
        Duration::from_micros((self.begin.elapsed().as_micros() as u64).saturating_sub(sent))
    }
}

/// One of the audience.
pub(crate) struct Listener {
    pub(crate) session: Session,
    received: u64,
    latencies: Latencies,
    traffic: Arc<Traffic>,
}

impl Listener {
    /// One who has heard nothing yet.
    pub(crate) fn new(session: Session, traffic: Arc<Traffic>) -> Listener {
        Listener { session, received: 0, latencies: Latencies::new(), traffic }
    }

    /// What the traffic is for at present.
    pub(crate) fn phase(&self) -> Phase {
        self.traffic.phase()
    }

    /// Listens until everything that was said has come.
    pub(crate) async fn run(mut self, flow: Arc<Flow>) -> Result<Latencies> {
        let mut last = flow.last.subscribe();
        loop {
            let end = *last.borrow_and_update();
            if end == Some(self.received) {
                return Ok(self.latencies);
            }
            tokio::select! {
                read = self.session.read() => { read?; self.receive(&flow).await?; }
                changed = last.changed() => changed?,
            }
        }
    }

    /// Takes what has been read. Fails if something is missing, comes twice or was refused.
    pub(crate) async fn receive(&mut self, flow: &Flow) -> Result<()> {
        let (before, phase, mut fault) = (self.received, self.traffic.phase(), None);
        let stream = self.session.stanzas(|stanza| {
            if !stanza.starts_with(b"<message") {
                return;
            }
            let mark = between(stanza, "|", b'|').and_then(|mark| mark.split_once('.'));
            if mark.is_some_and(|(run, _)| run != flow.run) {
                return;
            }
            let number = mark.and_then(|(_, number)| number.parse().ok());
            if number != Some(self.received) || attribute(stanza, "type") == Some("error") {
                let text = || format!("wanted number {}, got {}", self.received, String::from_utf8_lossy(stanza));
                fault.get_or_insert_with(text);
                return;
            }
            if phase == Phase::Measuring {
                self.latencies.record(flow.since(self.received));
            }
            self.received += 1;
        });
        ensure!(fault.is_none(), "{}", fault.unwrap_or_default());
        ensure!(stream == Stream::Open, "the server closed the stream");
        if self.received > before {
            self.traffic.add(self.received - before);
            flow.add(self.received - before);
        }
        self.session.answer().await
    }
}
