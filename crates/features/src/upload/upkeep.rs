//! What becomes of files without a request: they go at their time and with their account; and whether one is there for whoever asks.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use metronome_host::options::Values;
use metronome_host::server::Server;
use metronome_model::{Account, AccountId};
use metronome_store::StoreError;
use metronome_store::uploads::{About, Entry, UploadId, Usage};

use super::settings::ends_ms;
use super::{on_disk, service_of};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(3600);

/// Why a round has ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Accounts cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files cannot be.
    #[error("the folder of uploads: {0}")]
    Disk(#[from] io::Error),
}

/// Removes the files of accounts that have ended, and goes its rounds, until the server is dropped.
pub async fn run(server: Arc<Server>) {
    if server.uploads.folder().is_none() {
        return;
    }
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            gone = server.uploads.gone() => {
                for owner in gone {
                    if let Err(error) = forget(&server, owner).await {
                        // The next round finds them.
                        tracing::error!(%error, "the files of an account that has ended are still there");
                    }
                }
            }
            _ = rounds.tick() => {
                if let Err(stopped) = round(&server).await {
                    tracing::error!(%stopped, "a round through the uploads has ended early");
                }
            }
        }
    }
}

/// Looks at every account's files once, and says what was removed.
pub async fn round(server: &Server) -> Result<Usage, Stopped> {
    let mut removed = Usage::default();
    for owner in on_disk(server, |uploads| uploads.owners()).await? {
        let usage = match server.store.account_by_id(owner).await? {
            None => forget(server, owner).await?,
            Some(account) => expire(server, &account).await?,
        };
        removed = Usage { files: removed.files + usage.files, bytes: removed.bytes + usage.bytes };
    }
    Ok(removed)
}

async fn forget(server: &Server, owner: AccountId) -> io::Result<Usage> {
    let removed = on_disk(server, move |uploads| uploads.forget(owner)).await?;
    if removed.files > 0 {
        tracing::info!(files = removed.files, bytes = removed.bytes, why = "their account has ended", "uploads were removed");
    }
    Ok(removed)
}

/// Removes the files of an account whose time is over.
async fn expire(server: &Server, account: &Account) -> io::Result<Usage> {
    let Some(values) = values_of(server, &account.host) else { return Ok(Usage::default()) };
    let (owner, now_ms) = (account.id, server.clock.unix_ms());
    let is_over = move |entry: &Entry| ends_ms(&values, entry).is_some_and(|ends_ms| ends_ms <= now_ms);
    let removed = remove(server, owner, is_over).await?;
    if removed.files > 0 {
        let (name, host) = (&*account.name, &*account.host);
        tracing::info!(name, host, files = removed.files, bytes = removed.bytes, why = "their time was over", "uploads were removed");
    }
    Ok(removed)
}

/// Removes those files of an account that are meant.
pub(super) async fn remove(
    server: &Server,
    owner: AccountId,
    is_meant: impl Fn(&Entry) -> bool + Send + 'static,
) -> io::Result<Usage> {
    on_disk(server, move |uploads| {
        let mut removed = Vec::new();
        for entry in uploads.entries(owner)?.into_iter().filter(is_meant) {
            if uploads.remove(owner, &entry)? {
                removed.push(entry);
            }
        }
        Ok(Usage::of(&removed))
    })
    .await
}

/// A file that is there for whoever knows its address.
#[derive(Debug)]
pub struct Open {
    /// What is known of it.
    pub about: About,
    /// The file itself.
    pub file: File,
    /// For how long it is there yet, in milliseconds; none if it stays.
    pub left_ms: Option<u64>,
}

/// A file that somebody asks for: none where it is not there, its time is over, or its account has ended.
pub async fn open(server: &Server, id: UploadId) -> Result<Option<Open>, Stopped> {
    let Some((about, file)) = on_disk(server, move |uploads| uploads.read(id)).await? else { return Ok(None) };
    let Some(account) = server.store.account_by_id(about.owner).await? else { return Ok(None) };
    let Some(values) = values_of(server, &account.host) else { return Ok(None) };
    let left_ms = ends_ms(&values, &about.entry).map(|ends_ms| ends_ms.saturating_sub(server.clock.unix_ms()));
    Ok((left_ms != Some(0)).then_some(Open { about, file, left_ms }))
}

/// The options that hold for the files of a domain; none where it is not served.
pub fn values_of(server: &Server, domain: &str) -> Option<Values> {
    let of_service = service_of(server, domain).map(|service| service.values.clone());
    of_service.or_else(|| server.hosts.load().get(domain).map(|host| host.values.clone()))
}
