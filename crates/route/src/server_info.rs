//! XEP-0485: brings up to date what domains tell of their connections, and asks other domains whether they want to be named. What they say is
//! believed for a while; while nobody has answered, a domain is not named.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use metronome_features::server_info::{self, EVERY, Remote};
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::xml::{Content, Tree};

use crate::ask::{self, Answer};

/// Between two looks at which domains are due.
const TICK: Duration = Duration::from_secs(1);

/// For how long an answer counts, in milliseconds.
const KEEP_MS: u64 = 60 * 60 * 1000;

/// Most domains that are asked in one round; the others are asked in the next ones.
const ASKED_MAX: usize = 50;

/// Most domains that are told of, and of which answers are kept.
const REMOTES_MAX: usize = 10_000;

/// What other domains have said, and when each of ours is due next.
#[derive(Debug, Default)]
struct Told {
    /// Whether a domain wants to be named, and since when that is known; steady time in milliseconds.
    consents: HashMap<Jid, (bool, u64)>,
    due_ms: HashMap<Jid, u64>,
}

/// Goes on until the server is dropped.
pub async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = Told::default();
    loop {
        ticks.tick().await;
        let hosts: Vec<Arc<Host>> = server.hosts.load().iter().cloned().collect();
        for host in hosts {
            told.look_at(&server, &host).await;
        }
    }
}

impl Told {
    async fn look_at(&mut self, server: &Arc<Server>, host: &Host) {
        let Some(service) = server_info::service(host) else { return };
        let now_ms = server.clock.steady_ms();
        if self.due_ms.get(&host.name).is_some_and(|due_ms| *due_ms > now_ms) {
            return;
        }
        let mut found = server_info::connections(&server.linked, &host.name);
        while found.len() > REMOTES_MAX {
            found.pop_last();
        }
        self.ask(server, &host.name, &found, now_ms).await;
        let remote = |(remote, connections)| {
            let consents = self.consents.get(&remote).is_some_and(|(consents, _)| *consents);
            Remote { name: Some(remote).filter(|_| consents), connections }
        };
        let tree = server_info::tree(&host.name, found.into_iter().map(remote).collect());
        if let Err(refuse) = server_info::publish(server, service, &tree).await {
            tracing::warn!(host = host.name.as_str(), ?refuse, "the information about this server cannot be published");
        }
        let every = host.values.duration(&EVERY);
        self.due_ms.insert(host.name.clone(), server.clock.steady_ms() + every.as_millis() as u64);
    }

    /// Asks those of whom it is not known, or not any more.
    async fn ask(&mut self, server: &Arc<Server>, host: &Jid, found: &BTreeMap<Jid, Vec<&'static str>>, now_ms: u64) {
        self.consents.retain(|_, (_, since_ms)| now_ms.saturating_sub(*since_ms) < KEEP_MS);
        let unknown: Vec<&Jid> =
            found.keys().filter(|remote| !self.consents.contains_key(*remote)).take(ASKED_MAX).collect();
        let question = || Content::from_tree(&Tree::new(ns::DISCO_INFO, "query"));
        let answers = unknown.iter().map(|remote| ask::get(server, host.clone(), (*remote).clone(), question()));
        let answers = futures_util::future::join_all(answers).await;
        for (remote, answer) in unknown.into_iter().zip(answers) {
            let consents = match answer {
                Answer::Result(answer) => server_info::consents(&answer),
                Answer::Error(_) | Answer::Nothing => false,
                Answer::Unasked => continue,
            };
            if self.consents.len() < REMOTES_MAX {
                self.consents.insert(remote.clone(), (consents, now_ms));
            }
        }
    }
}
