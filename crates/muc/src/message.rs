//! Messages to everybody (section 7.4): who may speak, what goes on as it came, and what is kept (XEP-0313, XEP-0421, XEP-0500).

use metronome_proto::ns;
use metronome_proto::payload::hints::Hint;
use metronome_proto::payload::muc::{Affiliation, Role, UserItem, UserX};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, Stanza, StanzaError};
use metronome_proto::xml::Content;

use crate::body;
use crate::config::{ARCHIVING, SLOW_MODE};
use crate::decision::{ArchiveOp, Decision, Effect, Outgoing, Stamp, To, Verdict};
use crate::facts::Facts;
use crate::history::Past;
use crate::moderate;
use crate::occupant::Occupant;
use crate::room::Room;
use crate::step::Step;
use crate::subject;

const GROUPCHAT: Kind = Kind::Message(MessageType::Groupchat);

/// What is worth keeping although it has no body: namespace and name.
const KEPT: &[(&str, &str)] = &[
    (ns::REACTIONS, "reactions"),
    (ns::RETRACT, "retract"),
    (ns::OMEMO, "encrypted"),
    (ns::OMEMO_LEGACY, "encrypted"),
    (ns::OPENPGP, "openpgp"),
    (ns::ENCRYPTION, "encryption"),
    (ns::FILE_SHARING, "file-sharing"),
    (ns::FASTEN, "apply-to"),
];

/// Sends what an occupant says to all. `target` is the row that a retraction names (XEP-0424), if there is one.
pub(crate) fn say(room: &Room, facts: &Facts<'_>, stanza: &Stanza, target: Option<&Past>) -> Verdict {
    let Some(occupant) = room.occupant_of(facts.from) else { return Err(Condition::NotAcceptable.into()) };
    if stanza.content.len_bytes() > facts.limits.message_bytes_max {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("This message is too long"));
    }
    if is_subject(&stanza.content) {
        return subject::change(room, facts, occupant, stanza);
    }
    if occupant.role < Role::Participant {
        return Err(Condition::Forbidden.into());
    }
    let has_body = stanza.has(ns::CLIENT, "body");
    let affiliation = room.standing(facts);
    if has_body {
        refuse_haste(room, facts, affiliation)?;
    }
    let mut decision = Decision::default();
    if let Some(target) = target {
        moderate::retract_own(occupant, facts, stanza, target, &mut decision)?;
    }
    let content = body::clean(&stanza.content, &room.address);
    let keep = if has_body || is_worth_keeping(&content) { Keep::Yes } else { Keep::No };
    Said { occupant, affiliation, stanza, content, keep }.reflect(room, &mut decision);
    let pause_ms = pause_ms(room);
    if has_body && pause_ms > 0 {
        let forget_ms = facts.now_ms.saturating_sub(pause_ms);
        let jid = occupant.jid.clone();
        decision.change.0.push(Step::Spoke { jid, at_ms: facts.now_ms, forget_ms });
    }
    Ok(decision)
}

/// Section 8.1: a subject and neither body nor thread.
pub(crate) fn is_subject(content: &Content) -> bool {
    let has = |name| content.has(ns::CLIENT, name);
    has("subject") && !has("body") && !has("thread")
}

fn pause_ms(room: &Room) -> u64 {
    room.config.number(&SLOW_MODE).saturating_mul(1000)
}

/// XEP-0500 section 5: so much time between two messages of the same account, whatever its nicknames.
fn refuse_haste(room: &Room, facts: &Facts<'_>, affiliation: Affiliation) -> Result<(), StanzaError> {
    let pause_ms = pause_ms(room);
    let Some(spoke_ms) = room.spoke.get(facts.from.bare_str()) else { return Ok(()) };
    if pause_ms == 0 || affiliation >= Affiliation::Admin || facts.now_ms >= spoke_ms.saturating_add(pause_ms) {
        return Ok(());
    }
    let text = format!("Slow mode: there must be {} seconds between two messages", pause_ms / 1000);
    Err(StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait).with_text(text))
}

/// Whether a message without a body is kept.
fn is_worth_keeping(content: &Content) -> bool {
    Hint::Store.is_in(content) || KEPT.iter().any(|(ns, name)| content.has(ns, name))
}

/// A message that goes to everybody.
pub(crate) struct Said<'a> {
    pub(crate) occupant: &'a Occupant,
    pub(crate) affiliation: Affiliation,
    /// As it came.
    pub(crate) stanza: &'a Stanza,
    /// What of its content goes on.
    pub(crate) content: Content,
    pub(crate) keep: Keep,
}

/// Whether a message is kept, if the room keeps any and its sender does not mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Yes,
    No,
}

impl Said<'_> {
    /// Sends it to everybody in the room, with the id it came with, and keeps it if it is to be kept.
    pub(crate) fn reflect(&self, room: &Room, decision: &mut Decision) {
        let sent = self.content.and(&self.occupant.mark);
        let from = self.occupant.address.clone();
        let is_kept = self.is_kept(room);
        if is_kept {
            let kept = sent.and(&Content::from_tree(&UserX::of(self.author()).tree()));
            let kept = Stanza::new(GROUPCHAT, from.clone()).with_content(kept);
            let (id, lang) = (self.stanza.id.clone(), self.stanza.lang.clone());
            decision.archive.push(ArchiveOp::Append(Stanza { id, lang, ..kept }));
        }
        decision.effects.push(Effect::Send(Outgoing {
            kind: GROUPCHAT,
            from,
            id: self.stanza.id.clone(),
            lang: self.stanza.lang.clone(),
            content: sent,
            stamp: if is_kept { Stamp::Archived } else { Stamp::None },
            to: To::Everyone,
        }));
    }

    fn is_kept(&self, room: &Room) -> bool {
        let is_minded = [Hint::NoStore, Hint::NoPermanentStore].iter().any(|hint| hint.is_in(&self.content));
        self.keep == Keep::Yes && !is_minded && room.config.is_on(&ARCHIVING)
    }

    /// Who said it, for the archive.
    fn author(&self) -> UserItem {
        UserItem {
            affiliation: Some(self.affiliation),
            role: Some(self.occupant.role),
            jid: Some(self.stanza.from.clone()),
            ..UserItem::default()
        }
    }
}
