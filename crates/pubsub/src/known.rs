//! What a decision must know, and what is known: the verbs ask for what they need when they need it, so what is read is never
//! guessed beforehand. The caller reads what is asked for, adds it to [`Known`], and has the request decided anew.

use std::collections::HashMap;
use std::sync::Arc;

use metronome_model::{Affiliation, Item, NodesUsage, Subscription};
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::{By, PubsubError};

use crate::access::Trust;
use crate::node::Node;

/// Why there is no decision yet, or none at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// This has to be read first. At least one; each is asked for once, if it is answered.
    Need(Vec<Need>),
    /// The request is refused, and nothing changes.
    Refuse(Box<PubsubError>),
}

impl<E: Into<PubsubError>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Refuse(Box::new(error.into()))
    }
}

/// Something that has to be read of the nodes of one owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// A node by its name, [`Known::add_node`].
    Node(Box<str>),
    /// What the rosters of a node's owners say of a bare address, [`Known::add_trust`]. For a node of an account that is the account's
    /// roster; for one of a service the rosters of those of its owners that have their accounts here, together.
    Trust {
        /// The node.
        node: Box<str>,
        /// The address.
        who: Jid,
    },
    /// Who published these items, [`Known::add_publishers`]: of all of them that exist, however many bytes they have.
    Publishers {
        /// The node.
        node: Box<str>,
        /// The ids.
        ids: Vec<Box<str>>,
    },
    /// Those of these items that exist, as many as one page holds, [`Known::add_items`].
    Items {
        /// The node.
        node: Box<str>,
        /// The ids.
        ids: Vec<Box<str>>,
    },
    /// A page of the items of a node, [`Known::add_page`].
    Page {
        /// The node.
        node: Box<str>,
        /// Which page.
        page: Page,
    },
    /// How many nodes there are and what they take, [`Known::add_usage`].
    Usage,
    /// The names of the nodes that stand in a collection, [`Known::add_children`]. For the empty name, the root, those that stand in none.
    Children {
        /// The collection.
        collection: Box<str>,
        /// At most so many.
        limit: usize,
    },
    /// The names of nodes that begin like this, [`Known::add_beginning`], and are longer.
    Beginning {
        /// How they begin.
        with: Box<str>,
        /// At most so many.
        limit: usize,
    },
    /// What a bare address and its full ones are subscribed to, [`Known::add_subscriptions`].
    SubscriptionsOf(Jid),
    /// The affiliations of a bare address, [`Known::add_affiliations`].
    AffiliationsOf(Jid),
}

/// A page of items. `after` and `before` are meant in the order that is asked for, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// By what they are ordered.
    pub by: By,
    /// Only items that were published at this Unix time in milliseconds or later.
    pub from_ms: u64,
    /// Only items behind the one with this id.
    pub after: Option<Box<str>>,
    /// Only items before the one with this id.
    pub before: Option<Box<str>>,
    /// From which end the page is filled.
    pub from: End,
    /// This many items are passed over first, from that end.
    pub skip: u64,
    /// Most items; with none they are only counted.
    pub rows_max: usize,
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The oldest items.
    First,
    /// The newest items.
    Last,
}

/// What was found of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no item with the id that was named.
    Unknown,
    /// The page.
    Items {
        /// Oldest first in the order that was asked for.
        rows: Vec<Item>,
        /// How many items match in all.
        count: u64,
        /// How many of them stand before the first of the page.
        index: u64,
    },
}

/// A node, and the ids of items that were asked for.
type ItemNames = (Box<str>, Vec<Box<str>>);

/// What is known of the nodes of one owner; the answers to what was asked for.
#[derive(Debug, Default)]
pub struct Known {
    nodes: HashMap<Box<str>, Option<Arc<Node>>>,
    trust: HashMap<(Box<str>, Jid), Trust>,
    publishers: HashMap<ItemNames, Vec<(Box<str>, Jid)>>,
    items: HashMap<ItemNames, Vec<Item>>,
    pages: HashMap<(Box<str>, Page), Found>,
    usage: Option<NodesUsage>,
    children: HashMap<Box<str>, Vec<Box<str>>>,
    beginning: HashMap<Box<str>, Vec<Box<str>>>,
    subscriptions: HashMap<Jid, Vec<(Box<str>, Subscription)>>,
    affiliations: HashMap<Jid, Vec<(Box<str>, Affiliation)>>,
}

impl Known {
    /// Adds a node, or that there is none with this name.
    pub fn add_node(&mut self, name: &str, node: Option<Arc<Node>>) {
        self.nodes.insert(name.into(), node);
    }

    /// Adds what the rosters say.
    pub fn add_trust(&mut self, node: &str, who: Jid, trust: Trust) {
        self.trust.insert((node.into(), who), trust);
    }

    /// Adds the publishers of those items that exist, by id, in any order.
    pub fn add_publishers(&mut self, node: &str, ids: Vec<Box<str>>, found: Vec<(Box<str>, Jid)>) {
        self.publishers.insert((node.into(), ids), found);
    }

