//! What was said in a room: its archive is that of its account (XEP-0313), and the ids of messages are those of its rows.

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow};
use metronome_muc::history::{Past, Wanted};
use metronome_store::archive::{Filter, Found, From, Page, Search};

/// Most rows that are read for somebody who enters.
const ROWS_MAX: u64 = 500;

/// What was said before, oldest first: the newest of what is wanted.
pub async fn past(server: &Server, owner: AccountId, wanted: Wanted) -> Result<Vec<Past>, Refuse> {
    let rows_max = wanted.messages_max.min(ROWS_MAX) as usize;
    if rows_max == 0 {
        return Ok(Vec::new());
    }
    let filter = Filter { from_ms: wanted.since_ms, ..Filter::default() };
    let search = Search { filter, from: From::Last, rows_max, ..Search::default() };
    let Found::Page(Page { rows, .. }) = server.store.search(owner, search).await? else { return Ok(Vec::new()) };
    Ok(rows.into_iter().map(of_row).collect())
}

/// The message with this id.
pub async fn row(server: &Server, owner: AccountId, stanza_id: &str) -> Result<Option<Past>, Refuse> {
    let Ok(id) = stanza_id.parse::<u64>() else { return Ok(None) };
    let rows = server.store.rows(owner, vec![(id, id)], 1).await?;
    Ok(rows.into_iter().next().map(of_row))
}

fn of_row(row: ArchivedRow) -> Past {
    Past { id: row.id, stanza_id: row.id.to_string().into(), at_ms: row.at_ms, stanza: row.stanza }
}
