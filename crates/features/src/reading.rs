//! An archive as people read it on pages: when something was said, and what was said in a time, in the order in which it was stored.
//! Asked by the web pages of `net` for whom they have let in; every answer is bounded.

mod said;

use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow};
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use metronome_store::archive::{Filter, Found, From, Page, Place, Rest, Search};

pub use said::{Said, said};

/// Reads for one answer: some hundred thousand messages are looked at.
const READS_MAX: usize = 16;

/// Bytes of messages in one answer; it has at least one message.
const BYTES_MAX: usize = 512 * 1024;

/// An archive, or a part of it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Whose.
    pub owner: AccountId,
    /// Only what was exchanged with this address.
    pub with: Option<Jid>,
    /// Only what was stored at this Unix time in milliseconds or later.
    pub since_ms: u64,
}

/// Some messages, and from where it goes on.
#[derive(Debug, Default)]
pub struct Part {
    /// The messages, in their order.
    pub rows: Vec<ArchivedRow>,
    /// The id behind which the next part begins, if there may be one.
    pub next: Option<u64>,
}

impl Reading {
    /// When the first and the last of its messages were stored, in Unix milliseconds; none if there is none.
    pub async fn ends(&self, server: &Server) -> Result<Option<(u64, u64)>, StoreError> {
        let filter = self.filter((0, u64::MAX));
        let first = server.store.places(self.owner, filter.clone(), 1).await?;
        let mut search = Search { filter, from: From::Last, rows_max: 1, ..Search::default() };
        for _ in 0..READS_MAX {
            let Found::Page(Page { rows, rest, .. }) = server.store.search(self.owner, search.clone()).await? else {
                break;
            };
            match (rows.last(), rest) {
                (Some(last), _) => {
                    return Ok(first.first().map(|first: &Place| (first.at_ms.min(last.at_ms), last.at_ms)));
                }
                (None, Rest::Unsearched { at, .. }) => search.before = at,
                (None, _) => break,
            }
        }
        Ok(first.first().map(|first| (first.at_ms, first.at_ms)))
    }

    /// Whether there is a message between two times, in Unix milliseconds, both included.
    pub async fn has(&self, server: &Server, times_ms: (u64, u64)) -> Result<bool, StoreError> {
        let filter = self.filter(times_ms);
        Ok(filter.from_ms <= filter.to_ms && !server.store.places(self.owner, filter, 1).await?.is_empty())
    }

    /// What was said between two times behind the message with this id; at most so many messages.
    pub async fn part(
        &self,
        server: &Server,
        times_ms: (u64, u64),
        after: u64,
        rows_max: usize,
    ) -> Result<Part, StoreError> {
        let filter = self.filter(times_ms);
        if filter.from_ms > filter.to_ms {
            return Ok(Part::default());
        }
        let mut search = Search { filter, after, rows_max, bytes_max: BYTES_MAX, ..Search::default() };
        let mut part = Part::default();
        for _ in 0..READS_MAX {
            let Found::Page(mut page) = server.store.search(self.owner, search.clone()).await? else { break };
            part.rows.append(&mut page.rows);
            part.next = match page.rest {
                Rest::Nothing => None,
                Rest::More => part.rows.last().map(|row| row.id),
                Rest::Unsearched { at, .. } => Some(at),
            };
            match page.rest {
                Rest::Unsearched { at, .. } if part.rows.is_empty() => search.after = at,
                _ => break,
            }
        }
        Ok(part)
    }

    fn filter(&self, (from_ms, to_ms): (u64, u64)) -> Filter {
        Filter { with: self.with.clone(), from_ms: from_ms.max(self.since_ms), to_ms, ..Filter::default() }
    }
}
