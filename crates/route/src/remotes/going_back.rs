//! What was stored for another server and comes back to its senders: what has waited for too long, and what is larger than the other side
//! takes. As rows of their archives, so that they hear of it whenever they are there; each by a task that holds nothing meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use metronome_host::envelope::{Destination, Envelope, Sender};
use metronome_host::links::{Link, LinkKind};
use metronome_host::remotes::{Failure, FailureKind, Remote};
use metronome_host::server::{Load, Server};
use metronome_model::{Direction, Keep, Op};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::{Kind, Stanza};
use metronome_store::StoreError;

use super::{PAGE_ROWS, dequeue, give_back};

/// What the sender of a stored stanza hears when its time is over and nothing more exact is known.
const OVERDUE: Failure = Failure { kind: FailureKind::Unreachable, text: "the server could not be reached in time" };

/// Begins to return what has waited for too long, unless somebody is at it.
pub(super) fn give_back_overdue(server: &Arc<Server>, remote: &Arc<Remote>, keep_ms: u64) {
    let before_ms = server.clock.unix_ms().saturating_sub(keep_ms);
    if remote.begin_giving_up(before_ms) {
        let (server, remote) = (server.clone(), remote.clone());
        tokio::spawn(async move {
            if let Err(error) = give_back_rows(&server, &remote, keep_ms).await {
                tracing::error!(%error, remote = remote.remote.as_str(), "what has waited for another server cannot be read");
            }
            remote.end_giving_up();
        });
    }
}

/// Returns rows page by page, the oldest first.
async fn give_back_rows(server: &Arc<Server>, remote: &Arc<Remote>, keep_ms: u64) -> Result<(), StoreError> {
    let before_ms = server.clock.unix_ms().saturating_sub(keep_ms);
    let link = nobody(remote);
    while let Some((after, before_ms)) = remote.overdue_after(before_ms) {
        let mut page = server.store.outbox(remote.local.domain(), remote.remote.domain(), after, PAGE_ROWS).await?;
        let overdue = page.iter().take_while(|row| row.at_ms < before_ms).count();
        let (is_whole, next_ms) = (overdue == page.len(), page.get(overdue).map(|row| row.at_ms));
        page.truncate(overdue);
        // Of a page that is overdue as a whole nobody knows what comes next: another look tells.
        let next_ms = if is_whole && overdue > 0 { 0 } else { next_ms.unwrap_or(u64::MAX) };
        let failure = remote.failure().unwrap_or(OVERDUE);
        if !remote.give_up(&page, next_ms) || page.is_empty() {
            return Ok(());
        }
        let last = page.last().map_or(after, |row| row.id);
        for row in page {
            give_row_back(server, &link, row.stanza, &failure.error()).await;
        }
        // Behind them: whatever happens in between, a row is returned or still there.
        server.commit(dequeue(remote, last)).await;
    }
    Ok(())
}

/// Begins to return the rows that the other side does not take, unless somebody is at it: one after the other, as far as everything before
/// each is done, so that many of them do not keep what was sent behind them from being done.
pub(super) fn return_too_large(server: &Arc<Server>, remote: &Arc<Remote>) {
    if let Some(first) = remote.begin_returning() {
        let (server, remote) = (server.clone(), remote.clone());
        tokio::spawn(async move {
            let mut next = Some(first);
            while let Some(row) = next {
                if let Err(error) = return_row(&server, &remote, row).await {
                    tracing::error!(%error, remote = remote.remote.as_str(), "what is too large for another server cannot be read");
                    break;
                }
                next = remote.goes_back();
            }
            remote.end_giving_up();
        });
    }
}

async fn return_row(server: &Arc<Server>, remote: &Arc<Remote>, id: u64) -> Result<(), StoreError> {
    let before = id.saturating_sub(1);
    let page = server.store.outbox(remote.local.domain(), remote.remote.domain(), before, 1).await?;
    // What the store has lost is waited for no more.
    let Some(row) = page.into_iter().next().filter(|row| row.id == id) else {
        remote.returned(id, &remote.local);
        return Ok(());
    };
    let sender = row.stanza.from.clone();
    give_row_back(server, &nobody(remote), row.stanza, &too_large()).await;
    server.commit(dequeue(remote, id)).await;
    remote.returned(id, &sender);
    Ok(())
}

/// What the sender of a stanza hears that is larger than the other side takes (XEP-0478 section 4).
pub(super) fn too_large() -> StanzaError {
    StanzaError::new(Condition::PolicyViolation).with_text("the other server does not take anything as large as this")
}

/// Where what comes back comes from: no stream has brought it.
fn nobody(remote: &Remote) -> Arc<Link> {
    Link::new(0, LinkKind::Server, remote.remote.domain(), IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// A message that was promised comes back as a row of its sender's archive, so that it is heard of whenever the sender is there again.
pub(crate) async fn give_row_back(server: &Arc<Server>, link: &Arc<Link>, stanza: Stanza, error: &StanzaError) {
    let from = stanza.from.clone();
    let is_message = matches!(stanza.kind, Kind::Message(_));
    let facts = server.facts.of(&*server.store, &from).await.ok().flatten();
    let (Some(facts), Some(host), true) = (facts, server.hosts.load().get(from.domain()).cloned(), is_message) else {
        return give_back(server, &stanza, error);
    };
    let Some(answer) = stanza.error(error) else { return };
    server.counters.bounced.add();
    let mut env = Envelope::new(host, Sender::Link(link.clone()), answer, None);
    let owner = facts.account.id;
    env.destination = Destination::Account(Some(owner));
    env.received_row = Some(0);
    env.record.push(Op::Append {
        owner,
        at_ms: server.clock.unix_ms(),
        direction: Direction::Received,
        keep: Keep::UntilSeen,
        unseen: true,
        stanza: env.stanza.clone(),
    });
    let permit = server.writer.permit(env.weight()).await;
    let record = std::mem::take(&mut env.record);
    server.writer.submit(permit, record, Load::Stanza(env));
}
