//! XEP-0307: Unique Room Names for Multi-User Chat. The service makes up a name that no room has and nobody guesses, and keeps it for
//! whoever asked until they have made the room.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::unique;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::xml::Content;

use super::{settings, standing};
use crate::disco;

/// Answers `<unique/>`; who may not make rooms gets no name for one.
pub(super) async fn answer(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    unique::read(&env.stanza.content.iter().next().ok_or(Condition::BadRequest)?)?;
    let service = disco::asked_host(server, env);
    let (from, now_ms) = (env.stanza.from.clone(), server.clock.steady_ms());
    let often = service.values.frequency(&settings::NAMES);
    if !server.throttles.room_names.take(from.bare_str().into(), often, now_ms) {
        return Err(busy().into());
    }
    standing::refuse_creation(server, env, &service).await?;
    let name = server.rng.token();
    let room = Jid::from_parts(Some(&name), service.name.as_str(), None).map_err(|_| Condition::InternalServerError)?;
    let until_ms = now_ms.saturating_add(settings::ms(service.values.duration(&settings::RESERVATION)));
    if !server.reserved.reserve(&room, &from, until_ms, now_ms) {
        return Err(busy().into());
    }
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&unique::tree(&name)))));
    Ok(())
}

fn busy() -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait).with_text("Make a room of the names that you have")
}
