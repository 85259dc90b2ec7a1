//! What the configuration says about streams with other servers: who may do without encryption, what counts as a proof, who gets one
//! connection for both directions. With whom there is anything at all is said by `host::gate`.

use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting};
use metronome_proto::jid::Jid;

/// What counts as a proof.
pub(super) const PROOFS: Setting = Setting::new(
    "federation.proofs",
    Kind::Choices(&["certificate", "dialback"]),
    "[\"certificate\", \"dialback\"]",
    "How other servers prove which domain they speak for: by a certificate that an authority has signed, or by an answer of the server \
     that the domain's DNS records name (dialback). Without `dialback` servers without a valid certificate cannot be reached, and \
     cannot reach this one.",
)
.for_new_streams()
.per_host();

/// Who may do without encryption.
pub(super) const WITHOUT_TLS: Setting = Setting::new(
    "federation.without_tls",
    Kind::Domains,
    "[]",
    "Domains whose servers may connect, and be connected to, without encryption. Everything said to them can be read and changed on the \
     way; with all others streams are encrypted or there is none.",
)
.for_new_streams()
.per_host();

/// With whom each direction has a stream of its own.
pub(super) const WITHOUT_BIDI: Setting = Setting::new(
    "federation.without_bidi",
    Kind::Domains,
    "[]",
    "Domains with whose servers each direction has a connection of its own, also where they offer to use one for both (XEP-0288).",
)
.for_new_streams()
.per_host();

/// With whom several domains of ours share a stream.
pub(super) const SHARE: Setting = Setting::new(
    "federation.share",
    Kind::Domains,
    "[]",
    "Domains with whose servers several domains of this server share a connection, each with a proof of its own (XEP-0220 section 2.6.1). \
     With all others each has a connection of its own, because some servers answer a request on the connection to whichever domain has opened \
     the one that it came by, and what comes for another domain there is refused: nobody would get an answer.",
)
.for_new_streams()
.per_host();

/// Whether a stream without encryption will do.
pub(super) fn needs_tls(host: &Host, remote: Option<&Jid>) -> bool {
    !remote.is_some_and(|remote| names(host, &WITHOUT_TLS, remote))
}

/// Whether one connection may serve both directions.
pub(super) fn takes_bidi(host: &Host, remote: &Jid) -> bool {
    !names(host, &WITHOUT_BIDI, remote)
}

/// Whether a stream of another domain of ours may be used.
pub(super) fn shares(host: &Host, remote: &Jid) -> bool {
    names(host, &SHARE, remote)
}

/// Whether a certificate is a proof.
pub(super) fn takes_certificates(host: &Host) -> bool {
    host.values.list(&PROOFS).iter().any(|proof| proof == "certificate")
}

/// Whether an answer of the domain's own server is a proof.
pub(super) fn takes_dialback(host: &Host) -> bool {
    host.values.list(&PROOFS).iter().any(|proof| proof == "dialback")
}

fn names(host: &Host, setting: &Setting, remote: &Jid) -> bool {
    host.values.list(setting).iter().any(|domain| domain == remote.domain())
}
