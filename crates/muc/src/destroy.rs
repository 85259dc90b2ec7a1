//! The end of a room (section 10.9): by an owner, or because whoever creates it cancels.

use metronome_proto::payload::muc::Destroy;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use crate::decision::{Decision, Effect, RoomOp, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::room::Room;

/// An owner destroys it; that it is one is seen to by the caller.
pub(crate) fn destroy(room: &Room, facts: &Facts<'_>, request: &Destroy) -> Verdict {
    if request.reason.as_ref().is_some_and(|reason| reason.len() > facts.limits.reason_bytes_max) {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("The reason is too long"));
    }
    Ok(end(room, facts, request))
}

/// Everybody is told once, and nobody of anybody else; then the room is over.
pub(crate) fn end(room: &Room, facts: &Facts<'_>, request: &Destroy) -> Decision {
    let mut draft = Draft::new(room, facts);
    let nicks: Vec<_> = room.occupants().map(|occupant| occupant.nick.clone()).collect();
    nicks.iter().for_each(|nick| draft.dismiss(nick, &[], Some(request), Cause::default()));
    draft.store(RoomOp::Destroy { alternate: request.jid.clone(), reason: request.reason.clone() });
    draft.decision.effects.push(Effect::Reply(Content::empty()));
    draft.decision.effects.push(Effect::End);
    draft.decision
}
