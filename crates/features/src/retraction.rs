//! XEP-0424: Message Retraction: a message that its author takes back is replaced by a tombstone in both archives. Called from
//! `route::message` for every message that is stored; keeps nothing of its own.

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::feature::{Feature, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow, Direction, Keep, Op, Record};
use metronome_proto::ns;
use metronome_proto::payload::retract;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::Content;
use metronome_store::archive::{Filter, Found, From, Page, Rest, Search};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "retraction",
    xeps: &[Xep::new(424, "0.4.2", "Message Retraction")],
    disco: &[ns::RETRACT],
    disco_account: &[ns::RETRACT, ns::RETRACT_TOMBSTONE],
    ..Feature::NONE
};

/// How often a page is read: so a thousand messages with the same person may stand between a message and its retraction, fewer if they are
/// large. Of an older one only the retraction tells.
const PAGES_MAX: usize = 20;

/// Messages of a page.
const PAGE_ROWS: usize = 50;

/// Bytes of a page.
const PAGE_BYTES: usize = 256 * 1024;

/// Where a message may have to be replaced: whose archive, and whether the owner wrote it.
type Side = (AccountId, Direction);

/// Adds to the record what puts tombstones into the place of the message that this one takes back. Behind the rows of the message itself,
/// because only an archive that has the retraction gets a tombstone (section 5).
pub async fn bury(server: &Server, env: &mut Envelope, at_ms: u64) -> Result<(), Refuse> {
    if !env.stanza.has(ns::RETRACT, "retract") || !is_conversation(&env.stanza) {
        return Ok(());
    }
    let (Some(target), Some(id)) = (retract::target(&env.stanza.content), env.stanza.id.clone()) else { return Ok(()) };
    let sides: Vec<Side> = env.record.ops.iter().filter_map(archived).collect();
    let Some((first, _)) = sides.first() else { return Ok(()) };
    // What it takes back may have been sent a moment ago, and be on its way to the store.
    let _ = server.commit(Record::of(Op::Seen { owner: *first, ids: Vec::new() })).await;
    for side in sides {
        let Some(row) = find(server, side, &env.stanza, &target).await? else { continue };
        let tombstone = Content::from_tree(&retract::tombstone(&id, at_ms));
        let stanza = Arc::new(row.stanza.with_content(tombstone));
        env.record.push(Op::Replace { owner: row.owner, id: row.id, stanza });
    }
    Ok(())
}

fn is_conversation(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Message(MessageType::Chat | MessageType::Normal))
}

/// The archive in which the retraction itself will be.
fn archived(op: &Op) -> Option<Side> {
    match op {
        Op::Append { owner, direction, keep: Keep::Archive, .. } => Some((*owner, *direction)),
        _ => None,
    }
}

/// The message with this id that the author of the retraction wrote to the same person; of several the latest.
async fn find(
    server: &Server,
    (owner, direction): Side,
    retraction: &Stanza,
    target: &str,
) -> Result<Option<ArchivedRow>, Refuse> {
    let filter = Filter { with: Some(direction.peer(retraction).bare()), ..Filter::default() };
    let mut search = Search { filter, from: From::Last, rows_max: PAGE_ROWS, bytes_max: PAGE_BYTES, ..Search::default() };
    let is_it = |row: &ArchivedRow| {
        row.direction == direction
            && row.stanza.id.as_deref() == Some(target)
            && row.stanza.from.same_bare(&retraction.from)
            && is_conversation(&row.stanza)
            && !row.stanza.has(ns::RETRACT, "retract")
            && !retract::is_tombstone(&row.stanza.content)
    };
    for _ in 0..PAGES_MAX {
        let Found::Page(Page { mut rows, rest, .. }) = server.store.search(owner, search.clone()).await? else { break };
        search.before = rows.first().map_or(search.before, |row| row.id);
        if let Some(at) = rows.iter().rposition(is_it) {
            return Ok(Some(rows.swap_remove(at)));
        }
        match rest {
            Rest::Nothing => break,
            Rest::More => {}
            Rest::Unsearched { at, .. } => search.before = at,
        }
    }
    Ok(None)
}
