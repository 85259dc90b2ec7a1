//! Taking messages out of an archive, in pieces behind what people wait for: really removed where they are the oldest, blanked where a hole
//! would be left (XEP-0313 section 3.2).

use std::sync::Arc;

use metronome_host::server::Server;
use metronome_model::{AccountId, Op, Outcome, Record};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::xml::Content;
use metronome_store::StoreError;
use metronome_store::archive::{Filter, Found, Page, Place, Rest, Search};

/// Messages in one record: some milliseconds of the writer's time.
const ROWS: usize = 256;

/// Why it ended before its time. What was removed until then is gone.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The store could not be read.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
    /// A piece did not become durable.
    #[error("a change was not stored: {0:?}")]
    NotStored(Outcome),
}

impl From<Stopped> for StanzaError {
    fn from(stopped: Stopped) -> StanzaError {
        tracing::error!(%stopped, "messages could not be removed from an archive");
        StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait)
    }
}

/// What becomes of messages that no client has seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// They stay until they were seen.
    Stay,
    /// They go as well: their owner wants that.
    Go,
}

/// Removes what a filter lets through, the oldest first, and says how many messages that were.
pub(crate) async fn remove(server: &Server, owner: AccountId, mut filter: Filter, unread: Unread) -> Result<u64, Stopped> {
    let mut removed = 0;
    loop {
        let places = server.store.places(owner, filter.clone(), ROWS).await?;
        let Some(last) = places.last() else { return Ok(removed) };
        filter.above = last.id;
        let goes = |place: &&Place| unread == Unread::Go || !place.unseen;
        let ids = ranges(places.iter().filter(goes).map(|place| place.id));
        if ids.is_empty() {
            continue;
        }
        removed += ids.iter().map(|(first, last)| last - first + 1).sum::<u64>();
        let mut record = Record::default();
        if unread == Unread::Go {
            record.push(Op::Seen { owner, ids: ids.clone() });
        }
        record.push(Op::Remove { owner, ids });
        commit(server, record).await?;
    }
}

/// Leaves nothing of what a filter lets through but who wrote to whom and when, and says how many messages that were.
pub(super) async fn blank(server: &Server, owner: AccountId, filter: Filter) -> Result<u64, Stopped> {
    let mut search = Search { filter, rows_max: ROWS, ..Search::default() };
    let mut blanked = 0;
    loop {
        let Found::Page(Page { rows, rest, .. }) = server.store.search(owner, search.clone()).await? else {
            return Ok(blanked);
        };
        search.after = rows.last().map_or(search.after, |row| row.id);
        let full: Vec<_> = rows.into_iter().filter(|row| !row.stanza.content.is_empty()).collect();
        if !full.is_empty() {
            let mut record = Record::of(Op::Seen { owner, ids: ranges(full.iter().map(|row| row.id)) });
            blanked += full.len() as u64;
            for row in full {
                let stanza = Arc::new(row.stanza.with_content(Content::empty()));
                record.push(Op::Replace { owner, id: row.id, stanza });
            }
            commit(server, record).await?;
        }
        match rest {
            Rest::Nothing => return Ok(blanked),
            Rest::More => {}
            Rest::Unsearched { at, .. } => search.after = at,
        }
    }
}

async fn commit(server: &Server, record: Record) -> Result<(), Stopped> {
    match server.commit_bulk(record).await {
        Outcome::Done { .. } => Ok(()),
        outcome => Err(Stopped::NotStored(outcome)),
    }
}

/// Ids that follow each other as ranges, both ends included.
fn ranges(ids: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => ranges.push((id, id)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_follow_each_other_are_one_range() {
        assert_eq!(ranges([1, 2, 3, 7, 9, 10].into_iter()), [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(ranges(std::iter::empty()), []);
    }
}
