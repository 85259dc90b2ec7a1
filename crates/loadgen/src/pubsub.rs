//! Scenario `pubsub`: one account publishes to a node, and many that are online have subscribed to it (XEP-0060). A few items are under way at
//! a time. One task publishes, and each subscriber has one; everybody must get every item, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::args::Pubsub;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::frames::{attribute, between, contains};
use crate::report::{Latencies, Report};
use crate::steady::{self, Phase, Times, Traffic};

/// The node that is made and published to.
const NODE: &str = "bench";
const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

/// Runs the scenario. Fails if an item is lost, refused or out of order.
pub(crate) async fn run(args: &Pubsub) -> Result<Report> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?;
    let service = args.service.clone().unwrap_or_else(|| format!("pubsub.{}", args.target.domain));
    let mut sessions = crowd::come_online(&door, args.subscribers + 1).await?.into_iter();
    let mut publisher = sessions.next().context("nobody publishes")?;
    create(&mut publisher, &service).await?;
    let subscribers =
        crowd::each(sessions.zip(2..), |(session, number)| subscribe(session, service.clone(), door.account(number)))
            .await?;
    eprintln!("{} subscribers", subscribers.len());

    let (traffic, flow) = (Traffic::new(), Flow::new(args));
    let mut tasks = JoinSet::new();
    for session in subscribers {
        let subscriber = Subscriber { session, received: 0, latencies: Latencies::new(), traffic: traffic.clone() };
        tasks.spawn(subscriber.run(flow.clone()));
    }
    let publisher =
        Publisher { session: publisher, service, payload: "x".repeat(args.payload), sent: 0, traffic: traffic.clone() };
    tasks.spawn(publisher.run(flow));
    let times = Times { warm_up_seconds: args.warm_up, seconds: args.seconds };
    let (span, count) = steady::measure(&mut tasks, &traffic, server.as_ref(), times).await?;
    let latencies = Latencies::together(&steady::drain(tasks).await?);
    Ok(Report::of_rate("pubsub", args.target.name(), args.subscribers + 1, span, count, &latencies))
}

/// Makes the node, unless it is there.
async fn create(session: &mut Session, service: &str) -> Result<()> {
    let request = format!(
        "<iq type='set' id='create' to='{service}'><pubsub xmlns='{PUBSUB}'><create node='{NODE}'/></pubsub></iq>"
    );
    let answer = session.ask("create", &request).await?;
    let is_there = attribute(&answer, "type") == Some("result") || contains(&answer, "<conflict");
    ensure!(is_there, "no node: {}", String::from_utf8_lossy(&answer));
    Ok(())
}

async fn subscribe(mut session: Session, service: String, account: String) -> Result<Session> {
    let request = format!(
        "<iq type='set' id='sub' to='{service}'><pubsub xmlns='{PUBSUB}'>\
         <subscribe node='{NODE}' jid='{account}'/></pubsub></iq>"
    );
    let answer = session.ask("sub", &request).await?;
    ensure!(attribute(&answer, "type") == Some("result"), "not subscribed: {}", String::from_utf8_lossy(&answer));
    Ok(session)
}

/// How far the items have come, for all tasks of a run.
struct Flow {
    subscribers: u64,
    window: u64,
    /// What all subscribers have received together.
    received: AtomicU64,
    /// Somebody has received the last copy of an item.
    went_on: Notify,
    begin: Instant,
    /// When item `n` was published, in microseconds since the beginning, at `n` modulo the length.
    sent_at: Vec<AtomicU64>,
    /// How many items there are, once there will be no more.
    last: watch::Sender<Option<u64>>,
}

impl Flow {
    fn new(args: &Pubsub) -> Arc<Flow> {
        Arc::new(Flow {
            subscribers: args.subscribers as u64,
            window: u64::from(args.window),
            received: AtomicU64::new(0),
            went_on: Notify::new(),
            begin: Instant::now(),
            // Who is ahead of the others is so by no more than what all together may lack.
            sent_at: (0..4096).map(|_| AtomicU64::new(0)).collect(),
            last: watch::Sender::new(None),
        })
    }

    fn add(&self, count: u64) {
        let before = self.received.fetch_add(count, Ordering::AcqRel);
        if before / self.subscribers != (before + count) / self.subscribers {
            self.went_on.notify_one();
        }
    }

    /// Items that have arrived, if all get them at the same time.
    fn arrived(&self) -> u64 {
        self.received.load(Ordering::Acquire) / self.subscribers
    }

    fn sent(&self, number: u64) {
        let now = self.begin.elapsed().as_micros() as u64;
        self.sent_at[number as usize % self.sent_at.len()].store(now, Ordering::Release);
    }

    fn since(&self, number: u64) -> Duration {
        let sent = self.sent_at[number as usize % self.sent_at.len()].load(Ordering::Acquire);
        Duration::from_micros((self.begin.elapsed().as_micros() as u64).saturating_sub(sent))
    }
}

struct Publisher {
    session: Session,
    service: String,
    payload: String,
    sent: u64,
    traffic: Arc<Traffic>,
}

impl Publisher {
    async fn run(mut self, flow: Arc<Flow>) -> Result<Latencies> {
        while self.traffic.phase() != Phase::Draining {
            self.publish_up_to(flow.arrived() + flow.window, &flow).await?;
            tokio::select! {
                read = self.session.read() => { read?; self.look()?; self.session.answer().await?; }
                () = flow.went_on.notified() => {}
            }
        }
        flow.last.send_replace(Some(self.sent));
        Ok(Latencies::new())
    }

    async fn publish_up_to(&mut self, limit: u64, flow: &Flow) -> Result<()> {
        let mut out = String::new();
        while self.sent < limit {
            let (number, service, payload) = (self.sent, &self.service, &self.payload);
            out.push_str(&format!(
                "<iq type='set' id='p{number}' to='{service}'><pubsub xmlns='{PUBSUB}'><publish node='{NODE}'><item id='current'>\
                 <entry xmlns='urn:example:bench'>|{number}|{payload}</entry></item></publish></pubsub></iq>"
            ));
            flow.sent(number);
            self.sent += 1;
        }
        if out.is_empty() { Ok(()) } else { self.session.write(out.as_bytes()).await }
    }

    /// Fails if an item was refused.
    fn look(&mut self) -> Result<()> {
        let mut fault = None;
        let stream = self.session.stanzas(|stanza| {
            if attribute(stanza, "type") == Some("error") {
                fault.get_or_insert_with(|| String::from_utf8_lossy(stanza).into_owned());
            }
        });
        ensure!(fault.is_none(), "not published: {}", fault.unwrap_or_default());
        ensure!(stream == Stream::Open, "the server closed the stream");
        Ok(())
    }
}

struct Subscriber {
    session: Session,
    received: u64,
    latencies: Latencies,
    traffic: Arc<Traffic>,
}

impl Subscriber {
    async fn run(mut self, flow: Arc<Flow>) -> Result<Latencies> {
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

    async fn receive(&mut self, flow: &Flow) -> Result<()> {
        let (before, phase, mut fault) = (self.received, self.traffic.phase(), None);
        let stream = self.session.stanzas(|stanza| {
            if !stanza.starts_with(b"<message") {
                return;
            }
            let number = between(stanza, "|", b'|').and_then(|number| number.parse().ok());
            if number != Some(self.received) {
                fault.get_or_insert_with(|| {
                    format!("wanted item {}, got {}", self.received, String::from_utf8_lossy(stanza))
                });
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
