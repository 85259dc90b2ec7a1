//! Scenario `pubsub`: one account publishes to a node, and many that are online have subscribed to it (XEP-0060). A few items are under way at
//! a time. One task publishes, and each subscriber has one; everybody must get every item, in order.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::args::Pubsub;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::flow::{Flow, Listener};
use crate::frames::{attribute, contains};
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

    let (traffic, flow) = (Traffic::new(), Flow::new(args.subscribers, args.window));
    let mut tasks = JoinSet::new();
    for session in subscribers {
        tasks.spawn(Listener::new(session, traffic.clone()).run(flow.clone()));
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
            self.publish_up_to(flow.limit(), &flow).await?;
            tokio::select! {
                read = self.session.read() => { read?; self.look()?; self.session.answer().await?; }
                () = flow.went_on() => {}
            }
        }
        flow.end(self.sent);
        Ok(Latencies::new())
    }

    async fn publish_up_to(&mut self, limit: u64, flow: &Flow) -> Result<()> {
        let mut out = String::new();
        while self.sent < limit {
            let (number, service, payload) = (self.sent, &self.service, &self.payload);
            out.push_str(&format!(
                "<iq type='set' id='p{number}' to='{service}'><pubsub xmlns='{PUBSUB}'><publish node='{NODE}'><item id='current'>\
                 <entry xmlns='urn:example:bench'>|{}|{payload}</entry></item></publish></pubsub></iq>",
                flow.mark(number)
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
