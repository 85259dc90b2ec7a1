//! The end of an account (XEP-0077 section 3.2, RFC 6121 section 3): whoever shared a subscription with it, asked for one or gave one in
//! advance is told that it is over, in the same record that removes the account. Nothing stays that its name's next holder could use.
//! Their rosters change, so their locks are held too; who merely has the account in a list, or stands in its list, is left alone.

use std::sync::Arc;

use metronome_host::effect::{Effect, Effects, Push};
use metronome_host::server::Server;
use metronome_host::way::Way;
use metronome_model::{AccountId, Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;
use metronome_proto::subscription::{Subscription, Verb};
use metronome_store::RowAbout;

use super::change::{Change, Unchanged};
use crate::roster::stanza;

/// How often it begins anew where contacts are added meanwhile.
const ROUNDS_MAX: usize = 10;

/// Decides that an account and everything that is stored for it end. `jid` is its bare address.
pub async fn remove(server: &Arc<Server>, id: AccountId, jid: &Jid) -> Result<Change, Unchanged> {
    let jid = jid.bare();
    let mut wanted = owners(id, &halves(server, id, &jid).await?);
    for _ in 0..ROUNDS_MAX {
        let locked = server.owners.lock(&wanted).await;
        if server.store.account_by_id(id).await?.is_none() {
            return Err(Unchanged::Gone);
        }
        // With the account's lock nobody begins anything with it; who did so before it was taken must be locked as well.
        let halves = halves(server, id, &jid).await?;
        if !halves.iter().all(|half| locked.holds(half.owner)) {
            wanted = owners(id, &halves);
            continue;
        }
        let (mut record, mut effects) = (Record::default(), Effects::new());
        for half in halves {
            end(id, &jid, half, &mut record, &mut effects);
        }
        if !id.is_guest() {
            let (_, contacts) = server.store.roster(id).await?;
            let away = contacts.iter().filter(|contact| hosts_other(server, &contact.jid));
            away.for_each(|contact| end_elsewhere(server, &jid, contact, &mut record, &mut effects));
        }
        record.push(Op::ForgetAccount { id });
        effects.push(Effect::Forget(jid.clone()));
        effects.push(Effect::Removed(id, jid));
        effects.push(Effect::Disconnect(id, Condition::NotAuthorized, "the account was deleted"));
        return Ok(Change::new(record, effects, locked));
    }
    Err(Unchanged::Restless)
}

/// The others' halves of what there is between them and the account. They are found by its address and not by its own roster, as
/// some have no other half: an approval in advance, and what two rosters that have come apart still say. Whether a domain is served
/// does not matter.
async fn halves(server: &Server, id: AccountId, jid: &Jid) -> Result<Vec<RowAbout>, Unchanged> {
    let mut rows = server.store.rows_about(jid.as_str()).await?;
    rows.retain(|row| row.owner != id && row.contact.subscription != Subscription::NONE);
    Ok(rows)
}

/// Whether a component has this address, or another server, and there are other servers.
fn hosts_other(server: &Server, jid: &Jid) -> bool {
    let hosts = server.hosts.load();
    hosts.component(jid.domain()).is_some() || (server.remotes.is_open() && hosts.is_elsewhere(jid.domain()))
}

/// Tells a contact on another server that what there was between them is over.
fn end_elsewhere(server: &Server, jid: &Jid, contact: &Contact, record: &mut Record, effects: &mut Effects) {
    let Subscription { to, pending_out, from, pending_in, .. } = contact.subscription;
    let verbs = [(Verb::Unsubscribe, to || pending_out), (Verb::Unsubscribed, from || pending_in)];
    for (verb, _) in verbs.into_iter().filter(|(_, ends)| *ends) {
        let way = Way::between(server, jid, &contact.jid);
        way.send(Arc::new(stanza(verb, jid, &contact.jid)), record, effects);
    }
}

fn owners(id: AccountId, halves: &[RowAbout]) -> Vec<AccountId> {
    halves.iter().map(|half| half.owner).chain([id]).collect()
}

/// Ends one half as if the account had sent what ends it (RFC 6121 sections 3.2 and 3.3).
fn end(id: AccountId, jid: &Jid, half: RowAbout, record: &mut Record, effects: &mut Effects) {
    let RowAbout { owner, host, name, version, contact: before } = half;
    let mut contact = before.clone();
    for verb in [Verb::Unsubscribe, Verb::Unsubscribed] {
        let received = contact.subscription.receive(verb);
        contact.subscription = received.after;
        if let (true, Ok(to)) = (received.delivered, Jid::from_parts(Some(&name), &host, None)) {
            effects.push(Effect::ToInterested(owner, stanza(verb, jid, &to)));
        }
    }
    if before.subscription.to {
        effects.push(Effect::Hide { of: id, to: owner });
    }
    // What is left is an approval: it was for this holder of the name.
    (contact.subscription, contact.request, contact.version) = (Subscription::NONE, None, version.current + 1);
    record.push(Op::SetContact { owner, contact: Box::new(contact.clone()) });
    // A request that waits is no part of what clients see of an item.
    let seen = Subscription { pending_in: false, ..before.subscription } != Subscription::NONE;
    let push = if before.listed == Listed::Yes && seen { Push::Item } else { Push::Nothing };
    effects.push(Effect::Contact { owner, contact: Arc::new(contact), push });
}
