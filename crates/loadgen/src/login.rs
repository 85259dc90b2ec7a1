//! Scenario `login`: TCP, full TLS handshake, SASL, binding, first presence, graceful close, again and again; with `--fast` by a token.
//! The server's CPU time is taken from the first to the last of these logins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::args::Login;
use crate::connect::Door;
use crate::report::{Latencies, Report};
use crate::window::Window;

/// Runs the scenario for `args.seconds`.
pub(crate) async fn run(args: &Login) -> Result<Report> {
    crate::raise_descriptor_limit(args.concurrent)?;
    let door = Door::new(&args.target)?;
    let server = args.target.server()?;
    let next = Arc::new(AtomicUsize::new(0));
    // Each account once before: key derivation is then behind us, everyone has a token, and the server has seen everyone.
    round(&door, &next, args, Until::Count(args.accounts)).await.context("warm-up")?;

    let window = Window::open(server.as_ref())?;
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (latencies, count) = round(&door, &next, args, Until::Time(end)).await?;
    let span = window.close()?;
    let scenario = if args.fast { "login --fast" } else { "login" };
    Ok(Report::of_rate(scenario, args.target.name(), args.concurrent, span, count, &latencies))
}

#[derive(Clone, Copy)]
enum Until {
    Count(usize),
    Time(Instant),
}

/// `args.concurrent` tasks log in until the end is reached. The first failed login ends the run.
async fn round(door: &Arc<Door>, next: &Arc<AtomicUsize>, args: &Login, until: Until) -> Result<(Latencies, u64)> {
    let mut tasks = JoinSet::new();
    let first = next.load(Ordering::Relaxed);
    for _ in 0..args.concurrent {
        let (door, next, accounts, fast) = (door.clone(), next.clone(), args.accounts, args.fast);
        tasks.spawn(async move {
            let (mut latencies, mut count) = (Latencies::new(), 0);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let over = match until {
                    Until::Count(count) => number >= first + count,
                    Until::Time(end) => Instant::now() >= end,
                };
                if over {
                    return anyhow::Ok((latencies, count));
                }
                let begin = Instant::now();
                let account = 1 + number % accounts;
                let mut session = if fast { door.login_by_token(account).await? } else { door.login(account).await? };
                session.write(b"<presence/>").await?;
                session.close(|_| {}).await?;
                latencies.record(begin.elapsed());
                count += 1;
            }
        });
    }
    let (mut latencies, mut count) = (Latencies::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (theirs, number) = done??;
        latencies.add(&theirs);
        count += number;
    }
    Ok((latencies, count))
}
