//! Nodes of publish-subscribe in SQLite. The items of a node lie beside each other in one tree, in the order they were published; a second,
//! thin tree has them in the order of their creation. How many there are in each run of 256 numbers is written down, so that the page around
//! any item, its place and the number of all cost the same in a node of ten items and of a million.
//!
//! What empties a node gives it another space for its items; those of the old one are removed in pieces, as is what a node leaves.

use metronome_model::{
    AccountId, Affiliation, Item, NodeChange, NodeKind, NodeRow, NodeSize, NodesUsage, Subscription, SubscriptionState,
};
use metronome_proto::jid::Jid;
use rusqlite::Row;

use super::accounts::read_account;
use super::archive::read_owner;
use super::db::Db;
use super::{SqliteBackend, SqliteStore};
use crate::archive::PAGE_BYTES_MAX;
use crate::nodes::{ItemSearch, ItemsFound, ListedNode, NodeOwner, NodeWrites, Nodes, StoredNode};
use crate::{Reading, StoreError};

mod blocks;
mod change;
mod items;
mod search;
mod sweep;

pub(super) use sweep::{leave_behind, sweep};

/// The low bits of a key are the number of an item, the others its space.
const NUMBER_BITS: u32 = 33;

/// The highest number of an item in one space: eight thousand million.
const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;

/// The highest space: a thousand million.
const SPACE_MAX: i64 = (1 << (63 - NUMBER_BITS)) - 1;

fn key(space: i64, number: u64) -> i64 {
    space << NUMBER_BITS | number.min(NUMBER_MAX) as i64
}

/// As SQLite compares it; what lies beyond is beyond every stored time.
fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn kind_number(kind: NodeKind) -> i64 {
    match kind {
        NodeKind::Leaf => 0,
        NodeKind::Collection => 1,
    }
}

fn kind_of(number: i64) -> NodeKind {
    if number == 1 { NodeKind::Collection } else { NodeKind::Leaf }
}

fn affiliation_number(affiliation: Affiliation) -> i64 {
    match affiliation {
        Affiliation::Outcast => 0,
        Affiliation::Member => 1,
        Affiliation::Publisher => 2,
        Affiliation::Owner => 3,
        Affiliation::PublishOnly => 4,
    }
}

/// What is not known gives no rights.
fn affiliation_of(number: i64) -> Affiliation {
    match number {
        1 => Affiliation::Member,
        2 => Affiliation::Publisher,
        3 => Affiliation::Owner,
        4 => Affiliation::PublishOnly,
        _ => Affiliation::Outcast,
    }
}

fn state_number(state: SubscriptionState) -> i64 {
    match state {
        SubscriptionState::Subscribed => 1,
        SubscriptionState::Pending => 2,
        SubscriptionState::Unconfigured => 3,
    }
}

/// What is not known gets nothing.
fn state_of(number: i64) -> SubscriptionState {
    match number {
        1 => SubscriptionState::Subscribed,
        3 => SubscriptionState::Unconfigured,
        _ => SubscriptionState::Pending,
    }
}

/// An address that this server has written; `None`, with a line in the log, for one that is damaged.
pub(super) fn jid_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Jid>> {
    let jid = Jid::parse(row.get_ref(at)?.as_str()?).ok();
    if jid.is_none() {
        tracing::error!("a stored address cannot be read; what belongs to it is passed over");
    }
    Ok(jid)
}

/// The space of a node's items, as the last change has left it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Space {
    space: i64,
    items: u64,
    bytes: u64,
    last: u64,
}

impl Space {
    /// Reads it from four columns that begin with this one.
    fn at(row: &Row<'_>, at: usize) -> rusqlite::Result<Space> {
        let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
        Ok(Space { space: row.get(at)?, items: number(at + 1)?, bytes: number(at + 2)?, last: number(at + 3)? })
    }

    fn size(&self) -> NodeSize {
        NodeSize { items: self.items, bytes: self.bytes }
    }

    /// All keys that it may have.
    fn keys(&self) -> (i64, i64) {
        (key(self.space, 0), key(self.space, NUMBER_MAX))
    }
}

/// A node that was found by its name.
struct Found {
    number: i64,
    slot: i64,
    space: Space,
}

/// One statement, and so no transaction around it.
const FIND: &str = "SELECT n.number, n.slot, s.space, s.items, s.bytes, s.last \
     FROM accounts a CROSS JOIN nodes n ON n.slot = a.slot CROSS JOIN node_spaces s ON s.space = n.space \
     WHERE a.id = ?1 AND n.name = ?2";
