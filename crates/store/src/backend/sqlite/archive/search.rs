//! Pages of archives: which keys may hold what is asked for, and a walk through them from either end that ends at every bound.

use std::ops::ControlFlow;

use metronome_model::{AccountId, ArchivedRow};
use metronome_proto::jid::Jid;

use super::{ID_MAX, UNSEEN, UNTIL_SEEN, archived, id_of, key, peers, seen_to};
use crate::StoreError;
use crate::archive::{Count, Filter, Found, From, Page, Place, Rest, Search};
use crate::backend::sqlite::db::Db;

/// Rows that one read looks at; then others have their turn, and the search goes on with the next read.
const LOOKED_AT_MAX: usize = 8192;

/// Rows that are looked at besides those that are counted.
const COUNTED_IN_VAIN_MAX: u64 = 4096;

const FORWARDS: &str = "SELECT key, at_ms, flags, stanza FROM archive WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
const BACKWARDS: &str = "SELECT key, at_ms, flags, stanza FROM archive WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC";

/// With one address, in runs of ids that are full.
const PEER_FORWARDS: &str =
    "SELECT a.key, a.at_ms, a.flags, a.stanza FROM archive_peers p CROSS JOIN archive a ON a.key = p.key
                             WHERE p.peer = ?3 AND p.key BETWEEN ?1 AND ?2 ORDER BY p.key";
const PEER_BACKWARDS: &str =
    "SELECT a.key, a.at_ms, a.flags, a.stanza FROM archive_peers p CROSS JOIN archive a ON a.key = p.key
                              WHERE p.peer = ?3 AND p.key BETWEEN ?1 AND ?2 ORDER BY p.key DESC";

/// With one address, in the last run.
const TAIL_FORWARDS: &str =
    "SELECT key, at_ms, flags, stanza FROM archive WHERE key BETWEEN ?1 AND ?2 AND peer = ?3 ORDER BY key";
const TAIL_BACKWARDS: &str =
    "SELECT key, at_ms, flags, stanza FROM archive WHERE key BETWEEN ?1 AND ?2 AND peer = ?3 ORDER BY key DESC";

/// How many of these rows there are, how many of them fit, how many of those have a lower key than the fourth parameter, and the last key.
/// Added up where they are: to hand each row over would cost more than to find it.
macro_rules! sum_up {
    ($rows:literal) => {
        concat!(
            "SELECT count(*), ifnull(sum(fits), 0), ifnull(sum(fits AND key < ?4), 0), max(key) FROM (",
            $rows,
            " LIMIT ?3)"
        )
    };
}

const SUM: &str = sum_up!(
    "SELECT key, flags & 4 = 0 AND at_ms BETWEEN ?5 AND ?6 AS fits FROM archive WHERE key BETWEEN ?1 AND ?2 ORDER BY key"
);
const PEER_SUM: &str = sum_up!(
    "SELECT a.key, a.flags & 4 = 0 AND a.at_ms BETWEEN ?5 AND ?6 AS fits FROM archive_peers p CROSS JOIN archive a ON a.key = p.key
     WHERE p.peer = ?7 AND p.key BETWEEN ?1 AND ?2 ORDER BY p.key"
);
/// Only rows that are archived have an address, so these alone tell how many there are.
const PEER_KEYS_SUM: &str =
    sum_up!("SELECT key, 1 AS fits FROM archive_peers WHERE peer = ?7 AND key BETWEEN ?1 AND ?2 ORDER BY key");
const TAIL_SUM: &str = sum_up!(
    "SELECT key, flags & 4 = 0 AND at_ms BETWEEN ?5 AND ?6 AS fits FROM archive
     WHERE key BETWEEN ?1 AND ?2 AND peer = ?7 ORDER BY key"
);

/// The statements of a walk: for all rows, and for those with one address in full runs and in the last one.
struct Statements {
    all: &'static str,
    of_peer: &'static str,
    of_peer_in_tail: &'static str,
}

