//! The only place where a refusal becomes a stanza.

use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Outcome, Unavailable};
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};

/// Ends a stanza: nothing of it is stored or delivered, and its sender gets the error unless it was an answer itself.
pub(crate) fn refuse(server: &Server, env: &mut Envelope, refuse: Refuse) {
    env.record.ops.clear();
    env.effects.clear();
    env.locked = None;
    (env.sent_row, env.received_row) = (None, None);
    env.destination = Destination::Nobody;
    match refuse {
        Refuse::Drop(why) => {
            server.counters.dropped.add();
            tracing::debug!(jid = env.stanza.from.as_str(), why, "a stanza goes no further");
        }
        Refuse::Bounce(error) => {
            server.counters.bounced.add();
            tracing::debug!(jid = env.stanza.from.as_str(), why = error.condition.name(), "a stanza is returned");
            if let Some(answer) = env.stanza.error(&error) {
                env.effects.push(Effect::Reply(answer));
            }
        }
    }
}

/// What the sender hears when its stanza could not be made durable; none if it was.
pub(crate) fn refusal_of(outcome: &Outcome) -> Option<Refuse> {
    let error = match outcome {
        Outcome::Done { .. } => return None,
        // The same as for an account that never existed, and as XEP-0160 section 3 asks for a full store.
        Outcome::Gone | Outcome::Full | Outcome::Conflict => StanzaError::new(Condition::ServiceUnavailable),
        Outcome::Fenced | Outcome::Unavailable(Unavailable::DiskFull | Unavailable::Stopping) => {
            StanzaError::new(Condition::ResourceConstraint)
        }
        Outcome::Unavailable(Unavailable::Disk | Unavailable::Corrupt) => {
            StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait)
        }
    };
    Some(error.into())
}
