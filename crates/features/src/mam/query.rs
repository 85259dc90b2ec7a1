//! Queries of an archive (XEP-0313 section 4): what is asked for becomes a search of the store, what is found becomes messages, and the
//! answer comes behind them. One page at a time, bounded in messages and bytes; nothing is kept between two pages.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::{Envelope, Sender};
use metronome_host::hosts::Host;
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow};
use metronome_proto::jid::Jid;
use metronome_proto::payload::mam::{self, Complete, Query};
use metronome_proto::payload::rsm::Given;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, MessageType, Name, Stanza, StanzaError};
use metronome_proto::xml::Content;
use metronome_store::archive::{Filter, Found, From, Page, Rest, Search};

use super::{PAGE, PAGE_MAX, reply};

/// A page ends after this many bytes on the wire, or after its first message. An outbox that takes answers has room for it.
const PAGE_BYTES_MAX: usize = 448 * 1024;

/// About what stands around a result.
const HEAD_BYTES: usize = 160;

/// Messages up to this number are counted for every page; there are more in an archive than one look is worth.
const COUNTED_MAX: u64 = 500;

/// The same for a client that asks for the number alone.
const COUNTED_ALONE_MAX: u64 = 20_000;

/// Largest number by which a page can be asked for.
const INDEX_MAX: u64 = 10_000;

/// The same for somebody on another server, to whom it goes through a queue that others use as well.
const PAGE_BYTES_ELSEWHERE: usize = 128 * 1024;

/// The archive that a query is about.
pub(crate) struct Archive<'a> {
    /// Whose; none for one that has nothing in it yet.
    pub owner: Option<AccountId>,
    /// Its address, from which the messages come.
    pub address: Jid,
    /// The host whose options count.
    pub host: Arc<Host>,
    /// How many reads one page may take. Whoever looks for little in much gives a time or an address.
    pub reads_max: usize,
    /// What whoever asks sees of a message.
    pub shown: &'a (dyn Fn(Stanza) -> Stanza + Send + Sync),
}

/// Answers `<query/>` to the own archive.
pub(super) async fn answer(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let session = env.sender.session()?;
    let archive = Archive {
        owner: Some(session.account),
        address: session.jid.bare(),
        host: env.host.clone(),
        reads_max: usize::MAX,
        shown: &|stanza| stanza,
    };
    let query = read(env)?;
    answer_of(server, env, &archive, &query).await
}

/// Reads the request.
pub(crate) fn read(env: &Envelope) -> Result<Query, Refuse> {
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    Ok(Query::read(&payload).map_err(StanzaError::from)?)
}

/// Answers a query of an archive that whoever asks may read.
pub(crate) async fn answer_of(
    server: &Server,
    env: &mut Envelope,
    archive: &Archive<'_>,
    query: &Query,
) -> Result<(), Refuse> {
    let bytes_max = if env.sender.as_session().is_some() { PAGE_BYTES_MAX } else { PAGE_BYTES_ELSEWHERE };
    let search = Search { bytes_max, ..search(query, &archive.host)? };
    let from = search.from;
    let page = match archive.owner {
        Some(owner) => find(server, owner, search, archive.reads_max).await?,
        None => search.known.is_empty().then(Page::default),
    };
    send(env, archive, query, page.ok_or(Condition::ItemNotFound)?, (from, bytes_max))
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
        counted_max: if rows_max == 0 { COUNTED_ALONE_MAX } else { COUNTED_MAX },
        ..Search::default()
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
pub(crate) fn id(text: &str) -> Option<u64> {
    let id: u64 = text.parse().ok()?;
    (id > 0 && id.to_string() == text).then_some(id)
}

/// The page that is asked for, in as many reads as it takes, with others' between them; none if an id is not in the archive.
async fn find(server: &Server, owner: AccountId, mut search: Search, reads_max: usize) -> Result<Option<Page>, Refuse> {
    let mut page: Option<Page> = None;
    for _ in 0..reads_max {
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
    // What was found is a page like others: the next one goes on behind it.
    let found = page.filter(|page| !page.rows.is_empty());
    let text = "There is too much to look through";
    found.map(Some).ok_or_else(|| StanzaError::new(Condition::ResourceConstraint).with_text(text).into())
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
fn send(
    env: &mut Envelope,
    archive: &Archive<'_>,
    query: &Query,
    mut page: Page,
    (from, bytes_max): (From, usize),
) -> Result<(), Refuse> {
    let to = env.stanza.from.clone();
    let result = |row: &ArchivedRow| {
        let found = mam::Found {
            queryid: query.queryid.as_deref(),
            id: row.id,
            at_ms: row.at_ms,
            stanza: &(archive.shown)(row.stanza.clone()),
        };
        found.result()
    };
    let mut results: Vec<Vec<u8>> = page.rows.iter().map(result).collect();
    let left_out = cut(&mut results, &mut page.rows, (from, bytes_max));
    let complete = if page.rest == Rest::Nothing && left_out == 0 { Complete::Yes } else { Complete::No };
    let index_moves = if from == From::Last { left_out as u64 } else { 0 };
    let ends = page.rows.first().zip(page.rows.last());
    let given = Given {
        ends: ends.map(|(first, last)| (first.id.to_string(), last.id.to_string())),
        index: page.count.map(|count| count.index + index_moves),
        count: page.count.map(|count| count.all),
    };
    if query.flip {
        results.reverse();
    }
    for result in results {
        env.effects.push(effect(&env.sender, &archive.address, &to, &result)?);
    }
    reply(env, &mam::fin(complete, &given));
    Ok(())
}

/// The message with one result, on its way to whoever asked.
fn effect(sender: &Sender, archive: &Jid, to: &Jid, result: &[u8]) -> Result<Effect, Refuse> {
    match sender {
        Sender::Session(session) => {
            Ok(Effect::Write(session.clone(), Name::Message, Frame::whole(mam::message(archive, to, result))))
        }
        Sender::Link(_) => {
            let broken = |_| Refuse::from(Condition::InternalServerError);
            let content = Content::parse(result).map_err(broken)?;
            let message = Stanza::new(Kind::Message(MessageType::Normal), archive.clone());
            Ok(Effect::Reply(message.with_to(to.clone()).with_content(content)))
        }
    }
}

/// Leaves out what goes beyond the bytes of a page, from its far end, and says how many that are. One message is always there.
fn cut(results: &mut Vec<Vec<u8>>, rows: &mut Vec<ArchivedRow>, (from, bytes_max): (From, usize)) -> usize {
    let mut bytes = 0;
    let mut fits = |result: &Vec<u8>| {
        bytes += result.len() + HEAD_BYTES;
        bytes <= bytes_max
    };
    let count = match from {
        From::First => results.iter().take_while(|result| fits(result)).count(),
        From::Last => results.iter().rev().take_while(|result| fits(result)).count(),
    };
    let left_out = results.len() - count.max(1).min(results.len());
    match from {
        From::First => {
            results.truncate(results.len() - left_out);
            rows.truncate(rows.len() - left_out);
        }
        From::Last => {
            results.drain(..left_out);
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
