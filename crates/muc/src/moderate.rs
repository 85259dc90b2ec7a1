//! Taking back what was said: moderators for anybody (XEP-0425, in both of its forms), and everybody for themselves (XEP-0424). What was
//! said makes place for a tombstone in the archive.

use metronome_proto::ns;
use metronome_proto::payload::muc::{Moderate, Moderation, ModerationForm, Role, occupant_id, occupant_id_tree};
use metronome_proto::payload::retract;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, Stanza, StanzaError};
use metronome_proto::xml::Content;

use crate::body;
use crate::config::ARCHIVING;
use crate::decision::{ArchiveOp, Decision, Effect, Outgoing, Stamp, To, Verdict};
use crate::facts::Facts;
use crate::history::Past;
use crate::occupant::Occupant;
use crate::room::Room;

/// A moderator takes a message back. `target` is its row, if there is one; without an archive there is nothing to name a message by.
pub(crate) fn moderate(room: &Room, facts: &Facts<'_>, request: &Moderate, target: Option<&Past>) -> Verdict {
    if room.role(facts) != Role::Moderator {
        let text = "Only moderators may do this";
        return Err(StanzaError::new(Condition::Forbidden).with_type(ErrorType::Auth).with_text(text));
    }
    let Some(target) = target.filter(|target| !is_tombstone(&target.stanza.content)) else {
        return Err(Condition::ItemNotFound.into());
    };
    if request.reason.as_ref().is_some_and(|reason| reason.len() > facts.limits.reason_bytes_max) {
        return Err(Condition::NotAcceptable.into());
    }
    let actor = room.occupant_of(facts.from);
    let moderation = Moderation {
        id: target.stanza_id.clone(),
        by: actor.map(|actor| actor.address.clone()),
        occupant_id: actor.map(|actor| actor.id.clone()),
        reason: request.reason.clone(),
    };
    let mut decision = Decision::default();
    let stones = [ModerationForm::Current, ModerationForm::Older].map(|form| moderation.tombstone(form, facts.now_ms));
    let stone = entombed(&target.stanza, &stones);
    decision.archive.push(ArchiveOp::Replace { id: target.id, stanza: stone });
    let told = [ModerationForm::Current, ModerationForm::Older].map(|form| moderation.told(form));
    announce(room, facts, Content::from_trees(&told), &mut decision);
    decision.effects.push(Effect::Reply(Content::empty()));
    Ok(decision)
}

/// The room says it to everybody, and keeps that as well.
fn announce(room: &Room, facts: &Facts<'_>, content: Content, decision: &mut Decision) {
    let kind = Kind::Message(MessageType::Groupchat);
    let id = Some(facts.id());
    let is_kept = room.config.is_on(&ARCHIVING);
    if is_kept {
        let stanza = Stanza::new(kind, room.address.clone()).with_content(content.clone());
        decision.archive.push(ArchiveOp::Append(Stanza { id: id.clone(), ..stanza }));
    }
    let stamp = if is_kept { Stamp::Archived } else { Stamp::None };
    let from = room.address.clone();
    decision.effects.push(Effect::Send(Outgoing { kind, from, id, lang: None, content, stamp, to: To::Everyone }));
}

/// An occupant takes back what it has said itself; that goes to everybody like any message, and the row gets a tombstone.
pub(crate) fn retract_own(
    occupant: &Occupant,
    facts: &Facts<'_>,
    stanza: &Stanza,
    target: &Past,
    decision: &mut Decision,
) -> Result<(), StanzaError> {
    let Some(id) = retract::target(&stanza.content) else { return Ok(()) };
    if occupant_id(&target.stanza.content).as_deref() != Some(&*occupant.id) {
        return Err(Condition::Forbidden.into());
    }
    if *id != *target.stanza_id || is_tombstone(&target.stanza.content) {
        return Ok(());
    }
    let by = stanza.id.as_deref().unwrap_or_default();
    let stone = entombed(&target.stanza, &[retract::tombstone(by, facts.now_ms)]);
    decision.archive.push(ArchiveOp::Replace { id: target.id, stanza: stone });
    Ok(())
}

fn is_tombstone(content: &Content) -> bool {
    retract::is_tombstone(content) || content.has(ns::MODERATE_0, "moderated")
}

/// What stands in the place of a message: who said it, and that it was taken back.
fn entombed(stanza: &Stanza, stones: &[metronome_proto::xml::Tree]) -> Stanza {
    let author = stanza.content.clone().without(|child| !child.is(ns::MUC_USER, "x"));
    let id = occupant_id(&stanza.content).map(|id| occupant_id_tree(&id));
    let trees: Vec<_> = stones.iter().cloned().chain(id).collect();
    stanza.clone().with_content(body::join(&author, &trees))
}
