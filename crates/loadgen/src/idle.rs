//! Scenario `idle`: the resident memory of the server at no session and with many that do nothing, or whose connections are lost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use crate::args::Idle;
use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::managed::Managed;
use crate::report::{Report, rounded};

/// So many of the sessions without a connection are resumed in the end, which proves that the server has kept them.
const PROOFS: usize = 20;

/// Runs the scenario; a session that the server closes fails it.
pub(crate) async fn run(args: &Idle) -> Result<Report> {
    let door = Door::new(&args.target)?;
    let server = args.target.server()?.context("idle measures a server process: --server-pid")?;
    let before = server.usage()?;
    let begin = Instant::now();
    let sessions = crowd::come_online(&door, args.accounts).await?;
    eprintln!("{} sessions after {:.1} s", args.accounts, begin.elapsed().as_secs_f64());
    let wait = Duration::from_secs(args.seconds);
    let after = if args.hibernate {
        let streams = crowd::each(sessions, hibernate).await?;
        tokio::time::sleep(wait).await;
        let after = server.usage()?;
        prove(&door, streams).await?;
        after
    } else {
        rest(sessions, wait).await?;
        server.usage()?
    };
    let grown = after.rss_bytes as f64 - before.rss_bytes as f64;
    Ok(Report {
        scenario: if args.hibernate { "hibernate" } else { "idle" },
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

/// Keeps all sessions for a while; one that ends has failed.
async fn rest(sessions: Vec<Session>, wait: Duration) -> Result<()> {
    let mut staying = JoinSet::new();
    sessions.into_iter().for_each(|session| drop(staying.spawn(stay(session))));
    match tokio::time::timeout(wait, staying.join_next()).await {
        Ok(Some(ended)) => Err(ended?.expect_err("a session only ends with an error")).context("a session ended"),
        _ => Ok(()),
    }
}

/// Gets stream management, and loses the connection.
async fn hibernate(mut session: Session) -> Result<Managed> {
    let mut managed = Managed::default();
    session.enable(&mut managed).await?;
    ensure!(managed.to_resume().is_some(), "the server does not offer to resume streams");
    Ok(managed)
}

/// Resumes some of the streams.
async fn prove(door: &Door, streams: Vec<Managed>) -> Result<()> {
    let step = streams.len().div_ceil(PROOFS).max(1);
    for (place, mut managed) in streams.into_iter().enumerate().step_by(step) {
        door.enter(place + 1, &mut managed).await?;
        ensure!(managed.resumed == 1, "a stream of account {} cannot be resumed", place + 1);
    }
    Ok(())
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
