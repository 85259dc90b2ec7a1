//! Changes of nodes in SQLite, one function for each kind, and what all nodes of an account take, which each of them keeps right.

use metronome_model::{Affiliation, NodeChange, NodeRow, Subscription};
use metronome_proto::jid::Jid;

use super::{
    Found, SPACE_MAX, Space, affiliation_number, bound, collections, items, kind_number, read_row, state_number,
};
use crate::StoreError;
use crate::backend::sqlite::db::Db;

/// Items that one change removes at once; of more than these the others go in pieces.
const AT_ONCE: u64 = 512;

/// How much more or less the nodes of an account take.
#[derive(Default)]
struct Delta {
    nodes: i64,
    items: i64,
    bytes: i64,
}

impl Delta {
    fn of_items(before: &Space, after: &Space) -> Delta {
        let difference = |before: u64, after: u64| after as i64 - before as i64;
        Delta { nodes: 0, items: difference(before.items, after.items), bytes: difference(before.bytes, after.bytes) }
    }

    fn add(&self, db: &Db, slot: i64) -> Result<(), StoreError> {
        let Delta { nodes, items, bytes } = *self;
        if (nodes, items, bytes) == (0, 0, 0) {
            return Ok(());
        }
        let sql = "INSERT INTO node_usage VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
                   SET nodes = nodes + ?2, items = items + ?3, bytes = bytes + ?4";
        db.run(sql, (slot, nodes, items, bytes)).map(drop)
    }
}

/// Adds a node that is not there.
pub(super) fn create(db: &Db, slot: i64, mut row: NodeRow) -> Result<(), StoreError> {
    let space = add_space(db)?;
    let sql =
        "INSERT INTO nodes (slot, name, kind, config, creator, created_ms, space) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let NodeRow { name, kind, config, creator, created_ms, .. } = &row;
    db.run(sql, (slot, name, kind_number(*kind), config, creator.as_str(), bound(*created_ms), space))?;
    let collections = std::mem::take(&mut row.collections);
    row.collections = set_collections(db, slot, &row.name, &collections)?;
    Delta { nodes: 1, items: 0, bytes: row.len_bytes() as i64 }.add(db, slot)
}

/// Makes any other change.
pub(super) fn run(db: &Db, found: Found, name: &str, change: &NodeChange) -> Result<(), StoreError> {
    match change {
        NodeChange::Create { .. } => {
            // The writer has checked that it is not there.
            Err(StoreError::Refused { detail: "a node was made twice" })
        }
        NodeChange::Configure { config, collections } => configure(db, &found, config, collections),
        NodeChange::Turn(kind) => {
            let sql = "UPDATE nodes SET kind = ?2 WHERE number = ?1";
            db.run(sql, (found.number, kind_number(*kind))).map(drop)
        }
        NodeChange::Delete => delete(db, &found, name),
        NodeChange::Affiliate { jid, affiliation } => affiliate(db, &found, jid, *affiliation),
        NodeChange::Subscribe(subscription) => subscribe(db, &found, subscription),
        NodeChange::Unsubscribe { jid, subid } => {
            let sql = "DELETE FROM node_subscriptions WHERE number = ?1 AND jid = ?2 AND (?3 IS NULL OR subid = ?3)";
            db.run(sql, (found.number, jid.as_str(), subid)).map(drop)
        }
        NodeChange::EndSubscriptions { at_ms } => {
            let sql = "DELETE FROM node_subscriptions WHERE number = ?1 AND expires_ms <= ?2";
            db.run(sql, (found.number, bound(*at_ms))).map(drop)
        }
        NodeChange::Purge if found.space.items > 0 => empty(db, &found).map(drop),
        NodeChange::PurgeButNewest if found.space.items > 1 => {
            let newest = items::newest(db, &found.space)?;
            let space = empty(db, &found)?;
            let mut filled = space;
            newest.iter().try_for_each(|item| items::publish(db, &mut filled, item))?;
            settle(db, found.slot, &space, &filled)
        }
        NodeChange::Purge | NodeChange::PurgeButNewest => Ok(()),
        NodeChange::Publish { .. }
        | NodeChange::Retract { .. }
        | NodeChange::Trim { .. }
        | NodeChange::Expire { .. } => {
            let mut space = found.space;
            change_items(db, found.slot, &mut space, change)?;
            settle(db, found.slot, &found.space, &space)
        }
    }
}

fn change_items(db: &Db, slot: i64, space: &mut Space, change: &NodeChange) -> Result<(), StoreError> {
    match change {
        NodeChange::Publish { item, keep } => {
            items::publish(db, space, item)?;
            trim(db, slot, space, (*keep).max(1))
        }
        NodeChange::Retract { ids } => ids.iter().try_for_each(|id| items::retract(db, space, id)),
        NodeChange::Trim { keep } => trim(db, slot, space, *keep),
        NodeChange::Expire { before_ms } => items::expire(db, space, *before_ms, AT_ONCE as usize),
        _ => Ok(()),
    }
}

