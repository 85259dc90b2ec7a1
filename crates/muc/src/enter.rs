//! Entering a room (section 7.2): who may, under which nickname, and what they are sent, in the order of section 7.1.

use std::borrow::Cow;

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Join, Role, status};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, PresenceType, StanzaError};
use metronome_proto::xml::Content;

use crate::absent;
use crate::avatar;
use crate::config::{LOGGING, MAX_USERS, PASSWORD_PROTECTED, RESERVED_NICK, SECRET};
use crate::decision::{Decision, Outgoing, Verdict};
use crate::facts::{Facts, Standing};
use crate::history::{self, Past};
use crate::large;
use crate::nick;
use crate::occupant::{Audience, Occupant, Session};
use crate::presence::Told;
use crate::role::default_role;
use crate::room::{Room, State};
use crate::step::Step;
use crate::subject;
use crate::versioning;

/// What somebody sends who enters.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The nickname, prepared as a resource.
    pub nick: &'a str,
    /// The content of the presence.
    pub presence: &'a Content,
    /// The id of the presence; the one that answers has it too.
    pub id: Option<&'a str>,
    /// What stands in its `<x/>`.
    pub join: &'a Join,
    /// What was said before, oldest first, as [`history::wanted`] says; more is not sent.
    pub past: &'a [Past],
}

/// Lets somebody in, or sends everything anew to a session that is in already (section 7.2.1).
pub(crate) fn enter(room: &Room, facts: &Facts<'_>, entry: &Entry<'_>) -> Verdict {
    nick::refuse_unfit(entry.nick, facts.limits)?;
    if entry.presence.len_bytes() > facts.limits.presence_bytes_max {
        return Err(Condition::PolicyViolation.into());
    }
    if let Some(occupant) = room.occupant_of(facts.from) {
        return again(room, facts, entry, occupant);
    }
    let affiliation = room.standing(facts);
    refuse_entry(room, facts, affiliation, entry.join)?;
    let nick = nickname(room, facts, entry.nick);
    let role = match take_seat(room, facts, &nick, affiliation)? {
        Some(role) => role,
        None if facts.standing == Standing::Superuser => Role::Moderator,
        None => default_role(&room.config, affiliation),
    };
    let_in(room, facts, entry, &nick, role)
}

/// Somebody who is in and has lost sight of the room. Under another nickname it first changes to that one.
fn again(room: &Room, facts: &Facts<'_>, entry: &Entry<'_>, occupant: &Occupant) -> Verdict {
    let nick = nickname(room, facts, entry.nick);
    if *occupant.nick == *nick {
        return let_in(room, facts, entry, &nick, occupant.role);
    }
    let mut decision = nick::change(room, facts, &Entry { nick: &nick, ..*entry })?;
    let mut after = room.clone();
    after.apply(decision.change.clone());
    // Its own presence comes behind that of all others.
    decision.withhold_available(facts.from);
    let role = after.occupant_of(facts.from).map_or(occupant.role, |occupant| occupant.role);
    let anew = let_in(&after, facts, entry, &nick, role)?;
    decision.change.0.extend(anew.change.0);
    decision.effects.extend(anew.effects);
    Ok(decision)
}

/// Sections 7.2.5 to 7.2.7 and 7.2.10.
fn refuse_entry(room: &Room, facts: &Facts<'_>, affiliation: Affiliation, join: &Join) -> Result<(), StanzaError> {
    if facts.standing == Standing::Superuser {
        return Ok(());
    }
    if affiliation == Affiliation::Outcast {
        return Err(Condition::Forbidden.into());
    }
    if room.state == State::Locked && !facts.from.same_bare(&room.creator) {
        return Err(Condition::ItemNotFound.into());
    }
    if default_role(&room.config, affiliation) == Role::None {
        return Err(Condition::RegistrationRequired.into());
    }
    let is_right = same_secret(room.config.text(&SECRET), join.password.as_deref().unwrap_or_default());
    if room.config.is_on(&PASSWORD_PROTECTED) && !is_right {
        return Err(Condition::NotAuthorized.into());
    }
    Ok(())
}

/// Takes as long for any two texts of the same length.
fn same_secret(known: &str, given: &str) -> bool {
    let differences = known.bytes().zip(given.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    known.len() == given.len() && std::hint::black_box(differences) == 0
}

/// The nickname that they get: their own, where only that counts.
fn nickname<'a>(room: &'a Room, facts: &Facts<'_>, wanted: &'a str) -> Cow<'a, str> {
    let own = room.affiliations.get(facts.from.bare_str()).and_then(|row| row.nick.as_deref());
    Cow::Borrowed(own.filter(|_| room.config.is_on(&RESERVED_NICK)).unwrap_or(wanted))
}

