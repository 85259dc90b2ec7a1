//! A client whose stream was lost sends again what it was not told to be handled (XEP-0198 section 5). What an earlier session of its account
//! had sent, and is stored, is neither stored nor delivered once more. Looked for only after a session was lost (`host::lost`).

use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{ArchivedRow, Direction, Keep, Op, Record};
use metronome_proto::ns;
use metronome_proto::payload::stanza_id;
use metronome_proto::stanza::Stanza;
use metronome_store::archive::{Filter, Found, From, Page, Rest, Search};

/// How often a page is read: so two hundred messages with the same person may stand between both, fewer if they are large.
const PAGES_MAX: usize = 4;
/// Messages of a page.
const PAGE_ROWS: usize = 50;
/// Bytes of a page.
const PAGE_BYTES: usize = 256 * 1024;

/// Drops a message that an earlier session has sent already. Its row is in the record by now, and tells which archive would have it.
pub(crate) async fn refuse_repeated(server: &Server, env: &Envelope) -> Result<(), Refuse> {
    let Some(sender) = env.sender.as_session() else { return Ok(()) };
    if !server.lost.may_repeat(sender.account, sender.since_ms, server.clock.unix_ms()) || env.stanza.id.is_none() {
        return Ok(());
    }
    let archived = |op: &Op| match op {
        Op::Append { owner, direction, keep: Keep::Archive, .. } => Some((*owner, *direction)),
        _ => None,
    };
    let Some((owner, direction)) = env.record.ops.iter().find_map(archived) else { return Ok(()) };
    // The first one may be on its way to the store.
    let _ = server.commit(Record::of(Op::Seen { owner, ids: Vec::new() })).await;
    let with = Some(direction.peer(&env.stanza).bare());
    let filter = Filter { with, to_ms: sender.since_ms, ..Filter::default() };
    let mut search =
        Search { filter, from: From::Last, rows_max: PAGE_ROWS, bytes_max: PAGE_BYTES, ..Search::default() };
    for _ in 0..PAGES_MAX {
        let Found::Page(Page { rows, rest, .. }) = server.store.search(owner, search.clone()).await? else { break };
        if rows.iter().any(|row| is_same(row, direction, &env.stanza)) {
            return Err(Refuse::Drop("an earlier session has sent it, and it is stored"));
        }
        search.before = rows.first().map_or(search.before, |row| row.id);
        match rest {
            Rest::Nothing => break,
            Rest::More => {}
            Rest::Unsearched { at, .. } => search.before = at,
        }
    }
    Ok(())
}

/// The same words to the same address under the same ids. Other parts may differ: clients say how old it is when they send it again.
fn is_same(row: &ArchivedRow, direction: Direction, stanza: &Stanza) -> bool {
    let earlier = &row.stanza;
    let body = |stanza: &Stanza| stanza.child(ns::CLIENT, "body").map(|body| body.text().into_owned());
    row.direction == direction
        && earlier.kind == stanza.kind
        && earlier.id == stanza.id
        && earlier.to == stanza.to
        && earlier.from.same_bare(&stanza.from)
        && match (stanza_id::origin_id(&earlier.content), stanza_id::origin_id(&stanza.content)) {
            (Some(first), Some(again)) => first == again && body(earlier) == body(stanza),
            _ => earlier.content.bytes() == stanza.content.bytes(),
        }
}
