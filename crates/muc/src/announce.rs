//! What the service itself says to everybody in a room: it has the room's own address.

use metronome_proto::ns;
use metronome_proto::stanza::{Kind, MessageType, Stanza};
use metronome_proto::xml::{Content, Tree};

use crate::config::ARCHIVING;
use crate::decision::{ArchiveOp, Decision, Effect, Outgoing, Stamp, To};
use crate::facts::Facts;
use crate::room::{Room, State};

/// Says it to everybody, and keeps it like any message.
pub(crate) fn announce(room: &Room, facts: &Facts<'_>, text: &str) -> Decision {
    let kind = Kind::Message(MessageType::Groupchat);
    let content = Content::from_tree(&Tree::new(ns::CLIENT, "body").text(text));
    let (from, id) = (room.address.clone(), Some(facts.id()));
    let mut decision = Decision::default();
    let is_kept = room.state == State::Open && room.config.is_on(&ARCHIVING);
    if is_kept {
        let kept = Stanza::new(kind, from.clone()).with_content(content.clone());
        decision.archive.push(ArchiveOp::Append(Stanza { id: id.clone(), ..kept }));
    }
    let stamp = if is_kept { Stamp::Archived } else { Stamp::None };
    decision.effects.push(Effect::Send(Outgoing { kind, from, id, lang: None, content, stamp, to: To::Everyone }));
    decision
}
