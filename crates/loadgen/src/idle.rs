//! Scenario `idle`: the resident memory of the server at no session and with many that do nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::args::Idle;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::report::{Report, rounded};

/// Runs the scenario; a session that the server closes fails it.
pub(crate) async fn run(args: &Idle) -> Result<Report> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?.context("idle measures a server process: --server-pid")?;
    let before = server.usage()?;
    let begin = Instant::now();
    let mut sessions = JoinSet::new();
    for session in crowd::come_online(&door, args.accounts).await? {
        sessions.spawn(stay(session));
    }
    eprintln!("{} sessions after {:.1} s", args.accounts, begin.elapsed().as_secs_f64());
    let wait = Duration::from_secs(args.seconds);
    if let Ok(Some(ended)) = tokio::time::timeout(wait, sessions.join_next()).await {
        return Err(ended?.expect_err("a session only ends with an error")).context("a session ended");
    }
    let after = server.usage()?;
    let grown = after.rss_bytes as f64 - before.rss_bytes as f64;
    Ok(Report {
        scenario: "idle",
        server: args.target.name(),
        clients: args.accounts,
        seconds: rounded(begin.elapsed().as_secs_f64()),
        messages: None,
        cpu_seconds: Some(rounded(after.cpu_seconds - before.cpu_seconds)),
        per_cpu_second: None,
        rss_bytes: Some(after.rss_bytes),
        rss_bytes_per_session: Some(rounded(grown / args.accounts as f64)),
        latency_ms: None,
    })
}

/// Reads and answers what the server asks until the session ends.
async fn stay(mut session: Session) -> Result<()> {
    session.shrink();
    loop {
        session.read().await?;
        if session.stanzas(|_| {}) == Stream::Closed {
            anyhow::bail!("the server closed the stream");
        }
        session.answer().await?;
        session.shrink();
    }
}
