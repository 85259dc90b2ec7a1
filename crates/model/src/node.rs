//! Nodes of publish-subscribe (XEP-0060) as they are stored: what they are, who may do what with them, who is subscribed, and what was
//! published. Every node belongs to an account: a person's, or a domain's own ([`Account::of_domain`](crate::Account::of_domain)).

use std::sync::Arc;

use metronome_proto::jid::Jid;
pub use metronome_proto::payload::pubsub::{Affiliation, NodeKind, SubscriptionState};

/// A node without its items and the people around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name, unique among its owner's nodes; compared byte by byte.
    pub name: Box<str>,
    /// What it holds.
    pub kind: NodeKind,
    /// How it is configured, in the words of the crate that wrote it.
    pub config: Box<[u8]>,
    /// The names of the collections that it stands in (XEP-0248), in byte order, each once.
    pub collections: Vec<Box<str>>,
    /// The bare address of whoever created it.
    pub creator: Jid,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
}

impl NodeRow {
    /// What it counts for in its owner's [`NodesUsage`]: the bytes of its texts.
    pub fn len_bytes(&self) -> usize {
        let collections = self.collections.iter().map(|name| name.len()).sum::<usize>();
        self.name.len() + self.config.len() + collections + self.creator.as_str().len()
    }
}

/// A subscription to a node. Its address and its id together are its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Who gets what is published, bare or full.
    pub jid: Jid,
    /// The id that tells it from others of the same address.
    pub subid: Box<str>,
    /// Where it stands.
    pub state: SubscriptionState,
    /// What was chosen for it, in the words of the crate that wrote it.
    pub options: Box<[u8]>,
    /// When it ends by itself, Unix time in milliseconds.
    pub expires_ms: Option<u64>,
}

impl Subscription {
    /// What it takes in a store, in bytes of its texts.
    pub fn len_bytes(&self) -> usize {
        self.jid.as_str().len() + self.subid.len() + self.options.len()
    }
}

/// Something that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id, unique within its node; compared byte by byte.
    pub id: Box<str>,
    /// Who published it last.
    pub publisher: Jid,
    /// When its id was published first, Unix time in milliseconds.
    pub created_ms: u64,
    /// When it was published last.
    pub updated_ms: u64,
    /// The bytes of its payload as they came, with the namespaces they need; may be empty.
    pub payload: Arc<[u8]>,
}

impl Item {
    /// What it counts for in a [`NodeSize`]: the bytes of its texts and its payload.
    pub fn len_bytes(&self) -> usize {
        self.id.len() + self.publisher.as_str().len() + self.payload.len()
    }
}

/// One change of one node, by `Op::Node`. All but [`NodeChange::Create`] make the record [`Gone`](crate::Outcome::Gone) if there is
/// no such node. What is said of somebody or something that is not there changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeChange {
    /// Makes the node. [`Conflict`](crate::Outcome::Conflict) if there is one with its name.
    Create {
        /// What it holds.
        kind: NodeKind,
        /// As of [`NodeRow::config`].
        config: Box<[u8]>,
        /// As of [`NodeRow::collections`], in any order.
        collections: Vec<Box<str>>,
        /// The bare address of whoever creates it.
        creator: Jid,
        /// When, Unix time in milliseconds.
        at_ms: u64,
    },
    /// Configures it anew.
    Configure {
        /// As of [`NodeRow::config`].
        config: Box<[u8]>,
        /// As of [`NodeRow::collections`], in any order.
        collections: Vec<Box<str>>,
    },
    /// Says that it holds something else (XEP-0248 section 7.2); what it held before is removed by other changes of the record.
    Turn(NodeKind),
    /// Removes it with all that belongs to it. Nodes that stand in it do so no more; they stay.
    Delete,
    /// Says what somebody may do with it.
    Affiliate {
        /// Whose affiliation, a bare address.
        jid: Jid,
        /// The new one; none removes the row.
        affiliation: Option<Affiliation>,
    },
    /// Adds a subscription, or puts it in the place of the one with the same address and id.
    Subscribe(Subscription),
    /// Removes subscriptions.
    Unsubscribe {
        /// Of exactly this address.
        jid: Jid,
        /// The one with this id; none stands for all.
        subid: Option<Box<str>>,
    },
    /// Removes the subscriptions that have ended by then.
    EndSubscriptions {
        /// Unix time in milliseconds.
        at_ms: u64,
    },
    /// Adds an item as the newest. One with the same id makes place for it, and leaves it the time it was created.
    /// [`Full`](crate::Outcome::Full) if the node has no number left to give; a node has more than a thousand million.
    Publish {
        /// The item.
        item: Item,
        /// With more items than this, the ones that were published longest ago go; the new one stays.
        keep: u64,
    },
    /// Removes items.
    Retract {
        /// Their ids.
        ids: Vec<Box<str>>,
    },
    /// Removes the items that were published longest ago; of many the first hundreds at once, the others soon, in
    /// pieces.
    Trim {
        /// So many stay.
        keep: u64,
    },
    /// Removes the items that were published before this time, up to some hundreds of them.
    Expire {
        /// Unix time in milliseconds.
        before_ms: u64,
    },
    /// Removes all items.
    Purge,
    /// Removes all items but the newest.
    PurgeButNewest,
}

/// How much is in a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSize {
    /// Items.
    pub items: u64,
    /// Bytes of all items ([`Item::len_bytes`]).
    pub bytes: u64,
}

/// How much all nodes of an owner take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodesUsage {
    /// Nodes.
    pub nodes: u64,
    /// Items in all of them.
    pub items: u64,
    /// Bytes of the nodes ([`NodeRow::len_bytes`]) and of all items.
    pub bytes: u64,
}
