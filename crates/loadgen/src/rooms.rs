//! Scenario `rooms`: rooms that all their occupants enter at once, and then one in each speaks to all who are there (XEP-0045). Each
//! occupant has one task; everybody must see everybody come, and get every message, in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::args::Rooms;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::flow::{Flow, Listener};
use crate::frames::{attribute, contains};
use crate::process::Server;
use crate::report::{Latencies, Report, rounded};
use crate::steady::{self, Phase, Times, Traffic};
use crate::window::Window;

/// Entering a room that takes longer has failed.
const PATIENCE_SECONDS: u64 = 300;
const OWNER: &str = "http://jabber.org/protocol/muc#owner";

/// The result: what applies to every scenario, and what is told beside it.
#[derive(Debug, Serialize)]
pub(crate) struct RoomsReport {
    #[serde(flatten)]
    report: Report,
    rooms: u32,
    occupants: u32,
    joins: Joins,
    /// What the server's memory grew by while they entered, for each.
    rss_bytes_per_occupant: Option<f64>,
}

/// How all but the first occupants of the rooms came in, all at the same time.
#[derive(Debug, Serialize)]
struct Joins {
    joins: u64,
    /// Until the last of them had been told the subject, which is the last thing that one who enters is told.
    seconds: f64,
    /// Until everybody had seen everybody.
    settled_seconds: f64,
    cpu_seconds: Option<f64>,
}

/// Runs the scenario. Fails if somebody is not let in, or a message is lost, refused or out of order.
pub(crate) async fn run(args: &Rooms) -> Result<RoomsReport> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?;
    let service = args.service.clone().unwrap_or_else(|| format!("rooms.{}", args.target.domain));
    let clients = args.rooms as usize * args.occupants as usize;
    let sessions = crowd::come_online(&door, clients).await?;
    let (members, joins, grown) = fill(sessions, args, &service, server.as_ref()).await?;
    eprintln!("{} rooms of {} after {} s", args.rooms, args.occupants, joins.settled_seconds);

    let (traffic, mut tasks) = (Traffic::new(), JoinSet::new());
    let mut members = members.into_iter();
    for number in 0..args.rooms {
        let flow = Flow::new(args.occupants as usize, args.window);
        let first = members.next().context("a room without occupants")?;
        let listener = Listener::new(first, traffic.clone());
        let speaker = Speaker::new(listener, room(number, &service), args);
        tasks.spawn(speaker.run(flow.clone()));
        for session in members.by_ref().take(args.occupants as usize - 1) {
            tasks.spawn(Listener::new(session, traffic.clone()).run(flow.clone()));
        }
    }
    let times = Times { warm_up_seconds: args.warm_up, seconds: args.seconds };
    let (span, count) = steady::measure(&mut tasks, &traffic, server.as_ref(), times).await?;
    let latencies = Latencies::together(&steady::drain(tasks).await?);
    Ok(RoomsReport {
        report: Report::of_rate("rooms", args.target.name(), clients, span, count, &latencies),
        rooms: args.rooms,
        occupants: args.occupants,
        joins,
        rss_bytes_per_occupant: grown.map(|bytes| rounded(bytes / clients as f64)),
    })
}

fn room(number: u32, service: &str) -> String {
    format!("bench{number}@{service}")
}

/// Where a session belongs.
struct Place {
    room: String,
    /// In the room, from 0; the nickname.
    number: u32,
}

/// Makes the rooms, and fills them: the sessions, in their order, how they came in, and by how many bytes the server has grown.
async fn fill(
    sessions: Vec<Session>,
    args: &Rooms,
    service: &str,
    server: Option<&Server>,
) -> Result<(Vec<Session>, Joins, Option<f64>)> {
    let before = Window::open(server)?.close()?.rss_bytes;
    let place =
        |at: usize| Place { room: room(at as u32 / args.occupants, service), number: at as u32 % args.occupants };
    let placed = sessions.into_iter().enumerate().map(|(at, session)| (session, place(at)));
    let ready = crowd::each(placed, |(mut session, place)| async move {
        if place.number == 0 {
            create(&mut session, &place.room).await.context("making a room")?;
        }
        Ok((session, place))
    })
    .await?;
    let (window, begin, occupants) = (Window::open(server)?, Instant::now(), args.occupants);
    let entered = crowd::each(ready, move |(session, place)| async move {
        let all = enter(session, place, occupants, begin);
        timeout(Duration::from_secs(PATIENCE_SECONDS), all).await.context("not everybody has come")?
    })
    .await?;
    let span = window.close()?;
    let last = entered.iter().map(|(_, told)| *told).max().unwrap_or_default();
    let joins = Joins {
        joins: u64::from(args.rooms) * u64::from(args.occupants - 1),
        seconds: rounded(last.as_secs_f64()),
        settled_seconds: rounded(span.seconds),
        cpu_seconds: span.cpu_seconds.map(rounded),
    };
    let grown = before.zip(span.rss_bytes).map(|(before, after)| after.saturating_sub(before) as f64);
    Ok((entered.into_iter().map(|(session, _)| session).collect(), joins, grown))
}

