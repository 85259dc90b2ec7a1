//! What somebody who has come is told of what was published before (XEP-0163 section 4.3.4): the newest item of each node that they want
//! and may read. The nodes stay locked until it was handed over, so that what is published meanwhile comes behind it.

use std::sync::Arc;

use metronome_host::interests::Wants;
use metronome_host::owners::Locked;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_pubsub::{Creation, Facts, Known, Node, Nodes, Standing, Trust, Verb, Verdict, asks_for_trust, judge};

use super::place::{Kind, Place};
use super::{nodes, settings, trust};
use crate::roster;

/// Most nodes of one owner that are looked at for this; those that are named last are passed over.
const NODES_MAX: usize = 10_000;
/// Names that are read at once.
const PAGE: usize = 500;

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
pub async fn of(server: &Arc<Server>, address: &Jid, wants: &Wants, who: &Jid) -> Result<Option<Last>, Refuse> {
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
    let facts = Facts {
        from: who,
        address: &place.address,
        standing: Standing::Stranger,
        creation: Creation::Forbidden,
        now_ms: server.clock.unix_ms(),
        random: server.rng.bytes16(),
    };
    let mut contents = Vec::new();
    for (name, item) in items {
        let Some(node) = nodes::node(server, owner, &name).await? else { continue };
        let expired_ms = node.expired_before_ms(facts.now_ms, rules.limits().expire_s_max).unwrap_or_default();
        let is_due = node.sends_last_on_presence() && item.updated_ms >= expired_ms;
        if is_due && may_read(server, &place, &node, who).await? {
            contents.push(Nodes { facts: &facts, known: &known, rules: &*rules }.last_item(&node, &item));
        }
    }
    Ok((!contents.is_empty()).then(|| Last { from: place.address.clone(), contents, _locked: locked }))
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
    let trust = match asks_for_trust(Verb::Read, node.affiliation(who), node.config.access_model) {
        true => trust::of(server, place, node, who).await?,
        false => Trust::NONE,
    };
    Ok(judge(Verb::Read, node.claim(who, &trust, server.clock.unix_ms()), node.policy()) == Verdict::Granted)
}
