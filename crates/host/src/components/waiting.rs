//! A stanza that waits for a component, and what each sender has waiting there: one of them must not take the room of all.

use std::collections::HashMap;
use std::sync::Arc;

use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};

use crate::outbox::Frame;

/// What a stanza in memory counts for beside its content.
const STANZA_BYTES: usize = 512;

/// A request is not kept for a component that has been away for so long: whoever asks waits for an answer, and would give up soon after.
const REQUEST_MS: u64 = 10_000;

/// One sender has at most this part of the room.
const SHARE: usize = 2;

#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// When it came, steady milliseconds.
    pub(super) at_ms: u64,
    /// The hash of its sender's bare address.
    pub(super) sender: u64,
    /// Who pays for its room.
    pub(super) payer: u64,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// One that has this row in the outbox, too.
    Stored(u64, Arc<Stanza>),
    /// One that is gone with the process, and comes back to its sender if it cannot go.
    Volatile(Arc<Stanza>),
    /// Presence that is told to many: nobody hears if it cannot go.
    Announced(Frame),
}

/// What a stanza takes of the room.
pub(super) fn bytes_of(stanza: &Stanza) -> usize {
    STANZA_BYTES + stanza.content.len_bytes()
}

impl Waiting {
    pub(super) fn bytes(&self) -> usize {
        match &self.what {
            What::Stored(_, stanza) | What::Volatile(stanza) => bytes_of(stanza),
            What::Announced(frame) => STANZA_BYTES + frame.len(),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.what {
            What::Stored(_, stanza) | What::Volatile(stanza) => stanza.write(out),
            What::Announced(frame) => {
                out.extend_from_slice(&frame.head);
                out.extend_from_slice(&frame.body);
            }
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        matches!(self.what, What::Stored(..))
    }

    pub(super) fn is_answer(&self) -> bool {
        matches!(&self.what, What::Volatile(stanza) if matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error)))
    }

    fn is_request(&self) -> bool {
        matches!(&self.what, What::Volatile(stanza) if matches!(stanza.kind, Kind::Iq(IqType::Get | IqType::Set)))
    }

    /// Whether it has waited for too long for a component that has been away since then.
    pub(super) fn is_overdue(&self, now_ms: u64, keep_ms: u64, away_since_ms: u64) -> bool {
        let is_too_late = self.is_request() && now_ms.saturating_sub(away_since_ms) >= REQUEST_MS;
        is_too_late || now_ms.saturating_sub(self.at_ms) >= keep_ms
    }
}

/// The room that is taken.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: usize,
    by_payer: HashMap<u64, usize>,
}

impl Room {
    /// All of it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is room for one more of this payer where there are so many bytes.
    pub(super) fn is_for(&self, payer: u64, bytes_max: usize) -> bool {
        self.bytes < bytes_max && self.by_payer.get(&payer).is_none_or(|bytes| *bytes < bytes_max / SHARE)
    }

    pub(super) fn take(&mut self, payer: u64, bytes: usize) {
        self.bytes += bytes;
        *self.by_payer.entry(payer).or_default() += bytes;
    }

    pub(super) fn give_back(&mut self, payer: u64, bytes: usize) {
        self.bytes -= bytes;
        if let Some(of_payer) = self.by_payer.get_mut(&payer) {
            *of_payer = of_payer.saturating_sub(bytes);
            if *of_payer == 0 {
                self.by_payer.remove(&payer);
            }
        }
    }

    pub(super) fn leave(&mut self, waiting: &Waiting) {
        self.give_back(waiting.payer, waiting.bytes());
    }
}
