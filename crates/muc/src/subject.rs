//! The subject of a room (sections 7.2.15, 7.3 and 8.1).

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::delay::Delay;
use metronome_proto::payload::muc::Role;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, MessageType, Stanza, StanzaError};
use metronome_proto::xml::{Content, Tree};

use crate::body;
use crate::config::CHANGE_SUBJECT;
use crate::decision::{Decision, Outgoing, RoomOp, Verdict};
use crate::facts::Facts;
use crate::message::{Keep, Said};
use crate::occupant::Occupant;
use crate::room::{Room, State, Subject};
use crate::step::Step;

/// An occupant changes it: moderators may, and participants where the room lets them.
pub(crate) fn change(room: &Room, facts: &Facts<'_>, occupant: &Occupant, stanza: &Stanza) -> Verdict {
    let least = if room.config.is_on(&CHANGE_SUBJECT) { Role::Participant } else { Role::Moderator };
    if occupant.role < least {
        return Err(Condition::Forbidden.into());
    }
    let content = body::clean(&stanza.content, &room.address);
    let kept = content.clone().without(|child| !child.is(ns::CLIENT, "subject"));
    if kept.len_bytes() > facts.limits.subject_bytes_max {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("This subject is too long"));
    }
    let kept = kept.and(&occupant.mark);
    let mut decision = Decision::default();
    if room.state == State::Open {
        let (content, nick) = (kept.bytes().to_vec().into(), occupant.nick.clone());
        decision.ops.push(RoomOp::Subject { content, nick, at_ms: facts.now_ms });
    }
    let affiliation = room.standing(facts);
    Said { occupant, affiliation, stanza, content, keep: Keep::Yes }.reflect(room, &mut decision);
    let subject = Subject { content: kept, nick: occupant.nick.clone(), at_ms: facts.now_ms };
    decision.change.0.push(Step::Subject(subject));
    Ok(decision)
}

/// What those who enter are told last; an empty subject if there never was one.
pub(crate) fn send(room: &Room, to: &Jid, decision: &mut Decision) {
    let (from, content) = match &room.subject {
        Some(subject) => {
            let at_ms = i64::try_from(subject.at_ms).unwrap_or(i64::MAX);
            let delay = Delay { at_ms, from: Some(room.address.clone()), reason: None };
            (room.occupant_jid(&subject.nick), body::join(&subject.content, &[delay.tree()]))
        }
        None => (room.address.clone(), Content::from_tree(&Tree::new(ns::CLIENT, "subject"))),
    };
    let kind = Kind::Message(MessageType::Groupchat);
    decision.send(Outgoing::one(kind, from, content, to.clone()));
}
