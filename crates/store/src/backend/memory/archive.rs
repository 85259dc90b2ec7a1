//! Message archives in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use metronome_model::{AccountId, ArchivedRow, Keep};

use metronome_proto::stanza::Stanza;

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore};
use crate::archive::{
    Archive, ArchiveWrites, Count, Counts, Filter, Found, From, Head, NewRow, PAGE_BYTES_MAX, Page, Place, Rest, Search,
};
use crate::{Reading, StoreError};

/// Every owner's archive.
#[derive(Clone, Default)]
pub(super) struct Table {
    owners: HashMap<AccountId, Rows>,
}

#[derive(Clone, Default)]
struct Rows {
    rows: BTreeMap<u64, Row>,
    last_id: u64,
    seen_to: u64,
    unseen: u64,
}

#[derive(Clone)]
struct Row {
    row: NewRow,
    stanza: Arc<Stanza>,
    /// What the stanza counts for in a page.
    bytes: usize,
}

/// A change of the archives.
pub(super) enum Change {
    Append { row: NewRow, stanza: Arc<Stanza>, bytes: usize },
    Seen { owner: AccountId, first: u64, last: u64 },
    Replace { owner: AccountId, id: u64, stanza: Arc<Stanza>, bytes: usize },
    Remove { owner: AccountId, first: u64, last: u64 },
    Purge { owner: AccountId, rows_max: usize },
}

impl Table {
    pub(super) fn is_empty(&self, owner: AccountId) -> bool {
        !self.owners.contains_key(&owner)
    }

    pub(super) fn apply(&mut self, change: &Change, usage: &mut Usage) {
        match change {
            Change::Append { row, stanza, bytes } => {
                usage.add(row.owner, usage::stanza(stanza));
                let rows = self.owners.entry(row.owner).or_default();
                rows.append(Row { row: *row, stanza: Arc::clone(stanza), bytes: *bytes });
            }
            Change::Seen { owner, first, last } => {
                if let Some(rows) = self.owners.get_mut(owner) {
                    usage.sub(*owner, rows.mark_seen(*first, *last));
                }
            }
            Change::Replace { owner, id, stanza, bytes } => {
                let row = self.owners.get_mut(owner).and_then(|rows| rows.rows.get_mut(id));
                if let Some(row) = row {
                    usage.sub(*owner, usage::stanza(&row.stanza));
                    usage.add(*owner, usage::stanza(stanza));
                    (row.stanza, row.bytes) = (Arc::clone(stanza), *bytes);
                }
            }
            Change::Remove { owner, first, last } => {
                if let Some(rows) = self.owners.get_mut(owner) {
                    usage.sub(*owner, rows.remove(*first, *last));
                }
            }
            Change::Purge { owner, rows_max } => {
                let Some(rows) = self.owners.get_mut(owner) else { return };
                for _ in 0..*rows_max {
                    let Some((_, row)) = rows.rows.pop_first() else { break };
                    usage.sub(*owner, usage::stanza(&row.stanza));
                }
                if rows.rows.is_empty() {
                    self.owners.remove(owner);
                }
            }
        }
    }

    fn has(&self, owner: AccountId, first: u64, last: u64) -> bool {
        self.owners.get(&owner).is_some_and(|rows| rows.rows.range(first..=last).next().is_some())
    }

    fn has_unseen(&self, owner: AccountId, first: u64, last: u64) -> bool {
        let rows = self.owners.get(&owner).map(|rows| rows.rows.range(first..=last));
        rows.is_some_and(|mut rows| rows.any(|(_, row)| row.row.unseen))
    }

    fn head(&self, owner: AccountId) -> Head {
        match self.owners.get(&owner) {
            Some(rows) => Head { slot: 0, last_id: rows.last_id, seen_to: rows.seen_to, unseen: rows.unseen },
            None => Head { slot: 0, last_id: 0, seen_to: 0, unseen: 0 },
        }
    }
}

impl Rows {
    fn append(&mut self, row: Row) {
        // Rows that share a stanza come together, so their ids need not come in order.
        self.last_id = self.last_id.max(row.row.id);
        self.unseen += u64::from(row.row.unseen);
        self.rows.insert(row.row.id, row);
    }