const SUBSCRIPTIONS_OF: &str = "SELECT n.name, u.jid, u.subid, u.state, u.options, u.expires_ms \
     FROM node_subscriptions u CROSS JOIN nodes n ON n.number = u.number \
     WHERE u.slot = (SELECT slot FROM accounts WHERE id = ?1) AND u.bare = ?2 \
     AND (?3 IS NULL OR n.name > ?3) ORDER BY n.name, u.jid, u.subid";
const SUBSCRIBED_TO: &str = "SELECT DISTINCT a.id, n.name FROM node_subscriptions u CROSS JOIN nodes n ON n.number = u.number \
     CROSS JOIN accounts a ON a.slot = u.slot WHERE u.bare = ?1 LIMIT ?2";
const AFFILIATIONS_OF: &str = "SELECT n.name, f.affiliation \
     FROM node_affiliations f CROSS JOIN nodes n ON n.number = f.number \
     WHERE f.slot = (SELECT slot FROM accounts WHERE id = ?1) AND f.jid = ?2 \
     AND (?3 IS NULL OR n.name > ?3) ORDER BY n.name LIMIT ?4";

const OWNERS: &str = "SELECT a.slot, a.id, a.host, a.name, a.role, a.state, a.auth_epoch, a.created_ms, u.nodes, u.items, u.bytes \
     FROM node_usage u CROSS JOIN accounts a ON a.slot = u.slot \
     WHERE u.slot > ?1 AND u.nodes > 0 ORDER BY u.slot LIMIT ?2";

/// Reads it from three columns that begin with this one.
fn usage_at(row: &Row<'_>, at: usize) -> rusqlite::Result<NodesUsage> {
    let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
    Ok(NodesUsage { nodes: number(at)?, items: number(at + 1)?, bytes: number(at + 2)? })
}

/// Finds a node by its name.
fn find(db: &Db, owner: AccountId, name: &str) -> Result<Option<Found>, StoreError> {
    db.first(FIND, (owner.as_bytes(), name), |row| {
        Ok(Found { number: row.get(0)?, slot: row.get(1)?, space: Space::at(row, 2)? })
    })
}

/// The columns that [`listed_at`] expects; written out so that each statement is one text.
macro_rules! select_node {
    ($rest:literal) => {
        concat!(
            "SELECT n.name, n.kind, n.config, n.creator, n.created_ms, s.space, s.items, s.bytes, s.last FROM ",
            $rest
        )
    };
}

const BY_NUMBER: &str = select_node!("nodes n CROSS JOIN node_spaces s ON s.space = n.space WHERE n.number = ?1");
/// The third parameter says whether the list begins before every name.
const LIST: &str = select_node!(
    "nodes n CROSS JOIN node_spaces s ON s.space = n.space
     WHERE n.slot = ?1 AND n.name >= ?2 AND (?3 OR n.name > ?2) ORDER BY n.name LIMIT ?4"
);
const LIST_IN: &str = select_node!(
    "node_collections c CROSS JOIN nodes n ON n.slot = c.slot AND n.name = c.name CROSS JOIN node_spaces s ON s.space = n.space
     WHERE c.slot = ?1 AND c.collection = ?5 AND c.name >= ?2 AND (?3 OR c.name > ?2) ORDER BY c.name LIMIT ?4"
);

const LIST_ROOT: &str = select_node!(
    "nodes n CROSS JOIN node_spaces s ON s.space = n.space WHERE n.slot = ?1 AND n.name >= ?2 AND (?3 OR n.name > ?2)
     AND NOT EXISTS (SELECT 1 FROM node_collections c WHERE c.slot = n.slot AND c.name = n.name) ORDER BY n.name LIMIT ?4"
);

/// A node whose collections are still to be read; `None` for one that is damaged.
fn listed_at(row: &Row<'_>) -> rusqlite::Result<Option<ListedNode>> {
    let Some(creator) = jid_at(row, 3)? else { return Ok(None) };
    let created_ms = row.get::<_, i64>(4)? as u64;
    let (kind, collections) = (kind_of(row.get(1)?), Vec::new());
    let row_of_node = NodeRow { name: row.get(0)?, kind, config: row.get(2)?, collections, creator, created_ms };
    Ok(Some(ListedNode { row: row_of_node, size: Space::at(row, 5)?.size() }))
}

fn collections(db: &Db, slot: i64, name: &str) -> Result<Vec<Box<str>>, StoreError> {
    let sql = "SELECT collection FROM node_collections WHERE slot = ?1 AND name = ?2 ORDER BY collection";
    db.all(sql, (slot, name), |row| row.get(0))
}

/// The whole row of a node, and how much is in it.
fn read_row(db: &Db, found: &Found) -> Result<Option<ListedNode>, StoreError> {
    let Some(mut node) = db.first(BY_NUMBER, (found.number,), listed_at)?.flatten() else { return Ok(None) };
    node.row.collections = collections(db, found.slot, &node.row.name)?;
    Ok(Some(node))
}

