//! Bookmarks in private data (XEP-0048 as it was with XEP-0049), in one item (XEP-0048 as it is, XEP-0411) and in an item for each room
//! (XEP-0402): the last ones are what counts. Who asks for the list in private data gets one of all items; who sets it changes those items that
//! it says something new about. The list in one item is kept alike from the moment when somebody asks for it.

use std::collections::HashSet;
use std::sync::Arc;

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Document, Drawer, Item, NodeChange, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::bookmarks::{self, LIST_ITEM, ROOMS_MAX};
use metronome_proto::payload::pubsub::{Items, PUBLISHED_MAX, Payload, Publication, Request, RetractNotice};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::xml::{Child, Content};
use metronome_pubsub::config::{AccessModel, Config};
use metronome_store::archive::From;
use metronome_store::nodes::{ItemSearch, ItemsFound, Order};

use super::act;
use crate::{pubsub, stored_xml};

/// Items that are read at once.
const PAGE: usize = 200;

/// Whether a document of private data is the list of bookmarks.
pub(crate) fn is_list(document: &Document) -> bool {
    &*document.ns == ns::BOOKMARKS_LEGACY && &*document.name == "storage"
}

/// The list as private data, made of the items, with what was stored besides; `None` if there are no items that count.
pub(crate) async fn list(server: &Server, owner: AccountId, stored: Option<&[u8]>) -> Result<Option<Content>, Refuse> {
    let Some(items) = items(server, owner).await? else { return Ok(None) };
    let stored = stored.map(stored_xml::content).transpose()?.unwrap_or_default();
    let query = stored.iter().next();
    let before = query.as_ref().and_then(|query| query.child(ns::BOOKMARKS_LEGACY, "storage"));
    let list = bookmarks::list(as_bytes(&items), before.as_ref());
    let xml = [&b"<query xmlns='jabber:iq:private'>"[..], &list, b"</query>"].concat();
    stored_xml::content(&xml).map(Some)
}