fn entry(place: &Place) -> String {
    format!("<presence to='{}/n{}'><x xmlns='http://jabber.org/protocol/muc'/></presence>", place.room, place.number)
}

/// Makes the room, as it is by default.
async fn create(session: &mut Session, room: &str) -> Result<()> {
    session.write(entry(&Place { room: room.to_owned(), number: 0 }).as_bytes()).await?;
    let mut seen = Seen::default();
    while !seen.subject {
        seen.read(session).await?;
    }
    let form = "<x xmlns='jabber:x:data' type='submit'/>";
    let request = format!("<iq type='set' id='open' to='{room}'><query xmlns='{OWNER}'>{form}</query></iq>");
    let answer = session.ask("open", &request).await?;
    ensure!(attribute(&answer, "type") == Some("result"), "it stays locked: {}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// Comes in, unless it is in already, and looks on until all have come: the session, and when it had been told the subject.
async fn enter(mut session: Session, place: Place, occupants: u32, begin: Instant) -> Result<(Session, Duration)> {
    let mut seen = Seen::default();
    if place.number == 0 {
        // It has seen itself, and been told the subject.
        (seen.occupants, seen.subject) = (1, true);
    } else {
        session.write(entry(&place).as_bytes()).await?;
    }
    let mut told = Duration::ZERO;
    while seen.occupants < occupants || !seen.subject {
        let was_told = seen.subject;
        seen.read(&mut session).await?;
        if seen.subject && !was_told {
            told = begin.elapsed();
        }
    }
    Ok((session, told))
}

/// What somebody who enters has seen.
#[derive(Default)]
struct Seen {
    occupants: u32,
    subject: bool,
}

impl Seen {
    /// Reads on. Fails if it is not let in.
    async fn read(&mut self, session: &mut Session) -> Result<()> {
        session.read().await?;
        let mut fault = None;
        let stream = session.stanzas(|stanza| {
            let is_of_occupant = attribute(stanza, "from").is_some_and(|from| from.contains("/n"));
            match attribute(stanza, "type") {
                Some("error") => fault = Some(String::from_utf8_lossy(stanza).into_owned()),
                None if stanza.starts_with(b"<presence") && is_of_occupant => self.occupants += 1,
                Some("groupchat") if contains(stanza, "<subject") => self.subject = true,
                _ => {}
            }
        });
        ensure!(fault.is_none(), "{}", fault.unwrap_or_default());
        ensure!(stream == Stream::Open, "the server closed the stream");
        session.answer().await
    }
}

/// The one in a room who speaks; it hears itself like the others do.
struct Speaker {
    listener: Listener,
    room: String,
    body: String,
    sent: u64,
    clock: Option<Interval>,
}

impl Speaker {
    fn new(listener: Listener, room: String, args: &Rooms) -> Speaker {
        let clock = args.rate.map(|rate| {
            let mut clock = interval(Duration::from_secs(1) / rate);
            clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
            clock
        });
        Speaker { listener, room, body: "x".repeat(args.body), sent: 0, clock }
    }

    async fn run(mut self, flow: Arc<Flow>) -> Result<Latencies> {
        while self.listener.phase() != Phase::Draining {
            if self.clock.is_none() {
                self.say_up_to(flow.limit(), &flow).await?;
            }
            let is_due = tokio::select! {
                read = self.listener.session.read() => { read?; self.listener.receive(&flow).await?; false }
                () = flow.went_on() => false,
                () = tick(&mut self.clock) => true,
            };
            if is_due {
                self.say_up_to(self.sent + 1, &flow).await?;
            }
        }
        flow.end(self.sent);
        self.listener.run(flow).await
    }

    async fn say_up_to(&mut self, limit: u64, flow: &Flow) -> Result<()> {
        let mut out = String::new();
        while self.sent < limit {
            let (number, room, body) = (self.sent, &self.room, &self.body);
            out.push_str(&format!(
                "<message type='groupchat' id='m{number}' to='{room}'><body>|{}|{body}</body></message>",
                flow.mark(number)
            ));
            flow.sent(number);
            self.sent += 1;
        }
        if out.is_empty() { Ok(()) } else { self.listener.session.write(out.as_bytes()).await }
    }
}

/// Returns at the next tick, or never without a clock.
async fn tick(clock: &mut Option<Interval>) {
    match clock {
        Some(clock) => drop(clock.tick().await),
        None => std::future::pending().await,
    }
}
