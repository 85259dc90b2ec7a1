//! Asking for voice (section 7.13) and giving it (section 8.6).

use metronome_proto::payload::muc::{Role, VoiceDecision, VoiceForm};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, StanzaError};
use metronome_proto::xml::Content;

use crate::config::{VOICE_INTERVAL, VOICE_REQUESTS};
use crate::decision::{Decision, Outgoing, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::role::may_give_role;
use crate::room::Room;
use crate::step::{Step, Wish};

pub(crate) fn decide(room: &Room, facts: &Facts<'_>, form: &VoiceForm) -> Verdict {
    match form {
        VoiceForm::Ask(role) => ask(room, facts, *role),
        VoiceForm::Decide(answer) => answered(room, facts, answer),
    }
}

/// Moderators are asked; not more often than the room lets anybody.
fn ask(room: &Room, facts: &Facts<'_>, role: Role) -> Verdict {
    let Some(occupant) = room.occupant_of(facts.from) else { return Err(Condition::NotAcceptable.into()) };
    if role != Role::Participant || !room.config.is_on(&VOICE_REQUESTS) {
        return Err(Condition::Forbidden.into());
    }
    if occupant.role != Role::Visitor {
        return Err(StanzaError::new(Condition::UnexpectedRequest).with_text("There is no need to ask for voice"));
    }
    let pause_ms = room.config.number(&VOICE_INTERVAL).saturating_mul(1000).max(facts.limits.voice_every_ms);
    let (wish, jid) = (Wish::Voice, occupant.jid.clone());
    let asked_ms = room.asked.get(&(wish, jid.clone()));
    if asked_ms.is_some_and(|asked_ms| facts.now_ms < asked_ms.saturating_add(pause_ms)) {
        return Err(StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait));
    }
    let form = VoiceDecision { role, jid: Some(facts.from.clone()), nick: occupant.nick.clone(), allow: false };
    let content = Content::from_tree(&form.to_fill_in().tree());
    let mut decision = Decision::default();
    let kind = Kind::Message(MessageType::Normal);
    decision.send(Outgoing::new(kind, room.address.clone(), content, room.moderators()));
    let forget_ms = facts.now_ms.saturating_sub(pause_ms);
    decision.change.0.push(Step::Asked { wish, jid, at_ms: facts.now_ms, forget_ms });
    Ok(decision)
}

/// A moderator gives it, or does not; then nobody is told.
fn answered(room: &Room, facts: &Facts<'_>, answer: &VoiceDecision) -> Verdict {
    if room.role(facts) != Role::Moderator {
        return Err(Condition::Forbidden.into());
    }
    let Some(target) = room.occupant(&answer.nick) else { return Err(Condition::ItemNotFound.into()) };
    let is_other = answer.jid.as_ref().is_some_and(|jid| !jid.same_bare(&target.jid));
    if is_other || answer.role != Role::Participant {
        return Err(Condition::BadRequest.into());
    }
    if !answer.allow || target.role >= Role::Participant {
        return Ok(Decision::default());
    }
    may_give_role((Role::Moderator, room.standing(facts)), (target.role, room.affiliation(&target.jid)), answer.role)?;
    let mut draft = Draft::new(room, facts);
    draft.set_role(&target.nick, answer.role, Cause::default());
    Ok(draft.finish())
}