fn read_node(db: &Db, owner: AccountId, name: &str) -> Result<Option<StoredNode>, StoreError> {
    let Some(found) = find(db, owner, name)? else { return Ok(None) };
    let Some(ListedNode { row, size }) = read_row(db, &found)? else { return Ok(None) };
    let sql = "SELECT jid, affiliation FROM node_affiliations WHERE number = ?1 ORDER BY jid";
    let affiliations =
        db.all(sql, (found.number,), |row| Ok(jid_at(row, 0)?.zip(Some(affiliation_of(row.get(1)?)))))?;
    let sql = "SELECT jid, subid, state, options, expires_ms FROM node_subscriptions WHERE number = ?1
               ORDER BY jid, subid";
    let subscriptions = db.all(sql, (found.number,), |row| subscription_at(row, 0))?;
    let (affiliations, subscriptions) =
        (affiliations.into_iter().flatten().collect(), subscriptions.into_iter().flatten().collect());
    Ok(Some(StoredNode { row, affiliations, subscriptions, size }))
}

/// Reads it from five columns that begin with this one; `None` for one that is damaged.
fn subscription_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Subscription>> {
    let Some(jid) = jid_at(row, at)? else { return Ok(None) };
    Ok(Some(Subscription {
        jid,
        subid: row.get(at + 1)?,
        state: state_of(row.get(at + 2)?),
        options: row.get(at + 3)?,
        expires_ms: row.get::<_, Option<i64>>(at + 4)?.map(|at_ms| at_ms as u64),
    }))
}

/// A page of a list of nodes, of those in a collection or of all.
fn list(
    db: &Db,
    slot: i64,
    collection: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<ListedNode>, StoreError> {
    let (name, is_open, limit) = (after.unwrap_or_default(), after.is_none(), bound(limit as u64));
    let mut nodes = Vec::new();
    db.with(|conn| {
        let mut statement = conn.prepare_cached(match collection {
            Some("") => LIST_ROOT,
            Some(_) => LIST_IN,
            None => LIST,
        })?;
        let mut rows = match collection {
            Some("") | None => statement.query((slot, name, is_open, limit))?,
            Some(collection) => statement.query((slot, name, is_open, limit, collection))?,
        };
        let mut bytes = 0;
        while bytes < PAGE_BYTES_MAX {
            let Some(row) = rows.next()? else { break };
            let Some(node) = listed_at(row)? else { continue };
            bytes += node.row.len_bytes();
            nodes.push(node);
        }
        Ok(())
    })?;
    for node in &mut nodes {
        node.row.collections = collections(db, slot, &node.row.name)?;
    }
    Ok(nodes)
}

impl Nodes for SqliteStore {
    fn node(&self, owner: AccountId, name: &str) -> Reading<Option<StoredNode>> {
        let name = name.to_owned();
        self.read(move |db| db.at_once(|db| read_node(db, owner, &name)))
    }

    fn nodes(&self, owner: AccountId, after: Option<&str>, limit: usize) -> Reading<Vec<ListedNode>> {
        let after = after.map(str::to_owned);
        self.read(move |db| read_owner(db, owner, |db, slot| list(db, slot, None, after.as_deref(), limit)))
    }

    fn nodes_in(
        &self,
        owner: AccountId,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<ListedNode>> {
        let (collection, after) = (collection.to_owned(), after.map(str::to_owned));
        self.read(move |db| {
            read_owner(db, owner, |db, slot| list(db, slot, Some(&collection), after.as_deref(), limit))
        })
    }

    fn node_owners(&self, after: u64, limit: usize) -> Reading<Vec<NodeOwner>> {
        self.read(move |db| {
            db.all(OWNERS, (bound(after), bound(limit as u64)), |row| {
                let (place, account) = read_account(row)?;
                Ok(NodeOwner { place: place as u64, account, usage: usage_at(row, 8)? })
            })
        })
    }

    fn nodes_usage(&self, owner: AccountId) -> Reading<NodesUsage> {
        self.read(move |db| {
            let sql = "SELECT nodes, items, bytes FROM node_usage
                       WHERE slot = (SELECT slot FROM accounts WHERE id = ?1)";
            Ok(db.first(sql, (owner.as_bytes(),), |row| usage_at(row, 0))?.unwrap_or_default())
        })
    }

    fn items(&self, owner: AccountId, node: &str, search: ItemSearch) -> Reading<ItemsFound> {
        let node = node.to_owned();
        self.read(move |db| {
            db.at_once(|db| match find(db, owner, &node)? {
                Some(found) => search::page(db, &found.space, &search),
                None => Ok(ItemsFound::NoNode),
            })
        })
    }

    fn items_by_id(&self, owner: AccountId, node: &str, ids: Vec<Box<str>>) -> Reading<Vec<Item>> {
        let node = node.to_owned();
        self.read(move |db| {
            db.at_once(|db| match find(db, owner, &node)? {
                Some(found) => items::by_ids(db, &found.space, &ids),
                None => Ok(Vec::new()),
            })
        })
    }

    fn newest_items(&self, owner: AccountId, mut nodes: Vec<Box<str>>) -> Reading<Vec<(Box<str>, Item)>> {
        nodes.sort_unstable();
        nodes.dedup();
        self.read(move |db| {
            db.at_once(|db| {
                let mut newest = Vec::new();
                for name in nodes {
                    let Some(found) = find(db, owner, &name)?.filter(|found| found.space.items > 0) else { continue };
                    newest.extend(items::newest(db, &found.space)?.map(|item| (name, item)));
                }
                Ok(newest)
            })
        })
    }

    fn subscriptions_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Subscription)>> {
        let (bare, after) = (bare.as_str().to_owned(), after.map(str::to_owned));
        self.read(move |db| {
            let mut found: Vec<(Box<str>, Subscription)> = Vec::new();
            db.with(|conn| {
                let mut statement = conn.prepare_cached(SUBSCRIPTIONS_OF)?;
                let mut rows = statement.query((owner.as_bytes(), bare, after))?;
                while let Some(row) = rows.next()? {
                    let name: Box<str> = row.get(0)?;
                    if found.len() >= limit && found.last().is_none_or(|(last, _)| *last != name) {
                        break;
                    }
                    found.extend(subscription_at(row, 1)?.map(|subscription| (name, subscription)));
                }
                Ok(())
            })?;
            Ok(found)
        })
    }

    fn subscribed_to(&self, bare: &Jid, limit: usize) -> Reading<Vec<(AccountId, Box<str>)>> {
        let bare = bare.as_str().to_owned();
        self.read(move |db| {
            db.all(SUBSCRIBED_TO, (bare, bound(limit as u64)), |row| {
                Ok((AccountId::from_bytes(row.get(0)?), row.get(1)?))
            })
        })
    }

    fn affiliations_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Affiliation)>> {
        let (bare, after) = (bare.as_str().to_owned(), after.map(str::to_owned));
        self.read(move |db| {
            db.all(AFFILIATIONS_OF, (owner.as_bytes(), bare, after, bound(limit as u64)), |row| {
                Ok((row.get(0)?, affiliation_of(row.get(1)?)))
            })
        })
    }
}

