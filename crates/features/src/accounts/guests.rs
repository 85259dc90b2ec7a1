//! Guests (XEP-0175) as accounts: one is made when a guest binds, and ends with everything of it when its last session has gone. In
//! between it is an account like any other, whose data live in memory only. Called by `net` and by a task of its own ([`run`]).

use std::sync::Arc;
use std::time::Duration;

use metronome_host::effect::Effect;
use metronome_host::owners::Locked;
use metronome_host::server::Server;
use metronome_model::{Account, AccountId, AccountState, Op, Outcome, Record, Role};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::subscription::Subscription;

use super::change::Unchanged;
use super::removal;

/// A guest who may bind.
#[derive(Debug)]
pub struct Arrived {
    /// Its account.
    pub account: AccountId,
    /// Its address's lock: to be kept until its session stands in the table, so that the account does not end before.
    pub locked: Locked,
}

/// Lets the guest with this address in: finds its account, or makes it. What is made ends again if no session follows.
///
/// Goes on to its end even if the caller gives up waiting. Fails with what the client is told.
pub async fn arrive(server: &Arc<Server>, jid: &Jid) -> Result<Arrived, Box<StanzaError>> {
    let (server, jid) = (server.clone(), jid.bare());
    // Whoever gave up between the commit and here would free the lock while an account is on its way that nobody looks after.
    let made = tokio::spawn(async move { find_or_make(&server, &jid).await });
    made.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a guest could not be let in");
        Err(StanzaError::new(Condition::InternalServerError).into())
    })
}

async fn find_or_make(server: &Arc<Server>, jid: &Jid) -> Result<Arrived, Box<StanzaError>> {
    let locked = server.guests.lock(jid).await;
    let (host, name) = (jid.domain(), jid.local().unwrap_or_default());
    let found = server.store.account(host, name).await.map_err(Unchanged::from)?;
    if let Some(Account { id, state, .. }) = found {
        return match id.is_guest() && !state.is_disabled() {
            true => Ok(Arrived { account: id, locked }),
            // Nobody becomes somebody else's account by having a name like it.
            false => Err(StanzaError::new(Condition::NotAllowed).into()),
        };
    }
    let mut account = make(server, jid).await?;
    if has_traces(server, jid).await? {
        removal::remove(server, account, jid).await?.make(server).await?;
        account = make(server, jid).await?;
    }
    Ok(Arrived { account, locked })
}

/// Whether rosters know an earlier guest of this address: one that a crash has kept from ending, so that they were not told. Whoever
/// comes now must not be taken for it.
async fn has_traces(server: &Server, jid: &Jid) -> Result<bool, Unchanged> {
    let rows = server.store.rows_about(jid.as_str()).await?;
    Ok(rows.iter().any(|row| row.contact.subscription != Subscription::NONE))
}

async fn make(server: &Server, jid: &Jid) -> Result<AccountId, Box<StanzaError>> {
    let id = AccountId::guest(server.rng.bytes16());
    let account = Box::new(Account {
        id,
        host: jid.domain().into(),
        name: jid.local().unwrap_or_default().into(),
        role: Role::User,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: server.clock.unix_ms(),
    });
    server.guests.note_left(jid);
    let record = Record::of(Op::AddAccount { account, keys: Vec::new() });
    match server.commit_with(record, vec![Effect::Forget(jid.clone())]).await {
        Outcome::Done { .. } => Ok(id),
        Outcome::Full => {
            Err(StanzaError::new(Condition::ResourceConstraint).with_text("there is no room for more guests").into())
        }
        Outcome::Unavailable(why) => Err(Unchanged::Unavailable(why).into()),
        Outcome::Conflict | Outcome::Gone | Outcome::Fenced => {
            Err(StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait).into())
        }
    }
}

/// Ends guests once a second, until the server is dropped.
pub async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        end_left(&server).await;
    }
}

/// Ends those guests whose last session has gone since the last time. One who cannot end now, because the store does not write, is
/// tried again the next time.
pub async fn end_left(server: &Arc<Server>) {
    for jid in server.guests.take_left() {
        match end(server, &jid).await {
            Ok(()) | Err(Unchanged::Gone) => {}
            Err(why) => {
                tracing::warn!(jid = jid.as_str(), %why, "a guest's account could not end yet");
                server.guests.note_left(&jid);
            }
        }
    }
}

async fn end(server: &Arc<Server>, jid: &Jid) -> Result<(), Unchanged> {
    let _locked = server.guests.lock(jid).await;
    let account = server.store.account(jid.domain(), jid.local().unwrap_or_default()).await?;
    let Some(Account { id, .. }) = account.filter(|account| account.id.is_guest()) else { return Ok(()) };
    if !server.sessions.of(id).is_empty() {
        return Ok(());
    }
    removal::remove(server, id, jid).await?.make(server).await
}
