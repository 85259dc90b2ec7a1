//! Many logins at a time, with patience. Called by the scenarios before what they measure.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::connect::{Door, Session};

/// Logins in progress: enough to keep both sides busy, few enough for any backlog.
const CONCURRENT: usize = 32;
/// A server that limits the rate of connections gets so many chances per account.
const TRIES: u32 = 5;

/// How far a session of the crowd goes.
#[derive(Clone, Copy, Debug)]
enum Entrance {
    /// Available, as the server has noted.
    Online,
    /// Bound, and it has its roster; no presence yet.
    WithRoster,
}

/// Brings accounts 1 to `count` online, one session each, in order of their numbers.
pub(crate) async fn come_online(door: &Arc<Door>, count: usize) -> Result<Vec<Session>> {
    enter(door, count, Entrance::Online).await
}

/// Logs accounts 1 to `count` in and lets them ask for their rosters, in order of their numbers.
pub(crate) async fn log_in(door: &Arc<Door>, count: usize) -> Result<Vec<Session>> {
    enter(door, count, Entrance::WithRoster).await
}

/// Closes all sessions in order.
pub(crate) async fn leave(sessions: impl IntoIterator<Item = Session>) -> Result<()> {
    each(sessions, |mut session| async move { session.close(|_| {}).await }).await.map(drop)
}

/// Runs `step` for all `things` at the same time and returns what comes out, in their order. The first failure ends it.
pub(crate) async fn each<T, U: Send + 'static, F: Future<Output = Result<U>> + Send + 'static>(
    things: impl IntoIterator<Item = T>,
    step: impl Fn(T) -> F,
) -> Result<Vec<U>> {
    let mut tasks = JoinSet::new();
    for (place, thing) in things.into_iter().enumerate() {
        let future = step(thing);
        tasks.spawn(async move { anyhow::Ok((place, future.await?)) });
    }
    let mut done = Vec::with_capacity(tasks.len());
    while let Some(one) = tasks.join_next().await {
        done.push(one??);
    }
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, one)| one).collect())
}

async fn enter(door: &Arc<Door>, count: usize, entrance: Entrance) -> Result<Vec<Session>> {
    crate::raise_descriptor_limit(count)?;
    let permits = Arc::new(Semaphore::new(CONCURRENT));
    each(1..=count, |number| {
        let (door, permits) = (door.clone(), permits.clone());
        async move {
            let _permit = permits.acquire_owned().await?;
            enter_patiently(&door, number, entrance).await
        }
    })
    .await
}

async fn enter_patiently(door: &Door, number: usize, entrance: Entrance) -> Result<Session> {
    let mut tries = 1;
    loop {
        match enter_once(door, number, entrance).await {
            Err(error) if tries < TRIES => {
                eprintln!("account {number}, try {tries}: {error:#}");
                tokio::time::sleep(Duration::from_millis(500) * tries).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn enter_once(door: &Door, number: usize, entrance: Entrance) -> Result<Session> {
    match entrance {
        Entrance::Online => door.come_online(number).await,
        Entrance::WithRoster => {
            let mut session = door.login(number).await?;
            session.roster().await?;
            Ok(session)
        }
    }
}
