//! What is asked of an archive, and what is found: the pages of XEP-0313 and XEP-0059. Plain values; the backends search.

use metronome_model::{ArchivedRow, Direction};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

use super::PAGE_BYTES_MAX;

/// Which messages of an archive are asked for. Rows kept only until they are seen are in no archive: they never match.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only messages exchanged with this address: a bare one stands for all its resources. The owner's own address stands for what the
    /// owner wrote to itself.
    pub with: Option<Jid>,
    /// Only messages stored at this Unix time in milliseconds or later.
    pub from_ms: u64,
    /// Only messages stored at this Unix time in milliseconds or earlier.
    pub to_ms: u64,
    /// Only ids above this one.
    pub above: u64,
    /// Only ids below this one.
    pub below: u64,
    /// Only these ids.
    pub only: Option<Vec<u64>>,
}

impl Default for Filter {
    /// Everything.
    fn default() -> Filter {
        Filter { with: None, from_ms: 0, to_ms: u64::MAX, above: 0, below: u64::MAX, only: None }
    }
}

impl Filter {
    /// Whether a message with this id and time, exchanged with this address, is asked for.
    pub(crate) fn fits(&self, id: u64, at_ms: u64) -> bool {
        id > self.above
            && id < self.below
            && (self.from_ms..=self.to_ms).contains(&at_ms)
            && self.only.as_ref().is_none_or(|only| only.contains(&id))
    }

    /// Whether a message is one with the address that is asked for.
    pub(crate) fn fits_peer(&self, direction: Direction, stanza: &Stanza) -> bool {
        let Some(with) = &self.with else { return true };
        direction.peer(stanza).bare_str() == with.bare_str() && (!with.is_full() || names(stanza, with))
    }
}

/// Whether a message is from or to this full address.
pub(crate) fn names(stanza: &Stanza, full: &Jid) -> bool {
    stanza.from == *full || stanza.to.as_ref() == Some(full)
}

/// A page of what a filter lets through.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is asked for.
    pub filter: Filter,
    /// Ids that must be in the archive, or there is no answer but [`Found::Unknown`].
    pub known: Vec<u64>,
    /// The page holds ids above this one only; those below count all the same.
    pub after: u64,
    /// The page holds ids below this one only; those above count all the same.
    pub before: u64,
    /// From which end the page is filled.
    pub from: From,
    /// This many matching messages are passed over first.
    pub skip: u64,
    /// Most messages in the page; with none of them they are only counted.
    pub rows_max: usize,
    /// Most bytes of messages in the page; it has at least one of them.
    pub bytes_max: usize,
    /// All that matches is counted up to this many; beyond it the number is estimated, or not given.
    pub counted_max: u64,
}

impl Default for Search {
    /// The first 50 messages, without a count.
    fn default() -> Search {
        Search {
            filter: Filter::default(),
            known: Vec::new(),
            after: 0,
            before: u64::MAX,
            from: From::First,
            skip: 0,
            rows_max: 50,
            bytes_max: PAGE_BYTES_MAX,
            counted_max: 0,
        }
    }
}

/// From which end a page is filled. Its rows stand in id order all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The lowest ids.
    First,
    /// The highest ids.
    Last,
}

/// The answer to a [`Search`].
#[derive(Clone, Debug)]
pub enum Found {
    /// One of [`Search::known`] is not in the archive.
    Unknown,
    /// A page.
    Page(Page),
}

/// A page of messages.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The messages, in id order.
    pub rows: Vec<ArchivedRow>,
    /// What lies behind the page, or before it if it was filled from the last.
    pub rest: Rest,
    /// How many match in all, and how many of them stand before the first row of the page.
    pub count: Option<Count>,
}

impl Page {
    /// The page of a search that finds nothing.
    pub(crate) fn empty(search: &Search) -> Page {
        let count = (search.counted_max > 0).then_some(Count { all: 0, index: 0 });
        Page { count, ..Page::default() }
    }
}

/// What lies beyond a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    #[default]
    Nothing,
    /// More messages that match.
    More,
    /// The search has looked at as many messages as one read may: it goes on beyond this id, with so many left to be passed over.
    Unsearched {
        /// The last id that was looked at.
        at: u64,
        /// [`Search::skip`] for the next search.
        skip: u64,
    },
}

/// How much matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Messages in all.
    pub all: u64,
    /// Those before the first row of the page.
    pub index: u64,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: u64,
    /// When it was stored, Unix time in milliseconds.
    pub at_ms: u64,
    /// Whether a client still has to prove that it has it.
    pub unseen: bool,
}
