//! Pages of items in SQLite: a walk from either end that steps over whole runs, and counts that add up runs and look into those at the ends.

use std::ops::ControlFlow;

use metronome_model::Item;
use rusqlite::{Connection, Row};

use super::blocks::{self, BLOCK_BITS, end_of};
use super::items::{item_at, select_item};
use super::{Space, bound};
use crate::StoreError;
use crate::archive::{Count, From};
use crate::backend::sqlite::db::Db;
use crate::nodes::{ItemSearch, ItemsFound, ItemsPage, Order};

const MODIFIED_FORWARDS: &str = select_item!(
    "node_items i WHERE i.key BETWEEN ?1 AND ?2 AND i.updated_ms BETWEEN ?3 AND ?4 ORDER BY i.key LIMIT -1 OFFSET ?5"
);
const MODIFIED_BACKWARDS: &str = select_item!(
    "node_items i WHERE i.key BETWEEN ?1 AND ?2 AND i.updated_ms BETWEEN ?3 AND ?4 ORDER BY i.key DESC LIMIT -1 OFFSET ?5"
);
const CREATED_FORWARDS: &str = "SELECT b.key, i.id, i.publisher, i.created_ms, i.updated_ms, i.payload
     FROM node_births b CROSS JOIN node_items i ON i.key = b.item
     WHERE b.key BETWEEN ?1 AND ?2 AND b.created_ms BETWEEN ?3 AND ?4 ORDER BY b.key LIMIT -1 OFFSET ?5";
const CREATED_BACKWARDS: &str = "SELECT b.key, i.id, i.publisher, i.created_ms, i.updated_ms, i.payload
     FROM node_births b CROSS JOIN node_items i ON i.key = b.item
     WHERE b.key BETWEEN ?1 AND ?2 AND b.created_ms BETWEEN ?3 AND ?4 ORDER BY b.key DESC LIMIT -1 OFFSET ?5";
const MODIFIED_COUNT: &str =
    "SELECT count(*) FROM node_items WHERE key BETWEEN ?1 AND ?2 AND updated_ms BETWEEN ?3 AND ?4";
const CREATED_COUNT: &str =
    "SELECT count(*) FROM node_births WHERE key BETWEEN ?1 AND ?2 AND created_ms BETWEEN ?3 AND ?4";

/// Runs that may hold what is asked for.
const BLOCKS_FORWARDS: &str = "SELECT block, items, min_ms, max_ms FROM node_blocks
    WHERE line = ?1 AND block BETWEEN ?2 AND ?3 AND max_ms >= ?4 AND min_ms <= ?5 ORDER BY block";
const BLOCKS_BACKWARDS: &str = "SELECT block, items, min_ms, max_ms FROM node_blocks
    WHERE line = ?1 AND block BETWEEN ?2 AND ?3 AND max_ms >= ?4 AND min_ms <= ?5 ORDER BY block DESC";
/// How much there is in runs that match as a whole.
const WHOLE: &str = "SELECT ifnull(sum(items), 0) FROM node_blocks
    WHERE line = ?1 AND block BETWEEN ?2 AND ?3 AND min_ms >= ?4 AND max_ms <= ?5";
/// Runs of which a part may match.
const PARTS: &str = "SELECT block FROM node_blocks WHERE line = ?1 AND block BETWEEN ?2 AND ?3
    AND max_ms >= ?4 AND min_ms <= ?5 AND NOT (min_ms >= ?4 AND max_ms <= ?5)";

/// All of them, whose plans are tested.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 10] = [
    MODIFIED_FORWARDS,
    MODIFIED_BACKWARDS,
    CREATED_FORWARDS,
    CREATED_BACKWARDS,
    MODIFIED_COUNT,
    CREATED_COUNT,
    BLOCKS_FORWARDS,
    BLOCKS_BACKWARDS,
    WHOLE,
    PARTS,
];

/// What is looked for, and where.
struct Line<'a> {
    db: &'a Db,
    order: Order,
    from_ms: i64,
    to_ms: i64,
    /// All keys of the space.
    keys: (i64, i64),
}

/// Finds a page.
pub(super) fn page(db: &Db, space: &Space, search: &ItemSearch) -> Result<ItemsFound, StoreError> {
    let (from_ms, to_ms) = (bound(search.from_ms), bound(search.to_ms));
    let line = Line { db, order: search.order, from_ms, to_ms, keys: space.keys() };
    let (mut low, mut high) = line.keys;
    if let Some(after) = &search.after {
        let Some(key) = line.key_of(space, after)? else { return Ok(ItemsFound::Unknown) };
        low = key + 1;
    }
    if let Some(before) = &search.before {
        let Some(key) = line.key_of(space, before)? else { return Ok(ItemsFound::Unknown) };
        high = key - 1;
    }
    let rows = line.walk(low, high, search)?;
    let all = if line.has_times() { line.count(line.keys.0, line.keys.1)? } else { space.items };
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else {
        let within = if (low, high) == line.keys { all } else { line.count(low, high)? };
        let left = within.saturating_sub(search.skip);
        return Ok(ItemsFound::Page(ItemsPage { rows: Vec::new(), count: Count { all, index: 0 }, left }));
    };
    let index = line.count(line.keys.0, first - 1)?;
    let left = match search.from {
        From::First if search.before.is_none() => all - index - rows.len() as u64,
        From::First => line.count(last + 1, high)?,
        From::Last if search.after.is_none() => index,
        From::Last => line.count(low, first - 1)?,
    };
    let rows = rows.into_iter().map(|(_, item)| item).collect();
    Ok(ItemsFound::Page(ItemsPage { rows, count: Count { all, index }, left }))
}