    /// Gives the bytes of the rows it removes.
    fn mark_seen(&mut self, first: u64, last: u64) -> usize {
        let mut gone = Vec::new();
        for (id, Row { row, .. }) in self.rows.range_mut(first..=last).filter(|(_, row)| row.row.unseen) {
            row.unseen = false;
            self.unseen -= 1;
            if row.keep == Keep::UntilSeen {
                gone.push(*id);
            }
        }
        let gone = gone.iter().filter_map(|id| self.rows.remove(id)).map(|row| usage::stanza(&row.stanza)).sum();
        let first_unseen = self.rows.range(self.seen_to + 1..).find(|(_, row)| row.row.unseen);
        self.seen_to = first_unseen.map_or(self.last_id, |(id, _)| id - 1);
        gone
    }
}

impl Rows {
    /// Gives the bytes of the rows it removes.
    fn remove(&mut self, first: u64, last: u64) -> usize {
        let seen = self.rows.range(first..=last).filter(|(_, row)| !row.row.unseen).map(|(id, _)| *id);
        let gone: Vec<u64> = seen.collect();
        gone.iter().filter_map(|id| self.rows.remove(id)).map(|row| usage::stanza(&row.stanza)).sum()
    }

    /// The rows that are in the archive, and not only kept until somebody sees them.
    fn archived(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values().filter(|row| row.row.keep == Keep::Archive)
    }

    fn matching(&self, filter: &Filter) -> impl DoubleEndedIterator<Item = &Row> {
        let (first, last) = (filter.above.saturating_add(1), filter.below.saturating_sub(1));
        let range = (first <= last).then(|| self.rows.range(first..=last));
        range.into_iter().flatten().map(|(_, row)| row).filter(move |row| {
            let NewRow { id, at_ms, direction, keep, .. } = row.row;
            keep == Keep::Archive && filter.fits(id, at_ms) && filter.fits_peer(direction, &row.stanza)
        })
    }

    fn search(&self, search: &Search) -> Found {
        let is_archived = |id: &u64| self.rows.get(id).is_some_and(|row| row.row.keep == Keep::Archive);
        if !search.known.iter().all(is_archived) {
            return Found::Unknown;
        }
        let in_page = |row: &&Row| row.row.id > search.after && row.row.id < search.before;
        let wanted = self.matching(&search.filter).filter(in_page);
        let (rows, rest) = match search.from {
            From::First => cut(wanted, search),
            From::Last => {
                let (mut rows, rest) = cut(wanted.rev(), search);
                rows.reverse();
                (rows, rest)
            }
        };
        let count = self.count(search, rows.first().map(|row| row.id));
        Found::Page(Page { rows, rest, count })
    }

    fn count(&self, search: &Search, first: Option<u64>) -> Option<Count> {
        let all = self.matching(&search.filter).count() as u64;
        let index = self.matching(&search.filter).take_while(|row| Some(row.row.id) != first).count() as u64;
        (search.counted_max > 0).then_some(Count { all, index: if first.is_some() { index } else { 0 } })
    }
}

/// Copies what a page holds of `wanted`.
fn cut<'a>(wanted: impl Iterator<Item = &'a Row>, search: &Search) -> (Vec<ArchivedRow>, Rest) {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for row in wanted.skip(usize::try_from(search.skip).unwrap_or(usize::MAX)) {
        bytes += row.bytes;
        if rows.len() >= search.rows_max || (!rows.is_empty() && bytes > search.bytes_max) {
            return (rows, Rest::More);
        }
        rows.push(row.to_archived());
    }
    (rows, Rest::Nothing)
}

/// Copies rows up to the bounds of a page.
fn page<'a>(rows: impl Iterator<Item = &'a Row>, limit: usize) -> Vec<ArchivedRow> {
    let mut bytes = 0;
    let fits = |row: &&Row| {
        let full = bytes >= PAGE_BYTES_MAX;
        bytes += row.bytes;
        !full
    };
    rows.take(limit).take_while(fits).map(Row::to_archived).collect()
}

impl Row {
    fn place(&self) -> Place {
        Place { id: self.row.id, at_ms: self.row.at_ms, unseen: self.row.unseen }
    }

    fn to_archived(&self) -> ArchivedRow {
        let NewRow { owner, id, at_ms, direction, keep, unseen, .. } = self.row;
        ArchivedRow { owner, id, at_ms, direction, unseen, keep, stanza: Stanza::clone(&self.stanza) }
    }
}