/// A row of the table as the walk sees it.
#[derive(Clone, Copy)]
struct Row {
    key: i64,
    at_ms: i64,
    flags: i64,
    stanza: i64,
}

/// What some rows come to.
#[derive(Default)]
struct Sum {
    rows: u64,
    fit: u64,
    /// Of those, the ones before the page.
    fit_before: u64,
    /// The last key.
    last: Option<i64>,
}

/// Where to look for what a filter lets through.
struct Scope<'a> {
    db: &'a Db,
    owner: AccountId,
    slot: i64,
    filter: &'a Filter,
    peer: Option<i64>,
    /// Where the last run of ids begins, which is not full.
    tail: i64,
}

/// A page of an archive.
pub(super) fn page(db: &Db, owner: AccountId, slot: i64, search: &Search) -> Result<Found, StoreError> {
    for id in &search.known {
        let sql = "SELECT 1 FROM archive WHERE key = ?1 AND flags & 4 = 0";
        if *id > ID_MAX || db.first(sql, (key(slot, *id),), |_| Ok(()))?.is_none() {
            return Ok(Found::Unknown);
        }
    }
    let scope = Scope::of(db, owner, slot, &search.filter)?;
    let ranges = scope.ranges()?;
    let (rows, rest) = scope.cut(search, &scope.between(&ranges, search.after, search.before))?;
    let count = scope.count(search, &ranges, &rows, rest)?;
    Ok(Found::Page(Page { rows, rest, count }))
}

