//! Payloads, one file per document: what this server reads from a child of a stanza, and what it writes. Each type is a
//! plain value with `read` and `tree`; unknown attributes and children are ignored, as the documents ask.

pub mod avatar;
pub mod bidi;
pub mod bind;
pub mod bind2;
pub mod blocking;
pub mod bob;
pub mod bookmarks;
pub mod bosh;
pub mod bytestreams;
pub mod caps;
pub mod caps2;
pub mod commands;
pub mod component;
pub mod compress;
pub mod data_form;
pub mod delay;
pub mod dialback;
pub mod disco;
pub mod external_services;
pub mod fast;
pub mod forward;
pub mod hints;
pub mod http_upload;
pub mod jid_prep;
pub mod last;
pub mod mam;
pub mod muc;
pub mod ping;
pub mod privacy;
pub mod private;
pub mod pubsub;
pub mod push;
pub mod register;
pub mod reporting;
pub mod retract;
pub mod roster;
pub mod rsm;
pub mod sasl;
pub mod sasl2;
pub mod sasl_cert;
pub mod sasl_upgrade;
pub mod session;
pub mod shim;
pub mod sic;
pub mod since;
pub mod sm;
pub mod stanza_id;
pub mod starttls;
pub mod stream_limits;
#[cfg(test)]
mod tests;
pub mod time;
pub mod vcard;
pub mod vcard4;
pub mod version;

use crate::stanza::StanzaError;
use crate::stanza::error::Condition;

/// A payload is not as its document says; the answer is `bad-request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed payload: {0}")]
pub struct Malformed(pub &'static str);

impl From<Malformed> for StanzaError {
    fn from(malformed: Malformed) -> StanzaError {
        StanzaError::new(Condition::BadRequest).with_text(malformed.0)
    }
}

/// A number written in digits only, as many of them as there may be; one that is too large for anything is the largest there is.
pub fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// A truth value as XML Schema writes it.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
