//! What rosters say of those who want something from a node: read for the account of a node, or for the accounts of its owners.

use std::collections::HashMap;
use std::sync::Arc;

use metronome_host::contacts;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Affiliation, Contact};
use metronome_proto::jid::Jid;
use metronome_pubsub::config::AccessModel;
use metronome_pubsub::{Node, Trust, Verb, Verdict, asks_for_trust, attachments, judge};

use super::nodes;
use super::place::{Kind, Place};
use crate::roster;

/// Most owners of a node whose rosters are looked at.
const OWNERS_MAX: usize = 20;

/// What the owners of a node let somebody see, now.
pub(super) async fn of(server: &Arc<Server>, place: &Place, node: &Node, who: &Jid) -> Result<Trust, Refuse> {
    if place.kind == Kind::Domain {
        return Ok(of_domain(&place.address, who));
    }
    of_owners(server, node, owners(server, place, node).await?, who).await
}

/// What these owners of a node let somebody see.
async fn of_owners(
    server: &Arc<Server>,
    node: &Node,
    owners: Vec<(AccountId, Jid)>,
    who: &Jid,
) -> Result<Trust, Refuse> {
    let mut trust = Trust::NONE;
    for (owner, jid) in owners {
        trust.presence |= roster::may_see(server, owner, who).await?;
        if node.config.access_model == AccessModel::Roster {
            let stored = server.store.contact(owner, who.bare_str()).await?;
            trust.groups.extend(stored.into_iter().filter(|row| row.subscription.from).flat_map(|row| row.groups));
            if let Some(host) = server.hosts.load().get(jid.domain()) {
                trust.groups.extend(host.groups.shared_with(jid.as_str(), who.bare_str()));
            }
        }
    }
    Ok(trust)
}

/// Whether somebody may do this with a node, as rosters say now. Of a node that belongs to another one that is asked there (XEP-0470).
pub(super) async fn allows(
    server: &Arc<Server>,
    place: &Place,
    node: &Node,
    verb: Verb,
    who: &Jid,
) -> Result<bool, Refuse> {
    let guard = match attachments::guard(&node.name).zip(place.owner) {
        Some((name, owner)) => match nodes::node(server, owner, &name).await? {
            Some(guard) => Some(guard),
            None => return Ok(false),
        },
        None => None,
    };
    let node = guard.as_deref().unwrap_or(node);
    let trust = match asks_for_trust(verb, node.affiliation(who), node.config.access_model) {
        true => of(server, place, node, who).await?,
        false => Trust::NONE,
    };
    Ok(judge(verb, node.claim(who, &trust, server.clock.unix_ms()), node.policy()) == Verdict::Granted)
}

/// Whether a contact may read a node only since its row in the roster of `of` is not as it was `before`. Nodes that are judged by another one
/// send nothing to who comes, so none of them gains.
pub(super) async fn gains(
    server: &Arc<Server>,
    place: &Place,
    node: &Node,
    of: AccountId,
    before: &Contact,
) -> Result<bool, Refuse> {
    let (who, now_ms) = (&before.jid, server.clock.unix_ms());
    let may = |trust: &Trust| judge(Verb::Read, node.claim(who, trust, now_ms), node.policy()) == Verdict::Granted;
    let asks = asks_for_trust(Verb::Read, node.affiliation(who), node.config.access_model);
    if !asks || place.kind == Kind::Domain || attachments::guard(&node.name).is_some() {
        return Ok(false);
    }
    let (its, others): (Vec<_>, Vec<_>) = owners(server, place, node).await?.into_iter().partition(|(id, _)| *id == of);
    let Some((_, jid)) = its.first() else { return Ok(false) };
    let mut earlier = of_owners(server, node, others, who).await?;
    if before.subscription.from {
        earlier.presence = true;
        earlier.groups.extend(before.groups.iter().cloned());
        if let Some(host) = server.hosts.load().get(jid.domain()) {
            earlier.groups.extend(host.groups.shared_with(jid.as_str(), who.bare_str()));
        }
    }
    Ok(!may(&earlier) && may(&self::of(server, place, node, who).await?))
}

/// Everybody on a domain sees what it tells.
fn of_domain(address: &Jid, who: &Jid) -> Trust {
    Trust { presence: who.domain() == address.domain(), groups: Vec::new() }
}