/// What has to happen before a request of an account for its own nodes: a list that is published changes the items of the rooms, and one that
/// is asked for is made of them if there is none yet.
pub(crate) async fn before(server: &Arc<Server>, owner: AccountId, address: &Jid, request: &Request) -> Result<(), Refuse> {
    match request {
        Request::Publish { node, items, .. } if &**node == ns::BOOKMARKS_LEGACY => {
            let Some(payload) = items.last().and_then(|item| item.payload.as_ref()) else { return Ok(()) };
            let content = stored_xml::content(&payload.bytes)?;
            match content.child(ns::BOOKMARKS_LEGACY, "storage") {
                Some(storage) => set(server, owner, address, &storage).await,
                None => Ok(()),
            }
        }
        Request::Items(Items { node: Some(node), .. }) if &**node == ns::BOOKMARKS_LEGACY => {
            match pubsub::nodes::node(server, owner, ns::BOOKMARKS_LEGACY).await? {
                None => keep_list(server, owner, address).await,
                Some(_) => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Whether the list in one item has to be made anew behind a request of an account for its own nodes.
pub(crate) async fn changes_list(server: &Server, owner: AccountId, request: &Request) -> Result<bool, Refuse> {
    let is_change = matches!(request, Request::Publish { .. } | Request::Retract { .. });
    let is_followed = is_change && request.node() == Some(ns::BOOKMARKS);
    Ok(is_followed && pubsub::nodes::node(server, owner, ns::BOOKMARKS_LEGACY).await?.is_some())
}

/// The same, if there is such a list.
pub(crate) async fn keep_list_if_there(server: &Arc<Server>, owner: AccountId, address: &Jid) -> Result<(), Refuse> {
    match pubsub::nodes::node(server, owner, ns::BOOKMARKS_LEGACY).await? {
        Some(_) => keep_list(server, owner, address).await,
        None => Ok(()),
    }
}

/// Publishes the list in one item, if it is not what it was.
pub(crate) async fn keep_list(server: &Arc<Server>, owner: AccountId, address: &Jid) -> Result<(), Refuse> {
    let Some(items) = items(server, owner).await? else { return Ok(()) };
    match list_of(server, owner, &items).await? {
        Some(request) => act(server, owner, address, request).await,
        None => Ok(()),
    }
}

/// What publishes the list as it is once a record has changed the items; none if it stays as it was.
pub(crate) async fn list_after(server: &Server, owner: AccountId, record: &Record) -> Result<Option<Request>, Refuse> {
    let changes: Vec<&NodeChange> = record.ops.iter().filter_map(|op| change_of(op, owner)).collect();
    let is_closed = |config: &[u8]| is_alone(&Config::decode(config));
    let is_made = |change: &&NodeChange| matches!(change, NodeChange::Create { config, .. } if is_closed(config));
    let items = match items(server, owner).await? {
        None if changes.iter().any(is_made) => Some(Vec::new()),
        items => items,
    };
    let Some(mut items) = items else { return Ok(None) };
    changes.into_iter().for_each(|change| apply(&mut items, change));
    if items.len() > ROOMS_MAX { Ok(None) } else { list_of(server, owner, &items).await }
}

/// A change of the node with the items.
fn change_of(op: &Op, owner: AccountId) -> Option<&NodeChange> {
    match op {
        Op::Node { owner: of, name, change } if *of == owner && &**name == ns::BOOKMARKS => Some(change),
        _ => None,
    }
}

/// What a change makes of the items, in the order in which they were made.
fn apply(items: &mut Vec<Item>, change: &NodeChange) {
    match change {
        NodeChange::Publish { item, keep } => {
            match items.iter_mut().find(|known| known.id == item.id) {
                Some(known) => *known = Item { created_ms: known.created_ms, ..item.clone() },
                None => items.push(item.clone()),
            }
            while items.len() as u64 > *keep
                && let Some(oldest) = (0..items.len()).min_by_key(|at| items[*at].updated_ms)
            {
                items.remove(oldest);
            }
        }
        NodeChange::Retract { ids } => items.retain(|item| !ids.contains(&item.id)),
        NodeChange::Purge => items.clear(),
        _ => {}
    }
}

/// What publishes the list of these items in one item, if it is not what it was.
async fn list_of(server: &Server, owner: AccountId, items: &[Item]) -> Result<Option<Request>, Refuse> {
    let newest = server.store.newest_items(owner, vec![ns::BOOKMARKS_LEGACY.into()]).await?;
    let known = newest.first().map(|(_, item)| &item.payload[..]);
    let content = match known {
        Some(known) => stored_xml::content(known)?,
        None => private(server, owner).await?,
    };
    let query = content.iter().next().filter(|query| query.is(ns::PRIVATE, "query"));
    let before = match &query {
        Some(query) => query.child(ns::BOOKMARKS_LEGACY, "storage"),
        None => content.child(ns::BOOKMARKS_LEGACY, "storage"),
    };
    let list = bookmarks::list(as_bytes(items), before.as_ref());
    if known == Some(&list[..]) {
        return Ok(None);
    }
    let items = vec![publication(LIST_ITEM, &list)?];
    Ok(Some(Request::Publish { node: ns::BOOKMARKS_LEGACY.into(), items, options: None }))
}

/// Makes the items say what a new list says. Items that somebody else may see stay as they are: who keeps bookmarks in private data means
/// them to be private.
pub(crate) async fn set(server: &Arc<Server>, owner: AccountId, address: &Jid, storage: &Child<'_>) -> Result<(), Refuse> {
    let items = match items(server, owner).await? {
        Some(items) => items,
        None if pubsub::nodes::node(server, owner, ns::BOOKMARKS).await?.is_some() => return Ok(()),
        None => Vec::new(),
    };
    let changes = bookmarks::changes(as_bytes(&items), storage).map_err(StanzaError::from)?;
    for some in changes.publish.chunks(PUBLISHED_MAX) {
        let items = some.iter().map(|(id, payload)| publication(id, payload)).collect::<Result<_, _>>()?;
        act(server, owner, address, Request::Publish { node: ns::BOOKMARKS.into(), items, options: None }).await?;
    }
    if !changes.retract.is_empty() {
        let (ids, notice) = (changes.retract, RetractNotice::Wanted);
        act(server, owner, address, Request::Retract { node: ns::BOOKMARKS.into(), ids, notice }).await?;
    }
    Ok(())
}

/// The list as it was set in private data, in its query.
async fn private(server: &Server, owner: AccountId) -> Result<Content, Refuse> {
    let stored = server.store.document(owner, Drawer::Private, ns::BOOKMARKS_LEGACY, "storage").await?;
    Ok(stored.map(|stored| stored_xml::content(&stored)).transpose()?.unwrap_or_default())
}

fn publication(id: &str, payload: &[u8]) -> Result<Publication, Refuse> {
    let content = stored_xml::content(payload)?;
    let element = content.iter().next().ok_or(Condition::InternalServerError)?;
    let payload = Payload::of(&element).map_err(StanzaError::from)?;
    Ok(Publication { id: Some(id.into()), payload: Some(payload) })
}

fn as_bytes(items: &[Item]) -> impl Iterator<Item = (&str, &[u8])> {
    items.iter().map(|item| (&*item.id, &*item.payload))
}

/// Whether a node like this is its owner's alone, and keeps what is in it.
fn is_alone(config: &Config) -> bool {
    config.access_model == AccessModel::Whitelist && config.persist_items
}

/// All bookmarks in the order in which they were made, if their node is the account's alone and there are no more than a list may have.
async fn items(server: &Server, owner: AccountId) -> Result<Option<Vec<Item>>, Refuse> {
    let node = pubsub::nodes::node(server, owner, ns::BOOKMARKS).await?;
    if node.is_none_or(|node| !is_alone(&node.config)) {
        return Ok(None);
    }
    let mut items: Vec<Item> = Vec::new();
    let mut seen = HashSet::new();
    loop {
        let after = items.last().map(|item| item.id.clone());
        let from = From::First;
        let search = ItemSearch { order: Order::Created, after, from, rows_max: PAGE, ..ItemSearch::default() };
        let ItemsFound::Page(page) = server.store.items(owner, ns::BOOKMARKS, search).await? else { return Ok(None) };
        let before = items.len();
        items.extend(page.rows.into_iter().filter(|item| seen.insert(item.id.clone())));
        if items.len() == before {
            return Ok(Some(items));
        }
        if items.len() > ROOMS_MAX {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, at_ms: u64) -> Item {
        let publisher = Jid::parse("alice@localhost").unwrap();
        Item { id: id.into(), publisher, created_ms: at_ms, updated_ms: at_ms, payload: std::sync::Arc::from([]) }
    }

    #[test]
    fn the_items_after_a_change_are_those_that_the_store_will_have() {
        let mut items = vec![item("a", 1), item("b", 2), item("c", 3)];
        let ids = |items: &[Item]| items.iter().map(|item| &*item.id).collect::<String>();
        apply(&mut items, &NodeChange::Publish { item: item("a", 4), keep: 9 });
        assert_eq!((ids(&items), items[0].created_ms, items[0].updated_ms), ("abc".into(), 1, 4));
        apply(&mut items, &NodeChange::Publish { item: item("d", 5), keep: 3 });
        assert_eq!(ids(&items), "acd", "what was published longest ago goes");
        apply(&mut items, &NodeChange::Retract { ids: vec!["c".into(), "x".into()] });
        assert_eq!(ids(&items), "ad");
        apply(&mut items, &NodeChange::Purge);
        assert!(items.is_empty());
    }
}