    /// Adds items that were asked for by their ids, in any order.
    pub fn add_items(&mut self, node: &str, ids: Vec<Box<str>>, found: Vec<Item>) {
        self.items.insert((node.into(), ids), found);
    }

    /// Adds a page.
    pub fn add_page(&mut self, node: &str, page: Page, found: Found) {
        self.pages.insert((node.into(), page), found);
    }

    /// Adds what all nodes take.
    pub fn add_usage(&mut self, usage: NodesUsage) {
        self.usage = Some(usage);
    }

    /// Adds what stands in a collection, in byte order.
    pub fn add_children(&mut self, collection: &str, names: Vec<Box<str>>) {
        self.children.insert(collection.into(), names);
    }

    /// Adds the names that begin like this, in byte order.
    pub fn add_beginning(&mut self, with: &str, names: Vec<Box<str>>) {
        self.beginning.insert(with.into(), names);
    }

    /// Adds the subscriptions of a bare address, by node.
    pub fn add_subscriptions(&mut self, bare: Jid, found: Vec<(Box<str>, Subscription)>) {
        self.subscriptions.insert(bare, found);
    }

    /// Adds the affiliations of a bare address, by node.
    pub fn add_affiliations(&mut self, bare: Jid, found: Vec<(Box<str>, Affiliation)>) {
        self.affiliations.insert(bare, found);
    }

    pub(crate) fn node(&self, name: &str) -> Result<Option<&Arc<Node>>, Stop> {
        let known = self.nodes.get(name).map(Option::as_ref);
        known.ok_or_else(|| Stop::Need(vec![Need::Node(name.into())]))
    }

    /// Several nodes at once; those that do not exist are left out.
    pub(crate) fn nodes<'a>(&'a self, names: &[Box<str>]) -> Result<Vec<&'a Arc<Node>>, Stop> {
        let missing: Vec<_> = names.iter().filter(|name| !self.nodes.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(Stop::Need(missing.into_iter().map(|name| Need::Node(name.clone())).collect()));
        }
        Ok(names.iter().filter_map(|name| self.nodes.get(name)?.as_ref()).collect())
    }

    pub(crate) fn trust(&self, node: &str, who: &Jid) -> Result<&Trust, Stop> {
        let key = (Box::from(node), who.bare());
        self.trust.get(&key).ok_or_else(|| Stop::Need(vec![Need::Trust { node: key.0.clone(), who: key.1.clone() }]))
    }

    pub(crate) fn publishers(&self, node: &str, ids: &[Box<str>]) -> Result<&[(Box<str>, Jid)], Stop> {
        let key = (Box::from(node), ids.to_vec());
        let found = self.publishers.get(&key).map(Vec::as_slice);
        found.ok_or(Stop::Need(vec![Need::Publishers { node: key.0, ids: key.1 }]))
    }

    pub(crate) fn items(&self, node: &str, ids: &[Box<str>]) -> Result<&[Item], Stop> {
        let key = (Box::from(node), ids.to_vec());
        let found = self.items.get(&key).map(Vec::as_slice);
        found.ok_or(Stop::Need(vec![Need::Items { node: key.0, ids: key.1 }]))
    }

    pub(crate) fn page(&self, node: &str, page: &Page) -> Result<&Found, Stop> {
        let key = (Box::from(node), page.clone());
        self.pages.get(&key).ok_or_else(|| Stop::Need(vec![Need::Page { node: key.0.clone(), page: key.1.clone() }]))
    }

    pub(crate) fn usage(&self) -> Result<NodesUsage, Stop> {
        self.usage.ok_or_else(|| Stop::Need(vec![Need::Usage]))
    }

    pub(crate) fn children(&self, collection: &str, limit: usize) -> Result<&[Box<str>], Stop> {
        let known = self.children.get(collection).map(Vec::as_slice);
        known.ok_or_else(|| Stop::Need(vec![Need::Children { collection: collection.into(), limit }]))
    }

    pub(crate) fn beginning(&self, with: &str, limit: usize) -> Result<&[Box<str>], Stop> {
        let known = self.beginning.get(with).map(Vec::as_slice);
        known.ok_or_else(|| Stop::Need(vec![Need::Beginning { with: with.into(), limit }]))
    }

    pub(crate) fn subscriptions(&self, bare: &Jid) -> Result<&[(Box<str>, Subscription)], Stop> {
        let known = self.subscriptions.get(bare).map(Vec::as_slice);
        known.ok_or_else(|| Stop::Need(vec![Need::SubscriptionsOf(bare.clone())]))
    }

    pub(crate) fn affiliations(&self, bare: &Jid) -> Result<&[(Box<str>, Affiliation)], Stop> {
        let known = self.affiliations.get(bare).map(Vec::as_slice);
        known.ok_or_else(|| Stop::Need(vec![Need::AffiliationsOf(bare.clone())]))
    }
}
