//! XEP-0312: what was published while a client was away, if its first presence says how long that was; without that the newest item of each
//! node alone. Bounded for each time that a client comes: beyond it the newest item stands for all, and clients read pages.

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Item};
use metronome_proto::payload::since;
use metronome_proto::xml::Content;
use metronome_store::archive::PAGE_BYTES_MAX;
use metronome_store::nodes::{ItemSearch, ItemsFound};

/// Most items, of all nodes together.
const ITEMS_MAX: usize = 200;

/// Since when a client has missed what was published, Unix time in milliseconds, as its presence says; none if it says nothing that can be read.
pub fn since_ms(presence: &Content, now_ms: u64) -> Option<u64> {
    let seconds = since::seconds(presence).ok().flatten()?;
    Some(now_ms.saturating_sub(seconds.saturating_mul(1000)))
}

/// What a client that has come is still to be told, of all nodes together.
#[derive(Debug)]
pub struct Missed {
    since_ms: Option<u64>,
    items: usize,
    bytes: usize,
}

impl Missed {
    /// Of one that has missed what was published since this Unix time in milliseconds, or says nothing of it ([`since_ms`]).
    pub fn since(since_ms: Option<u64>) -> Missed {
        Missed { since_ms, items: ITEMS_MAX, bytes: PAGE_BYTES_MAX }
    }

    /// The items of a node that somebody who comes is told, oldest first; `newest` is the last one. Where there is no room any more that one
    /// stands for all.
    pub(super) async fn of(
        &mut self,
        server: &Server,
        owner: AccountId,
        name: &str,
        newest: Item,
        expired_ms: u64,
    ) -> Result<Vec<Item>, Refuse> {
        let from_ms = self.since_ms.unwrap_or_default().max(expired_ms);
        if newest.updated_ms < from_ms {
            return Ok(Vec::new());
        }
        if self.since_ms.is_none() || self.items == 0 || self.bytes == 0 {
            return Ok(vec![newest]);
        }
        let search = ItemSearch { from_ms, rows_max: self.items, bytes_max: self.bytes, ..ItemSearch::default() };
        let ItemsFound::Page(page) = server.store.items(owner, name, search).await? else { return Ok(Vec::new()) };
        self.items = self.items.saturating_sub(page.rows.len());
        self.bytes = self.bytes.saturating_sub(page.rows.iter().map(Item::len_bytes).sum());
        Ok(page.rows)
    }
}
