//! What is asked of a node, and what is found: pages of items as of XEP-0059, in the orders of XEP-0413. Plain values; the backends search.

use metronome_model::Item;

use crate::archive::{Count, From, PAGE_BYTES_MAX};

/// By what items are ordered, and which of their times counts (XEP-0413).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By when each was published last.
    #[default]
    Modified,
    /// By when its id was published first.
    Created,
}

/// A page of items. `after` and `before`, first and last, and the place of a row in its page are meant in the order that is asked for,
/// oldest first; who wants the newest first fills the page from the last and reads it backwards.
#[derive(Clone, Debug)]
pub struct ItemSearch {
    /// The order.
    pub order: Order,
    /// Only items whose time in that order is this Unix time in milliseconds or later.
    pub from_ms: u64,
    /// Only items whose time in that order is this Unix time in milliseconds or earlier.
    pub to_ms: u64,
    /// The page holds items behind the one with this id only; the others count all the same. If there is none with this id the answer
    /// is [`ItemsFound::Unknown`].
    pub after: Option<Box<str>>,
    /// The page holds items before the one with this id only, likewise.
    pub before: Option<Box<str>>,
    /// From which end the page is filled.
    pub from: From,
    /// This many items that match are passed over first, from that end.
    pub skip: u64,
    /// Most items in the page; with none of them they are only counted.
    pub rows_max: usize,
    /// Most bytes of items in the page; it has at least one of them.
    pub bytes_max: usize,
}

impl Default for ItemSearch {
    /// The 50 newest items.
    fn default() -> ItemSearch {
        ItemSearch {
            order: Order::Modified,
            from_ms: 0,
            to_ms: u64::MAX,
            after: None,
            before: None,
            from: From::Last,
            skip: 0,
            rows_max: 50,
            bytes_max: PAGE_BYTES_MAX,
        }
    }
}

/// The answer to an [`ItemSearch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemsFound {
    /// There is no such node.
    NoNode,
    /// There is no item with the id that was named.
    Unknown,
    /// A page.
    Page(ItemsPage),
}

/// A page of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemsPage {
    /// The items, oldest first in the order that was asked for.
    pub rows: Vec<Item>,
    /// What matches in all, and how much of it stands before the first row of the page: exact numbers, whatever the size of the node.
    pub count: Count,
    /// How much of what matches and lies within `after` and `before` comes behind the page, seen from the end that it was filled from.
    pub left: u64,
}
