//! Nicknames: which may be used, changing them (section 7.6), and what else an occupant's presence may bring (section 7.7).

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::muc::{Role, UserItem, UserX, status};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, PresenceType, StanzaError};
use metronome_proto::xml::Content;

use crate::body;
use crate::config::{CHANGE_NICK, RESERVED_NICK, VISITOR_NICK, VISITOR_STATUS};
use crate::decision::{Decision, Outgoing, Verdict};
use crate::enter::Entry;
use crate::facts::Facts;
use crate::large;
use crate::limits::Limits;
use crate::occupant::{Audience, Occupant, Session};
use crate::presence::Told;
use crate::room::{Room, fold};
use crate::step::Step;

/// Nobody goes by a name that cannot be seen (section 15.1).
pub(crate) fn refuse_unfit(nick: &str, limits: &Limits) -> Result<(), StanzaError> {
    let is_visible = nick.chars().any(|char| !char.is_whitespace() && !char.is_control());
    if !is_visible || nick.trim() != nick || nick.len() > limits.nick_bytes_max {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("This nickname cannot be used"));
    }
    Ok(())
}

/// Nobody uses a nickname that is reserved for somebody else (sections 7.2.9 and 7.12).
pub(crate) fn refuse_reserved(room: &Room, from: &Jid, nick: &str) -> Result<(), StanzaError> {
    match room.reserved_for(nick) {
        Some(owner) if !owner.same_bare(from) => Err(Condition::Conflict.into()),
        _ => Ok(()),
    }
}

/// What is shown of a presence: nothing that only the room may say, and of visitors no status where the room wants none.
pub(crate) fn shown(room: &Room, role: Role, presence: &Content) -> Content {
    let presence = body::clean(presence, &room.address);
    if role != Role::Visitor || room.config.is_on(&VISITOR_STATUS) {
        return presence;
    }
    presence.without(|child| child.is(ns::CLIENT, "status") || child.is(ns::CLIENT, "show"))
}

/// Presence without `<x/>`: of an occupant it is news, with another nickname a change of that, and of a stranger a mistake.
pub(crate) fn update(room: &Room, facts: &Facts<'_>, entry: &Entry<'_>) -> Verdict {
    let Some(occupant) = room.occupant_of(facts.from) else { return Ok(out_of_step(room, facts, entry.nick)) };
    if *occupant.nick != *entry.nick {
        return change(room, facts, entry);
    }
    if entry.presence.len_bytes() > facts.limits.presence_bytes_max {
        return Err(Condition::PolicyViolation.into());
    }
    let presence = shown(room, occupant.role, entry.presence);
    let audience = large::audience(room, occupant.role, Some(occupant));
    let after = Occupant { audience, ..occupant.clone() };
    let told = Told { presence: &presence, id: entry.id, ..Told::available(room, &after) };
    let mut decision = Decision::default();
    told.tell_itself(occupant.addresses().collect(), &mut decision);
    // What is no news is not sent to everybody again.
    if (&occupant.shown().presence, occupant.audience) != (&presence, audience) {
        told.tell_others(room, &mut decision);
    }
    if (occupant.audience, audience) == (Audience::Everybody, Audience::Moderators) {
        told.hide(room, &mut decision);
    }
    decision.change.0.push(Step::Show { jid: facts.from.clone(), presence, audience });
    Ok(decision)
}

/// Section 7.2.16: who believes to be in the room and is not is told so.
fn out_of_step(room: &Room, facts: &Facts<'_>, nick: &str) -> Decision {
    let item =
        UserItem { affiliation: Some(room.affiliation(facts.from)), role: Some(Role::None), ..UserItem::default() };
    let x = UserX { statuses: vec![status::SELF_PRESENCE, status::KICKED, status::UNREACHABLE], ..UserX::of(item) };
    let kind = Kind::Presence(PresenceType::Unavailable);
    let content = Content::from_tree(&x.tree());
    let mut decision = Decision::default();
    decision.send(Outgoing::new(kind, room.occupant_jid(nick), content, vec![facts.from.clone()]));
    decision
}

/// Changes the nickname of an occupant, or of one session of it.
pub(crate) fn change(room: &Room, facts: &Facts<'_>, entry: &Entry<'_>) -> Verdict {
    let Some(occupant) = room.occupant_of(facts.from) else { return Ok(out_of_step(room, facts, entry.nick)) };
    refuse_change(room, facts, occupant, entry)?;
    let folded = fold(entry.nick);
    let other = room.holder(entry.nick).filter(|other| other.nick != occupant.nick);
    if other.is_some_and(|other| other.jid != occupant.jid || *other.nick != *entry.nick) {
        return Err(Condition::Conflict.into());
    }
    // What a moderator sees does not come along to another name, nor appear with it: that is for somebody who leaves and enters.
    let is_other = |other: &Occupant| (other.role == Role::Moderator) != (occupant.role == Role::Moderator);
    if other.is_some_and(is_other) {
        return Err(Condition::Conflict.into());
    }
    // The other sessions of an occupant keep its name, and two names that differ in nothing but case are one.
    if occupant.sessions.len() > 1 && folded == fold(&occupant.nick) {
        return Err(Condition::Conflict.into());
    }
    let presence = shown(room, occupant.role, entry.presence);
    let session = room_session(occupant, facts.from, presence);
    match (other, occupant.sessions.len()) {
        (None, 1) => Ok(rename(room, facts, occupant, session, entry)),
        (other, _) => Ok(move_session(room, facts, occupant, other, session, entry)),
    }
}

