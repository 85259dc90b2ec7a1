//! What somebody who has come is told of what was published before: the newest item of each node that their client asks for (XEP-0163 section
//! 4.3.4) or that they are subscribed to (XEP-0060 section 12.2), and that they may read. The nodes stay locked until it was handed over, so that what is published meanwhile comes behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_host::interests::Wants;
use metronome_host::nodes::Named;
use metronome_host::notify::Notify;
use metronome_host::owners::Locked;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Contact};
use metronome_proto::jid::Jid;
use metronome_pubsub::{ByPresence, Creation, Facts, Known, Node, Nodes, Standing, Verb};

use super::missed::Missed;
use super::place::{Kind, Place};
use super::{audience, change, nodes, settings, trust};
use crate::roster;

/// Most nodes of one owner that are looked at for this; those that are named last are passed over.
const NODES_MAX: usize = 10_000;
/// Names that are read at once.
const PAGE: usize = 500;

/// Most nodes that somebody is subscribed to of which the newest item is told.
const SUBSCRIBED_MAX: usize = 500;

/// Most nodes of one owner of which the newest item is told to a contact that may read them from now on.
const ADMITTED_MAX: usize = 100;

/// What becomes of the nodes that a client both asks for and is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// They are told to it as a subscriber.
    AreTold,
    /// Nobody else tells it.
    AreNot,
}

/// What one owner has for a subscriber.
#[derive(Debug)]
pub struct Due {
    /// What is told, to this client alone.
    pub told: Vec<Notify>,
    _locked: Locked,
}

/// What one owner has for somebody.
#[derive(Debug)]
pub struct Last {
    /// Where it comes from.
    pub from: Jid,
    /// The contents of messages, as XML; one for each node.
    pub contents: Vec<Vec<u8>>,
    _locked: Locked,
}

/// What the account or domain with this bare address has for somebody who wants these nodes; nothing most of the time. An account without
/// nodes costs no read once that is known.
pub async fn of(
    server: &Arc<Server>,
    address: &Jid,
    wants: &Wants,
    who: &Jid,
    subscribed: Subscribed,
    missed: &mut Missed,
) -> Result<Option<Last>, Refuse> {
    let Some(place) = place(server, address).await? else { return Ok(None) };
    let Some(owner) = place.owner else { return Ok(None) };
    let names = names(server, owner).await?;
    let wanted: Vec<&str> = names.iter().map(|name| &**name).filter(|name| wants.has(name)).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let locked = server.owners.lock_nodes(owner, &wanted).await;
    let items = server.store.newest_items(owner, wanted.into_iter().map(Box::from).collect()).await?;
    let (known, rules) = (Known::default(), settings::rules(&place));
    let facts = facts(server, &place, who);
    let mut contents = Vec::new();
    for (name, item) in items {
        let Some(node) = nodes::node(server, owner, &name).await? else { continue };
        let expired_ms = node.expired_before_ms(facts.now_ms, rules.limits().expire_s_max).unwrap_or_default();
        let is_told = subscribed == Subscribed::AreTold && node.tells_on_presence(who, facts.now_ms);
        let is_due = node.sends_last_on_presence() && !is_told;
        if is_due && may_read(server, &place, &node, who).await? {
            let items = missed.of(server, owner, &name, item, expired_ms).await?;
            let nodes = Nodes { facts: &facts, known: &known, rules: &*rules };
            contents.extend(items.iter().map(|item| nodes.last_item(&node, item)));
        }
    }
    Ok((!contents.is_empty()).then(|| Last { from: place.address.clone(), contents, _locked: locked }))
}

/// The nodes that somebody is subscribed to, by owner; some of them perhaps no longer. Whoever is subscribed to none costs no read once that
/// is known.
pub async fn subscribed(server: &Server, who: &Jid) -> Result<BTreeMap<AccountId, Vec<Box<str>>>, Refuse> {
    let nodes = match server.nodes.subscribed(who.bare_str()) {
        Some(nodes) => nodes,
        None => {
            let generation = server.nodes.generation();
            let nodes: Arc<[Named]> = server.store.subscribed_to(&who.bare(), SUBSCRIBED_MAX).await?.into();
            server.nodes.keep_subscribed(who.bare_str(), nodes.clone(), generation);
            nodes
        }
    };
    let mut owners: BTreeMap<AccountId, Vec<Box<str>>> = BTreeMap::new();
    nodes.iter().for_each(|(owner, name)| owners.entry(*owner).or_default().push(name.clone()));
    Ok(owners)
}

