//! Stanzas that wait for other servers, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_model::{OutboxRow, Outgoing};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

use super::{MemoryBackend, MemoryStore};
use crate::archive::PAGE_BYTES_MAX;
use crate::outbox::{OutboxWrites, Outboxes};
use crate::{Reading, StoreError};

/// What waits, by number.
#[derive(Clone, Default)]
pub(super) struct Table(BTreeMap<u64, Row>);

#[derive(Clone)]
struct Row {
    at_ms: u64,
    stanza: Arc<Stanza>,
}

/// A change of what waits.
pub(super) enum Change {
    Add { id: u64, at_ms: u64, stanza: Arc<Stanza> },
    Remove { local: Box<str>, remote: Box<str>, to: u64 },
}

impl Row {
    fn remote(&self) -> Option<&Jid> {
        self.stanza.to.as_ref()
    }

    fn is_between(&self, local: &str, remote: &str) -> bool {
        self.stanza.from.domain() == local && self.remote().is_some_and(|to| to.domain() == remote)
    }
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Add { id, at_ms, stanza } => {
                self.0.insert(*id, Row { at_ms: *at_ms, stanza: stanza.clone() });
            }
            Change::Remove { local, remote, to } => {
                self.0.retain(|id, row| id > to || !row.is_between(local, remote));
            }
        }
    }
}

impl Outboxes for MemoryStore {
    fn outgoing(&self) -> Reading<Vec<Outgoing>> {
        self.read(|tables| {
            let mut all: BTreeMap<(Jid, Jid), Outgoing> = BTreeMap::new();
            for (id, row) in &tables.outbox.0 {
                let Some(remote) = row.remote().map(Jid::domain_jid) else { continue };
                let sender = row.stanza.from.bare();
                let of_sender = all.entry((sender.clone(), remote.clone())).or_insert_with(|| Outgoing {
                    sender,
                    remote,
                    rows: 0,
                    newest: 0,
                    oldest_ms: u64::MAX,
                });
                of_sender.rows += 1;
                of_sender.newest = *id;
                of_sender.oldest_ms = of_sender.oldest_ms.min(row.at_ms);
            }
            all.into_values().collect()
        })
    }

    fn outbox(&self, local: &str, remote: &str, after: u64, limit: usize) -> Reading<Vec<OutboxRow>> {
        self.read(|tables| {
            let rows = tables.outbox.0.range(after.saturating_add(1)..);
            let mut bytes = 0;
            let fits = |row: &OutboxRow| {
                let is_full = bytes >= PAGE_BYTES_MAX;
                bytes += row.stanza.content.len_bytes();
                !is_full
            };
            let rows = rows.filter(|(_, row)| row.is_between(local, remote)).take(limit);
            let copied =
                |(id, row): (&u64, &Row)| OutboxRow { id: *id, at_ms: row.at_ms, stanza: (*row.stanza).clone() };
            rows.map(copied).take_while(fits).collect()
        })
    }
}

impl OutboxWrites for MemoryBackend {
    fn outbox_last(&mut self) -> Result<u64, StoreError> {
        Ok(self.working.outbox.0.last_key_value().map_or(0, |(id, _)| *id))
    }

    fn enqueue(&mut self, id: u64, at_ms: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.change(super::Change::Outbox(Change::Add { id, at_ms, stanza: stanza.clone() }))
    }

    fn dequeue(&mut self, local: &str, remote: &str, to: u64) -> Result<(), StoreError> {
        self.change(super::Change::Outbox(Change::Remove { local: local.into(), remote: remote.into(), to }))
    }
}
