//! Errors that come back from occupants (section 15.7.2): which of them say that a session is gone.

use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;

/// Whether an error means that whoever sent it, or could not be reached, is not there any more.
pub fn says_gone(error: &StanzaError) -> bool {
    matches!(
        error.condition,
        Condition::Gone
            | Condition::InternalServerError
            | Condition::ItemNotFound
            | Condition::JidMalformed
            | Condition::RecipientUnavailable
            | Condition::Redirect
            | Condition::RemoteServerNotFound
            | Condition::RemoteServerTimeout
            | Condition::ServiceUnavailable
    )
}
