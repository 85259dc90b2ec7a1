//! Scenario `chat`: pairs of accounts, one-to-one messages to the bare address, a window of them under way.
//! One task holds both sides of a pair. The server's CPU time is taken between two moments of steady traffic.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::args::Chat;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::frames::{attribute, between};
use crate::report::{Latencies, Report};
use crate::steady::{self, Phase, Times, Traffic};

/// Runs the scenario. Fails if a message is lost, refused or out of order.
pub(crate) async fn run(args: &Chat) -> Result<Report> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?;
    let mut sessions = crowd::come_online(&door, args.pairs * 2).await?.into_iter();
    let traffic = Traffic::new();
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
    let times = Times { warm_up_seconds: args.warm_up, seconds: args.seconds };
    let (span, count) = steady::measure(&mut tasks, &traffic, server.as_ref(), times).await?;
    let latencies = Latencies::together(&steady::drain(tasks).await?);
    Ok(Report::of_rate("chat", args.target.name(), args.pairs * 2, span, count, &latencies))
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
            if self.traffic.phase() == Phase::Draining && self.is_drained() {
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
        let phase = self.traffic.phase();
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
            if phase == Phase::Measuring {
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
            self.traffic.add(reader.received - before);
            if phase != Phase::Draining {
                writer.send_up_to(reader.received + u64::from(self.window), now).await?;
            }
        }
        Ok(())
    }
}
