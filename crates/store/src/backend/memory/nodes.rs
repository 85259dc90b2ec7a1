//! Nodes of publish-subscribe in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use metronome_model::{AccountId, Affiliation, Item, NodeChange, NodeRow, NodeSize, NodesUsage, Subscription};
use metronome_proto::jid::Jid;

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore};
use crate::archive::PAGE_BYTES_MAX;
use crate::nodes::{ItemSearch, ItemsFound, ListedNode, NodeOwner, NodeWrites, Nodes, StoredNode};
use crate::{Reading, StoreError};
use items::Items;

mod items;

/// Every owner's nodes.
#[derive(Clone, Default)]
pub(super) struct Table {
    owners: HashMap<AccountId, Owned>,
    /// In the order in which they came to have nodes.
    places: BTreeMap<u64, AccountId>,
}

/// By name.
type Owned = BTreeMap<Box<str>, Node>;

#[derive(Clone)]
struct Node {
    row: NodeRow,
    affiliations: BTreeMap<Box<str>, (Jid, Affiliation)>,
    /// By address and id.
    subscriptions: BTreeMap<(Box<str>, Box<str>), Subscription>,
    items: Items,
    /// What all of it takes in memory.
    memory: usize,
}

/// A change of the nodes.
pub(super) enum Change {
    Node { owner: AccountId, name: Box<str>, change: Arc<NodeChange> },
    Forget { owner: AccountId },
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change, usage: &mut Usage) {
        match change {
            Change::Node { owner, name, change } => {
                let next = self.places.last_key_value().map_or(1, |(last, _)| last + 1);
                let places = &mut self.places;
                let owned = self.owners.entry(*owner).or_insert_with(|| {
                    places.insert(next, *owner);
                    Owned::default()
                });
                let (more, less) = apply(owned, name, change);
                usage.add(*owner, more);
                usage.sub(*owner, less);
            }
            Change::Forget { owner } => {
                let owned = self.owners.remove(owner).unwrap_or_default();
                self.places.retain(|_, other| other != owner);
                owned.values().for_each(|node| usage.sub(*owner, node.memory));
            }
        }
    }
}

/// Gives how much memory comes and how much goes with a change.
fn apply(owned: &mut Owned, name: &str, change: &NodeChange) -> (usize, usize) {
    match change {
        NodeChange::Create { kind, config, collections, creator, at_ms } => {
            let node = Node::new(NodeRow {
                name: name.into(),
                kind: *kind,
                config: config.clone(),
                collections: sorted(collections),
                creator: creator.clone(),
                created_ms: *at_ms,
            });
            let more = node.memory;
            owned.insert(name.into(), node);
            (more, 0)
        }
        NodeChange::Delete => {
            let gone = owned.remove(name).map_or(0, |node| node.memory);
            (0, gone + owned.values_mut().map(|node| node.leave(name)).sum::<usize>())
        }
        change => match owned.get_mut(name) {
            Some(node) => {
                let before = node.memory;
                node.apply(change);
                (node.memory, before)
            }
            None => (0, 0),
        },
    }
}

/// In byte order, each once.
fn sorted(names: &[Box<str>]) -> Vec<Box<str>> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

impl Node {
    fn new(row: NodeRow) -> Node {
        let memory = usage::node(row.len_bytes());
        Node { row, affiliations: BTreeMap::new(), subscriptions: BTreeMap::new(), items: Items::default(), memory }
    }

    fn apply(&mut self, change: &NodeChange) {
        match change {
            NodeChange::Configure { config, collections } => {
                self.memory -= self.row.len_bytes();
                (self.row.config, self.row.collections) = (config.clone(), sorted(collections));
                self.memory += self.row.len_bytes();
            }
            NodeChange::Turn(kind) => self.row.kind = *kind,
            NodeChange::Affiliate { jid, affiliation } => self.affiliate(jid, *affiliation),
            NodeChange::Subscribe(subscription) => {
                let key = (subscription.jid.as_str().into(), subscription.subid.clone());
                self.memory += usage::subscription(subscription);
                if let Some(former) = self.subscriptions.insert(key, subscription.clone()) {
                    self.memory -= usage::subscription(&former);
                }
            }
            NodeChange::Unsubscribe { jid, subid } => {
                self.unsubscribe(|one| one.jid == *jid && subid.as_ref().is_none_or(|subid| one.subid == *subid));
            }
            NodeChange::EndSubscriptions { at_ms } => {
                self.unsubscribe(|one| one.expires_ms.is_some_and(|expires_ms| expires_ms <= *at_ms));
            }
            change => {
                self.memory -= self.items.memory();
                self.items.apply(change);
                self.memory += self.items.memory();
            }
        }
    }

