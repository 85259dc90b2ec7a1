//! Measures steady traffic: it warms up, is counted between two moments, and drains. Called by `chat` and `presence`.
//! The tasks that make the traffic look at the phase and add to the count; keeps nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::process::Server;
use crate::window::{Span, Window};

/// How long the last stanzas may take to arrive.
const DRAIN_SECONDS_MAX: u64 = 60;

/// What the traffic is for at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing yet.
    Warming,
    /// It is counted and its latencies are noted.
    Measuring,
    /// Nothing new begins, and what is under way arrives.
    Draining,
}

/// What all tasks of a run share.
#[derive(Debug)]
pub(crate) struct Traffic {
    phase: AtomicU8,
    count: AtomicU64,
}

/// How long a run warms up and how long it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) warm_up_seconds: u64,
    pub(crate) seconds: u64,
}

impl Traffic {
    /// Traffic that warms up.
    pub(crate) fn new() -> Arc<Traffic> {
        Arc::new(Traffic { phase: AtomicU8::new(Phase::Warming as u8), count: AtomicU64::new(0) })
    }

    /// The present phase.
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Warming,
            1 => Phase::Measuring,
            _ => Phase::Draining,
        }
    }

    /// Counts what has arrived; what arrives outside of the measurement does no harm.
    pub(crate) fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Measures `server` while `tasks` make the traffic, and tells them to end: what was spent, and how much arrived.
/// A task that ends by itself fails the run.
pub(crate) async fn measure<T: 'static>(
    tasks: &mut JoinSet<Result<T>>,
    traffic: &Traffic,
    server: Option<&Server>,
    times: Times,
) -> Result<(Span, u64)> {
    pause(tasks, times.warm_up_seconds).await.context("warm-up")?;
    let window = Window::open(server)?;
    let first = traffic.count();
    traffic.enter(Phase::Measuring);
    pause(tasks, times.seconds).await?;
    let span = window.close()?;
    let last = traffic.count();
    traffic.enter(Phase::Draining);
    Ok((span, last - first))
}

/// Lets the tasks talk; one that ends now has failed.
async fn pause<T: 'static>(tasks: &mut JoinSet<Result<T>>, seconds: u64) -> Result<()> {
    match tokio::time::timeout(Duration::from_secs(seconds), tasks.join_next()).await {
        Err(_) => Ok(()),
        Ok(ended) => Err(ended.context("there is no traffic")??.err().context("a task stopped early")?),
    }
}

/// What the tasks found out, once all have ended. Fails if that takes too long: something was lost.
pub(crate) async fn drain<T: 'static>(mut tasks: JoinSet<Result<T>>) -> Result<Vec<T>> {
    let all = async {
        let mut found = Vec::with_capacity(tasks.len());
        while let Some(done) = tasks.join_next().await {
            found.push(done??);
        }
        anyhow::Ok(found)
    };
    tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), all).await.context("messages were lost")?
}
