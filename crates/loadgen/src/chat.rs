//! Scenario `chat`: pairs of accounts, one-to-one messages to the bare address, a window of them under way or a given rate.
//! One task holds both sides of a pair. The server's CPU time is taken between two moments of steady traffic.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::args::Chat;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::frames::{attribute, between};
use crate::managed::{Managed, Sent};
use crate::report::{Latencies, Report};
use crate::steady::{self, Phase, Times, Traffic};

/// With stream management a sender asks for an acknowledgement behind so many messages.
const ASK_EVERY: u64 = 8;
/// Most messages of one sender under way where their rate is given.
const UNDER_WAY_MAX: u32 = 4096;

/// Runs the scenario. Fails if a message is lost, refused or out of order.
pub(crate) async fn run(args: &Chat) -> Result<Report> {
    let server = args.target.server()?;
    let pairs = bring_online(args).await?;
    let traffic = Traffic::new();
    let mut tasks = JoinSet::new();
    let (begin, gap) = (Instant::now(), args.rate.map(|rate| Duration::from_secs(1) / rate));
    for (place, [first, second]) in (0..).zip(pairs) {
        let partners = (second.address.clone(), first.address.clone());
        let pair = Pair {
            sides: [Side::new(first, partners.0, args), Side::new(second, partners.1, args)],
            window: if gap.is_some() { UNDER_WAY_MAX } else { args.window },
            beat: gap.map(|gap| Beat { next: begin + gap * place, gap: gap * args.pairs as u32 }),
            latencies: Latencies::new(),
            traffic: traffic.clone(),
        };
        let writers = if args.both_ways { 2 } else { 1 };
        tasks.spawn(pair.run(writers));
    }
    let times = Times { warm_up_seconds: args.warm_up, seconds: args.seconds };
    let (span, count) = steady::measure(&mut tasks, &traffic, server.as_ref(), times).await?;
    let latencies = Latencies::together(&steady::drain(tasks).await?);
    Ok(Report::of_rate("chat", args.target.name(), args.pairs * 2, span, count, &latencies))
}

/// One who is online.
struct Person {
    session: Session,
    managed: Option<Managed>,
    address: String,
}

/// All pairs: neighbours of one server, or those with the same number at two.
async fn bring_online(args: &Chat) -> Result<Vec<[Person; 2]>> {
    let here = Door::new(&args.target)?;
    let Some(target) = args.other_target() else {
        let mut people = people(&here, args.pairs * 2, args).await?.into_iter();
        return Ok(std::iter::from_fn(|| Some([people.next()?, people.next()?])).collect());
    };
    let there = people(&Door::new(&target)?, args.pairs, args).await?;
    let here = people(&here, args.pairs, args).await?;
    Ok(here.into_iter().zip(there).map(|(first, second)| [first, second]).collect())
}

/// Accounts 1 to `count`, online.
async fn people(door: &Arc<Door>, count: usize, args: &Chat) -> Result<Vec<Person>> {
    let sessions = crowd::come_online(door, count).await?;
    let sides = if args.sm {
        crowd::each(sessions, manage).await?
    } else {
        sessions.into_iter().map(|session| (session, None)).collect()
    };
    let person = |((session, managed), number)| Person { session, managed, address: door.account(number) };
    Ok(sides.into_iter().zip(1..).map(person).collect())
}

async fn manage(mut session: Session) -> Result<(Session, Option<Managed>)> {
    let mut managed = Managed::default();
    session.enable(&mut managed).await?;
    Ok((session, Some(managed)))
}

/// When the next message is due, where their rate is given.
#[derive(Clone, Copy, Debug)]
struct Beat {
    next: Instant,
    gap: Duration,
}

/// One account of a pair: what it has sent to the other and what it has received from it.
struct Side {
    session: Session,
    managed: Option<Managed>,
    head: String,
    tail: String,
    sent: u64,
    received: u64,
    /// When message `n` was sent, at `n` modulo the window.
    sent_at: Vec<Instant>,
    out: Vec<u8>,
}

