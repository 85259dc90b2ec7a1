//! Scenario `links`: streams that other servers open, each of a domain of its own that a certificate proves (XEP-0178), so many a
//! second, and close again. The server's CPU time is taken from the first to the last of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::Links;
use crate::connect::Door;
use crate::report::{Latencies, Report};
use crate::window::Window;

/// Streams being opened; one more waits, so a server that is too slow falls behind the rate.
const OPENING_MAX: usize = 256;

/// Runs the scenario for `args.seconds`.
pub(crate) async fn run(args: &Links) -> Result<Report> {
    crate::raise_descriptor_limit(OPENING_MAX)?;
    let door = Door::for_links(&args.target, &args.certificate, &args.key)?;
    let server = args.target.server()?;
    // Once before: whatever is done only once is behind us.
    door.link(&format!("d0.{}", args.domains)).await.context("warm-up")?.close(|_| {}).await?;

    let permits = Arc::new(Semaphore::new(OPENING_MAX));
    let mut beat = interval(Duration::from_secs(1) / args.rate);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tasks = JoinSet::new();
    let window = Window::open(server.as_ref())?;
    let end = Instant::now() + Duration::from_secs(args.seconds);
    for number in 1_u64.. {
        beat.tick().await;
        let permit = permits.clone().acquire_owned().await?;
        if Instant::now() >= end {
            break;
        }
        let (door, domain) = (door.clone(), format!("d{number}.{}", args.domains));
        tasks.spawn(async move {
            let begin = Instant::now();
            let mut session = door.link(&domain).await?;
            let took = begin.elapsed();
            session.close(|_| {}).await?;
            drop(permit);
            anyhow::Ok(took)
        });
    }
    let (mut latencies, mut count) = (Latencies::new(), 0);
    while let Some(done) = tasks.join_next().await {
        latencies.record(done??);
        count += 1;
    }
    let span = window.close()?;
    Ok(Report::of_rate("links", args.target.name(), OPENING_MAX, span, count, &latencies))
}