impl Line<'_> {
    fn has_times(&self) -> bool {
        self.from_ms > 0 || self.to_ms < i64::MAX
    }

    /// Where the item with this id stands.
    fn key_of(&self, space: &Space, id: &str) -> Result<Option<i64>, StoreError> {
        let sql = match self.order {
            Order::Modified => "SELECT key FROM node_items WHERE space = ?1 AND id = ?2",
            Order::Created => "SELECT born FROM node_items WHERE space = ?1 AND id = ?2",
        };
        self.db.first(sql, (space.space, id), |row| row.get(0))
    }

    /// How much matches between two keys.
    fn count(&self, low: i64, high: i64) -> Result<u64, StoreError> {
        if low > high {
            return Ok(0);
        }
        let (first, last) = (low >> BLOCK_BITS, high >> BLOCK_BITS);
        if first == last {
            return self.count_rows(low, high);
        }
        // The runs at both ends, and those between them.
        let ends = self.count_rows(low, end_of(first))? + self.count_rows(last << BLOCK_BITS, high)?;
        let params = (blocks::line(self.order), first + 1, last - 1, self.from_ms, self.to_ms);
        let whole = self.db.first(WHOLE, params, |row| row.get::<_, i64>(0))?.unwrap_or(0) as u64;
        if !self.has_times() {
            return Ok(ends + whole);
        }
        let parts: Vec<i64> = self.db.all(PARTS, params, |row| row.get(0))?;
        let parts = parts.into_iter().map(|block| self.count_rows(block << BLOCK_BITS, end_of(block)));
        Ok(ends + whole + parts.sum::<Result<u64, StoreError>>()?)
    }

    /// The same within one run.
    fn count_rows(&self, low: i64, high: i64) -> Result<u64, StoreError> {
        self.db.with(|conn| self.count_within(conn, low, high))
    }

    fn count_within(&self, conn: &Connection, low: i64, high: i64) -> rusqlite::Result<u64> {
        let sql = match self.order {
            Order::Modified => MODIFIED_COUNT,
            Order::Created => CREATED_COUNT,
        };
        let params = (low, high, self.from_ms, self.to_ms);
        conn.prepare_cached(sql)?.query_row(params, |row| row.get::<_, i64>(0)).map(|count| count as u64)
    }

    /// The items of a page with their keys, oldest first.
    fn walk(&self, low: i64, high: i64, search: &ItemSearch) -> Result<Vec<(i64, Item)>, StoreError> {
        let mut page = Page { search, skip: search.skip, bytes: 0, rows: Vec::new() };
        if search.rows_max == 0 || low > high {
            return Ok(page.rows);
        }
        self.db.with(|conn| {
            let mut statement = conn.prepare_cached(match search.from {
                From::First => BLOCKS_FORWARDS,
                From::Last => BLOCKS_BACKWARDS,
            })?;
            let (first, last) = (low >> BLOCK_BITS, high >> BLOCK_BITS);
            let mut blocks = statement.query((blocks::line(self.order), first, last, self.from_ms, self.to_ms))?;
            while let Some(row) = blocks.next()? {
                let (block, items) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)? as u64);
                let all_match = row.get::<_, i64>(2)? >= self.from_ms && row.get::<_, i64>(3)? <= self.to_ms;
                let (begin, end) = (block << BLOCK_BITS, end_of(block));
                let is_whole = all_match && low <= begin && end <= high;
                let flow =
                    self.walk_block(conn, begin.max(low), end.min(high), is_whole.then_some(items), &mut page)?;
                if flow.is_break() {
                    break;
                }
            }
            Ok(())
        })?;
        if search.from == From::Last {
            page.rows.reverse();
        }
        Ok(page.rows)
    }

    /// Goes through one run, of which so many items match if that is known.
    fn walk_block(
        &self,
        conn: &Connection,
        low: i64,
        high: i64,
        items: Option<u64>,
        page: &mut Page<'_>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        if page.skip > 0 {
            let items = match items {
                Some(items) => items,
                None => self.count_within(conn, low, high)?,
            };
            if items <= page.skip {
                page.skip -= items;
                return Ok(ControlFlow::Continue(()));
            }
        }
        let sql = match (self.order, page.search.from) {
            (Order::Modified, From::First) => MODIFIED_FORWARDS,
            (Order::Modified, From::Last) => MODIFIED_BACKWARDS,
            (Order::Created, From::First) => CREATED_FORWARDS,
            (Order::Created, From::Last) => CREATED_BACKWARDS,
        };
        let skip = bound(std::mem::take(&mut page.skip));
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query((low, high, self.from_ms, self.to_ms, skip))?;
        while let Some(row) = rows.next()? {
            if page.add(row)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Items being collected, up to the bounds of a page.
struct Page<'a> {
    search: &'a ItemSearch,
    /// Items that are still to be passed over.
    skip: u64,
    bytes: usize,
    /// With their keys, from the end that the page is filled from.
    rows: Vec<(i64, Item)>,
}

impl Page<'_> {
    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<ControlFlow<()>> {
        if self.rows.len() >= self.search.rows_max {
            return Ok(ControlFlow::Break(()));
        }
        let Some(item) = item_at(row)? else { return Ok(ControlFlow::Continue(())) };
        self.bytes += item.len_bytes();
        if !self.rows.is_empty() && self.bytes > self.search.bytes_max {
            return Ok(ControlFlow::Break(()));
        }
        self.rows.push((row.get(0)?, item));
        Ok(ControlFlow::Continue(()))
    }
}
