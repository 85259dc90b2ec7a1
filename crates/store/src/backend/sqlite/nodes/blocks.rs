//! How many items there are in each run of 256 numbers, and between which times: what counting and long steps look at instead of the items.

use super::bound;
use crate::StoreError;
use crate::backend::sqlite::db::Db;
use crate::nodes::Order;

/// The low bits of a key within a run.
pub(super) const BLOCK_BITS: u32 = 8;

/// The last key of a run.
pub(super) fn end_of(block: i64) -> i64 {
    ((block + 1) << BLOCK_BITS) - 1
}

pub(super) fn line(order: Order) -> i64 {
    match order {
        Order::Modified => 0,
        Order::Created => 1,
    }
}

/// An item with this key and time is there from now on.
pub(super) fn join(db: &Db, order: Order, key: i64, at_ms: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO node_blocks VALUES (?1, ?2, 1, ?3, ?3) ON CONFLICT DO UPDATE
               SET items = items + 1, min_ms = min(min_ms, ?3), max_ms = max(max_ms, ?3)";
    db.run(sql, (line(order), key >> BLOCK_BITS, bound(at_ms))).map(drop)
}

/// The item with this key is gone.
pub(super) fn leave(db: &Db, order: Order, key: i64) -> Result<(), StoreError> {
    let params = (line(order), key >> BLOCK_BITS);
    if db.run("DELETE FROM node_blocks WHERE line = ?1 AND block = ?2 AND items = 1", params)? == 0 {
        db.run("UPDATE node_blocks SET items = items - 1 WHERE line = ?1 AND block = ?2", params)?;
    }
    Ok(())
}

/// An item has another key and time.
pub(super) fn move_to(db: &Db, order: Order, from: i64, to: i64, at_ms: u64) -> Result<(), StoreError> {
    if from >> BLOCK_BITS != to >> BLOCK_BITS {
        leave(db, order, from)?;
        return join(db, order, to, at_ms);
    }
    let sql = "UPDATE node_blocks SET min_ms = min(min_ms, ?3), max_ms = max(max_ms, ?3)
               WHERE line = ?1 AND block = ?2 AND (min_ms > ?3 OR max_ms < ?3)";
    db.run(sql, (line(order), to >> BLOCK_BITS, bound(at_ms))).map(drop)
}
