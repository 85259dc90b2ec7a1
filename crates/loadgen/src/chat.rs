//! Scenario `chat`: pairs of accounts, one-to-one messages to the bare address, a window of them under way.
//! One task holds both sides of a pair. The server's CPU time is taken between two moments of steady traffic.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::args::Chat;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::frames::{attribute, between};
use crate::report::{Latencies, Report, rounded};

/// How long the last messages may take to arrive.
const DRAIN_SECONDS_MAX: u64 = 60;

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const DRAINING: u8 = 2;

/// What all pairs share.
#[derive(Debug)]
struct Traffic {
    phase: AtomicU8,
    received: AtomicU64,
}

/// Runs the scenario. Fails if a message is lost, refused or out of order.
pub(crate) async fn run(args: &Chat) -> Result<Report> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?;
    let mut sessions = crowd::come_online(&door, args.pairs * 2).await?.into_iter();
    let traffic = Arc::new(Traffic { phase: AtomicU8::new(WARMING), received: AtomicU64::new(0) });
    let mut tasks = JoinSet::new();
    let mut number = 1;
    while let (Some(first), Some(second)) = (sessions.next(), sessions.next()) {
        let pair = Pair {
            sides: [Side::new(first, door.account(number + 1), args), Side::new(second, door.account(number), args)],
            window: args.window,
            latencies: Latencies::new(),
            traffic: traffic.clone(),
        };
        let writers = if args.both_ways { 2 } else { 1 };
        tasks.spawn(pair.run(writers));
        number += 2;
    }
    pause(&mut tasks, args.warm_up).await.context("warm-up")?;
    let before = server.as_ref().map(|server| server.usage()).transpose()?;
    let (begin, first) = (Instant::now(), traffic.received.load(Ordering::Relaxed));
    traffic.phase.store(MEASURING, Ordering::Relaxed);
    pause(&mut tasks, args.seconds).await?;
    let after = server.as_ref().map(|server| server.usage()).transpose()?;
    let (seconds, last) = (begin.elapsed().as_secs_f64(), traffic.received.load(Ordering::Relaxed));
    traffic.phase.store(DRAINING, Ordering::Relaxed);
    let latencies = drain(tasks).await?;

    let count = last - first;
    let cpu = before.zip(after).map(|(before, after)| after.cpu_seconds - before.cpu_seconds);
    Ok(Report {
        scenario: "chat",
        server: args.target.name(),
        clients: args.pairs * 2,
        seconds: rounded(seconds),
        messages: Some(count),
        cpu_seconds: cpu.map(rounded),
        per_cpu_second: cpu.map(|cpu| rounded(count as f64 / cpu)),
        rss_bytes: after.map(|after| after.rss_bytes),
        rss_bytes_per_session: None,
        latency_ms: latencies.summary(),
    })
}

/// Lets the pairs talk; one that ends now has failed.
async fn pause(tasks: &mut JoinSet<Result<Latencies>>, seconds: u64) -> Result<()> {
    match tokio::time::timeout(Duration::from_secs(seconds), tasks.join_next()).await {
        Err(_) => Ok(()),
        Ok(ended) => Err(ended.context("no pairs")??.err().context("a pair stopped early")?),
    }
}

async fn drain(mut tasks: JoinSet<Result<Latencies>>) -> Result<Latencies> {
    let mut latencies = Latencies::new();
    let all = async {
        while let Some(done) = tasks.join_next().await {
            latencies.add(&done??);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), all).await.context("messages were lost")??;
    Ok(latencies)
}

/// One account of a pair: what it has sent to the other and what it has received from it.
struct Side {
    session: Session,
    head: String,
    tail: String,
    sent: u64,
    received: u64,
    /// When message `n` was sent, at `n` modulo the window.
    sent_at: Vec<Instant>,
    out: Vec<u8>,
}

impl Side {
    fn new(session: Session, to: String, args: &Chat) -> Side {
        Side {
            session,
            head: format!("<message type='chat' to='{to}' id='m"),
            tail: "x".repeat(args.body),
            sent: 0,
            received: 0,
            sent_at: vec![Instant::now(); args.window as usize],
            out: Vec::new(),
        }
    }

    /// Sends messages until `limit` have been sent in all.
    async fn send_up_to(&mut self, limit: u64, now: Instant) -> Result<()> {
        self.out.clear();
        while self.sent < limit {
            let number = self.sent.to_string();
            // The body is the number, a space, and filling up to the wanted length.
            let filling = &self.tail[..self.tail.len().saturating_sub(number.len() + 1)];
            write!(self.out, "{}{number}'><body>{number} {filling}</body></message>", self.head)?;
            let slot = self.sent as usize % self.sent_at.len();
            self.sent_at[slot] = now;
            self.sent += 1;
        }
        if self.out.is_empty() {
            return Ok(());
        }
        self.session.write(&self.out).await
    }
}

struct Pair {
    sides: [Side; 2],
    window: u32,
    latencies: Latencies,
    traffic: Arc<Traffic>,
}

impl Pair {
    async fn run(mut self, writers: usize) -> Result<Latencies> {
        for writer in 0..writers {
            self.sides[writer].send_up_to(u64::from(self.window), Instant::now()).await?;
        }
        loop {
            let [first, second] = &mut self.sides;
            let reader = tokio::select! {
                read = first.session.read() => read.map(|()| 0),
                read = second.session.read() => read.map(|()| 1),
            }?;
            self.receive(reader).await?;
            if self.traffic.phase.load(Ordering::Relaxed) == DRAINING && self.is_drained() {
                return Ok(self.latencies);
            }
        }
    }

    fn is_drained(&self) -> bool {
        self.sides[0].sent == self.sides[1].received && self.sides[1].sent == self.sides[0].received
    }

    /// Counts what `reader` got and lets the other side fill its window again.
    async fn receive(&mut self, reader: usize) -> Result<()> {
        let [first, second] = &mut self.sides;
        let (reader, writer) = if reader == 0 { (first, second) } else { (second, first) };
        let phase = self.traffic.phase.load(Ordering::Relaxed);
        let (now, before) = (Instant::now(), reader.received);
        let mut fault = None;
        let stream = reader.session.stanzas(|stanza| {
            if !stanza.starts_with(b"<message") {
                return;
            }
            let number = between(stanza, "<body>", b' ').and_then(|number| number.parse().ok());
            if number != Some(reader.received) || attribute(stanza, "type") == Some("error") {
                fault.get_or_insert_with(|| {
                    format!("wanted message {}, got {}", reader.received, String::from_utf8_lossy(stanza))
                });
                return;
            }
            if phase == MEASURING {
                self.latencies.record(now - writer.sent_at[reader.received as usize % writer.sent_at.len()]);
            }
            reader.received += 1;
        });
        if let Some(fault) = fault {
            anyhow::bail!(fault);
        }
        ensure!(stream == Stream::Open, "the server closed the stream");
        reader.session.answer().await?;
        if reader.received > before {
            self.traffic.received.fetch_add(reader.received - before, Ordering::Relaxed);
            if phase != DRAINING {
                writer.send_up_to(reader.received + u64::from(self.window), now).await?;
            }
        }
        Ok(())
    }
}
