//! How long messages stay in archives, of people and of rooms, and how many: per domain, or as an administrator has said for one account. A round looks at every
//! account and removes what is too much, the oldest first; what nobody has seen yet stays.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::hosts::{Host, Hosts};
use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use metronome_model::{AccountId, Document, Drawer};
use metronome_proto::ns;
use metronome_proto::xml::{Content, Tree};
use metronome_store::StoreError;
use metronome_store::archive::Filter;

use super::removal::{self, Stopped, Unread};

/// How long messages stay.
pub const KEEP: Setting = Setting::new(
    "archive.keep",
    Kind::Duration,
    "\"0 s\"",
    "How long messages stay in archives, such as `\"1 y\"`; `\"0 s\"` for ever. Messages that no client has fetched stay until one has.",
)
.per_host();

/// How many messages an archive holds.
pub const MESSAGES: Setting = Setting::new(
    "archive.messages",
    Kind::Count { min: 0, max: 1_000_000_000_000 },
    "0",
    "Most messages in the archive of one account; beyond it the oldest are removed within the hour. 0 for any number.",
)
.per_host();

/// How long messages stay in rooms.
pub const KEEP_IN_ROOMS: Setting = Setting::new(
    "rooms.archive.keep",
    Kind::Duration,
    "\"0 s\"",
    "How long messages stay in the archives of rooms, such as `\"1 y\"`; `\"0 s\"` for ever.",
)
.per_host();

/// How many messages the archive of a room holds.
pub const MESSAGES_IN_ROOMS: Setting = Setting::new(
    "rooms.archive.messages",
    Kind::Count { min: 0, max: 1_000_000_000_000 },
    "0",
    "Most messages in the archive of one room; beyond it the oldest are removed within the hour. 0 for any number.",
)
.per_host();

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(3600);

/// Accounts looked at together.
const PAGE: usize = 200;

/// The name of the document with an account's own limits.
const NAME: &str = "limits";

/// What may be in an archive; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long messages stay, in milliseconds.
    pub keep_ms: u64,
    /// How many.
    pub messages: u64,
}

impl Limits {
    /// Those of a host, or of the rooms of a service.
    pub fn of_host(host: &Host) -> Limits {
        let (keep, messages) = match &host.beside {
            None => (KEEP, MESSAGES),
            Some(_) => (KEEP_IN_ROOMS, MESSAGES_IN_ROOMS),
        };
        Limits { keep_ms: host.values.duration(&keep).as_millis() as u64, messages: host.values.count(&messages) }
    }

    /// Those that an administrator has set for an account; `None` while its host's hold.
    pub async fn of_account(server: &Server, owner: AccountId) -> Result<Option<Limits>, StoreError> {
        let xml = server.store.document(owner, Drawer::Archiving, ns::ARCHIVE_LIMITS, NAME).await?;
        Ok(xml.and_then(|xml| Limits::read(&xml)))
    }

    fn read(xml: &[u8]) -> Option<Limits> {
        let content = Content::parse(xml).ok()?;
        let limits = content.child(ns::ARCHIVE_LIMITS, NAME)?;
        let number = |name| limits.attr(name)?.parse().ok();
        Some(Limits { keep_ms: number("keep_ms")?, messages: number("messages")? })
    }

    /// The document that sets them for an account; without any, the one that lets its host's hold again.
    pub fn document(limits: Option<Limits>) -> Document {
        let tree = |limits: Limits| {
            Tree::new(ns::ARCHIVE_LIMITS, NAME)
                .attr("keep_ms", limits.keep_ms.to_string())
                .attr("messages", limits.messages.to_string())
        };
        let xml = limits.map(|limits| tree(limits).to_vec(ns::CLIENT)).unwrap_or_default();
        Document { drawer: Drawer::Archiving, ns: ns::ARCHIVE_LIMITS.into(), name: NAME.into(), xml: xml.into() }
    }
}

/// Goes its rounds until the server is dropped.
pub async fn run(server: Arc<Server>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match round(&server).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "messages have left archives because of their age or number"),
            // The next round goes on from there.
            Err(stopped) => tracing::error!(%stopped, "a round through the archives has ended early"),
        }
    }
}

/// Looks at every account once, also at those of rooms, and says how many messages were removed.
pub async fn round(server: &Server) -> Result<u64, Stopped> {
    let mut removed = 0;
    for host in places(&server.hosts.load()) {
        let mut after: Option<Box<str>> = None;
        loop {
            let accounts = server.store.list(host.name.as_str(), after.as_deref(), PAGE).await?;
            let Some(last) = accounts.last() else { break };
            after = Some(last.name.clone());
            for account in accounts.iter().filter(|account| !account.id.is_guest()) {
                let own = Limits::of_account(server, account.id).await?;
                removed += expire(server, account.id, own.unwrap_or_else(|| Limits::of_host(&host))).await?;
            }
        }
    }
    Ok(removed)
}

/// Where there are archives: domains with their services.
fn places(hosts: &Hosts) -> Vec<Arc<Host>> {
    hosts.iter().flat_map(|host| std::iter::once(host).chain(&host.services)).cloned().collect()
}

/// Removes what one archive may not hold any more.
async fn expire(server: &Server, owner: AccountId, limits: Limits) -> Result<u64, Stopped> {
    if (limits.keep_ms, limits.messages) == (0, 0) {
        return Ok(0);
    }
    let Some((first, last)) = server.store.ends(owner).await? else { return Ok(0) };
    let mut removed = 0;
    let cutoff_ms = server.clock.unix_ms().saturating_sub(limits.keep_ms);
    if limits.keep_ms > 0 && first.at_ms < cutoff_ms {
        let filter = Filter { to_ms: cutoff_ms.saturating_sub(1), ..Filter::default() };
        removed += removal::remove(server, owner, filter, Unread::Stay).await?;
    }
    // Ids are at least as many as messages: nearly always this is enough to know, without counting.
    if limits.messages > 0 && last.id - first.id >= limits.messages {
        removed += remove_beyond(server, owner, limits.messages).await?;
    }
    Ok(removed)
}

async fn remove_beyond(server: &Server, owner: AccountId, messages: u64) -> Result<u64, Stopped> {
    let rows = server.store.counts(owner).await?.rows;
    let Some(excess) = rows.checked_sub(messages).filter(|excess| *excess > 0) else { return Ok(0) };
    let excess = usize::try_from(excess).unwrap_or(usize::MAX);
    let oldest = server.store.places(owner, Filter::default(), excess).await?;
    let Some(last) = oldest.last() else { return Ok(0) };
    removal::remove(server, owner, Filter { below: last.id + 1, ..Filter::default() }, Unread::Stay).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_were_stored() {
        let limits = Limits { keep_ms: 86_400_000, messages: 7 };
        let document = Limits::document(Some(limits));
        assert_eq!(Limits::read(&document.xml), Some(limits));
        assert!(Limits::document(None).xml.is_empty());
        assert_eq!(Limits::read(b"<limits/>"), None);
    }
}
