//! The index of an element's children: where each lies and what it is called, so that routing asks by name and parses
//! nothing. Filled by the walk while it validates; holds offsets only, never names.

use std::sync::Arc;

use smallvec::SmallVec;

use super::raw;

/// Children beyond this many are found by reading on from the last one, so the index never outweighs the bytes.
pub(super) const INDEXED_MAX: usize = 64;

/// The children of one element, by position in its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(super) entries: SmallVec<[Entry; 5]>,
    /// Where the first child without an entry begins; 0 if all have one.
    pub(super) more_from: u32,
    /// Namespaces that are not in the bytes as they stand (written with references). Almost always absent.
    pub(super) odd: Option<Arc<Vec<Box<str>>>>,
}

/// One child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The local name, counted from `start`.
    pub(super) name_at: u16,
    pub(super) name_len: u16,
    pub(super) ns: EntryNs,
}

/// Where a child's namespace is found; 8 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum EntryNs {
    /// It is its parent's.
    Inherited,
    /// In the bytes, counted from the child's start.
    At { at: u32, len: u16 },
    /// In [`Index::odd`].
    Odd(u16),
}

impl Entry {
    pub(super) fn bytes<'a>(&self, all: &'a [u8]) -> &'a [u8] {
        &all[self.start as usize..self.end as usize]
    }

    fn name<'a>(&self, all: &'a [u8]) -> &'a [u8] {
        let at = self.start as usize + usize::from(self.name_at);
        &all[at..at + usize::from(self.name_len)]
    }
}

impl Index {
    /// The first child with this name; the entries only.
    pub(super) fn find(&self, all: &[u8], inherited: &str, ns: &str, name: &str) -> Option<&Entry> {
        let same = |entry: &&Entry| {
            entry.name(all) == name.as_bytes() && self.ns_bytes(entry, all, inherited) == ns.as_bytes()
        };
        self.entries.iter().find(same)
    }

    fn ns_bytes<'a>(&'a self, entry: &Entry, all: &'a [u8], inherited: &'a str) -> &'a [u8] {
        match entry.ns {
            EntryNs::Inherited => inherited.as_bytes(),
            EntryNs::At { at, len } => {
                let at = entry.start as usize + at as usize;
                &all[at..at + usize::from(len)]
            }
            EntryNs::Odd(at) => self.odd.as_ref().map_or(&[], |odd| odd[usize::from(at)].as_bytes()),
        }
    }

    /// Whether a child may declare one of these namespaces itself.
    pub(super) fn may_declare(&self, all: &[u8], namespaces: &[&str]) -> bool {
        let declares = |entry: &Entry| match entry.ns {
            EntryNs::Inherited => false,
            EntryNs::Odd(_) => true,
            EntryNs::At { .. } => {
                let found = self.ns_bytes(entry, all, "");
                namespaces.iter().any(|ns| ns.as_bytes() == found)
            }
        };
        self.more_from > 0 || self.entries.iter().any(declares)
    }

    /// Notes a namespace that cannot be pointed at.
    pub(super) fn odd_ns(&mut self, name: &str) -> EntryNs {
        let odd = Arc::make_mut(self.odd.get_or_insert_default());
        odd.push(name.into());
        EntryNs::Odd((odd.len() - 1) as u16)
    }

    /// Moves every position to the front by `by` bytes.
    pub(super) fn shift(&mut self, by: u32) {
        for entry in &mut self.entries {
            entry.start -= by;
            entry.end -= by;
        }
        self.more_from = self.more_from.saturating_sub(by);
    }

    /// The index of these children and those of another behind them, `by` bytes further on; none where it takes another look.
    pub(super) fn joined(&self, other: &Index, by: usize) -> Option<Index> {
        let is_whole = self.more_from == 0 && other.more_from == 0 && other.odd.is_none();
        if !is_whole || self.entries.len() + other.entries.len() > INDEXED_MAX {
            return None;
        }
        let by = u32::try_from(by).ok()?;
        let mut index = self.clone();
        let moved = |entry: &Entry| Entry { start: entry.start + by, end: entry.end + by, ..*entry };
        index.entries.extend(other.entries.iter().map(moved));
        Some(index)
    }

    /// Bytes on the heap.
    pub(super) fn memory_usage(&self) -> usize {
        let spilled = if self.entries.spilled() { self.entries.capacity() * size_of::<Entry>() } else { 0 };
        spilled + self.odd.as_ref().map_or(0, |odd| odd.iter().map(|name| name.len() + 16).sum())
    }
}

/// Iterates over the bytes of each child, those without an entry included.
#[derive(Clone, Debug)]
pub(super) struct ChildBytes<'a> {
    all: &'a [u8],
    entries: std::slice::Iter<'a, Entry>,
    /// Reads on where the entries end.
    more: Option<raw::Tokens<'a>>,
}

impl<'a> ChildBytes<'a> {
    /// `all` must end where the parent's content does.
    pub(super) fn new(index: &'a Index, all: &'a [u8]) -> ChildBytes<'a> {
        let more = (index.more_from > 0).then(|| raw::Tokens::new(all, index.more_from as usize));
        ChildBytes { all, entries: index.entries.iter(), more }
    }

    /// The children of an element that has no index; its content begins at `from`.
    pub(super) fn unindexed(all: &'a [u8], from: usize) -> ChildBytes<'a> {
        ChildBytes { all, entries: [].iter(), more: Some(raw::Tokens::new(all, from)) }
    }

    /// Where the bytes that were just returned begin.
    pub(super) fn offset_of(&self, child: &[u8]) -> usize {
        child.as_ptr() as usize - self.all.as_ptr() as usize
    }
}

impl<'a> Iterator for ChildBytes<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(entry) = self.entries.next() {
            return Some(entry.bytes(self.all));
        }
        let tokens = self.more.as_mut()?;
        loop {
            let start = tokens.pos();
            match tokens.next()? {
                raw::Token::Open(tag) => {
                    if !tag.empty {
                        tokens.skip_element();
                    }
                    return Some(&self.all[start..tokens.pos()]);
                }
                raw::Token::Close => return None,
                raw::Token::Text(_) | raw::Token::CData(_) => {}
            }
        }
    }
}
