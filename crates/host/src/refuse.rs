//! Why a stanza goes no further. Steps return it; only `route/finish.rs` turns it into a stanza.

use metronome_proto::payload::Malformed;
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_store::StoreError;

/// The verdict of a step that stops a stanza.
#[derive(Debug, Clone)]
pub enum Refuse {
    /// The sender gets this error, unless its stanza was itself an error or a result.
    Bounce(Box<StanzaError>),
    /// Nobody hears of it; the reason goes to the log.
    Drop(&'static str),
}

impl From<StanzaError> for Refuse {
    fn from(error: StanzaError) -> Self {
        Refuse::Bounce(Box::new(error))
    }
}

impl From<Box<StanzaError>> for Refuse {
    fn from(error: Box<StanzaError>) -> Self {
        Refuse::Bounce(error)
    }
}

impl From<Condition> for Refuse {
    fn from(condition: Condition) -> Self {
        StanzaError::new(condition).into()
    }
}

impl From<Malformed> for Refuse {
    fn from(malformed: Malformed) -> Self {
        StanzaError::from(malformed).into()
    }
}

/// The log gets what is wrong with the store, the sender only that it may try again.
impl From<StoreError> for Refuse {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store could not be read for a stanza");
        StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait).into()
    }
}