/// What these nodes have for a subscriber whose client has come; its address is full.
pub async fn for_subscriber(
    server: &Arc<Server>,
    owner: AccountId,
    names: Vec<Box<str>>,
    who: &Jid,
    missed: &mut Missed,
) -> Result<Option<Due>, Refuse> {
    let Some(place) = Place::of_owner(server, owner).await? else { return Ok(None) };
    let mut due = BTreeMap::new();
    for name in names {
        let node = nodes::node(server, owner, &name).await?;
        let tells = |node: &Arc<Node>| node.tells_on_presence(who, server.clock.unix_ms());
        due.extend(node.filter(tells).map(|node| (name, node)));
    }
    if due.is_empty() {
        return Ok(None);
    }
    let sorted: Vec<&str> = due.keys().map(|name| &**name).collect();
    let locked = server.owners.lock_nodes(owner, &sorted).await;
    let items = server.store.newest_items(owner, due.keys().cloned().collect()).await?;
    let (known, rules) = (Known::default(), settings::rules(&place));
    let facts = facts(server, &place, who);
    let mut told = Vec::new();
    for (name, item) in items {
        // As it is by now.
        let Some(node) = nodes::node(server, owner, &name).await? else { continue };
        if !node.tells_on_presence(who, facts.now_ms) {
            continue;
        }
        let expired_ms = node.expired_before_ms(facts.now_ms, rules.limits().expire_s_max).unwrap_or_default();
        for item in missed.of(server, owner, &name, item, expired_ms).await? {
            let notification = Nodes { facts: &facts, known: &known, rules: &*rules }.last_for_comers(&node, &item);
            told.extend(audience::for_client(server, &place, notification, who).await?);
        }
    }
    Ok((!told.is_empty()).then(|| Due { told, _locked: locked }))
}

/// The nodes in which a contact may read more from here on, by owner, some of them perhaps not: what it is subscribed to, and the account's
/// own ones if its clients may ask for them. `before` is its row in the roster of `of` as it was.
pub async fn admitted(
    server: &Server,
    of: AccountId,
    before: &Contact,
) -> Result<BTreeMap<AccountId, Vec<Box<str>>>, Refuse> {
    let mut owners = subscribed(server, &before.jid).await?;
    let has_clients = || {
        !server.sessions.named(before.jid.as_str()).is_empty() || !server.remote_clients.of(of, &before.jid).is_empty()
    };
    // Of whom it sees only now it is told as one that comes.
    if before.subscription.from && has_clients() {
        owners.entry(of).or_default().extend(names(server, of).await?.iter().cloned());
    }
    for names in owners.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    Ok(owners)
}

/// What these nodes have for a contact that may read them now, and could not while its row was as it was.
pub async fn for_admitted(
    server: &Arc<Server>,
    owner: AccountId,
    names: Vec<Box<str>>,
    of: AccountId,
    before: &Contact,
) -> Result<Option<Due>, Refuse> {
    let Some(place) = Place::of_owner(server, owner).await? else { return Ok(None) };
    let mut gained: Vec<Box<str>> = Vec::new();
    for name in names {
        if gained.len() < ADMITTED_MAX && gains(server, &place, owner, &name, of, before).await?.is_some() {
            gained.push(name);
        }
    }
    if gained.is_empty() {
        return Ok(None);
    }
    let sorted: Vec<&str> = gained.iter().map(|name| &**name).collect();
    let locked = server.owners.lock_nodes(owner, &sorted).await;
    let items = server.store.newest_items(owner, gained.clone()).await?;
    let (known, rules) = (Known::default(), settings::rules(&place));
    let facts = facts(server, &place, &before.jid);
    let by_presence = if before.subscription.from { rules.by_presence() } else { ByPresence::Ignored };
    let mut told = Vec::new();
    for (name, item) in items {
        // As it is by now.
        let Some(node) = gains(server, &place, owner, &name, of, before).await? else { continue };
        let expired_ms = node.expired_before_ms(facts.now_ms, rules.limits().expire_s_max).unwrap_or_default();
        if item.updated_ms >= expired_ms {
            let nodes = Nodes { facts: &facts, known: &known, rules: &*rules };
            let notification = nodes.last_for_contact(&node, &item, by_presence);
            told.extend(audience::for_contact(server, &place, notification, &before.jid).await?);
        }
    }
    // Nobody has asked for it but whoever has that roster.
    let payer = server.sessions.of(of).first().map_or_else(|| format!("{of:?}"), |session| session.jid.bare_str().to_owned());
    let may_tell = !told.is_empty() && change::pays(server, &place, &payer, told.len());
    Ok(may_tell.then(|| Due { told, _locked: locked }))
}