/// Sections 7.2.8 and 7.2.9: whether there is room under this nickname; the role of the occupant who is there already.
fn take_seat(
    room: &Room,
    facts: &Facts<'_>,
    nick: &str,
    affiliation: Affiliation,
) -> Result<Option<Role>, StanzaError> {
    nick::refuse_reserved(room, facts.from, nick)?;
    if let Some(occupant) = room.holder(nick) {
        if !occupant.jid.same_bare(facts.from) || *occupant.nick != *nick {
            return Err(Condition::Conflict.into());
        }
        if occupant.sessions.len() >= facts.limits.sessions_each_max {
            return Err(Condition::ResourceConstraint.into());
        }
        return Ok(Some(occupant.role));
    }
    // Nobody fills a room alone (section 13.6).
    let own = room.occupants.values().filter(|occupant| occupant.jid.same_bare(facts.from)).count();
    if own >= facts.limits.occupants_each_max {
        return Err(Condition::ResourceConstraint.into());
    }
    let max = match room.config.number(&MAX_USERS) {
        0 => facts.limits.occupants_max,
        chosen => chosen.min(facts.limits.occupants_max),
    };
    let extra = if affiliation >= Affiliation::Admin { facts.limits.extra_occupants } else { 0 };
    if room.occupants.len() as u64 >= max.saturating_add(extra) {
        return Err(StanzaError::new(Condition::ServiceUnavailable).with_type(ErrorType::Wait));
    }
    Ok(None)
}

fn let_in(room: &Room, facts: &Facts<'_>, entry: &Entry<'_>, nick: &str, role: Role) -> Verdict {
    let presence = nick::shown(room, role, entry.presence);
    let session = Session { jid: facts.from.clone(), account: facts.account, presence, entered_ms: facts.now_ms };
    let known = room.occupant(nick);
    let audience = large::audience(room, role, known);
    let occupant = room.seated(nick, role, audience, session.clone());
    let mut decision = Decision::default();
    let asked = entry.join.mav.as_ref();
    let mav = asked.and_then(|asked| versioning::tell(room, facts, role, asked, &mut decision));
    show_occupants(room, nick, role, facts.from, &mut decision);
    absent::show(room, role, facts.from, &mut decision);
    let mut codes = room_codes(room);
    if *nick != *entry.nick {
        codes.push(status::NICK_CHANGED);
    }
    let own = Told::available(room, &occupant);
    Told { own_codes: &codes, own_mav: mav.as_ref(), id: entry.id, ..own.clone() }.tell_new(facts.from, &mut decision);
    history::send(room, facts, role, entry, &mut decision);
    subject::send(room, facts.from, &mut decision);
    avatar::show(room, facts.from, &mut decision);
    own.tell_itself(occupant.addresses().filter(|jid| jid != facts.from).collect(), &mut decision);
    let is_same = |known: &Occupant| known.audience == audience && known.shown().presence == session.presence;
    if !known.is_some_and(is_same) {
        own.tell_others(room, &mut decision);
    }
    if let Some(known) = known.filter(|known| (known.audience, audience) == (Audience::Everybody, Audience::Moderators))
    {
        Told::available(room, known).hide(room, &mut decision);
    }
    decision.change.0.push(Step::Enter { nick: nick.into(), role, audience, session });
    Ok(decision)
}

/// Everybody else who may be seen, before the own presence.
fn show_occupants(room: &Room, nick: &str, role: Role, to: &Jid, decision: &mut Decision) {
    let sees_addresses = room.shows_addresses_to(role);
    decision.effects.reserve(room.occupants.len() + 8);
    for other in room.occupants.values().filter(|other| *other.nick != *nick && other.audience.has(role)) {
        let content = if sees_addresses { &other.open } else { &other.veiled };
        let kind = Kind::Presence(PresenceType::Available);
        decision.send(Outgoing::one(kind, other.address.clone(), content.clone(), to.clone()));
    }
}

/// What those who enter are warned of.
fn room_codes(room: &Room) -> Vec<u16> {
    let mut codes = Vec::new();
    if room.is_open_about_addresses() {
        codes.push(status::NON_ANONYMOUS);
    }
    if room.config.is_on(&LOGGING) {
        codes.push(status::LOGGED);
    }
    if room.state == State::Locked {
        codes.push(status::CREATED);
    }
    codes
}
