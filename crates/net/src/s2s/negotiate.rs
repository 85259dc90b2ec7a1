//! What a negotiation with another server comes to, whoever has begun it: a stream that may carry dialback and stanzas, and what is
//! proved on it so far. The states before that are in `inbound` and `outbound`.

use std::net::IpAddr;

use metronome_host::hosts::Host;
use metronome_host::linked::Opened;
use metronome_proto::jid::Jid;
use metronome_proto::payload::stream_limits::{self, Announced};
use metronome_proto::payload::{dialback, sm};
use metronome_proto::stream::features::Features;
use metronome_proto::xml::{Element, Limits};

use super::authorise::{Pair, Proofs};
use super::dialback::Ways;
use super::external::Shown;
use super::{IDLE, STANZA};
use crate::stream::Stream;

/// No server takes less, whatever it says (RFC 6120 section 13.12).
pub(super) const STANZA_BYTES_MIN: usize = 10_000;

/// A stream over which stanzas flow for the pairs that are proved, and further pairs are proved by dialback.
pub(super) struct Proved {
    pub(super) stream: Stream,
    /// Who the other side says that it is, or was called as; for logs.
    pub(super) remote: Option<Jid>,
    /// Its address.
    pub(super) address: IpAddr,
    pub(super) opened: Opened,
    pub(super) ways: Ways,
    /// The id that the accepting side has given the stream.
    pub(super) id: String,
    /// The certificate of the other side.
    pub(super) shown: Shown,
    pub(super) is_encrypted: bool,
    /// The pairs whose stanzas we take.
    pub(super) proofs: Proofs,
    /// The pairs whose stanzas the other side takes.
    pub(super) accepted: Vec<Pair>,
    /// What the other side is asked first.
    pub(super) asks: Option<Pair>,
    /// What it has said that belongs to what follows.
    pub(super) first: Option<Element>,
    /// Whether the other side can count what it gets (XEP-0198).
    pub(super) counts_theirs: bool,
    /// What it takes (XEP-0478).
    pub(super) limits: Announced,
    /// Until when the certificates hold that were shown, Unix time in milliseconds.
    pub(super) holds_until_ms: u64,
}

/// Until when the certificates of a stream hold, the other side's if it is to be trusted, and that of one of our domains: Unix time in
/// milliseconds. One that has ended already is no proof of anything, and no reason to end the stream.
pub(super) fn holds_until_ms(shown: &Shown, host: &Host, now_ms: u64) -> u64 {
    let own_ms =
        host.tls.as_ref().and_then(|tls| u64::try_from(tls.not_after_s).ok()).map(|end_s| end_s.saturating_mul(1_000));
    let ends = shown.ends_ms().into_iter().chain(own_ms).filter(|end_ms| *end_ms > now_ms);
    ends.min().unwrap_or(u64::MAX)
}

/// Adds what every stream offers on which something may be proved. It may be the last thing that is announced on it: who proves itself by
/// dialback gets no other features.
pub(super) fn announce(host: &Host, features: &mut Features) {
    features.push(dialback::feature());
    features.push(sm::feature());
    features.push(stream_limits::feature(limits(host).stanza_bytes, Some(host.values.duration(&IDLE).as_secs())));
}

/// How large the stanzas of a server may be that has proved who it is.
pub(super) fn limits(host: &Host) -> Limits {
    Limits { stanza_bytes: host.values.bytes(&STANZA) as usize, ..Limits::SERVER }
}

/// A name for logs.
pub(super) fn named(remote: Option<&Jid>) -> &str {
    remote.map_or("unknown", Jid::as_str)
}
