//! Scenario `presence`: groups of accounts, each subscribed to each, come online together and leave, again and again.
//! One task holds all members of a group. The first arrivals after a login are measured on their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::args::Presence;
use crate::befriend::{befriend, group_of};
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::process::Server;
use crate::report::{Latencies, Report, rounded};
use crate::steady::{self, Phase, Times, Traffic};
use crate::watcher::{Due, LAST_REQUEST, Uncounted, Watcher, leaves_first};
use crate::window::Window;

/// Presence that has not come after this time is missing.
const PATIENCE_SECONDS: u64 = 30;

/// The result: what applies to every scenario, and what is told beside it.
#[derive(Debug, Serialize)]
pub(crate) struct PresenceReport {
    #[serde(flatten)]
    report: Report,
    cold: Cold,
    /// Of all rounds, those that were not measured too.
    rounds: u64,
    uncounted: Uncounted,
}

/// The first arrivals after a login, summed over all times that everybody logged in.
#[derive(Debug, Default, Serialize)]
struct Cold {
    deliveries: u64,
    seconds: f64,
    cpu_seconds: Option<f64>,
    per_cpu_second: Option<f64>,
}

/// Runs the scenario. Fails if a presence is missing, or comes to somebody who should not get it.
pub(crate) async fn run(args: &Presence) -> Result<PresenceReport> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?;
    let size = usize::from(args.contacts);
    let begin = Instant::now();
    befriend(&door, args.groups, size).await.context("making contacts")?;
    eprintln!("{} groups of {size} after {:.1} s", args.groups, begin.elapsed().as_secs_f64());

    let traffic = Traffic::new();
    let mut cold = Cold::default();
    let mut groups = Vec::new();
    for _ in 0..args.cold {
        crowd::leave(groups.into_iter().flat_map(Group::into_sessions)).await?;
        let sessions = crowd::log_in(&door, args.groups * size).await?;
        groups = arrive(form(&door, sessions, size, &traffic), server.as_ref(), &mut cold).await.context("cold")?;
    }
    let mut tasks = JoinSet::new();
    groups.into_iter().for_each(|group| drop(tasks.spawn(group.run())));
    let times = Times { warm_up_seconds: args.warm_up, seconds: args.seconds };
    let (span, count) = steady::measure(&mut tasks, &traffic, server.as_ref(), times).await?;
    let seen = steady::drain(tasks).await?;

    let latencies = Latencies::together(seen.iter().map(|seen| &seen.latencies));
    Ok(PresenceReport {
        report: Report::of_rate("presence", args.target.name(), args.groups * size, span, count, &latencies),
        cold,
        rounds: seen.iter().map(|seen| seen.rounds).sum(),
        uncounted: Uncounted::sum(seen.iter().map(|seen| seen.uncounted)),
    })
}

/// Puts the sessions, which are in order of their accounts, into groups.
fn form(door: &Arc<Door>, sessions: Vec<Session>, size: usize, traffic: &Arc<Traffic>) -> Vec<Group> {
    let mut sessions = sessions.into_iter();
    let mut groups = Vec::new();
    while sessions.len() > 0 {
        let first = groups.len() * size + 1;
        let members = sessions.by_ref().take(size).enumerate().map(|(place, session)| Member {
            door: door.clone(),
            session,
            number: first + place,
            watcher: Watcher::new(place, size),
        });
        groups.push(Group { members: members.collect(), round: 0, traffic: traffic.clone() });
    }
    groups
}

/// All groups, which have just logged in, come online and leave. Only the coming is measured, and added to `cold`.
async fn arrive(groups: Vec<Group>, server: Option<&Server>, cold: &mut Cold) -> Result<Vec<Group>> {
    let window = Window::open(server)?;
    let groups = crowd::each(groups, |mut group| async move {
        group.come().await?;
        Ok(group)
    })
    .await?;
    let span = window.close()?;
    cold.deliveries += groups.iter().map(Group::arrivals).sum::<u64>();
    cold.seconds = rounded(cold.seconds + span.seconds);
    cold.cpu_seconds = span.cpu_seconds.map(|cpu| rounded(cold.cpu_seconds.unwrap_or(0.0) + cpu));
    cold.per_cpu_second = cold.cpu_seconds.map(|cpu| rounded(cold.deliveries as f64 / cpu));
    crowd::each(groups, |mut group| async move {
        group.leave().await?;
        Ok(group)
    })
    .await
}

