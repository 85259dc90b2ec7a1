//! Payloads, one file per document: what this server reads from a child of a stanza, and what it writes. Each type is a
//! plain value with `read` and `tree`; unknown attributes and children are ignored, as the documents ask.

pub mod bidi;
pub mod bind;
pub mod bind2;
pub mod blocking;
pub mod caps;
pub mod commands;
pub mod component;
pub mod data_form;
pub mod delay;
pub mod dialback;
pub mod disco;
pub mod fast;
pub mod forward;
pub mod hints;
pub mod jid_prep;
pub mod last;
pub mod mam;
pub mod ping;
pub mod privacy;
pub mod private;
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
pub mod sic;
pub mod sm;
pub mod stanza_id;
pub mod starttls;
pub mod stream_limits;
#[cfg(test)]
mod tests;
pub mod time;
pub mod vcard;
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