fn refuse_change(room: &Room, facts: &Facts<'_>, occupant: &Occupant, entry: &Entry<'_>) -> Result<(), StanzaError> {
    refuse_unfit(entry.nick, facts.limits)?;
    if entry.presence.len_bytes() > facts.limits.presence_bytes_max {
        return Err(Condition::PolicyViolation.into());
    }
    let is_moderator = occupant.role == Role::Moderator;
    let may = room.config.is_on(&CHANGE_NICK) && (occupant.role != Role::Visitor || room.config.is_on(&VISITOR_NICK));
    let own = room.affiliations.get(&occupant.jid).and_then(|row| row.nick.as_deref());
    let is_locked = room.config.is_on(&RESERVED_NICK) && own.is_some_and(|own| *own != *entry.nick);
    if is_locked || (!may && !is_moderator) {
        return Err(StanzaError::new(Condition::NotAcceptable).with_type(ErrorType::Cancel));
    }
    refuse_reserved(room, facts.from, entry.nick)
}

fn room_session(occupant: &Occupant, jid: &Jid, presence: Content) -> Session {
    let known = occupant.sessions.iter().find(|session| session.jid == *jid);
    let (account, entered_ms) = known.map_or((None, 0), |session| (session.account, session.entered_ms));
    Session { jid: jid.clone(), account, presence, entered_ms }
}

/// The only session of an occupant: the occupant goes on under another name.
fn rename(room: &Room, facts: &Facts<'_>, occupant: &Occupant, session: Session, entry: &Entry<'_>) -> Decision {
    let mut decision = Decision::default();
    let empty = Content::empty();
    tell_of_change(room, occupant, entry.nick, &empty, &mut decision);
    let presence = session.presence.clone();
    let address = room.occupant_jid(entry.nick);
    let after = Occupant { nick: entry.nick.into(), address, sessions: vec![session], ..occupant.clone() };
    let told = Told { id: entry.id, ..Told::available(room, &after) };
    told.tell_itself(vec![facts.from.clone()], &mut decision);
    tell_others_but(room, &told, &occupant.nick, &mut decision);
    decision.change.0.push(Step::Rename { from: occupant.nick.clone(), to: entry.nick.into() });
    let audience = occupant.audience;
    decision.change.0.push(Step::Show { jid: facts.from.clone(), presence, audience });
    decision
}

/// One of several sessions goes to another name, where others of the same account may be already; the occupant that it leaves stays if
/// anybody is left, and then others see no change of name but somebody who comes.
fn move_session(
    room: &Room,
    facts: &Facts<'_>,
    occupant: &Occupant,
    other: Option<&Occupant>,
    session: Session,
    entry: &Entry<'_>,
) -> Decision {
    let mut decision = Decision::default();
    let empty = Content::empty();
    if occupant.sessions.len() == 1 {
        tell_of_change(room, occupant, entry.nick, &empty, &mut decision);
    } else {
        let gone = Told {
            codes: &[status::NEW_NICK],
            new_nick: Some(entry.nick),
            ..Told::unavailable(room, occupant, &empty)
        };
        gone.tell_itself(vec![facts.from.clone()], &mut decision);
        tell_of_rest(room, facts, occupant, &mut decision);
    }
    let presence = session.presence.clone();
    let role = other.map_or(occupant.role, |other| other.role);
    let mut after = other.unwrap_or(occupant).clone();
    let audience = after.audience;
    after.role = role;
    (after.nick, after.address) = (entry.nick.into(), room.occupant_jid(entry.nick));
    after.sessions = other.map(|other| other.sessions.clone()).unwrap_or_default();
    after.sessions.push(session);
    let told = Told { id: entry.id, ..Told::available(room, &after) };
    told.tell_itself(after.addresses().collect(), &mut decision);
    if occupant.sessions.len() == 1 {
        tell_others_but(room, &told, &occupant.nick, &mut decision);
    } else {
        let from = decision.effects.len();
        told.tell_others(room, &mut decision);
        decision.withhold(from, std::slice::from_ref(facts.from));
    }
    decision.change.0.push(Step::Move { jid: facts.from.clone(), to: entry.nick.into() });
    decision.change.0.push(Step::Show { jid: facts.from.clone(), presence, audience });
    decision
}

/// Those who stay behind under the old name are shown with their own presence, and are somebody else for the session that goes.
fn tell_of_rest(room: &Room, facts: &Facts<'_>, occupant: &Occupant, decision: &mut Decision) {
    let mut rest = occupant.clone();
    rest.sessions.retain(|session| session.jid != *facts.from);
    let told = Told::available(room, &rest);
    if occupant.audience.has(occupant.role) {
        told.tell(room, occupant.role, vec![facts.from.clone()], decision);
    }
    if occupant.shown().jid == *facts.from {
        told.tell_itself(rest.addresses().collect(), decision);
        told.tell_others(room, decision);
    }
}

/// That the old name is gone, and which comes instead.
fn tell_of_change(room: &Room, occupant: &Occupant, to: &str, presence: &Content, decision: &mut Decision) {
    let gone = Told { codes: &[status::NEW_NICK], new_nick: Some(to), ..Told::unavailable(room, occupant, presence) };
    gone.send(room, decision);
}

/// Others see the new name; the room still has the occupant under the old one, who is not one of them.
fn tell_others_but(room: &Room, told: &Told<'_>, old_nick: &str, decision: &mut Decision) {
    let from = decision.effects.len();
    told.tell_others(room, decision);
    let own: Vec<Jid> = room.occupant(old_nick).into_iter().flat_map(|occupant| occupant.addresses()).collect();
    decision.withhold(from, &own);
}