/// Accounts of which each is subscribed to each.
struct Group {
    members: Vec<Member>,
    round: u64,
    traffic: Arc<Traffic>,
}

/// What a group has seen in its rounds.
struct Seen {
    /// From the first arrival to the last delivery of an arrival, once for each round that was measured.
    latencies: Latencies,
    rounds: u64,
    uncounted: Uncounted,
}

impl Group {
    /// Comes and goes until the run is over.
    async fn run(mut self) -> Result<Seen> {
        let mut latencies = Latencies::new();
        while self.traffic.phase() != Phase::Draining {
            let (phase, begin) = (self.traffic.phase(), Instant::now());
            self.come().await?;
            if phase == Phase::Measuring {
                latencies.record(begin.elapsed());
            }
            self.leave().await?;
        }
        let uncounted = Uncounted::sum(self.members.iter().map(|member| member.watcher.uncounted()));
        Ok(Seen { latencies, rounds: self.round, uncounted })
    }

    /// A new round: all come online, and each hears of each.
    async fn come(&mut self) -> Result<()> {
        self.round += 1;
        // Before anybody speaks: what is heard from now on belongs to this round.
        self.members.iter_mut().for_each(|member| member.watcher.begin(self.round));
        let presence = format!("<presence><status>{}</status></presence>", self.round);
        say(&mut self.members, &presence).await?;
        hear(&mut self.members, Due::Arrivals, &self.traffic).await
    }

    /// The first half leaves together while the second half looks on; then the second half leaves.
    async fn leave(&mut self) -> Result<()> {
        let presence = format!("<presence type='unavailable'><status>{}</status></presence>", self.round);
        let size = self.members.len();
        let half = (0..size).take_while(|place| leaves_first(*place, size)).count();
        let (first, second) = self.members.split_at_mut(half);
        say(first, &presence).await?;
        hear(second, Due::Departures, &self.traffic).await?;
        // Nobody hears the second half, so the server is asked something that it answers after that.
        let and_ask = format!("{presence}<iq type='get' id='{LAST_REQUEST}'><ping xmlns='urn:xmpp:ping'/></iq>");
        say(second, &and_ask).await?;
        hear(second, Due::WayOut, &self.traffic).await
    }

    /// The deliveries that one coming of the group is.
    fn arrivals(&self) -> u64 {
        self.members.iter().map(|member| member.watcher.deliveries(Due::Arrivals)).sum()
    }

    fn into_sessions(self) -> impl Iterator<Item = Session> {
        self.members.into_iter().map(|member| member.session)
    }
}

async fn say(members: &mut [Member], stanzas: &str) -> Result<()> {
    for member in members {
        member.session.write(stanzas.as_bytes()).await?;
    }
    Ok(())
}

/// Returns when each of `members` has heard what is due, one after the other: what the last is sent meanwhile is little.
async fn hear(members: &mut [Member], due: Due, traffic: &Traffic) -> Result<()> {
    for member in members {
        member.hear(due).await.with_context(|| member.door.account(member.number))?;
        traffic.add(member.watcher.deliveries(due));
    }
    Ok(())
}

struct Member {
    door: Arc<Door>,
    session: Session,
    number: usize,
    watcher: Watcher,
}

impl Member {
    async fn hear(&mut self, due: Due) -> Result<()> {
        if let Ok(heard) = timeout(Duration::from_secs(PATIENCE_SECONDS), self.listen(due)).await {
            return heard;
        }
        let first = group_of(self.number, self.watcher.size()).start;
        let missing: Vec<String> = self.watcher.missing(due).map(|place| self.door.account(first + place)).collect();
        bail!("{PATIENCE_SECONDS} s are over, and it still waits for {due} {}", missing.join(", "))
    }

    async fn listen(&mut self, due: Due) -> Result<()> {
        while !self.watcher.has_heard(due) {
            self.session.read().await?;
            let group = group_of(self.number, self.watcher.size());
            let place_of = |address: &str| {
                let number = self.door.number_of(address).filter(|number| group.contains(number));
                number.map(|number| number - group.start)
            };
            let mut fault = Ok(());
            let stream = self.session.stanzas(|stanza| {
                let noted = self.watcher.note(stanza, place_of);
                if fault.is_ok() {
                    fault = noted;
                }
            });
            fault?;
            ensure!(stream == Stream::Open, "the server closed the stream");
            self.session.answer().await?;
        }
        Ok(())
    }
}
