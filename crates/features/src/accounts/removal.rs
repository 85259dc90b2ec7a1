//! The end of an account (XEP-0077 section 3.2, RFC 6121 section 3): those who shared a subscription with it are told that it is over,
//! in the same record that removes the account. Their rosters change, so their locks are held too.

use std::sync::Arc;

use metronome_host::effect::{Effect, Effects};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;

use super::change::{Change, Unchanged};
use crate::roster::exchange::{Exchange, Other, other};

/// How often it begins anew where contacts are added meanwhile.
const ROUNDS_MAX: usize = 10;

/// A contact of the account, and where its own side is kept.
#[derive(Debug)]
struct Contact {
    jid: Jid,
    other: Other,
}

/// Decides that an account and everything that is stored for it end. `jid` is its bare address.
pub async fn remove(server: &Arc<Server>, id: AccountId, jid: &Jid) -> Result<Change, Unchanged> {
    let mut wanted = owners(id, &contacts(server, id).await?);
    for _ in 0..ROUNDS_MAX {
        let locked = server.owners.lock(&wanted).await;
        if server.store.account_by_id(id).await?.is_none() {
            return Err(Unchanged::Gone);
        }
        // With the account's lock its roster stands still; who was added before it was taken must be locked as well.
        let contacts = contacts(server, id).await?;
        let needed = owners(id, &contacts);
        if !needed.iter().all(|owner| locked.holds(*owner)) {
            wanted = needed;
            continue;
        }
        let (mut record, mut effects) = (Record::default(), Effects::new());
        for contact in contacts {
            leave(server, id, jid, contact, &mut record, &mut effects).await.map_err(unread)?;
        }
        record.push(Op::ForgetAccount { id });
        effects.push(Effect::Forget(jid.bare()));
        effects.push(Effect::Disconnect(id, Condition::NotAuthorized, "the account was deleted"));
        return Ok(Change::new(record, effects, locked));
    }
    Err(Unchanged::Restless)
}

/// Ends what there is between the account and one contact.
async fn leave(
    server: &Server,
    id: AccountId,
    jid: &Jid,
    contact: Contact,
    record: &mut Record,
    effects: &mut Effects,
) -> Result<(), Refuse> {
    let mut exchange = Exchange::read(server, id, jid, &contact.jid, contact.other).await?;
    exchange.end(jid);
    exchange.finish_theirs(record, effects);
    Ok(())
}

async fn contacts(server: &Server, id: AccountId) -> Result<Vec<Contact>, Unchanged> {
    let (_, rows) = server.store.roster(id).await?;
    let mut contacts = Vec::with_capacity(rows.len());
    for row in rows {
        let other = other(server, &row.jid).await.map_err(unread)?;
        contacts.push(Contact { jid: row.jid, other });
    }
    Ok(contacts)
}

fn owners(id: AccountId, contacts: &[Contact]) -> Vec<AccountId> {
    let theirs = contacts.iter().filter_map(|contact| match contact.other {
        Other::Account(theirs) => Some(theirs),
        Other::Absent | Other::Host | Other::Remote => None,
    });
    std::iter::once(id).chain(theirs).collect()
}

/// Reading rows fails only where the store does, which has told the log.
fn unread(_: Refuse) -> Unchanged {
    Unchanged::Unreadable
}
