//! Removing what nodes have left: a few rows at a time, between the records of others. What is still to do is itself stored, so it goes on
//! after a restart.

use super::change::settle;
use super::{NUMBER_MAX, Space, items, key};
use crate::StoreError;
use crate::backend::Purge;
use crate::backend::sqlite::db::Db;

/// An item counts as this many rows: its payload may take pages of its own.
const ROWS_PER_ITEM: usize = 4;

/// Leaves up to so many nodes of an account that is gone to be removed in pieces, and says how many rows it touched; with the last of
/// them it forgets what they took.
pub(in crate::backend::sqlite) fn leave_behind(db: &Db, slot: i64, rows_max: usize) -> Result<usize, StoreError> {
    let max = rows_max as i64;
    db.run("DELETE FROM node_trims WHERE slot = ?1", (slot,))?;
    db.run(
        "INSERT INTO node_remains SELECT space, number FROM nodes WHERE slot = ?1 ORDER BY name LIMIT ?2",
        (slot, max),
    )?;
    let sql = "DELETE FROM nodes WHERE number IN (SELECT number FROM nodes WHERE slot = ?1 ORDER BY name LIMIT ?2)";
    let nodes = db.run(sql, (slot, max))?;
    let sql = "DELETE FROM node_collections WHERE slot = ?1 AND (collection, name) IN
               (SELECT collection, name FROM node_collections WHERE slot = ?1 LIMIT ?2)";
    let collections = db.run(sql, (slot, max - nodes as i64))?;
    if nodes + collections < rows_max {
        db.run("DELETE FROM node_usage WHERE slot = ?1", (slot,))?;
    }
    Ok(nodes + collections)
}

/// Removes about so many rows of one space.
pub(in crate::backend::sqlite) fn sweep(db: &Db, rows_max: usize) -> Result<Purge, StoreError> {
    let sql = "SELECT space, number FROM node_remains LIMIT 1";
    if let Some((space, number)) = db.first(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))? {
        if remove_space(db, space, number, rows_max)? < rows_max {
            db.run("DELETE FROM node_spaces WHERE space = ?1", (space,))?;
            db.run("DELETE FROM node_remains WHERE space = ?1", (space,))?;
        }
        return Ok(Purge::More);
    }
    trim_one(db, rows_max.div_ceil(ROWS_PER_ITEM) as u64)
}

/// Removes rows table by table, as far as `rows_max` goes, and says how many.
fn remove_space(db: &Db, space: i64, number: Option<i64>, rows_max: usize) -> Result<usize, StoreError> {
    let (first, last) = (key(space, 0), key(space, NUMBER_MAX));
    let items_max = rows_max.div_ceil(ROWS_PER_ITEM);
    let sql = "DELETE FROM node_items WHERE key IN (SELECT key FROM node_items WHERE key BETWEEN ?1 AND ?2 LIMIT ?3)";
    if db.run(sql, (first, last, items_max as i64))? == items_max {
        return Ok(rows_max);
    }
    let mut removed = 0;
    let sql = "DELETE FROM node_births WHERE key IN (SELECT key FROM node_births WHERE key BETWEEN ?1 AND ?2 LIMIT ?3)";
    removed += db.run(sql, (first, last, rows_max as i64))?;
    for line in [0, 1] {
        let sql = "DELETE FROM node_blocks WHERE line = ?1 AND block IN
                   (SELECT block FROM node_blocks WHERE line = ?1 AND block BETWEEN ?2 >> 8 AND ?3 >> 8 LIMIT ?4)";
        removed += db.run(sql, (line, first, last, (rows_max - removed) as i64))?;
    }
    let Some(number) = number else { return Ok(removed) };
    let sql = "DELETE FROM node_affiliations WHERE number = ?1 AND jid IN
               (SELECT jid FROM node_affiliations WHERE number = ?1 LIMIT ?2)";
    removed += db.run(sql, (number, (rows_max - removed) as i64))?;
    let sql = "DELETE FROM node_subscriptions WHERE number = ?1 AND (jid, subid) IN
               (SELECT jid, subid FROM node_subscriptions WHERE number = ?1 LIMIT ?2)";
    removed += db.run(sql, (number, (rows_max - removed) as i64))?;
    Ok(removed)
}

/// Goes on with a trim.
fn trim_one(db: &Db, items_max: u64) -> Result<Purge, StoreError> {
    let sql = "SELECT t.slot, t.upto, s.space, s.items, s.bytes, s.last
               FROM node_trims t CROSS JOIN node_spaces s ON s.space = t.space LIMIT 1";
    let next = db.first(sql, (), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, Space::at(row, 2)?)))?;
    let Some((slot, upto, before)) = next else { return Ok(Purge::Finished) };
    let mut space = before;
    if items::remove_oldest(db, &mut space, upto, items_max)? < items_max {
        db.run("DELETE FROM node_trims WHERE space = ?1", (space.space,))?;
    }
    settle(db, slot, &before, &space)?;
    Ok(Purge::More)
}
