//! The picture of a room (XEP-0486): its owners set it with the room's card (XEP-0054), service discovery tells its hashes to everybody, and
//! presence of the room itself to those who are in it, for clients that look there (XEP-0153).

use metronome_proto::jid::Jid;
use metronome_proto::payload::avatar::update::Update;
use metronome_proto::payload::muc::{Affiliation, status};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, PresenceType, StanzaError};
use metronome_proto::xml::Content;

use crate::decision::{Decision, Effect, Outgoing, RoomOp, To, Verdict};
use crate::facts::Facts;
use crate::presence;
use crate::room::{Room, State};
use crate::step::Step;

/// The card of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// The element, as it was given; empty to have none any more.
    pub xml: Box<[u8]>,
    /// The SHA-1 hashes of its pictures, in hexadecimal digits: the same picture in several formats.
    pub hashes: Vec<Box<str>>,
}

/// An owner sets the card, or takes it away; everybody inside is told.
pub(crate) fn set(room: &Room, facts: &Facts<'_>, card: &Card) -> Verdict {
    if room.standing(facts) != Affiliation::Owner {
        let text = "Only owners may do this";
        return Err(StanzaError::new(Condition::Forbidden).with_type(ErrorType::Auth).with_text(text));
    }
    if room.state == State::Locked {
        return Err(StanzaError::new(Condition::NotAllowed).with_text("This room is not configured yet"));
    }
    let mut decision = Decision::default();
    decision.ops.push(RoomOp::SetCard(card.clone()));
    let everybody: Vec<Jid> = room.sessions.keys().cloned().collect();
    let codes = presence::codes(&[status::CONFIGURED]);
    decision.send(presence::notice(room, &codes, MessageType::Groupchat, everybody.clone()));
    if *room.avatar != *card.hashes {
        decision.send(update(room, &card.hashes, everybody));
        decision.change.0.push(Step::Avatar(card.hashes.clone().into()));
    }
    decision.effects.push(Effect::Reply(Content::empty()));
    Ok(decision)
}

/// Tells somebody who enters, if there is a picture.
pub(crate) fn show(room: &Room, to: &Jid, decision: &mut Decision) {
    if !room.avatar.is_empty() {
        decision.send(Outgoing { to: To::One(to.clone()), ..update(room, &room.avatar, Vec::new()) });
    }
}

/// The presence of the room. There is place for one hash only, and the first will do.
fn update(room: &Room, hashes: &[Box<str>], to: Vec<Jid>) -> Outgoing {
    let update = hashes.first().map_or(Update::Nothing, |hash| Update::Hash(hash.clone()));
    let content = Content::from_tree(&update.tree());
    Outgoing::new(Kind::Presence(PresenceType::Available), room.address.clone(), content, to)
}