/// Those whose rosters count, with their bare addresses.
async fn owners(server: &Server, place: &Place, node: &Node) -> Result<Vec<(AccountId, Jid)>, Refuse> {
    if let (Kind::Account, Some(owner)) = (place.kind, place.owner) {
        return Ok(vec![(owner, place.address.clone())]);
    }
    let mut owners = Vec::new();
    for jid in node.affiliated(Affiliation::Owner).take(OWNERS_MAX).filter(|jid| jid.local().is_some()) {
        if server.hosts.load().get(jid.domain()).is_none() {
            continue;
        }
        let facts = server.facts.of(&*server.store, jid).await?;
        owners.extend(facts.filter(|facts| facts.is_active()).map(|facts| (facts.account.id, jid.clone())));
    }
    Ok(owners)
}

/// What is asked of rosters while something is delivered: what is in memory of those who are online, and what was read of the others before.
#[derive(Debug)]
pub(super) struct Live {
    address: Jid,
    kind: Kind,
    owners: Vec<Owner>,
}

#[derive(Debug)]
struct Owner {
    account: AccountId,
    jid: Jid,
    /// None where presence alone is asked for, and the owner is online.
    read: Option<Rows>,
}

/// By bare address, whether somebody sees the owner's presence, and the groups in which they stand.
type Rows = HashMap<Box<str>, (bool, Vec<Box<str>>)>;

impl Live {
    /// Reads what will be needed for this node, which is asked for access by each of these models.
    pub(super) async fn of(
        server: &Server,
        place: &Place,
        node: &Node,
        models: &[AccessModel],
        wants: Wants,
    ) -> Result<Live, Refuse> {
        let mut live = Live { address: place.address.clone(), kind: place.kind, owners: Vec::new() };
        let by_groups = models.contains(&AccessModel::Roster);
        let by_roster = by_groups || models.contains(&AccessModel::Presence);
        if place.kind == Kind::Domain || !(by_roster || wants == Wants::Contacts) {
            return Ok(live);
        }
        for (account, jid) in owners(server, place, node).await? {
            let is_here = server.sessions.contacts(account).is_some();
            let read = match is_here && !by_groups {
                true => None,
                false => Some(read(server, account).await?),
            };
            live.owners.push(Owner { account, jid, read });
        }
        Ok(live)
    }

    /// What the rosters say.
    pub(super) fn trust(&self, server: &Server, who: &Jid) -> Trust {
        if self.kind == Kind::Domain {
            return of_domain(&self.address, who);
        }
        let mut trust = Trust::NONE;
        for owner in &self.owners {
            let row = owner.read.as_ref().and_then(|rows| rows.get(who.bare_str()));
            let stored = match server.sessions.contacts(owner.account) {
                Some(contacts) => contacts.get(who.bare_str()).is_some_and(contacts::Known::is_shown),
                None => row.is_some_and(|(from, _)| *from),
            };
            let hosts = server.hosts.load();
            trust.presence |= stored || hosts.shows(&owner.jid, who) || owner.jid.same_bare(who);
            // Without a presence subscription no group counts (section 6.5.1).
            trust.groups.extend(row.iter().filter(|_| stored).flat_map(|(_, groups)| groups.iter().cloned()));
            if let (Some(_), Some(host)) = (&owner.read, hosts.get(owner.jid.domain())) {
                trust.groups.extend(host.groups.shared_with(owner.jid.as_str(), who.bare_str()));
            }
        }
        trust
    }

    /// The contacts that see the presence of an account that is not online.
    pub(super) fn contacts(&self) -> Vec<Jid> {
        let rows = self.owners.iter().filter_map(|owner| owner.read.as_ref()).flatten();
        let seeing = rows.filter(|(_, (from, _))| *from).filter_map(|(jid, _)| Jid::parse(jid).ok());
        seeing.collect()
    }
}

/// What a notification needs of rosters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// To judge subscribers.
    Subscribers,
    /// To find contacts as well.
    Contacts,
}

async fn read(server: &Server, owner: AccountId) -> Result<Rows, Refuse> {
    let (_, rows) = server.store.roster(owner).await?;
    Ok(rows.into_iter().map(|row| (row.jid.as_str().into(), (row.subscription.from, row.groups))).collect())
}
