//! Entering a room (section 7.2): who may, under which nickname, and what they are sent, in the order of section 7.1.

use std::borrow::Cow;

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Join, Role, status};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, PresenceType, StanzaError};
use metronome_proto::xml::Content;

use crate::avatar;
use crate::body;
use crate::config::{LOGGING, MAX_USERS, PASSWORD_PROTECTED, RESERVED_NICK, SECRET};
use crate::decision::{Decision, Outgoing, Verdict};
use crate::facts::{Facts, Standing};
use crate::history::{self, Past};
use crate::nick;
use crate::occupant::{Occupant, Session, occupant_id};
use crate::presence::Told;
use crate::role::default_role;
use crate::room::{Room, State, fold};
use crate::step::Step;
use crate::subject;

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
    if let Some(occupant) = room.occupant_of(facts.from) {
        let nick = if *occupant.nick == *entry.nick { entry.nick } else { return nick::change(room, facts, entry) };
        return let_in(room, facts, entry, nick, occupant.role, &[]);
    }
    nick::refuse_unfit(entry.nick, facts.limits)?;
    if entry.presence.len_bytes() > facts.limits.presence_bytes_max {
        return Err(Condition::PolicyViolation.into());
    }
    let affiliation = room.standing(facts);
    refuse_entry(room, facts, affiliation, entry.join)?;
    let nick = nickname(room, facts, entry.nick);
    let role = match take_seat(room, facts, &nick, affiliation)? {
        Some(role) => role,
        None if facts.standing == Standing::Superuser => Role::Moderator,
        None => default_role(&room.config, affiliation),
    };
    let codes: &[u16] = if *nick == *entry.nick { &[] } else { &[status::NICK_CHANGED] };
    let_in(room, facts, entry, &nick, role, codes)
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
    if let Some(occupant) = room.occupants.get(&*fold(nick)) {
        if !occupant.jid.same_bare(facts.from) || *occupant.nick != *nick {
            return Err(Condition::Conflict.into());
        }
        if occupant.sessions.len() >= facts.limits.sessions_each_max {
            return Err(Condition::ResourceConstraint.into());
        }
        return Ok(Some(occupant.role));
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

fn let_in(room: &Room, facts: &Facts<'_>, entry: &Entry<'_>, nick: &str, role: Role, codes: &[u16]) -> Verdict {
    let presence = body::clean(entry.presence, &room.address);
    let session = Session { jid: facts.from.clone(), presence, entered_ms: facts.now_ms };
    let occupant = joined(room, nick, role, &session);
    let mut decision = Decision::default();
    show_occupants(room, nick, role, facts.from, &mut decision);
    let codes = [codes, &room_codes(room)].concat();
    let told = Told { own_codes: &codes, id: entry.id, ..Told::available(room, &occupant) };
    told.tell_itself(room, vec![facts.from.clone()], &mut decision);
    history::send(room, facts, role, entry, &mut decision);
    subject::send(room, facts.from, &mut decision);
    avatar::show(room, facts.from, &mut decision);
    let told = Told { own_codes: &[], id: None, ..told };
    told.tell_itself(room, occupant.addresses().filter(|jid| jid != facts.from).collect(), &mut decision);
    let is_news = room.occupant(nick).is_none_or(|known| known.shown().presence != session.presence);
    if is_news {
        told.tell_others(room, role, &mut decision);
    }
    decision.change.0.push(Step::Enter { nick: nick.into(), role, session });
    Ok(decision)
}

/// The occupant as it will be.
fn joined(room: &Room, nick: &str, role: Role, session: &Session) -> Occupant {
    let jid = session.jid.bare();
    let mut occupant = room.occupant(nick).cloned().unwrap_or_else(|| Occupant {
        nick: nick.into(),
        id: occupant_id(&room.secret, &jid),
        jid,
        role,
        sessions: Vec::new(),
        asked_ms: None,
        open: Content::empty(),
        veiled: Content::empty(),
    });
    occupant.sessions.retain(|known| known.jid != session.jid);
    occupant.sessions.push(session.clone());
    occupant
}

/// Everybody else who may be seen, before the own presence.
fn show_occupants(room: &Room, nick: &str, role: Role, to: &Jid, decision: &mut Decision) {
    let sees_addresses = room.shows_addresses_to(role);
    let shown = [Role::Moderator, Role::Participant, Role::Visitor].map(|role| (role, room.shows_presence_of(role)));
    let is_shown = |other: &Occupant| {
        role == Role::Moderator || shown.iter().any(|(role, is_shown)| *role == other.role && *is_shown)
    };
    for other in room.occupants.values().filter(|other| *other.nick != *nick && is_shown(other)) {
        let content = if sees_addresses { &other.open } else { &other.veiled };
        let kind = Kind::Presence(PresenceType::Available);
        decision.send(Outgoing::new(kind, room.occupant_jid(&other.nick), content.clone(), vec![to.clone()]));
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