    fn affiliate(&mut self, jid: &Jid, affiliation: Option<Affiliation>) {
        let former = match affiliation {
            Some(affiliation) => {
                self.memory += usage::affiliation(jid);
                self.affiliations.insert(jid.as_str().into(), (jid.clone(), affiliation))
            }
            None => self.affiliations.remove(jid.as_str()),
        };
        if former.is_some() {
            self.memory -= usage::affiliation(jid);
        }
    }

    fn unsubscribe(&mut self, is_over: impl Fn(&Subscription) -> bool) {
        let memory = &mut self.memory;
        self.subscriptions.retain(|_, subscription| {
            let stays = !is_over(subscription);
            *memory -= if stays { 0 } else { usage::subscription(subscription) };
            stays
        });
    }

    /// Takes it out of a collection, and gives how much memory that frees.
    fn leave(&mut self, collection: &str) -> usize {
        let before = self.row.len_bytes();
        self.row.collections.retain(|name| **name != *collection);
        let freed = before - self.row.len_bytes();
        self.memory -= freed;
        freed
    }

    fn size(&self) -> NodeSize {
        self.items.size()
    }

    fn listed(&self) -> ListedNode {
        ListedNode { row: self.row.clone(), size: self.size() }
    }

    fn stored(&self) -> StoredNode {
        StoredNode {
            row: self.row.clone(),
            affiliations: self.affiliations.values().cloned().collect(),
            subscriptions: self.subscriptions.values().cloned().collect(),
            size: self.size(),
        }
    }

    fn is_in(&self, collection: &str) -> bool {
        match collection {
            "" => self.row.collections.is_empty(),
            _ => self.row.collections.iter().any(|name| **name == *collection),
        }
    }
}

fn usage_of(owned: &Owned) -> NodesUsage {
    owned.values().fold(NodesUsage::default(), |all, node| NodesUsage {
        nodes: all.nodes + 1,
        items: all.items + node.size().items,
        bytes: all.bytes + node.size().bytes + node.row.len_bytes() as u64,
    })
}

/// The nodes behind a name, in the order of their names.
fn behind<'a>(owned: &'a Owned, after: Option<&str>) -> impl Iterator<Item = &'a Node> {
    let first = after.map_or(Bound::Unbounded, Bound::Excluded);
    owned.range::<str, _>((first, Bound::Unbounded)).map(|(_, node)| node)
}

/// Copies what a page holds of a list of nodes.
fn page<'a>(nodes: impl Iterator<Item = &'a Node>, limit: usize) -> Vec<ListedNode> {
    let mut bytes = 0;
    let fits = |node: &&Node| {
        let is_full = bytes >= PAGE_BYTES_MAX;
        bytes += node.row.len_bytes();
        !is_full
    };
    nodes.take(limit).take_while(fits).map(Node::listed).collect()
}

impl MemoryStore {
    /// Reads an owner's nodes, or answers with `R`'s empty value if the account does not exist.
    fn read_owned<R: Default + Send + 'static>(&self, owner: AccountId, read: impl FnOnce(&Owned) -> R) -> Reading<R> {
        self.read(|tables| match tables.nodes.owners.get(&owner) {
            Some(owned) if tables.accounts.contains(owner) => read(owned),
            _ => R::default(),
        })
    }
}

impl Nodes for MemoryStore {
    fn node(&self, owner: AccountId, name: &str) -> Reading<Option<StoredNode>> {
        self.read_owned(owner, |owned| owned.get(name).map(Node::stored))
    }

