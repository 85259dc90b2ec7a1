//! Nodes of publish-subscribe in SQLite.

use futures_util::future::FutureExt;
use metronome_model::{AccountId, Affiliation, Item, NodeChange, NodesUsage, Subscription};
use metronome_proto::jid::Jid;

use super::{SqliteBackend, SqliteStore};
use crate::nodes::{ItemSearch, ItemsFound, ListedNode, NodeWrites, Nodes, StoredNode};
use crate::{Reading, StoreError};

fn later<T: Send + 'static>() -> Reading<T> {
    std::future::ready(Err(StoreError::Refused { detail: "nodes are not stored in SQLite yet" })).boxed()
}

impl Nodes for SqliteStore {
    fn node(&self, _: AccountId, _: &str) -> Reading<Option<StoredNode>> {
        later()
    }

    fn nodes(&self, _: AccountId, _: Option<&str>, _: usize) -> Reading<Vec<ListedNode>> {
        later()
    }

    fn nodes_in(&self, _: AccountId, _: &str, _: Option<&str>, _: usize) -> Reading<Vec<ListedNode>> {
        later()
    }

    fn nodes_usage(&self, _: AccountId) -> Reading<NodesUsage> {
        later()
    }

    fn items(&self, _: AccountId, _: &str, _: ItemSearch) -> Reading<ItemsFound> {
        later()
    }

    fn items_by_id(&self, _: AccountId, _: &str, _: Vec<Box<str>>) -> Reading<Vec<Item>> {
        later()
    }

    fn newest_items(&self, _: AccountId, _: Vec<Box<str>>) -> Reading<Vec<(Box<str>, Item)>> {
        later()
    }

    fn subscriptions_of(
        &self,
        _: AccountId,
        _: &Jid,
        _: Option<&str>,
        _: usize,
    ) -> Reading<Vec<(Box<str>, Subscription)>> {
        later()
    }

    fn affiliations_of(
        &self,
        _: AccountId,
        _: &Jid,
        _: Option<&str>,
        _: usize,
    ) -> Reading<Vec<(Box<str>, Affiliation)>> {
        later()
    }
}

impl NodeWrites for SqliteBackend {
    fn node_room(&mut self, _: AccountId, _: &str) -> Result<Option<u64>, StoreError> {
        Err(StoreError::Refused { detail: "nodes are not stored in SQLite yet" })
    }

    fn change_node(&mut self, _: AccountId, _: &str, _: &NodeChange) -> Result<(), StoreError> {
        Err(StoreError::Refused { detail: "nodes are not stored in SQLite yet" })
    }
}
