//! The items of a node in memory. Pages are found by looking at every item, so that this is what the other backends are compared with.

use std::collections::{BTreeMap, HashMap};

use metronome_model::{Item, NodeChange, NodeSize};

use crate::archive::{Count, From, PAGE_BYTES_MAX};
use crate::backend::memory::usage;
use crate::nodes::{ItemSearch, ItemsFound, ItemsPage, Order};

/// Items by the numbers that they got when they were published last.
#[derive(Clone, Default)]
pub(super) struct Items {
    rows: BTreeMap<u64, Row>,
    by_id: HashMap<Box<str>, u64>,
    /// The number given last.
    last: u64,
    bytes: u64,
}

#[derive(Clone)]
struct Row {
    item: Item,
    /// The number that it got when its id was published first.
    born: u64,
}

impl Items {
    pub(super) fn apply(&mut self, change: &NodeChange) {
        match change {
            NodeChange::Publish { item, keep } => {
                self.publish(item);
                self.trim((*keep).max(1));
            }
            NodeChange::Retract { ids } => {
                for id in ids {
                    if let Some(number) = self.by_id.get(id) {
                        self.remove(*number);
                    }
                }
            }
            NodeChange::Trim { keep } => self.trim(*keep),
            NodeChange::Expire { before_ms } => {
                let is_over = |row: &Row| row.item.updated_ms < *before_ms;
                let over: Vec<u64> =
                    self.rows.iter().filter(|(_, row)| is_over(row)).map(|(number, _)| *number).collect();
                over.into_iter().for_each(|number| self.remove(number));
            }
            NodeChange::Purge => self.trim(0),
            NodeChange::PurgeButNewest => self.trim(1),
            NodeChange::Create { .. }
            | NodeChange::Configure { .. }
            | NodeChange::Turn(_)
            | NodeChange::Delete
            | NodeChange::Affiliate { .. }
            | NodeChange::Subscribe(_)
            | NodeChange::Unsubscribe { .. }
            | NodeChange::EndSubscriptions { .. } => {}
        }
    }

    fn publish(&mut self, item: &Item) {
        self.last += 1;
        let mut row = Row { item: item.clone(), born: self.last };
        if let Some(former) = self.by_id.get(&item.id).and_then(|number| self.rows.get(number)) {
            (row.item.created_ms, row.born) = (former.item.created_ms, former.born);
            self.remove(self.by_id[&item.id]);
        }
        self.bytes += item.len_bytes() as u64;
        self.by_id.insert(item.id.clone(), self.last);
        self.rows.insert(self.last, row);
    }

    fn remove(&mut self, number: u64) {
        let Some(row) = self.rows.remove(&number) else { return };
        self.by_id.remove(&row.item.id);
        self.bytes -= row.item.len_bytes() as u64;
    }

    fn trim(&mut self, keep: u64) {
        while self.rows.len() as u64 > keep {
            let Some((&oldest, _)) = self.rows.first_key_value() else { return };
            self.remove(oldest);
        }
    }

    pub(super) fn room(&self) -> u64 {
        u64::MAX - self.last
    }

    pub(super) fn size(&self) -> NodeSize {
        NodeSize { items: self.rows.len() as u64, bytes: self.bytes }
    }

    pub(super) fn memory(&self) -> usize {
        usage::items(self.rows.len(), self.bytes)
    }

    pub(super) fn newest(&self) -> Option<Item> {
        self.rows.last_key_value().map(|(_, row)| row.item.clone())
    }

    fn get(&self, id: &str) -> Option<&Row> {
        self.rows.get(self.by_id.get(id)?)
    }

    pub(super) fn by_ids(&self, ids: &[Box<str>]) -> Vec<Item> {
        let mut bytes = 0;
        let mut found: Vec<Item> = Vec::new();
        for item in ids.iter().filter_map(|id| self.get(id)).map(|row| &row.item) {
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
            if found.iter().all(|other| other.id != item.id) {
                bytes += item.len_bytes();
                found.push(item.clone());
            }
        }
        found
    }

    pub(super) fn search(&self, search: &ItemSearch) -> ItemsFound {
        let place = |row: &Row| match search.order {
            Order::Modified => self.by_id[&row.item.id],
            Order::Created => row.born,
        };
        let bound = |id: &Option<Box<str>>, open: u64| match id {
            Some(id) => self.get(id).map(place),
            None => Some(open),
        };
        let (Some(after), Some(before)) = (bound(&search.after, 0), bound(&search.before, u64::MAX)) else {
            return ItemsFound::Unknown;
        };
        let mut all: Vec<(u64, &Item)> = self.rows.values().map(|row| (place(row), &row.item)).collect();
        all.retain(|(_, item)| {
            let at_ms = match search.order {
                Order::Modified => item.updated_ms,
                Order::Created => item.created_ms,
            };
            (search.from_ms..=search.to_ms).contains(&at_ms)
        });
        all.sort_unstable_by_key(|(place, _)| *place);
        let within: Vec<_> = all.iter().copied().filter(|(place, _)| *place > after && *place < before).collect();
        let (rows, left) = cut(within, search);
        let index = rows.first().map_or(0, |first| all.iter().take_while(|(place, _)| place < &first.0).count() as u64);
        let rows = rows.into_iter().map(|(_, item)| item.clone()).collect();
        ItemsFound::Page(ItemsPage { rows, count: Count { all: all.len() as u64, index }, left })
    }
}

/// What a page holds of these items, in their order, and how many come behind it.
fn cut<'a>(mut wanted: Vec<(u64, &'a Item)>, search: &ItemSearch) -> (Vec<(u64, &'a Item)>, u64) {
    if search.from == From::Last {
        wanted.reverse();
    }
    wanted.drain(..wanted.len().min(usize::try_from(search.skip).unwrap_or(usize::MAX)));
    let mut bytes = 0;
    let fits = |item: &Item| {
        let is_first = bytes == 0;
        bytes += item.len_bytes();
        is_first || bytes <= search.bytes_max
    };
    let mut fits = fits;
    let count = wanted.iter().take(search.rows_max).take_while(|(_, item)| fits(item)).count();
    let left = (wanted.len() - count) as u64;
    wanted.truncate(count);
    if search.from == From::Last {
        wanted.reverse();
    }
    (wanted, left)
}
