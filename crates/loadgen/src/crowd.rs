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

/// Brings accounts 1 to `count` online, one session each, in order of their numbers.
pub(crate) async fn come_online(door: &Arc<Door>, count: usize) -> Result<Vec<Session>> {
    crate::raise_descriptor_limit(count)?;
    let permits = Arc::new(Semaphore::new(CONCURRENT));
    let mut tasks = JoinSet::new();
    for number in 1..=count {
        let (door, permits) = (door.clone(), permits.clone());
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            anyhow::Ok((number, come_online_patiently(&door, number).await?))
        });
    }
    let mut sessions = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        sessions.push(done??);
    }
    sessions.sort_by_key(|(number, _)| *number);
    Ok(sessions.into_iter().map(|(_, session)| session).collect())
}

async fn come_online_patiently(door: &Door, number: usize) -> Result<Session> {
    let mut tries = 1;
    loop {
        match door.come_online(number).await {
            Err(error) if tries < TRIES => {
                eprintln!("account {number}, try {tries}: {error:#}");
                tokio::time::sleep(Duration::from_millis(500) * tries).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}