/// The places of what a filter lets through, the lowest ids first.
pub(super) fn places(
    db: &Db,
    owner: AccountId,
    slot: i64,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let (mut places, seen_to) = (Vec::new(), seen_to(db, slot)?);
    let scope = Scope::of(db, owner, slot, filter)?;
    scope.walk(&scope.ranges()?, From::First, |row| {
        if places.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        if scope.fits(&row) && (filter.with.is_none() || scope.is_with(&row)) {
            places.push(place(row.key, row.at_ms, row.flags, seen_to));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(places)
}

/// The first and the last message.
pub(super) fn ends(db: &Db, slot: i64) -> Result<Option<(Place, Place)>, StoreError> {
    const FIRST: &str =
        "SELECT key, at_ms, flags FROM archive WHERE key BETWEEN ?1 AND ?2 AND flags & 4 = 0 ORDER BY key LIMIT 1";
    const LAST: &str =
        "SELECT key, at_ms, flags FROM archive WHERE key BETWEEN ?1 AND ?2 AND flags & 4 = 0 ORDER BY key DESC LIMIT 1";
    let seen_to = seen_to(db, slot)?;
    let end = |sql| {
        db.first(sql, (key(slot, 0), key(slot, ID_MAX)), |row| {
            Ok(place(row.get(0)?, row.get(1)?, row.get(2)?, seen_to))
        })
    };
    Ok(end(FIRST)?.zip(end(LAST)?))
}

fn place(key: i64, at_ms: i64, flags: i64, seen_to: u64) -> Place {
    let id = id_of(key);
    Place { id, at_ms: at_ms as u64, unseen: flags & UNSEEN != 0 && id > seen_to }
}

impl<'a> Scope<'a> {
    fn of(db: &'a Db, owner: AccountId, slot: i64, filter: &'a Filter) -> Result<Scope<'a>, StoreError> {
        let peer = filter.with.as_ref().map(|with| peers::hash(with.bare_str()));
        let tail = match peer {
            None => 0,
            Some(_) => {
                let sql = "SELECT max(key) FROM archive WHERE key BETWEEN ?1 AND ?2";
                let highest = db.first(sql, (key(slot, 0), key(slot, ID_MAX)), |row| row.get::<_, Option<i64>>(0))?;
                highest.flatten().unwrap_or(0) >> super::BLOCK_BITS << super::BLOCK_BITS
            }
        };
        Ok(Scope { db, owner, slot, filter, peer, tail })
    }

    /// The full address that is asked for, which only the messages themselves tell.
    fn full(&self) -> Option<&'a Jid> {
        self.filter.with.as_ref().filter(|with| with.is_full())
    }

    fn has_times(&self) -> bool {
        (self.filter.from_ms, self.filter.to_ms) != (0, u64::MAX)
    }

    /// Whether a row is asked for, as far as it tells itself.
    fn fits(&self, row: &Row) -> bool {
        row.flags & UNTIL_SEEN == 0 && (self.filter.from_ms..=self.filter.to_ms).contains(&(row.at_ms as u64))
    }

    /// The ranges of keys that may hold something, in their order: within the bounds, and without runs of other times.
    fn ranges(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let first = self.filter.above.saturating_add(1);
        let last = self.filter.below.saturating_sub(1).min(ID_MAX);
        if first > last {
            return Ok(Vec::new());
        }
        if let Some(only) = &self.filter.only {
            let mut only: Vec<u64> = only.iter().copied().filter(|id| (first..=last).contains(id)).collect();
            only.sort_unstable();
            only.dedup();
            return Ok(only.into_iter().map(|id| (key(self.slot, id), key(self.slot, id))).collect());
        }
        self.without_other_times(key(self.slot, first), key(self.slot, last))
    }

    /// What of these ranges is behind one id and before another.
    fn between(&self, ranges: &[(i64, i64)], after: u64, before: u64) -> Vec<(i64, i64)> {
        let (low, high) = (after.saturating_add(1), before.saturating_sub(1).min(ID_MAX));
        if low > high {
            return Vec::new();
        }
        let (low, high) = (key(self.slot, low), key(self.slot, high));
        let cut = ranges.iter().map(|&(first, last)| (first.max(low), last.min(high)));
        cut.filter(|(first, last)| first <= last).collect()
    }

    fn without_other_times(&self, first: i64, last: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        let (from_ms, to_ms) = (self.filter.from_ms, self.filter.to_ms);
        if !self.has_times() {
            return Ok(vec![(first, last)]);
        }
        let bound = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let sql = "SELECT block FROM archive_times WHERE block BETWEEN ?1 AND ?2 AND (max_ms < ?3 OR min_ms > ?4)
                   ORDER BY block";
        let params = (first >> super::BLOCK_BITS, last >> super::BLOCK_BITS, bound(from_ms), bound(to_ms));
        let blocks = self.db.all(sql, params, |row| row.get::<_, i64>(0))?;
        let (mut ranges, mut next) = (Vec::new(), first);
        for block in blocks {
            let (begins, ends) = (block << super::BLOCK_BITS, (block + 1) << super::BLOCK_BITS);
            if next < begins {
                ranges.push((next, begins - 1));
            }
            next = next.max(ends);
        }
        if next <= last {
            ranges.push((next, last));
        }
        Ok(ranges)
    }

    /// Gives the rows of these ranges to `take`, from either end, until it has enough.
    fn walk(
        &self,
        ranges: &[(i64, i64)],
        from: From,
        mut take: impl FnMut(Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let (forwards, backwards) = (
            Statements { all: FORWARDS, of_peer: PEER_FORWARDS, of_peer_in_tail: TAIL_FORWARDS },
            Statements { all: BACKWARDS, of_peer: PEER_BACKWARDS, of_peer_in_tail: TAIL_BACKWARDS },
        );
        match from {
            From::First => self.walk_each(self.cut_at_tail(ranges).into_iter(), &forwards, &mut take),
            From::Last => self.walk_each(self.cut_at_tail(ranges).into_iter().rev(), &backwards, &mut take),
        }
    }

    /// The same ranges, none of which reaches from full runs into the last one, if that makes a difference.
    fn cut_at_tail(&self, ranges: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let mut cut = Vec::with_capacity(ranges.len() + 1);
        for &(first, last) in ranges {
            if self.peer.is_some() && first < self.tail && self.tail <= last {
                cut.extend([(first, self.tail - 1), (self.tail, last)]);
            } else {
                cut.push((first, last));
            }
        }
        cut
    }

    fn walk_each(
        &self,
        ranges: impl Iterator<Item = (i64, i64)>,
        statements: &Statements,
        take: &mut dyn FnMut(Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        for (first, last) in ranges {
            let mut failed = Ok(());
            let flow = self.db.with(|conn| {
                let mut statement = conn.prepare_cached(match self.peer {
                    None => statements.all,
                    Some(_) if first < self.tail => statements.of_peer,
                    Some(_) => statements.of_peer_in_tail,
                })?;
                let mut rows = match self.peer {
                    Some(peer) => statement.query((first, last, peer))?,
                    None => statement.query((first, last))?,
                };
                while let Some(row) = rows.next()? {
                    let row = Row { key: row.get(0)?, at_ms: row.get(1)?, flags: row.get(2)?, stanza: row.get(3)? };
                    match take(row) {
                        Ok(ControlFlow::Continue(())) => {}
                        Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
                        Err(error) => {
                            failed = Err(error);
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
            failed?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The rows of a page, and what lies beyond it.
    fn cut(&self, search: &Search, ranges: &[(i64, i64)]) -> Result<(Vec<ArchivedRow>, Rest), StoreError> {
        let seen_to = seen_to(self.db, self.slot)?;
        let (mut rows, mut rest) = (Vec::new(), Rest::Nothing);
        let (mut bytes, mut looked_at, mut skip) = (0, 0, search.skip);
        self.walk(ranges, search.from, |row| {
            if looked_at >= LOOKED_AT_MAX {
                return Ok(ControlFlow::Break(()));
            }
            looked_at += 1;
            rest = Rest::Unsearched { at: id_of(row.key), skip };
            if !self.fits(&row) || (self.full().is_some() && !self.is_with(&row)) {
                return Ok(ControlFlow::Continue(()));
            }
            if skip > 0 {
                skip -= 1;
                rest = Rest::Unsearched { at: id_of(row.key), skip };
                return Ok(ControlFlow::Continue(()));
            }
            if rows.len() >= search.rows_max {
                rest = Rest::More;
                return Ok(ControlFlow::Break(()));
            }
            let Some((archived, size)) = self.read(&row, seen_to)? else { return Ok(ControlFlow::Continue(())) };
            if !self.filter.fits_peer(archived.direction, &archived.stanza) {
                // Another address with the same hash.
                return Ok(ControlFlow::Continue(()));
            }
            if !rows.is_empty() && bytes + size > search.bytes_max {
                rest = Rest::More;
                return Ok(ControlFlow::Break(()));
            }
            bytes += size;
            rows.push(archived);
            Ok(ControlFlow::Continue(()))
        })?;
        if looked_at < LOOKED_AT_MAX && rest != Rest::More {
            rest = Rest::Nothing;
        }
        if search.from == From::Last {
            rows.reverse();
        }
        Ok((rows, rest))
    }

    /// Counts what the filter lets through, whatever page of it was asked for.
    fn count(
        &self,
        search: &Search,
        ranges: &[(i64, i64)],
        rows: &[ArchivedRow],
        rest: Rest,
    ) -> Result<Option<Count>, StoreError> {
        if search.counted_max == 0 {
            return Ok(None);
        }
        let is_all = (search.after, search.before, search.skip, rest) == (0, u64::MAX, 0, Rest::Nothing);
        if is_all {
            return Ok(Some(Count { all: rows.len() as u64, index: 0 }));
        }
        if self.full().is_some() {
            // Only the messages themselves would tell.
            return Ok(None);
        }
        let first = rows.first().map(|row| row.id);
        let before = first.map_or(i64::MIN, |first| key(self.slot, first));
        let (mut count, mut in_vain) = (Count { all: 0, index: 0 }, 0);
        for (mut low, high) in self.cut_at_tail(ranges) {
            while low <= high {
                let limit = search.counted_max.saturating_add(1).min(COUNTED_IN_VAIN_MAX);
                let Sum { rows, fit, fit_before, last } = self.sum_up(low, high, limit, before)?;
                (count.all, count.index, in_vain) = (count.all + fit, count.index + fit_before, in_vain + (rows - fit));
                if count.all > search.counted_max || in_vain > COUNTED_IN_VAIN_MAX {
                    return self.estimate(ranges, first);
                }
                match last {
                    Some(last) if rows == limit => low = last + 1,
                    _ => break,
                }
            }
        }
        Ok(Some(count))
    }

    /// Looks at so many rows of a range, from its beginning.
    fn sum_up(&self, low: i64, high: i64, limit: u64, before: i64) -> Result<Sum, StoreError> {
        let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (from_ms, to_ms) = (bound(self.filter.from_ms), bound(self.filter.to_ms));
        let read = |row: &rusqlite::Row<'_>| {
            let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
            Ok(Sum { rows: number(0)?, fit: number(1)?, fit_before: number(2)?, last: row.get(3)? })
        };
        let sum = match self.peer {
            None => self.db.first(SUM, (low, high, bound(limit), before, from_ms, to_ms), read)?,
            Some(peer) => {
                let sql = match (low < self.tail, self.has_times()) {
                    (true, true) => PEER_SUM,
                    (true, false) => PEER_KEYS_SUM,
                    (false, _) => TAIL_SUM,
                };
                self.db.first(sql, (low, high, bound(limit), before, from_ms, to_ms, peer), read)?
            }
        };
        Ok(sum.unwrap_or_default())
    }

    /// Without an address and times nearly every id between the first and the last is there.
    fn estimate(&self, ranges: &[(i64, i64)], first: Option<u64>) -> Result<Option<Count>, StoreError> {
        let (None, [(low, high)]) = (self.peer, ranges) else { return Ok(None) };
        if self.has_times() {
            return Ok(None);
        }
        // One at a time each is the end of a tree; together they would be a scan.
        let end = |sql| self.db.first(sql, (low, high), |row| row.get::<_, Option<i64>>(0));
        let low_end = end("SELECT min(key) FROM archive WHERE key BETWEEN ?1 AND ?2")?.flatten();
        let high_end = end("SELECT max(key) FROM archive WHERE key BETWEEN ?1 AND ?2")?.flatten();
        let (Some(low), Some(high)) = (low_end.map(id_of), high_end.map(id_of)) else { return Ok(None) };
        let index = first.map_or(0, |first| first.saturating_sub(low));
        Ok(Some(Count { all: high - low + 1, index }))
    }

    /// Reads a message, with its bytes; none if it is damaged.
    fn read(&self, row: &Row, seen_to: u64) -> Result<Option<(ArchivedRow, usize)>, StoreError> {
        let sql = "SELECT xml FROM stanzas WHERE number = ?1";
        let read = self.db.first(sql, (row.stanza,), |found| {
            let xml = found.get_ref(0)?.as_blob()?;
            Ok((archived(self.owner, seen_to, row.key, row.at_ms, row.flags, xml), xml.len()))
        })?;
        Ok(read.and_then(|(archived, size)| Some((archived?, size))))
    }

    /// Whether the message itself is one with the address that is asked for.
    fn is_with(&self, row: &Row) -> bool {
        let read = self.read(row, 0);
        matches!(read, Ok(Some((archived, _))) if self.filter.fits_peer(archived.direction, &archived.stanza))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_with_an_address_are_found_without_a_scan() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        crate::backend::sqlite::schema::make(&db).unwrap();
        for sql in [PEER_FORWARDS, PEER_BACKWARDS, PEER_SUM, PEER_KEYS_SUM] {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let params = rusqlite::params_from_iter((1..=statement.parameter_count()).map(|n| n as i64));
            let steps = statement.query_map(params, |row| row.get::<_, String>(3)).unwrap();
            let mut steps: Vec<_> = steps.map(Result::unwrap).collect();
            steps.retain(|step| !step.starts_with("CO-ROUTINE") && !step.starts_with("SCAN (subquery"));
            assert!(steps[0].contains("USING PRIMARY KEY (peer=? AND key>? AND key<?)"), "{steps:?}");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN") || step.contains("TEMP")), "{steps:?}");
        }
    }
}
