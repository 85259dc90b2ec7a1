//! Queries of an archive (XEP-0313 section 4): what is asked for becomes a search of the store, what is found becomes messages, and the
//! answer comes behind them. One page at a time, bounded in messages and bytes; nothing is kept between two pages.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow};
use metronome_proto::payload::mam::{self, Complete, Query};
use metronome_proto::payload::rsm::Given;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_store::archive::{Filter, Found, From, Page, Rest, Search};

use super::{PAGE, PAGE_MAX, reply};

/// A page ends after this many bytes on the wire, or after its first message. An outbox that takes answers has room for it.
const PAGE_BYTES_MAX: usize = 448 * 1024;

/// Messages up to this number are counted for every page; there are more in an archive than one look is worth.
const COUNTED_MAX: u64 = 500;

/// The same for a client that asks for the number alone.
const COUNTED_ALONE_MAX: u64 = 20_000;

/// Largest number by which a page can be asked for.
const INDEX_MAX: u64 = 10_000;

/// Answers `<query/>`.
pub(super) async fn answer(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let query = Query::read(&payload).map_err(StanzaError::from)?;
    let search = search(&query, &env.host)?;
    let from = search.from;
    let page = find(server, env.sender.session()?.account, search).await?.ok_or(Condition::ItemNotFound)?;
    send(env, &query, page, from)
}

/// What is asked of the store.
fn search(query: &Query, host: &Host) -> Result<Search, Refuse> {
    let (after, before) = (&query.set.after, query.set.before.as_ref().filter(|before| !before.is_empty()));
    let named = [after.as_ref(), before, query.after_id.as_ref(), query.before_id.as_ref()];
    let known = named.into_iter().flatten().chain(&query.ids).map(|text| id(text)).collect::<Option<Vec<u64>>>();
    let known = known.ok_or(Condition::ItemNotFound)?;
    let bound = |text: Option<&String>, none| text.and_then(|text| id(text)).unwrap_or(none);
    let skip = query.set.index.unwrap_or(0);
    if skip > INDEX_MAX {
        // XEP-0059 section 2.6: as many would have to be counted first.
        return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text("ask for the page by an id").into());
    }
    let most = host.values.count(&PAGE_MAX);
    let rows_max = query.set.max.unwrap_or(host.values.count(&PAGE)).min(most);
    Ok(Search {
        filter: filter(query, bound(query.after_id.as_ref(), 0), bound(query.before_id.as_ref(), u64::MAX)),
        known,
        after: bound(after.as_ref(), 0),
        before: bound(before, u64::MAX),
        from: if query.set.before.is_some() { From::Last } else { From::First },
        skip,
        rows_max: rows_max as usize,
        bytes_max: PAGE_BYTES_MAX,
        counted_max: if rows_max == 0 { COUNTED_ALONE_MAX } else { COUNTED_MAX },
    })
}

fn filter(query: &Query, above: u64, below: u64) -> Filter {
    let only = query.ids.iter().filter_map(|text| id(text)).collect::<Vec<_>>();
    let only = Some(only).filter(|ids| !ids.is_empty());
    Filter { with: query.with.clone(), above, below, only, ..times(query.start_ms, query.end_ms) }
}

/// Everything between two times. Times before 1970 are none of ours.
pub(super) fn times(start_ms: Option<i64>, end_ms: Option<i64>) -> Filter {
    let from_ms = start_ms.map_or(0, |start_ms| start_ms.max(0) as u64);
    let (from_ms, to_ms) = match end_ms {
        Some(end_ms) if end_ms < 0 => (1, 0),
        Some(end_ms) => (from_ms, end_ms as u64),
        None => (from_ms, u64::MAX),
    };
    Filter { from_ms, to_ms, ..Filter::default() }
}

/// The number of an id as this server writes it; anything else is no id of ours.
pub(super) fn id(text: &str) -> Option<u64> {
    let id: u64 = text.parse().ok()?;
    (id > 0 && id.to_string() == text).then_some(id)
}

