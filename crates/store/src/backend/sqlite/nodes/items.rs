//! Items in SQLite: publishing them and taking them away. Every function keeps the two trees, the runs and the sizes in step.

use metronome_model::Item;
use rusqlite::Row;

use super::blocks::{self, BLOCK_BITS, end_of};
use super::{Space, bound, jid_at, key};
use crate::StoreError;
use crate::archive::PAGE_BYTES_MAX;
use crate::backend::sqlite::db::Db;
use crate::nodes::Order;

/// The columns that [`item_at`] expects.
macro_rules! select_item {
    ($rest:literal) => {
        concat!("SELECT i.key, i.id, i.publisher, i.created_ms, i.updated_ms, i.payload FROM ", $rest)
    };
}
pub(super) use select_item;

const BY_ID: &str = select_item!("node_items i WHERE i.space = ?1 AND i.id = ?2");
const NEWEST: &str = select_item!("node_items i WHERE i.key BETWEEN ?1 AND ?2 ORDER BY i.key DESC LIMIT 1");

/// An item, or `None` if it is damaged.
pub(super) fn item_at(row: &Row<'_>) -> rusqlite::Result<Option<Item>> {
    let Some(publisher) = jid_at(row, 2)? else { return Ok(None) };
    let (created_ms, updated_ms) = (row.get::<_, i64>(3)? as u64, row.get::<_, i64>(4)? as u64);
    Ok(Some(Item { id: row.get(1)?, publisher, created_ms, updated_ms, payload: row.get_ref(5)?.as_blob()?.into() }))
}

pub(super) fn by_ids(db: &Db, space: &Space, ids: &[Box<str>]) -> Result<Vec<Item>, StoreError> {
    let (mut found, mut bytes): (Vec<Item>, usize) = (Vec::new(), 0);
    for id in ids {
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
        if found.iter().any(|item| item.id == *id) {
            continue;
        }
        let item = db.first(BY_ID, (space.space, id), item_at)?.flatten();
        bytes += item.as_ref().map_or(0, Item::len_bytes);
        found.extend(item);
    }
    Ok(found)
}

pub(super) fn newest(db: &Db, space: &Space) -> Result<Option<Item>, StoreError> {
    Ok(db.first(NEWEST, space.keys(), item_at)?.flatten())
}

/// Adds an item behind all others, in the place of the one with its id.
pub(super) fn publish(db: &Db, space: &mut Space, item: &Item) -> Result<(), StoreError> {
    space.last += 1;
    let (new, bytes) = (key(space.space, space.last), item.len_bytes() as u64);
    let sql = "SELECT key, born, created_ms, bytes FROM node_items WHERE space = ?1 AND id = ?2";
    let former = db.first(sql, (space.space, &item.id), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let (born, created_ms) = match former {
        Some((old, born, created_ms, old_bytes)) => {
            db.run("DELETE FROM node_items WHERE key = ?1", (old,))?;
            db.run("UPDATE node_births SET item = ?2 WHERE key = ?1", (born, new))?;
            blocks::move_to(db, Order::Modified, old, new, item.updated_ms)?;
            space.bytes -= old_bytes as u64;
            (born, created_ms)
        }
        None => {
            db.run("INSERT INTO node_births VALUES (?1, ?1, ?2)", (new, bound(item.created_ms)))?;
            blocks::join(db, Order::Created, new, item.created_ms)?;
            blocks::join(db, Order::Modified, new, item.updated_ms)?;
            space.items += 1;
            (new, bound(item.created_ms))
        }
    };
    space.bytes += bytes;
    let sql = "INSERT INTO node_items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let Item { id, publisher, updated_ms, payload, .. } = item;
    let texts = (id, publisher.as_str(), &**payload);
    let params = (new, space.space, born, created_ms, bound(*updated_ms), bytes as i64, texts.0, texts.1, texts.2);
    db.run(sql, params).map(drop)
}

/// Removes the item with this id, if there is one.
pub(super) fn retract(db: &Db, space: &mut Space, id: &str) -> Result<(), StoreError> {
    let sql = "SELECT key FROM node_items WHERE space = ?1 AND id = ?2";
    match db.first(sql, (space.space, id), |row| row.get(0))? {
        Some(key) => remove(db, space, key),
        None => Ok(()),
    }
}

/// Removes an item that is there.
pub(super) fn remove(db: &Db, space: &mut Space, key: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM node_items WHERE key = ?1 RETURNING born, bytes";
    let Some((born, bytes)) = db.first(sql, (key,), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))? else {
        return Ok(());
    };
    db.run("DELETE FROM node_births WHERE key = ?1", (born,))?;
    blocks::leave(db, Order::Modified, key)?;
    blocks::leave(db, Order::Created, born)?;
    space.items -= 1;
    space.bytes -= bytes as u64;
    Ok(())
}

/// Removes up to so many of the items that were published longest ago and have keys up to this one; says how many.
pub(super) fn remove_oldest(db: &Db, space: &mut Space, upto: i64, rows_max: u64) -> Result<u64, StoreError> {
    let sql = "SELECT key FROM node_items WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3";
    let oldest = db.all(sql, (space.keys().0, upto, bound(rows_max)), |row| row.get(0))?;
    oldest.iter().try_for_each(|key| remove(db, space, *key))?;
    Ok(oldest.len() as u64)
}

/// The key of the item that was published as the so manieth, counted from 1; `None` if there are fewer.
pub(super) fn nth(db: &Db, space: &Space, mut place: u64) -> Result<Option<i64>, StoreError> {
    let (first, last) = space.keys();
    let sql = "SELECT block, items FROM node_blocks WHERE line = ?1 AND block BETWEEN ?2 AND ?3 ORDER BY block";
    let block = db.with(|conn| {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query((blocks::line(Order::Modified), first >> BLOCK_BITS, last >> BLOCK_BITS))?;
        while let Some(row) = rows.next()? {
            let (block, items) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64);
            if place <= items {
                return Ok(Some(block));
            }
            place -= items;
        }
        Ok(None)
    })?;
    let Some(block) = block else { return Ok(None) };
    let sql = "SELECT key FROM node_items WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1 OFFSET ?3";
    db.first(sql, (block << BLOCK_BITS, end_of(block), bound(place.saturating_sub(1))), |row| row.get(0))
}

/// Removes up to so many of the items that were published before this time.
pub(super) fn expire(db: &Db, space: &mut Space, before_ms: u64, rows_max: usize) -> Result<(), StoreError> {
    let (first, last) = space.keys();
    let sql =
        "SELECT i.key FROM node_blocks b CROSS JOIN node_items i ON i.key BETWEEN b.block << 8 AND (b.block << 8) + 255
               WHERE b.line = 0 AND b.block BETWEEN ?1 AND ?2 AND b.min_ms < ?3 AND i.updated_ms < ?3
               ORDER BY b.block, i.key LIMIT ?4";
    let params = (first >> BLOCK_BITS, last >> BLOCK_BITS, bound(before_ms), bound(rows_max as u64));
    let over: Vec<i64> = db.all(sql, params, |row| row.get(0))?;
    over.iter().try_for_each(|key| remove(db, space, *key))
}
