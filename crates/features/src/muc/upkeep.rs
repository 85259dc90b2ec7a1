//! What happens to rooms without a request: those that nobody uses, that nobody owns any more, and that a crash has left behind end, and
//! so does what is told of those that have ended. A tick looks at accounts that were removed; a round, every hour, at everything that is
//! stored, page by page. Nothing is looked at when the server starts.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::hosts::Host;
use metronome_host::rooms::{Answer, Question};
use metronome_host::server::Server;
use metronome_model::{AccountId, Op, Record, RoomAffiliation, RoomChange, RoomMember};
use metronome_muc::config::{Config, PERSISTENT};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{AdminRequest, Affiliation, Destroy, Item};
use metronome_proto::stanza::error::Condition;
use metronome_store::rooms::{ListedRoom, RoomsListed};
use metronome_store::StoreError;
use tokio::time::{Instant, MissedTickBehavior};

use super::{redirects, services, settings};

/// Between two looks at accounts that were removed.
const TICK: Duration = Duration::from_secs(1);

/// Between two rounds. So long after a start whoever was in a room before it is there again, or will not be.
const ROUND: Duration = Duration::from_secs(3600);

/// Rooms looked at together.
const PAGE: usize = 200;

/// What is said of the end of a room that nobody owns.
pub const ORPHANED: &str = "Nobody owns this room any more";

/// Why a room ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nobody was in it for too long.
    Idle,
    /// It was to end with its last occupant.
    LeftBehind,
    /// Whoever owned it has no account any more.
    Orphaned,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            End::Idle => "Nobody has used this room for a long time",
            End::LeftBehind => "Nobody is in this room",
            End::Orphaned => ORPHANED,
        }
    }
}

/// Looks at accounts that were removed, until the server is dropped.
pub async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tick(&server).await;
    }
}

/// Goes its rounds, until the server is dropped.
pub async fn go_rounds(server: Arc<Server>) {
    let mut rounds = tokio::time::interval_at(Instant::now() + ROUND, ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match round(&server).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "rooms were destroyed that nobody used or owned"),
            // The next round goes on from there.
            Err(error) => tracing::error!(%error, "a round through the rooms has ended early"),
        }
    }
}

/// One look at accounts that were removed.
pub async fn tick(server: &Arc<Server>) {
    let removed = std::mem::take(&mut *server.removed.lock());
    for (id, who) in removed {
        if let Err(error) = leave(server, id, &who).await {
            tracing::error!(%error, jid = %who, "what a removed account was to rooms could not be read");
        }
    }
}