/// The node, if it sends its newest item to who comes, and a contact may read it only since its row is another.
async fn gains(
    server: &Arc<Server>,
    place: &Place,
    owner: AccountId,
    name: &str,
    of: AccountId,
    before: &Contact,
) -> Result<Option<Arc<Node>>, Refuse> {
    let Some(node) = nodes::node(server, owner, name).await?.filter(|node| node.sends_last_on_presence()) else {
        return Ok(None);
    };
    let is_gained = trust::gains(server, place, &node, of, before).await?;
    Ok(is_gained.then_some(node))
}

fn facts<'a>(server: &Server, place: &'a Place, who: &'a Jid) -> Facts<'a> {
    Facts {
        from: who,
        address: &place.address,
        standing: Standing::Stranger,
        creation: Creation::Forbidden,
        now_ms: server.clock.unix_ms(),
        random: server.rng.bytes16(),
    }
}

/// The account with this address, if it has nodes and lets this contact see its presence.
pub async fn sees(server: &Arc<Server>, address: &Jid, contact: &Jid) -> Result<Option<AccountId>, Refuse> {
    let owner = place(server, address).await?.filter(|place| place.kind == Kind::Account).and_then(|place| place.owner);
    let Some(owner) = owner else { return Ok(None) };
    let is_told = !names(server, owner).await?.is_empty() && roster::may_see(server, owner, contact).await?;
    Ok(is_told.then_some(owner))
}

/// An account that is there, or a domain.
async fn place(server: &Arc<Server>, address: &Jid) -> Result<Option<Place>, Refuse> {
    let Some(host) = server.hosts.load().get(address.domain()).cloned() else { return Ok(None) };
    if address.local().is_none() {
        return Place::at(server, &host).await.map(Some);
    }
    let facts = server.facts.of(&*server.store, address).await?.filter(|facts| facts.is_active());
    let place = |owner| Place { owner: Some(owner), address: address.bare(), host, kind: Kind::Account };
    Ok(facts.map(|facts| place(facts.account.id)))
}

/// Whether an account may have a node of this name. Costs no read once it is known which it has, and none of its own where somebody wants to
/// know what there is of all of them.
pub(crate) async fn may_have(server: &Server, owner: AccountId, name: &str) -> Result<bool, Refuse> {
    let names = names(server, owner).await?;
    Ok(names.len() >= NODES_MAX || names.iter().any(|known| **known == *name))
}

/// The names of all nodes of an owner.
async fn names(server: &Server, owner: AccountId) -> Result<Arc<[Box<str>]>, Refuse> {
    if let Some(names) = server.nodes.names(owner) {
        return Ok(names);
    }
    let generation = server.nodes.generation();
    let mut names: Vec<Box<str>> = Vec::new();
    loop {
        let page = server.store.nodes(owner, names.last().map(|name| &**name), PAGE).await?;
        let is_last = page.is_empty() || names.len() >= NODES_MAX;
        names.extend(page.into_iter().map(|listed| listed.row.name));
        if is_last {
            break;
        }
    }
    let names: Arc<[Box<str>]> = names.into();
    server.nodes.keep_names(owner, names.clone(), generation);
    Ok(names)
}

async fn may_read(server: &Arc<Server>, place: &Place, node: &Node, who: &Jid) -> Result<bool, Refuse> {
    if place.kind == Kind::Account && place.address.same_bare(who) {
        return Ok(true);
    }
    trust::allows(server, place, node, Verb::Read, who).await
}
