//! With whom somebody has talked: the people in the newest part of their archive, and those in their roster.

use std::collections::HashMap;

use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow, Listed};
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use metronome_store::archive::{Found, From, PAGE_BYTES_MAX, Page, Rest, Search};

/// Pages of the archive that are looked at.
const READS_MAX: usize = 8;

/// Messages of a page.
const ROWS_MAX: usize = 500;

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The bare address.
    pub jid: Jid,
    /// What the owner of the archive calls them.
    pub name: Option<Box<str>>,
    /// When they last exchanged a message, as far as was looked; Unix time in milliseconds.
    pub last_ms: Option<u64>,
}

/// The people of an account: first those with whom it has talked last, then the others of its roster.
pub async fn peers(server: &Server, owner: AccountId) -> Result<Vec<Peer>, StoreError> {
    let mut last_ms = HashMap::new();
    let mut search = Search { from: From::Last, rows_max: ROWS_MAX, bytes_max: PAGE_BYTES_MAX, ..Search::default() };
    for _ in 0..READS_MAX {
        let Found::Page(Page { rows, rest, .. }) = server.store.search(owner, search.clone()).await? else { break };
        search.before = rows.first().map_or(search.before, |row| row.id);
        rows.iter().rev().for_each(|row| note(&mut last_ms, row));
        match rest {
            Rest::Nothing => break,
            Rest::More => {}
            Rest::Unsearched { at, .. } => search.before = search.before.min(at),
        }
    }
    let (_, contacts) = server.store.roster(owner).await?;
    let listed = contacts.into_iter().filter(|contact| contact.listed == Listed::Yes);
    let mut names: HashMap<Jid, Option<Box<str>>> = listed.map(|contact| (contact.jid.bare(), contact.name)).collect();
    let mut peers: Vec<Peer> = last_ms
        .into_iter()
        .map(|(jid, last_ms)| Peer { name: names.remove(&jid).flatten(), jid, last_ms: Some(last_ms) })
        .collect();
    peers.extend(names.into_iter().map(|(jid, name)| Peer { jid, name, last_ms: None }));
    peers.sort_by(|one, other| other.last_ms.cmp(&one.last_ms).then_with(|| one.jid.cmp(&other.jid)));
    Ok(peers)
}

/// Rows come newest first.
fn note(last_ms: &mut HashMap<Jid, u64>, row: &ArchivedRow) {
    last_ms.entry(row.direction.peer(&row.stanza).bare()).or_insert(row.at_ms);
}
