//! What private data and visiting cards have in common: XML that is kept for an account as it was given.

use metronome_host::refuse::Refuse;
use metronome_model::Document;
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::xml::Content;

/// The content of an answer from a stored document.
pub(crate) fn content(xml: &[u8]) -> Result<Content, Refuse> {
    Content::parse(xml).map_err(|error| {
        tracing::error!(%error, "a stored document is damaged");
        StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Cancel).into()
    })
}

/// One document has a bound.
pub(crate) fn refuse_larger_than(bytes_max: u64, document: &Document) -> Result<(), Refuse> {
    if document.len_bytes() as u64 <= bytes_max {
        return Ok(());
    }
    let text = format!("this is larger than {bytes_max} bytes");
    Err(StanzaError::new(Condition::PolicyViolation).with_text(text).into())
}