impl Side {
    fn new(person: Person, to: String, args: &Chat) -> Side {
        let Person { session, managed, .. } = person;
        let slots = if args.rate.is_some() { UNDER_WAY_MAX } else { args.window };
        Side {
            session,
            managed,
            head: format!("<message type='chat' to='{to}' id='m"),
            tail: "x".repeat(args.body),
            sent: 0,
            received: 0,
            sent_at: vec![Instant::now(); slots as usize],
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
            if let Some(managed) = &mut self.managed {
                managed.send(Sent::default());
                if self.sent.is_multiple_of(ASK_EVERY) {
                    self.out.extend_from_slice(b"<r xmlns='urn:xmpp:sm:3'/>");
                }
            }
        }
        if self.out.is_empty() {
            return Ok(());
        }
        self.session.write(&self.out).await
    }

    /// Answers what the server has asked.
    async fn answer(&mut self) -> Result<()> {
        let Some(managed) = &mut self.managed else { return self.session.answer().await };
        let answers = self.session.take_answers();
        let mut text = answers.concat();
        answers.iter().for_each(|_| managed.send(Sent::default()));
        text.extend(managed.answer());
        if text.is_empty() { Ok(()) } else { self.session.write(text.as_bytes()).await }
    }

    /// Whether stream management was done, where it was wanted: what was asked for has come, and no number was wrong.
    fn check(&self) -> Result<()> {
        let Some(managed) = &self.managed else { return Ok(()) };
        ensure!(managed.violations.is_empty(), "{}", managed.violations.join("; "));
        let asked = self.sent >= 2 * ASK_EVERY;
        ensure!(!asked || managed.acknowledged() > 0, "the server acknowledges nothing");
        Ok(())
    }
}

struct Pair {
    sides: [Side; 2],
    window: u32,
    beat: Option<Beat>,
    latencies: Latencies,
    traffic: Arc<Traffic>,
}

impl Pair {
    async fn run(mut self, writers: usize) -> Result<Latencies> {
        if self.beat.is_none() {
            for writer in 0..writers {
                self.sides[writer].send_up_to(u64::from(self.window), Instant::now()).await?;
            }
        }
        loop {
            let due = self.beat.map(|beat| beat.next).filter(|_| self.traffic.phase() != Phase::Draining);
            let [first, second] = &mut self.sides;
            let reader = tokio::select! {
                read = first.session.read() => read.map(|()| Some(0)),
                read = second.session.read() => read.map(|()| Some(1)),
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => Ok(None),
            }?;
            match reader {
                Some(reader) => self.receive(reader).await?,
                None => self.send_due().await?,
            }
            if self.traffic.phase() == Phase::Draining && self.is_drained() {
                self.sides.iter().try_for_each(Side::check)?;
                return Ok(self.latencies);
            }
        }
    }

    /// Sends what is due by now. One that is late does not make the next ones late.
    async fn send_due(&mut self) -> Result<()> {
        let (Some(beat), now) = (&mut self.beat, Instant::now()) else { return Ok(()) };
        let mut limit = self.sides[0].sent;
        while beat.next <= now {
            beat.next += beat.gap;
            limit += 1;
        }
        let under_way = limit - self.sides[1].received;
        ensure!(under_way <= u64::from(self.window), "{under_way} messages of one sender are under way");
        self.sides[0].send_up_to(limit, now).await
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
            if let Some(managed) = &mut reader.managed {
                managed.heard(stanza);
            }
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
        reader.answer().await?;
        if reader.received > before {
            self.traffic.add(reader.received - before);
            if phase != Phase::Draining && self.beat.is_none() {
                writer.send_up_to(reader.received + u64::from(self.window), now).await?;
            }
        }
        Ok(())
    }
}
