//! What one occupant sends to another (section 7.5), and what rooms answer for those who are in them (XEP-0410).

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Role, UserX};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, Stanza, StanzaError};

use crate::body;
use crate::config::ALLOW_PM;
use crate::decision::{Decision, Outgoing, Verdict};
use crate::facts::Facts;
use crate::occupant::Occupant;
use crate::room::Room;

/// A message to one occupant, who gets it on all of its sessions.
pub(crate) fn send(room: &Room, facts: &Facts<'_>, nick: &str, stanza: &Stanza) -> Verdict {
    if stanza.kind == Kind::Message(MessageType::Groupchat) {
        return Err(Condition::BadRequest.into());
    }
    let Some(sender) = room.occupant_of(facts.from) else { return Err(Condition::NotAcceptable.into()) };
    let Some(recipient) = room.occupant(nick) else { return Err(Condition::ItemNotFound.into()) };
    if stanza.content.len_bytes() > facts.limits.message_bytes_max {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("This message is too long"));
    }
    if !may_write(room, sender, recipient) {
        return Err(Condition::Forbidden.into());
    }
    let content = body::clean(&stanza.content, &room.address);
    let content = body::join(&content, &[UserX::default().tree()]).and(&sender.mark);
    let from = sender.address.clone();
    let mut decision = Decision::default();
    decision.send(Outgoing {
        id: stanza.id.clone(),
        lang: stanza.lang.clone(),
        ..Outgoing::new(stanza.kind, from, content, recipient.addresses().collect())
    });
    Ok(decision)
}

/// As the room is configured; moderators may always be written to and write, unless nobody may.
fn may_write(room: &Room, sender: &Occupant, recipient: &Occupant) -> bool {
    match room.config.text(&ALLOW_PM) {
        "none" => false,
        "moderators" => sender.role == Role::Moderator,
        "participants" => sender.role >= Role::Participant || recipient.role == Role::Moderator,
        _ => true,
    }
}

/// Whom a request to an occupant goes to (section 15.6): the session whose presence is shown. The caller passes it on in the name of the
/// other occupant, whose nickname comes with it.
pub fn may_query<'a>(room: &'a Room, from: &Jid, nick: &str) -> Result<(&'a Jid, &'a str), StanzaError> {
    let Some(sender) = room.occupant_of(from) else { return Err(Condition::NotAcceptable.into()) };
    let Some(recipient) = room.occupant(nick) else { return Err(Condition::ItemNotFound.into()) };
    Ok((&recipient.shown().jid, &sender.nick))
}

/// XEP-0410 section 3: a ping to the own occupant is answered by the room, and says whether the session is in it. `None` if the nickname is
/// not its own: such a ping is a request like others.
pub fn self_ping(room: &Room, from: &Jid, nick: &str) -> Option<Result<(), StanzaError>> {
    match room.occupant_of(from) {
        None => Some(Err(StanzaError::new(Condition::NotAcceptable).with_type(ErrorType::Cancel))),
        Some(occupant) if *occupant.nick == *nick => Some(Ok(())),
        Some(_) => None,
    }
}
