//! What service discovery tells of nodes: which there are (XEP-0060 section 5.2), what one is (sections 5.3 and 5.4), and what is in it
//! (section 5.5); of which types (XEP-0462), by pages (XEP-0059). Of each node only to those who may know of it.

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Affiliation, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::disco::{Identity, Info, Item, Items};
use metronome_proto::payload::pubsub::Listing;
use metronome_proto::payload::rsm::Given;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Tree;
use metronome_pubsub::metadata::MetaData;
use metronome_pubsub::{Node, Standing, Trust, Verb, Verdict, asks_for_trust, judge};
use metronome_store::nodes::{ItemSearch, ItemsFound};

use super::place::Place;
use super::{nodes, trust};

/// Most nodes or items in one answer.
const PAGE_MAX: usize = 100;

/// Most nodes that are looked at for one answer: those that somebody may not know of cost as much as those they may.
const LOOKED_AT_MAX: usize = 10_000;

/// What a node is.
pub(crate) async fn info(server: &Arc<Server>, env: &Envelope, name: &str) -> Result<Tree, Refuse> {
    let (_, node) = find(server, env, name).await?;
    let kind = match node.kind {
        NodeKind::Leaf => "leaf",
        NodeKind::Collection => "collection",
    };
    let people = |affiliation| node.affiliated(affiliation).cloned().collect::<Vec<_>>();
    let (owners, publishers) = (people(Affiliation::Owner), people(Affiliation::Publisher));
    let meta = MetaData {
        config: &node.config,
        creator: Some(&node.creator),
        created_ms: node.created_ms,
        owners: &owners,
        publishers: &publishers,
        subscribers: node.subscribers().len() as u64,
    };
    let mut identity = Identity::new("pubsub", kind);
    if !node.config.title.is_empty() {
        identity = identity.named(&node.config.title);
    }
    let features = [ns::PUBSUB, ns::DISCO_INFO, ns::DISCO_ITEMS].map(str::to_owned).to_vec();
    let info = Info { node: Some(name.to_owned()), identities: vec![identity], features, extensions: vec![meta.form()] };
    Ok(info.tree())
}

/// The items of a node, by their ids.
pub(crate) async fn items_of_node(server: &Arc<Server>, env: &Envelope, name: &str) -> Result<Tree, Refuse> {
    let (place, node) = find(server, env, name).await?;
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    let empty = || Items { node: Some(name.to_owned()), items: Vec::new() }.tree();
    if node.kind == NodeKind::Collection {
        return children(server, env, &place, name).await;
    }
    if !may(server, env, &place, &node, Verb::Read).await? {
        return Ok(empty());
    }
    let search = ItemSearch { rows_max: PAGE_MAX, ..ItemSearch::default() };
    let ItemsFound::Page(page) = server.store.items(owner, name, search).await? else { return Ok(empty()) };
    let item = |id: &str| Item { jid: place.address.clone(), node: None, name: Some(id.to_owned()) };
    let items = page.rows.iter().rev().map(|row| item(&row.id)).collect();
    Ok(Items { node: Some(name.to_owned()), items }.tree())
}

/// What stands in a collection (XEP-0248 section 4.2).
async fn children(server: &Arc<Server>, env: &Envelope, place: &Place, collection: &str) -> Result<Tree, Refuse> {
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    let rows = server.store.nodes_in(owner, collection, None, PAGE_MAX).await?;
    let mut items = Vec::new();
    for row in rows {
        if let Some(node) = nodes::node(server, owner, &row.row.name).await?
            && may(server, env, place, &node, Verb::Discover).await?
        {
            items.push(item(&place.address, &node));
        }
    }
    Ok(Items { node: Some(collection.to_owned()), items }.tree())
}

/// The nodes of a place, behind what else belongs to it. Those that stand in a collection are found there as well.
pub(crate) async fn nodes_of(server: &Arc<Server>, env: &Envelope, mut before: Vec<Item>) -> Result<Tree, Refuse> {
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let listing = Listing::read(&query)?;
    let place = Place::of(server, env).await?;
    let Some(owner) = place.owner else { return Ok(Items { node: None, items: before }.tree()) };
    let wanted = listing.set.max.unwrap_or(PAGE_MAX as u64).min(PAGE_MAX as u64) as usize;
    let mut after = listing.set.after.as_deref().map(Box::<str>::from);
    if after.is_some() {
        before.clear();
    }
    let (mut found, mut looked_at, mut is_all) = (Vec::new(), 0, false);
    while found.len() < wanted && looked_at < LOOKED_AT_MAX {
        let rows = server.store.nodes(owner, after.as_deref(), PAGE_MAX).await?;
        if rows.is_empty() {
            is_all = true;
            break;
        }
        for row in rows {
            looked_at += 1;
            after = Some(row.row.name.clone());
            let Some(node) = nodes::node(server, owner, &row.row.name).await? else { continue };
            let is_wanted = listing.filter.as_ref().is_none_or(|filter| filter.admits(&node.config.r#type));
            if is_wanted && !node.name.is_empty() && may(server, env, &place, &node, Verb::Discover).await? {
                found.push((node.name.to_string(), item(&place.address, &node)));
            }
            if found.len() == wanted {
                break;
            }
        }
    }
    let ends = found.first().zip(found.last()).map(|((first, _), (last, _))| (first.clone(), last.clone()));
    let pages = !is_all || listing.set != Default::default();
    before.extend(found.into_iter().map(|(_, item)| item));
    let given = Given { ends, index: None, count: None };
    let tree = Items { node: None, items: before }.tree();
    Ok(if pages { tree.child(given.tree()) } else { tree })
}

fn item(address: &Jid, node: &Node) -> Item {
    let title = Some(node.config.title.to_string()).filter(|title| !title.is_empty());
    Item { jid: address.clone(), node: Some(node.name.to_string()), name: title }
}

/// A node that whoever asks may know of.
async fn find(server: &Arc<Server>, env: &Envelope, name: &str) -> Result<(Place, Arc<Node>), Refuse> {
    let place = Place::of(server, env).await?;
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    let node = nodes::node(server, owner, name).await?.ok_or(Condition::ItemNotFound)?;
    match may(server, env, &place, &node, Verb::Discover).await? {
        true => Ok((place, node)),
        false => Err(Condition::ItemNotFound.into()),
    }
}

async fn may(server: &Arc<Server>, env: &Envelope, place: &Place, node: &Node, verb: Verb) -> Result<bool, Refuse> {
    let from = &env.stanza.from;
    if place.standing(server, env).await? == Standing::Owner {
        return Ok(true);
    }
    let trust = match asks_for_trust(verb, node.affiliation(from), node.config.access_model) {
        true => trust::of(server, place, node, from).await?,
        false => Trust::NONE,
    };
    let verdict = judge(verb, node.claim(from, &trust, server.clock.unix_ms()), node.policy());
    Ok(verdict == Verdict::Granted)
}
