//! Why a stanza goes no further. Steps return it; only `route/finish.rs` turns it into a stanza.

use metronome_proto::stanza::error::StanzaError;

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
