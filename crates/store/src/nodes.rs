//! Nodes of publish-subscribe with their items, affiliations and subscriptions (the store behind XEP-0060 and XEP-0163).
//! Whoever changes a node holds its lock, so what is read under the lock is what is changed.

use metronome_model::{Account, AccountId, Affiliation, Item, NodeChange, NodeRow, NodeSize, NodesUsage, Subscription};
use metronome_proto::jid::Jid;

use crate::{Reading, StoreError};

mod search;

pub use search::{ItemSearch, ItemsFound, ItemsPage, Order};

/// A node with everybody around it, read in one step so that it belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNode {
    /// The node.
    pub row: NodeRow,
    /// Who may do what with it, in the order of the addresses.
    pub affiliations: Vec<(Jid, Affiliation)>,
    /// Its subscriptions, in the order of the addresses and of the ids.
    pub subscriptions: Vec<Subscription>,
    /// How much is in it.
    pub size: NodeSize,
}

/// A node as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNode {
    /// The node.
    pub row: NodeRow,
    /// How much is in it.
    pub size: NodeSize,
}

/// An account that has nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOwner {
    /// Where it stands in the list of all of them; means nothing once the server has been started anew.
    pub place: u64,
    /// The account.
    pub account: Account,
    /// How much its nodes take.
    pub usage: NodesUsage,
}

/// Reads nodes. An owner that does not exist has none. Names and ids are compared byte by byte, so callers give the bytes that were given to
/// them; addresses as well, so callers give prepared ones.
///
/// A list of nodes may be shorter than asked for: it ends after [`PAGE_BYTES_MAX`](crate::archive::PAGE_BYTES_MAX) bytes of rows; only
/// an empty one is the end.
pub trait Nodes: Send + Sync {
    /// A whole node, `None` if there is none with this name.
    fn node(&self, owner: AccountId, name: &str) -> Reading<Option<StoredNode>>;

    /// Up to `limit` nodes of an owner in byte order of their names, beginning behind the name `after`.
    fn nodes(&self, owner: AccountId, after: Option<&str>, limit: usize) -> Reading<Vec<ListedNode>>;

    /// Up to `limit` nodes that stand in a collection (XEP-0248), whether there is a node with its name or not, in byte order of their
    /// names, beginning behind the name `after`. In the empty name, the root, are those that stand in no other.
    fn nodes_in(
        &self,
        owner: AccountId,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<ListedNode>>;

    /// Up to `limit` accounts that have nodes, people's and domains' own, in an order of the store's own: for administration, and for what is
    /// done to all nodes every now and then. The next page begins behind the last [`NodeOwner::place`], the first behind 0.
    fn node_owners(&self, after: u64, limit: usize) -> Reading<Vec<NodeOwner>>;

    /// How much all nodes of an owner take; one look, however many they are.
    fn nodes_usage(&self, owner: AccountId) -> Reading<NodesUsage>;

    /// A page of the items of a node; [`ItemsFound::NoNode`] if there is no such node.
    fn items(&self, owner: AccountId, node: &str, search: ItemSearch) -> Reading<ItemsFound>;

    /// The items with these ids, in the order of the ids and each once; what is not there is left out. Ends after
    /// [`PAGE_BYTES_MAX`](crate::archive::PAGE_BYTES_MAX) bytes of items, so callers that ask for many look at what they got.
    fn items_by_id(&self, owner: AccountId, node: &str, ids: Vec<Box<str>>) -> Reading<Vec<Item>>;

    /// The newest item of each of these nodes that has one, in the order of the names, as one committed state. Not bounded in bytes:
    /// callers name few nodes.
    fn newest_items(&self, owner: AccountId, nodes: Vec<Box<str>>) -> Reading<Vec<(Box<str>, Item)>>;

    /// What a bare address and its full ones are subscribed to among all nodes of an owner, in the order of the names of the nodes, of the
    /// addresses and of the ids; up to `limit` of them, beginning with the first node behind `after`. The subscriptions to one node are
    /// not torn apart: a page may be longer by those.
    fn subscriptions_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Subscription)>>;

    /// The nodes of all owners to which a bare address or one of its full ones is subscribed, in whatever state; each once, up to `limit` of
    /// them, in an order of the store's own.
    fn subscribed_to(&self, bare: &Jid, limit: usize) -> Reading<Vec<(AccountId, Box<str>)>>;

    /// The affiliations of a bare address with all nodes of an owner, in the order of their names; up to `limit` of them, beginning with
    /// the first node behind `after`.
    fn affiliations_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Affiliation)>>;
}

/// Changes nodes, inside the writer's open transaction and after its checks.
pub trait NodeWrites {
    /// How many items can be published to a node before its numbers are used up, with the changes of the open transaction; `None` if there
    /// is no such node.
    fn node_room(&mut self, owner: AccountId, name: &str) -> Result<Option<u64>, StoreError>;

    /// Makes a change. The account exists, and so does the node, unless it is the one that is created.
    fn change_node(&mut self, owner: AccountId, name: &str, change: &NodeChange) -> Result<(), StoreError>;
}