/// Somebody is nothing to any room any more; a room that had no other owner ends.
async fn leave(server: &Arc<Server>, id: AccountId, who: &Jid) -> Result<(), StoreError> {
    for service in services(server) {
        let (domain, mut after) = (service.name.as_str(), None::<Box<str>>);
        loop {
            let page = server.store.rooms_of(domain, who, after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            // What others have said against somebody stays.
            for (name, _) in page.iter().filter(|(_, affiliation)| *affiliation != RoomAffiliation::Outcast) {
                let Ok(room) = Jid::from_parts(Some(name), domain, None) else { continue };
                if was_said_of(server, id, who, &room).await? {
                    disown(server, &service, &room, who).await;
                }
            }
        }
    }
    Ok(())
}

/// Whether what a room says of an address is about this account, and not about who has the address by now.
async fn was_said_of(server: &Server, id: AccountId, who: &Jid, room: &Jid) -> Result<bool, StoreError> {
    let stored = server.store.room(room.domain(), room.local().unwrap_or_default()).await?;
    let is_about = |member: &RoomMember| member.jid == *who && member.account == Some(id);
    Ok(stored.is_some_and(|stored| stored.members.iter().any(is_about)))
}

async fn disown(server: &Arc<Server>, service: &Host, room: &Jid, who: &Jid) {
    let item =
        Item { affiliation: Some(Affiliation::None), role: None, jid: Some(who.clone()), nick: None, reason: None };
    let asked = server.rooms.ask(room, Question::Admin(AdminRequest::Set(vec![item]))).await;
    match asked {
        Err(error) if error.condition == Condition::Conflict && settings::ends_orphans(&service.values) => {
            end(server, room, End::Orphaned).await;
        }
        _ => {}
    }
}

/// Looks at every stored room once, and says how many have ended.
pub async fn round(server: &Arc<Server>) -> Result<u64, StoreError> {
    let mut ended = 0;
    for service in services(server) {
        forget_redirects(server, &service).await?;
        let (domain, mut after) = (service.name.as_str(), None::<Box<str>>);
        loop {
            let page = server.store.rooms(domain, RoomsListed::All, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            for listed in &page {
                ended += u64::from(look_at(server, &service, listed).await?);
            }
        }
    }
    Ok(ended)
}

/// Ends a room if it is time; says whether it is over.
async fn look_at(server: &Arc<Server>, service: &Host, listed: &ListedRoom) -> Result<bool, StoreError> {
    let Ok(room) = Jid::from_parts(Some(&listed.name), service.name.as_str(), None) else { return Ok(false) };
    let now_ms = server.clock.unix_ms();
    let mut why = unused(service, listed, now_ms);
    match why {
        // It ends by itself.
        Some(End::LeftBehind) if server.rooms.is_in_use(&room) => why = None,
        Some(End::Idle) if is_somebody_there(server, &room).await => {
            why = None;
            note_use(server, listed, now_ms).await;
        }
        _ => {}
    }
    if why.is_none() && settings::ends_orphans(&service.values) && is_orphaned(server, &room).await? {
        why = Some(End::Orphaned);
    }
    Ok(match why {
        Some(why) => end(server, &room, why).await,
        None => false,
    })
}

/// Whether a room is not as empty as the store says, which hears of it when it leaves memory.
async fn is_somebody_there(server: &Server, room: &Jid) -> bool {
    if !server.rooms.is_in_use(room) {
        return false;
    }
    match server.rooms.ask(room, Question::Show).await {
        Ok(Answer::Shown(shown)) => !shown.occupants.is_empty(),
        // Nobody ends a room that cannot be asked.
        _ => true,
    }
}

/// A crash must not make a room idle in which somebody has been all the time.
async fn note_use(server: &Server, listed: &ListedRoom, at_ms: u64) {
    let change = Box::new(RoomChange::Use { at_ms });
    // What cannot be noted now is noted in an hour.
    let _ = server.commit_bulk(Record::of(Op::Room { owner: listed.id, change })).await;
}

/// Why a room ends in which nobody is, if that alone is enough.
fn unused(service: &Host, listed: &ListedRoom, now_ms: u64) -> Option<End> {
    if !Config::decode(&listed.row.config).is_on(&PERSISTENT) {
        return Some(End::LeftBehind);
    }
    let span_ms = settings::ms(service.values.duration(&settings::EXPIRE));
    let stays = || service.values.list(&settings::EXPIRE_EXCEPT).iter().any(|name| **name == *listed.name);
    let idle_ms = now_ms.saturating_sub(listed.row.used_ms.max(listed.row.created_ms));
    (span_ms > 0 && idle_ms >= span_ms && !stays()).then_some(End::Idle)
}

/// Whether none of a room's owners is there any more. Those of other servers are always there.
async fn is_orphaned(server: &Server, room: &Jid) -> Result<bool, StoreError> {
    let Some(stored) = server.store.room(room.domain(), room.local().unwrap_or_default()).await? else { return Ok(false) };
    let is_owner = |member: &&RoomMember| member.affiliation == RoomAffiliation::Owner;
    for owner in stored.members.iter().filter(is_owner) {
        match owner.account {
            Some(id) if server.store.account_by_id(id).await?.is_none() => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

async fn end(server: &Server, room: &Jid, why: End) -> bool {
    let request = Destroy { reason: Some(why.reason().into()), ..Destroy::default() };
    match server.rooms.ask(room, Question::Destroy(request)).await {
        Ok(_) => {
            tracing::info!(%room, ?why, "a room was destroyed");
            true
        }
        Err(error) => {
            tracing::warn!(%room, ?why, condition = error.condition.name(), "a room could not be destroyed");
            false
        }
    }
}

/// What is not told any more is not kept either.
async fn forget_redirects(server: &Server, service: &Host) -> Result<(), StoreError> {
    let (domain, mut after) = (service.name.as_str(), None::<Box<str>>);
    loop {
        let page = server.store.redirects(domain, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.name.clone());
        let now_ms = server.clock.unix_ms();
        let mut record = Record::default();
        for redirect in page.iter().filter(|redirect| !redirects::counts(service, redirect, now_ms)) {
            record.push(redirects::forget(domain, &redirect.name));
        }
        if !record.is_empty() {
            // What could not be forgotten now is forgotten in an hour.
            let _ = server.commit_bulk(record).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use metronome_host::options::Values;
    use metronome_host::registry::Registry;
    use metronome_model::{RoomRow, RoomSecret, Visibility};

    use super::*;

    fn service(expire: &str) -> Host {
        let values = Values::defaults(&[metronome_host::hosts::SETTINGS, settings::SETTINGS]);
        let values = values.with("rooms.expire", expire).with("rooms.expire_except", "[\"support\"]");
        Host::new("rooms.example".parse().unwrap(), values, Arc::new(Registry::new(&[])), None)
    }

    fn room(name: &str, config: Config, used_ms: u64) -> ListedRoom {
        let row = RoomRow {
            config: config.encode(),
            visibility: Visibility::Listed,
            subject: None,
            secret: RoomSecret([0; 32]),
            creator: "a@example".parse().unwrap(),
            created_ms: 1000,
            used_ms,
            version: 0,
        };
        ListedRoom { id: AccountId::from_bytes([1; 16]), name: name.into(), row }
    }

    #[test]
    fn a_room_ends_after_its_time_unless_it_is_to_stay() {
        let stays = Config::default().with(&PERSISTENT, "1");
        let look = |expire: &str, name: &str, used_ms, now_ms| {
            unused(&service(expire), &room(name, stays.clone(), used_ms), now_ms)
        };
        assert_eq!(look("\"1 s\"", "coven", 5000, 5999), None);
        assert_eq!(look("\"1 s\"", "coven", 5000, 6000), Some(End::Idle));
        assert_eq!(look("\"1 s\"", "coven", 0, 1999), None, "it was made just now");
        assert_eq!(look("\"1 s\"", "support", 5000, 1_000_000), None);
        assert_eq!(look("\"0 s\"", "coven", 5000, u64::MAX), None, "as installed rooms stay");
        let temporary = room("support", Config::default(), 5000);
        assert_eq!(unused(&service("\"0 s\""), &temporary, 5000), Some(End::LeftBehind));
    }
}