/// Writes down what a space has become.
pub(super) fn settle(db: &Db, slot: i64, before: &Space, after: &Space) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    let sql = "UPDATE node_spaces SET items = ?2, bytes = ?3, last = ?4 WHERE space = ?1";
    db.run(sql, (after.space, after.items as i64, after.bytes as i64, after.last as i64))?;
    Delta::of_items(before, after).add(db, slot)
}

fn trim(db: &Db, slot: i64, space: &mut Space, keep: u64) -> Result<(), StoreError> {
    let more = space.items.saturating_sub(keep);
    if more > AT_ONCE
        && let Some(upto) = items::nth(db, space, more)?
    {
        let sql = "INSERT INTO node_trims VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET upto = max(upto, ?3)";
        db.run(sql, (space.space, slot, upto))?;
    }
    let (_, last) = space.keys();
    items::remove_oldest(db, space, last, more.min(AT_ONCE)).map(drop)
}

fn add_space(db: &Db) -> Result<i64, StoreError> {
    db.run("INSERT INTO node_spaces (items, bytes, last) VALUES (0, 0, 0)", ())?;
    let space = db.with(|conn| Ok(conn.last_insert_rowid()))?;
    if space > SPACE_MAX {
        let detail = "it has had as many nodes as it can number".to_owned();
        return Err(StoreError::DiskFull { file: db.file().to_owned(), detail });
    }
    Ok(space)
}

/// Gives a node an empty space in the place of the one it has, whose rows are removed in pieces.
fn empty(db: &Db, found: &Found) -> Result<Space, StoreError> {
    let space = Space { space: add_space(db)?, items: 0, bytes: 0, last: 0 };
    db.run("UPDATE nodes SET space = ?2 WHERE number = ?1", (found.number, space.space))?;
    abandon(db, &found.space, None)?;
    Delta::of_items(&found.space, &space).add(db, found.slot)?;
    Ok(space)
}

/// Leaves a space to be removed in pieces, with what belongs to its node if that is gone too.
fn abandon(db: &Db, space: &Space, number: Option<i64>) -> Result<(), StoreError> {
    db.run("DELETE FROM node_trims WHERE space = ?1", (space.space,))?;
    db.run("INSERT INTO node_remains VALUES (?1, ?2)", (space.space, number)).map(drop)
}

fn configure(db: &Db, found: &Found, config: &[u8], collections: &[Box<str>]) -> Result<(), StoreError> {
    let Some(node) = read_row(db, found)? else { return Ok(()) };
    let mut row = node.row;
    let before = row.len_bytes() as i64;
    db.run("UPDATE nodes SET config = ?2 WHERE number = ?1", (found.number, config))?;
    db.run("DELETE FROM node_collections WHERE slot = ?1 AND name = ?2", (found.slot, &row.name))?;
    row.config = config.into();
    row.collections = set_collections(db, found.slot, &row.name, collections)?;
    Delta { bytes: row.len_bytes() as i64 - before, ..Delta::default() }.add(db, found.slot)
}

/// Adds the collections of a node that has none, and gives them in byte order, each once.
fn set_collections(db: &Db, slot: i64, name: &str, names: &[Box<str>]) -> Result<Vec<Box<str>>, StoreError> {
    for collection in names {
        db.run("INSERT OR IGNORE INTO node_collections VALUES (?1, ?2, ?3)", (slot, collection, name))?;
    }
    collections(db, slot, name)
}

fn delete(db: &Db, found: &Found, name: &str) -> Result<(), StoreError> {
    let of_row = read_row(db, found)?.map_or(0, |node| node.row.len_bytes() as i64);
    db.run("DELETE FROM nodes WHERE number = ?1", (found.number,))?;
    db.run("DELETE FROM node_collections WHERE slot = ?1 AND name = ?2", (found.slot, name))?;
    let left = db.run("DELETE FROM node_collections WHERE slot = ?1 AND collection = ?2", (found.slot, name))?;
    abandon(db, &found.space, Some(found.number))?;
    let bytes = -(of_row + found.space.bytes as i64 + (left * name.len()) as i64);
    Delta { nodes: -1, items: -(found.space.items as i64), bytes }.add(db, found.slot)
}

fn affiliate(db: &Db, found: &Found, jid: &Jid, affiliation: Option<Affiliation>) -> Result<(), StoreError> {
    let Some(affiliation) = affiliation else {
        let sql = "DELETE FROM node_affiliations WHERE number = ?1 AND jid = ?2";
        return db.run(sql, (found.number, jid.as_str())).map(drop);
    };
    let sql = "INSERT INTO node_affiliations VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET affiliation = excluded.affiliation";
    db.run(sql, (found.number, jid.as_str(), found.slot, affiliation_number(affiliation))).map(drop)
}

fn subscribe(db: &Db, found: &Found, subscription: &Subscription) -> Result<(), StoreError> {
    let sql = "INSERT INTO node_subscriptions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE
               SET state = excluded.state, expires_ms = excluded.expires_ms, options = excluded.options";
    let Subscription { jid, subid, state, options, expires_ms } = subscription;
    let (state, expires_ms) = (state_number(*state), expires_ms.map(bound));
    let params = (found.number, jid.as_str(), subid, found.slot, jid.bare_str(), state, expires_ms, options);
    db.run(sql, params).map(drop)
}
