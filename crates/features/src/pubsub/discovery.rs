//! What service discovery tells of nodes: which there are (XEP-0060 section 5.2), what one is (sections 5.3 and 5.4), and what is in it
//! (section 5.5); of which types (XEP-0462), by pages (XEP-0059). Of each node only to those who may know of it.

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Affiliation, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::disco::{Identity, Info, Item, Items};
use metronome_proto::payload::pubsub::{Kinds, Listing};
use metronome_proto::payload::rsm::Given;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Tree;
use metronome_pubsub::config::Config;
use metronome_pubsub::metadata::MetaData;
use metronome_pubsub::{Node, Standing, Verb, attachments};
use metronome_store::nodes::{ItemSearch, ItemsFound};

use super::place::Place;
use super::{nodes, relatives, trust};

/// Most nodes or items in one answer.
pub(super) const PAGE_MAX: usize = 100;

/// Most nodes that are looked at for one answer: those that somebody may not know of cost as much as those they may.
const LOOKED_AT_MAX: usize = 1000;

/// What a node is.
pub(crate) async fn info(server: &Arc<Server>, env: &Envelope, name: &str) -> Result<Tree, Refuse> {
    let (place, node) = find(server, env, name).await?;
    let kind = match node.kind {
        NodeKind::Leaf => "leaf",
        NodeKind::Collection => "collection",
    };
    let config = shown(server, &place, &node).await?;
    let mut identity = Identity::new("pubsub", kind);
    if !node.config.title.is_empty() {
        identity = identity.named(&node.config.title);
    }
    let features = [ns::PUBSUB, ns::DISCO_INFO, ns::DISCO_ITEMS].map(str::to_owned).to_vec();
    let info = Info { node: Some(name.to_owned()), identities: vec![identity], features, extensions: vec![described(&node, &config, |told| told.form())] };
    Ok(info.tree())
}

/// The configuration of a node as everybody sees it.
pub(super) async fn shown(server: &Server, place: &Place, node: &Node) -> Result<Config, Refuse> {
    let guard = match attachments::guard(&node.name).zip(place.owner) {
        Some((guard, owner)) => nodes::node(server, owner, &guard).await?,
        None => None,
    };
    Ok(guard.map_or_else(|| node.config.clone(), |guard| attachments::shown(&node.config, &guard)))
}

/// What is told of a node with this configuration.
pub(super) fn described(node: &Node, config: &Config, tell: impl FnOnce(MetaData<'_>) -> DataForm) -> DataForm {
    let people = |affiliation| node.affiliated(affiliation).cloned().collect::<Vec<_>>();
    tell(MetaData {
        config,
        creator: Some(&node.creator),
        created_ms: node.created_ms,
        owners: &people(Affiliation::Owner),
        publishers: &people(Affiliation::Publisher),
        subscribers: node.subscribers().len() as u64,
    })
}

/// The ids of the newest items, those first.
pub(super) async fn ids(server: &Server, owner: AccountId, name: &str) -> Result<Vec<String>, Refuse> {
    let search = ItemSearch { rows_max: PAGE_MAX, ..ItemSearch::default() };
    let ItemsFound::Page(page) = server.store.items(owner, name, search).await? else { return Ok(Vec::new()) };
    Ok(page.rows.iter().rev().map(|row| row.id.to_string()).collect())
}

/// The items of a node, by their ids; or all that belongs to it, for those who ask so.
pub(crate) async fn items_of_node(server: &Arc<Server>, env: &Envelope, name: &str) -> Result<Tree, Refuse> {
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let listing = Listing::read(&query)?;
    let (place, node) = find(server, env, name).await?;
    if let Some(wants) = listing.relatives {
        return relatives::of(server, env, &place, node, &listing, wants).await;
    }
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    let empty = || Items { node: Some(name.to_owned()), items: Vec::new() }.tree();
    if node.kind == NodeKind::Collection {
        return children(server, env, &place, name).await;
    }
    if !may(server, env, &place, &node, Verb::Read).await? {
        return Ok(empty());
    }
    let item = |id: String| Item { jid: place.address.clone(), node: None, name: Some(id) };
    let items = ids(server, owner, name).await?.into_iter().map(item).collect();
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
    let mut after = listing.set.after.as_deref().map(|after| server.nodes.place(after).unwrap_or_else(|| after.into()));
    if after.is_some() {
        before.clear();
    }
    let (mut found, mut looked_at, mut is_all) = (Vec::new(), 0, false);
    while found.len() < wanted && looked_at < LOOKED_AT_MAX && !is_all {
        let rows = server.store.nodes(owner, after.as_deref(), PAGE_MAX).await?;
        is_all = rows.is_empty();
        for row in rows {
            looked_at += 1;
            after = Some(row.row.name.clone());
            if let Some(listed) = listed(server, env, &place, owner, &row.row.name, &listing).await? {
                found.push((row.row.name.to_string(), listed));
            }
            if found.len() == wanted {
                break;
            }
        }
    }
    let mut ends = found.first().zip(found.last()).map(|((first, _), (last, _))| (first.clone(), last.clone()));
    if let Some(after) = after.filter(|_| !is_all && found.len() < wanted) {
        // There may be more that they may know of, behind names that they may not.
        let words = server.rng.token();
        server.nodes.keep_place(&words, &after);
        ends = Some((ends.map_or_else(|| words.clone(), |(first, _)| first), words));
    }
    let pages = !is_all || listing.set != Default::default();
    let given = Given { ends, index: None, count: None };
    let tree = Items { node: None, items: before }.tree().children(found.into_iter().map(|(_, listed)| listed));
    Ok(if pages { tree.child(given.tree()) } else { tree })
}

/// A node as it is listed, if it is wanted and whoever asks may know of it.
async fn listed(
    server: &Arc<Server>,
    env: &Envelope,
    place: &Place,
    owner: AccountId,
    name: &str,
    listing: &Listing,
) -> Result<Option<Tree>, Refuse> {
    let Some(node) = nodes::node(server, owner, name).await? else { return Ok(None) };
    let is_wanted = listing.filter.as_ref().is_none_or(|filter| filter.admits(&node.config.r#type))
        && listing.relatives.is_none_or(|wants| wants.kinds != Kinds::Items);
    if !is_wanted || node.name.is_empty() || !may(server, env, place, &node, Verb::Discover).await? {
        return Ok(None);
    }
    let item = item(&place.address, &node).tree();
    Ok(Some(match listing.relatives {
        Some(wants) => item.child(relatives::form(server, place, &node, None, wants).await?),
        None => item,
    }))
}

/// A node in a list.
pub(super) fn item(address: &Jid, node: &Node) -> Item {
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

/// Whether whoever asks may do this.
pub(super) async fn may(server: &Arc<Server>, env: &Envelope, place: &Place, node: &Node, verb: Verb) -> Result<bool, Refuse> {
    let from = &env.stanza.from;
    if place.standing(server, env).await? == Standing::Owner {
        return Ok(true);
    }
    trust::allows(server, place, node, verb, from).await
}