impl NodeWrites for SqliteBackend {
    fn node_room(&mut self, owner: AccountId, name: &str) -> Result<Option<u64>, StoreError> {
        Ok(find(self.db()?, owner, name)?.map(|found| NUMBER_MAX - found.space.last))
    }

    fn change_node(&mut self, owner: AccountId, name: &str, change: &NodeChange) -> Result<(), StoreError> {
        let slot = self.known_slot(owner)?;
        let db = self.db()?;
        match (change, find(db, owner, name)?) {
            (NodeChange::Create { kind, config, collections, creator, at_ms }, None) => {
                let (name, kind, config) = (name.into(), *kind, config.clone());
                let (creator, created_ms) = (creator.clone(), *at_ms);
                let row = NodeRow { name, kind, config, collections: collections.clone(), creator, created_ms };
                change::create(db, slot, row)
            }
            (change, Some(found)) => change::run(db, found, name, change),
            (_, None) => {
                // The writer has checked that it is there.
                let detail = format!("a node of account {owner} has vanished");
                Err(StoreError::Damaged { file: db.file().to_owned(), detail })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_their_items_are_found_without_a_scan() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        crate::backend::sqlite::schema::make(&db).unwrap();
        for sql in [LIST, LIST_IN, LIST_ROOT, BY_NUMBER, FIND, OWNERS, SUBSCRIPTIONS_OF, SUBSCRIBED_TO, AFFILIATIONS_OF]
            .into_iter()
            .chain(search::STATEMENTS)
        {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let params = rusqlite::params_from_iter((1..=statement.parameter_count()).map(|n| n as i64));
            let steps = statement.query_map(params, |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{sql}: {steps:?}");
            // Those of one person are few, and are sorted by the names of the nodes.
            let is_sorted = [SUBSCRIPTIONS_OF, SUBSCRIBED_TO, AFFILIATIONS_OF].contains(&sql);
            assert!(is_sorted || !steps.iter().any(|step| step.contains("TEMP")), "{sql}: {steps:?}");
        }
    }
}