    fn nodes(&self, owner: AccountId, after: Option<&str>, limit: usize) -> Reading<Vec<ListedNode>> {
        self.read_owned(owner, |owned| page(behind(owned, after), limit))
    }

    fn nodes_in(
        &self,
        owner: AccountId,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<ListedNode>> {
        self.read_owned(owner, |owned| page(behind(owned, after).filter(|node| node.is_in(collection)), limit))
    }

    fn node_owners(&self, after: u64, limit: usize) -> Reading<Vec<NodeOwner>> {
        self.read(|tables| {
            let owner = |(place, owner): (&u64, &AccountId)| {
                let account = tables.accounts.get(*owner)?.clone();
                let usage = usage_of(tables.nodes.owners.get(owner)?);
                (usage.nodes > 0).then_some(NodeOwner { place: *place, account, usage })
            };
            let behind = tables.nodes.places.range((Bound::Excluded(after), Bound::Unbounded));
            behind.filter_map(owner).take(limit).collect()
        })
    }

    fn nodes_usage(&self, owner: AccountId) -> Reading<NodesUsage> {
        self.read_owned(owner, usage_of)
    }

    fn items(&self, owner: AccountId, node: &str, search: ItemSearch) -> Reading<ItemsFound> {
        self.read(|tables| match tables.nodes.owners.get(&owner).and_then(|owned| owned.get(node)) {
            Some(node) if tables.accounts.contains(owner) => node.items.search(&search),
            _ => ItemsFound::NoNode,
        })
    }

    fn items_by_id(&self, owner: AccountId, node: &str, ids: Vec<Box<str>>) -> Reading<Vec<Item>> {
        self.read_owned(owner, |owned| owned.get(node).map(|node| node.items.by_ids(&ids)).unwrap_or_default())
    }

    fn newest_items(&self, owner: AccountId, nodes: Vec<Box<str>>) -> Reading<Vec<(Box<str>, Item)>> {
        let nodes = sorted(&nodes);
        self.read_owned(owner, |owned| {
            let newest = |name: Box<str>| owned.get(&name)?.items.newest().map(|item| (name, item));
            nodes.into_iter().filter_map(newest).collect()
        })
    }

    fn subscriptions_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Subscription)>> {
        self.read_owned(owner, |owned| {
            let mut found = Vec::new();
            for node in behind(owned, after) {
                if found.len() >= limit {
                    break;
                }
                let own = node.subscriptions.values().filter(|one| one.jid.bare_str() == bare.as_str());
                found.extend(own.map(|one| (node.row.name.clone(), one.clone())));
            }
            found
        })
    }

    fn subscribed_to(&self, bare: &Jid, limit: usize) -> Reading<Vec<(AccountId, Box<str>)>> {
        self.read(|tables| {
            let of = |node: &Node| node.subscriptions.values().any(|one| one.jid.bare_str() == bare.as_str());
            let owners = tables.nodes.owners.iter().filter(|(owner, _)| tables.accounts.contains(**owner));
            let nodes = owners.flat_map(|(owner, owned)| owned.values().map(|node| (*owner, node)));
            let found = nodes.filter(|(_, node)| of(node)).map(|(owner, node)| (owner, node.row.name.clone()));
            found.take(limit).collect()
        })
    }

    fn affiliations_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Affiliation)>> {
        self.read_owned(owner, |owned| {
            let own = |node: &Node| Some((node.row.name.clone(), node.affiliations.get(bare.as_str())?.1));
            behind(owned, after).filter_map(own).take(limit).collect()
        })
    }
}

impl NodeWrites for MemoryBackend {
    fn node_room(&mut self, owner: AccountId, name: &str) -> Result<Option<u64>, StoreError> {
        let node = self.working.nodes.owners.get(&owner).and_then(|owned| owned.get(name));
        Ok(node.filter(|_| self.working.accounts.contains(owner)).map(|node| node.items.room()))
    }

    fn change_node(&mut self, owner: AccountId, name: &str, change: &NodeChange) -> Result<(), StoreError> {
        let (name, change) = (name.into(), Arc::new(change.clone()));
        self.change(super::Change::Node(Change::Node { owner, name, change }))
    }
}