/// The page that is asked for, in as many reads as it takes, with others' between them; none if an id is not in the archive.
async fn find(server: &Server, owner: AccountId, mut search: Search) -> Result<Option<Page>, Refuse> {
    let mut page: Option<Page> = None;
    loop {
        let Found::Page(found) = server.store.search(owner, search.clone()).await? else { return Ok(None) };
        search.rows_max -= found.rows.len();
        search.bytes_max = search.bytes_max.saturating_sub(found.rows.iter().map(bytes_of).sum());
        (search.counted_max, search.known) = (0, Vec::new());
        let rest = found.rest;
        let so_far = match page.take() {
            None => found,
            Some(before) => joined(before, found, search.from),
        };
        match rest {
            Rest::Unsearched { at, skip } => {
                search.skip = skip;
                match search.from {
                    From::First => search.after = at,
                    From::Last => search.before = at,
                }
            }
            Rest::Nothing | Rest::More => return Ok(Some(so_far)),
        }
        page = Some(so_far);
    }
}

fn joined(mut page: Page, mut more: Page, from: From) -> Page {
    if from == From::Last {
        std::mem::swap(&mut page.rows, &mut more.rows);
    }
    page.rows.append(&mut more.rows);
    // Where the page begins is known only now.
    let count = page.count.filter(|_| from == From::First);
    Page { rows: page.rows, rest: more.rest, count }
}

fn bytes_of(row: &ArchivedRow) -> usize {
    row.stanza.content.len_bytes()
}

/// The results and, behind them, the answer.
fn send(env: &mut Envelope, query: &Query, mut page: Page, from: From) -> Result<(), Refuse> {
    let session = env.sender.session()?.clone();
    let (archive, to) = (session.jid.bare(), session.jid.clone());
    let frame = |row: &ArchivedRow| {
        let queryid = query.queryid.as_deref();
        let found =
            mam::Found { archive: &archive, to: &to, queryid, id: row.id, at_ms: row.at_ms, stanza: &row.stanza };
        Frame::whole(found.to_vec())
    };
    let mut frames: Vec<Frame> = page.rows.iter().map(frame).collect();
    let left_out = cut(&mut frames, &mut page.rows, from);
    let complete = if page.rest == Rest::Nothing && left_out == 0 { Complete::Yes } else { Complete::No };
    let index_moves = if from == From::Last { left_out as u64 } else { 0 };
    let ends = page.rows.first().zip(page.rows.last());
    let given = Given {
        ends: ends.map(|(first, last)| (first.id.to_string(), last.id.to_string())),
        index: page.count.map(|count| count.index + index_moves),
        count: page.count.map(|count| count.all),
    };
    if query.flip {
        frames.reverse();
    }
    env.effects.extend(frames.into_iter().map(|frame| Effect::Write(session.clone(), frame)));
    reply(env, &mam::fin(complete, &given));
    Ok(())
}

/// Leaves out what goes beyond the bytes of a page, from its far end, and says how many that are. One message is always there.
fn cut(frames: &mut Vec<Frame>, rows: &mut Vec<ArchivedRow>, from: From) -> usize {
    let mut bytes = 0;
    let mut fits = |frame: &Frame| {
        bytes += frame.len();
        bytes <= PAGE_BYTES_MAX
    };
    let count = match from {
        From::First => frames.iter().take_while(|frame| fits(frame)).count(),
        From::Last => frames.iter().rev().take_while(|frame| fits(frame)).count(),
    };
    let left_out = frames.len() - count.max(1).min(frames.len());
    match from {
        From::First => {
            frames.truncate(frames.len() - left_out);
            rows.truncate(rows.len() - left_out);
        }
        From::Last => {
            frames.drain(..left_out);
            rows.drain(..left_out);
        }
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_as_the_server_writes_them_are_ids() {
        assert_eq!(id("1"), Some(1));
        assert_eq!(id("18446744073709551615"), Some(u64::MAX));
        for none in ["", "0", "01", "+1", " 1", "1 ", "-1", "1.0", "x", "18446744073709551616", "１"] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn times_before_ours_bound_nothing_or_everything() {
        let times = |start_ms, end_ms| {
            let filter = times(start_ms, end_ms);
            (filter.from_ms, filter.to_ms)
        };
        assert_eq!(times(None, None), (0, u64::MAX));
        assert_eq!(times(Some(-5), Some(7)), (0, 7));
        assert_eq!(times(Some(5), Some(-7)), (1, 0));
    }
}
