//! `metronome-bench`: a load generator for any XMPP server. `docs/bench.md` says what its figures mean.
//! It writes prepared bytes and counts numbered bodies, so that the server is what costs time.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod befriend;
mod chat;
mod client;
mod connect;
mod crash;
mod crowd;
mod flow;
mod frames;
mod idle;
mod ledger;
mod links;
mod login;
mod managed;
mod presence;
mod process;
mod pubsub;
mod report;
mod rooms;
mod scram;
mod socket;
mod steady;
mod tls;
mod tokens;
mod upload;
mod victim;
mod watcher;
mod window;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::{Command, Scenario};

fn main() -> ExitCode {
    match run(&Command::parse().scenario) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("metronome-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(scenario: &Scenario) -> Result<ExitCode> {
    let threads = match scenario {
        Scenario::Login(login) => login.target.threads,
        Scenario::Idle(idle) => idle.target.threads,
        Scenario::Chat(chat) => chat.target.threads,
        Scenario::Links(links) => links.target.threads,
        Scenario::Presence(presence) => presence.target.threads,
        Scenario::Pubsub(pubsub) => pubsub.target.threads,
        Scenario::Rooms(rooms) => rooms.target.threads,
        Scenario::Upload(upload) => upload.target.threads,
        Scenario::Crash(crash) => crash.target.threads,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads.max(1)).enable_all().build()?;
    runtime.block_on(async {
        match scenario {
            Scenario::Login(login) => report::print(&login::run(login).await?)?,
            Scenario::Idle(idle) => report::print(&idle::run(idle).await?)?,
            Scenario::Chat(chat) => report::print(&chat::run(chat).await?)?,
            Scenario::Links(links) => report::print(&links::run(links).await?)?,
            Scenario::Presence(presence) => report::print(&presence::run(presence).await?)?,
            Scenario::Pubsub(pubsub) => report::print(&pubsub::run(pubsub).await?)?,
            Scenario::Rooms(rooms) => report::print(&rooms::run(rooms).await?)?,
            Scenario::Upload(upload) => report::print(&upload::run(upload).await?)?,
            Scenario::Crash(crash) => {
                let verdict = crash::run(crash).await?;
                report::print(&verdict)?;
                if verdict.is_broken() {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Allows `sessions` connections, or says why not. A crowd needs a descriptor each, and some are needed otherwise.
fn raise_descriptor_limit(sessions: usize) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let needed = sessions as u64 + 100;
    if let Some(maximum) = limit.maximum {
        anyhow::ensure!(
            needed <= maximum,
            "{sessions} sessions need {needed} descriptors, the hard limit is {maximum}"
        );
    }
    Ok(())
}