impl MemoryStore {
    /// Reads an archive, or answers with `R`'s empty value if the account does not exist.
    fn read_rows<R: Default + Send + 'static>(&self, owner: AccountId, read: impl FnOnce(&Rows) -> R) -> Reading<R> {
        self.read(|tables| match tables.archive.owners.get(&owner) {
            Some(rows) if tables.accounts.contains(owner) => read(rows),
            _ => R::default(),
        })
    }
}

impl Archive for MemoryStore {
    fn unseen(&self, owner: AccountId, after_id: u64, limit: usize) -> Reading<Vec<ArchivedRow>> {
        self.read_rows(owner, |rows| {
            let after = after_id.max(rows.seen_to).saturating_add(1);
            page(rows.rows.range(after..).map(|(_, row)| row).filter(|row| row.row.unseen), limit)
        })
    }

    fn rows(&self, owner: AccountId, ids: Vec<(u64, u64)>, limit: usize) -> Reading<Vec<ArchivedRow>> {
        self.read_rows(owner, |rows| {
            let ranges = ids.iter().filter(|(first, last)| first <= last);
            page(ranges.flat_map(|&(first, last)| rows.rows.range(first..=last)).map(|(_, row)| row), limit)
        })
    }

    fn last_id(&self, owner: AccountId) -> Reading<u64> {
        self.read_rows(owner, |rows| rows.last_id)
    }

    fn unseen_count(&self, owner: AccountId) -> Reading<u64> {
        self.read_rows(owner, |rows| rows.unseen)
    }

    fn search(&self, owner: AccountId, search: Search) -> Reading<Found> {
        self.read(move |tables| match tables.archive.owners.get(&owner) {
            Some(rows) if tables.accounts.contains(owner) => rows.search(&search),
            _ => Rows::default().search(&search),
        })
    }

    fn places(&self, owner: AccountId, filter: Filter, limit: usize) -> Reading<Vec<Place>> {
        self.read_rows(owner, |rows| rows.matching(&filter).take(limit).map(Row::place).collect())
    }

    fn ends(&self, owner: AccountId) -> Reading<Option<(Place, Place)>> {
        self.read_rows(owner, |rows| Some((rows.archived().next()?.place(), rows.archived().next_back()?.place())))
    }

    fn counts(&self, owner: AccountId) -> Reading<Counts> {
        self.read_rows(owner, |rows| Counts {
            last_id: rows.last_id,
            rows: rows.rows.len() as u64,
            unseen: rows.unseen,
        })
    }
}

impl ArchiveWrites for MemoryBackend {
    fn head(&mut self, owner: AccountId) -> Result<Option<Head>, StoreError> {
        Ok(self.working.accounts.contains(owner).then(|| self.working.archive.head(owner)))
    }

    fn append(&mut self, rows: &[NewRow], stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        let mut xml = Vec::new();
        stanza.write(&mut xml);
        for row in rows {
            let change = Change::Append { row: *row, stanza: Arc::clone(stanza), bytes: xml.len() };
            self.change(super::Change::Archive(change))?;
        }
        Ok(())
    }

    fn mark_seen(&mut self, owner: AccountId, head: &mut Head, first: u64, last: u64) -> Result<(), StoreError> {
        if self.working.archive.has_unseen(owner, first, last) {
            self.change(super::Change::Archive(Change::Seen { owner, first, last }))?;
            *head = self.working.archive.head(owner);
        }
        Ok(())
    }

    fn replace(&mut self, owner: AccountId, _: &Head, id: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        if !self.working.archive.has(owner, id, id) {
            return Ok(());
        }
        let (stanza, bytes) = (Arc::clone(stanza), stanza.to_vec().len());
        self.change(super::Change::Archive(Change::Replace { owner, id, stanza, bytes }))
    }

    fn remove(&mut self, owner: AccountId, _: &Head, first: u64, last: u64) -> Result<(), StoreError> {
        if !self.working.archive.has(owner, first, last) {
            return Ok(());
        }
        self.change(super::Change::Archive(Change::Remove { owner, first, last }))
    }

    fn id_max(&self) -> u64 {
        u64::MAX - 1
    }
}
