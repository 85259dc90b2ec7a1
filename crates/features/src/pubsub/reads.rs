//! What a decision asks for, read from the store or from memory.

use std::sync::Arc;

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Item, NodesUsage};
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::By;
use metronome_pubsub::{End, Found, Known, Need, Node, Page};
use metronome_store::archive::{From, PAGE_BYTES_MAX};
use metronome_store::nodes::{ItemSearch, ItemsFound, Order};

use super::place::Place;
use super::{nodes, trust};

/// Most subscriptions, and most affiliations, of one address that are looked at.
const LISTED_MAX: usize = 10_000;

/// Adds what is asked for.
pub(super) async fn add(server: &Arc<Server>, place: &Place, known: &mut Known, need: Need) -> Result<(), Refuse> {
    match need {
        Need::Node(name) => known.add_node(&name, node(server, place.owner, &name).await?),
        Need::Trust { node: name, who } => {
            let trust = match node(server, place.owner, &name).await? {
                Some(node) => trust::of(server, place, &node, &who).await?,
                None => metronome_pubsub::Trust::NONE,
            };
            known.add_trust(&name, who, trust);
        }
        Need::Publishers { node, ids } => {
            let found = publishers(server, place.owner, &node, &ids).await?;
            known.add_publishers(&node, ids, found);
        }
        Need::Items { node, ids } => {
            let found = match place.owner {
                Some(owner) => server.store.items_by_id(owner, &node, ids.clone()).await?,
                None => Vec::new(),
            };
            known.add_items(&node, ids, found);
        }
        Need::Page { node, page } => {
            let found = self::page(server, place.owner, &node, &page).await?;
            known.add_page(&node, page, found);
        }
        Need::Usage => known.add_usage(match place.owner {
            Some(owner) => server.store.nodes_usage(owner).await?,
            None => NodesUsage::default(),
        }),
        Need::Children { collection, limit } => {
            let names = children(server, place.owner, &collection, limit).await?;
            known.add_children(&collection, names);
        }
        Need::Beginning { with, limit } => {
            let names = beginning(server, place.owner, &with, limit).await?;
            known.add_beginning(&with, names);
        }
        Need::SubscriptionsOf(bare) => {
            let found = subscriptions(server, place.owner, &bare).await?;
            known.add_subscriptions(bare, found);
        }
        Need::AffiliationsOf(bare) => {
            let found = affiliations(server, place.owner, &bare).await?;
            known.add_affiliations(bare, found);
        }
    }
    Ok(())
}

async fn node(server: &Server, owner: Option<AccountId>, name: &str) -> Result<Option<Arc<Node>>, Refuse> {
    match owner {
        Some(owner) => nodes::node_or_trace(server, owner, name).await,
        None => Ok(None),
    }
}

/// Of many items it takes several reads, since a read is bounded in bytes.
async fn publishers(
    server: &Server,
    owner: Option<AccountId>,
    node: &str,
    ids: &[Box<str>],
) -> Result<Vec<(Box<str>, Jid)>, Refuse> {
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let (mut left, mut found) = (ids.to_vec(), Vec::new());
    while !left.is_empty() {
        let page = server.store.items_by_id(owner, node, left.clone()).await?;
        let bytes: usize = page.iter().map(Item::len_bytes).sum();
        left.retain(|id| page.iter().all(|item| item.id != *id));
        found.extend(page.into_iter().map(|item| (item.id, item.publisher)));
        // A page that is far from full was the last one: those that are left are not there.
        if bytes < PAGE_BYTES_MAX / 2 {
            break;
        }
    }
    Ok(found)
}

async fn page(server: &Server, owner: Option<AccountId>, node: &str, page: &Page) -> Result<Found, Refuse> {
    let none = Found::Items { rows: Vec::new(), count: 0, index: 0 };
    let Some(owner) = owner else { return Ok(none) };
    let search = ItemSearch {
        order: match page.by {
            By::Creation => Order::Created,
            By::Modification => Order::Modified,
        },
        from_ms: page.from_ms,
        after: page.after.clone(),
        before: page.before.clone(),
        from: match page.from {
            End::First => From::First,
            End::Last => From::Last,
        },
        skip: page.skip,
        rows_max: page.rows_max,
        ..ItemSearch::default()
    };
    Ok(match server.store.items(owner, node, search).await? {
        ItemsFound::NoNode => none,
        ItemsFound::Unknown => Found::Unknown,
        ItemsFound::Page(page) => Found::Items { rows: page.rows, count: page.count.all, index: page.count.index },
    })
}

/// What stands in a collection.
pub(super) async fn children(
    server: &Server,
    owner: Option<AccountId>,
    collection: &str,
    limit: usize,
) -> Result<Vec<Box<str>>, Refuse> {
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let mut names: Vec<Box<str>> = Vec::new();
    while names.len() < limit {
        let page = server.store.nodes_in(owner, collection, names.last().map(|name| &**name), limit - names.len()).await?;
        if page.is_empty() {
            break;
        }
        names.extend(page.into_iter().map(|node| node.row.name));
    }
    Ok(names)
}

/// Nodes whose names begin like this.
pub(super) async fn beginning(
    server: &Server,
    owner: Option<AccountId>,
    with: &str,
    limit: usize,
) -> Result<Vec<Box<str>>, Refuse> {
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let mut names: Vec<Box<str>> = Vec::new();
    while names.len() < limit {
        let after = names.last().map_or(with, |name| &**name);
        let page = server.store.nodes(owner, Some(after), limit - names.len()).await?;
        let is_last = page.last().is_none_or(|node| !node.row.name.starts_with(with));
        names.extend(page.into_iter().map(|node| node.row.name).take_while(|name| name.starts_with(with)));
        if is_last {
            break;
        }
    }
    Ok(names)
}

async fn subscriptions(
    server: &Server,
    owner: Option<AccountId>,
    bare: &Jid,
) -> Result<Vec<(Box<str>, metronome_model::Subscription)>, Refuse> {
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let mut all: Vec<(Box<str>, _)> = Vec::new();
    while all.len() < LISTED_MAX {
        let after = all.last().map(|(name, _)| name.clone());
        let page = server.store.subscriptions_of(owner, bare, after.as_deref(), LISTED_MAX).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    Ok(all)
}

async fn affiliations(
    server: &Server,
    owner: Option<AccountId>,
    bare: &Jid,
) -> Result<Vec<(Box<str>, metronome_model::Affiliation)>, Refuse> {
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let mut all: Vec<(Box<str>, _)> = Vec::new();
    while all.len() < LISTED_MAX {
        let after = all.last().map(|(name, _)| name.clone());
        let page = server.store.affiliations_of(owner, bare, after.as_deref(), LISTED_MAX).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    Ok(all)
}
