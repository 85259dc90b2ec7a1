//! What moderators and admins change of people (sections 8 and 9): roles and affiliations, several in one request, and the lists of both.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{
    AdminRequest, Affiliation, Invite, Item, Listing, Role, UserItem, UserX, list_tree, status,
};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, MessageType, StanzaError};
use metronome_proto::xml::Content;

use crate::affiliated::Affiliated;
use crate::affiliation::may_affiliate;
use crate::config::{GET_MEMBER_LIST, MEMBERS_ONLY, PASSWORD_PROTECTED, SECRET};
use crate::decision::{Decision, Effect, Outgoing, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::nick;
use crate::presence;
use crate::role::{default_role, may_give_role, role_after};
use crate::room::Room;

pub(crate) fn decide(room: &Room, facts: &Facts<'_>, request: &AdminRequest) -> Verdict {
    match request {
        AdminRequest::List(lists) => list(room, facts, lists),
        AdminRequest::Set(items) => set(room, facts, items),
    }
}

fn list(room: &Room, facts: &Facts<'_>, lists: &[Listing]) -> Verdict {
    let mut items = Vec::new();
    for listing in lists {
        refuse_list(room, (room.standing(facts), room.role(facts)), *listing)?;
        match *listing {
            Listing::Affiliation(affiliation) => items.extend(affiliated(room, affiliation)),
            Listing::Role(role) => items.extend(with_role(room, role)),
        }
    }
    let reply = Content::from_tree(&list_tree(&items));
    Ok(Decision { effects: vec![Effect::Reply(reply)], ..Decision::default() })
}

/// Roles are listed for moderators (section 8.5), affiliations for admins (9.2 to 9.8), and where everybody sees real addresses all but the
/// bans for others as well, if the room lets their role.
pub(crate) fn refuse_list(
    room: &Room,
    (affiliation, role): (Affiliation, Role),
    listing: Listing,
) -> Result<(), StanzaError> {
    let may = match listing {
        Listing::Role(Role::Moderator) => affiliation >= Affiliation::Admin || role == Role::Moderator,
        Listing::Role(_) => role == Role::Moderator || affiliation >= Affiliation::Admin,
        Listing::Affiliation(_) if affiliation == Affiliation::Owner => true,
        Listing::Affiliation(Affiliation::Outcast | Affiliation::Member | Affiliation::None)
            if affiliation == Affiliation::Admin =>
        {
            true
        }
        Listing::Affiliation(Affiliation::Outcast | Affiliation::None) => false,
        Listing::Affiliation(_) => {
            let is_let =
                affiliation >= Affiliation::Member || room.config.list(&GET_MEMBER_LIST).contains(&role.as_str());
            let is_inside = affiliation >= Affiliation::Member || role != Role::None;
            room.is_open_about_addresses() && is_inside && is_let
        }
    };
    if may { Ok(()) } else { Err(Condition::Forbidden.into()) }
}

fn affiliated(room: &Room, affiliation: Affiliation) -> impl Iterator<Item = Item> {
    let rows = room.affiliations.iter().filter(move |(_, row)| row.affiliation == affiliation);
    rows.map(move |(jid, row)| Item {
        affiliation: Some(affiliation),
        role: None,
        jid: Some(jid.clone()),
        nick: row.nick.clone().filter(|_| affiliation != Affiliation::Outcast),
        reason: row.reason.clone(),
    })
}

fn with_role(room: &Room, role: Role) -> impl Iterator<Item = Item> {
    room.occupants.values().filter(move |occupant| occupant.role == role).map(move |occupant| Item {
        affiliation: Some(room.affiliation(&occupant.jid)),
        role: Some(role),
        jid: Some(occupant.shown().jid.clone()),
        nick: Some(occupant.nick.clone()),
        reason: None,
    })
}

/// All changes happen, or none does.
fn set(room: &Room, facts: &Facts<'_>, items: &[Item]) -> Verdict {
    if items.len() > facts.limits.items_max {
        return Err(Condition::PolicyViolation.into());
    }
    if room.standing(facts) < Affiliation::Admin && room.role(facts) < Role::Moderator {
        return Err(Condition::Forbidden.into());
    }
    let actor = room.occupant_of(facts.from).map(|occupant| occupant.nick.clone());
    let mut draft = Draft::new(room, facts);
    // Whoever asks is told first, and then everybody else (sections 8 and 9).
    draft.decision.effects.push(Effect::Reply(Content::empty()));
    for item in items {
        if item.reason.as_ref().is_some_and(|reason| reason.len() > facts.limits.reason_bytes_max) {
            return Err(StanzaError::new(Condition::NotAcceptable).with_text("The reason is too long"));
        }
        let cause = Cause { actor: actor.as_deref(), reason: item.reason.as_deref(), mav: None };
        match (item.affiliation, item.role) {
            (Some(affiliation), None) => set_affiliation(&mut draft, room, item, affiliation, cause)?,
            (None, Some(role)) => set_role(&mut draft, room, item, role, cause)?,
            _ => return Err(Condition::BadRequest.into()),
        }
    }
    refuse_without_owner(room, &draft.room)?;
    Ok(draft.finish())
}

/// A room keeps an owner (sections 10.2 and 10.4).
pub(crate) fn refuse_without_owner(before: &Room, after: &Room) -> Result<(), StanzaError> {
    let has_owner = |room: &Room| room.affiliations.values().any(|row| row.affiliation == Affiliation::Owner);
    if has_owner(before) && !has_owner(after) { Err(Condition::Conflict.into()) } else { Ok(()) }
}

/// Roles are those of occupants, by their nicknames. Who may do it is judged by what everybody was before the request.
fn set_role(draft: &mut Draft<'_>, room: &Room, item: &Item, to: Role, cause: Cause<'_>) -> Result<(), StanzaError> {
    let nick = item.nick.as_deref().filter(|nick| !nick.is_empty()).ok_or(Condition::BadRequest)?;
    let Some(target) = room.occupant(nick) else { return Err(Condition::ItemNotFound.into()) };
    let actor = (acting_role(room, draft.facts), room.standing(draft.facts));
    may_give_role(actor, (target.role, room.affiliation(&target.jid)), to)?;
    if to == Role::None {
        draft.remove(nick, &[status::KICKED], cause);
    } else if target.role != to {
        draft.set_role(nick, to, cause);
    }
    Ok(())
}

/// Admins and owners moderate without being there.
fn acting_role(room: &Room, facts: &Facts<'_>) -> Role {
    let is_admin = room.standing(facts) >= Affiliation::Admin;
    if is_admin { Role::Moderator } else { room.role(facts) }
}

/// Affiliations are those of bare addresses; one who is there may be named by the nickname instead.
fn set_affiliation(
    draft: &mut Draft<'_>,
    room: &Room,
    item: &Item,
    to: Affiliation,
    cause: Cause<'_>,
) -> Result<(), StanzaError> {
    let jid = match (&item.jid, item.nick.as_deref()) {
        (Some(jid), _) => jid.bare(),
        (None, Some(nick)) => room.occupant(nick).ok_or(Condition::ItemNotFound)?.jid.clone(),
        (None, None) => return Err(Condition::BadRequest.into()),
    };
    let row = room.affiliations.get(&jid).cloned().unwrap_or_default();
    may_affiliate(room.standing(draft.facts), row.affiliation, to)?;
    if to == Affiliation::Outcast && is_hit(&jid, draft.facts.from) {
        return Err(Condition::Conflict.into());
    }
    if jid.same_bare(&room.address) {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("This is the address of the room"));
    }
    if jid.is_domain() && to != Affiliation::Outcast && to != Affiliation::None {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("A whole domain can only be banned"));
    }
    let nick = reserved(room, draft.facts, item, &jid, &row, to)?;
    let is_new = !room.affiliations.contains_key(&jid);
    if is_new && draft.room.affiliations.len() >= draft.facts.limits.affiliations_max && to != Affiliation::None {
        return Err(Condition::ResourceConstraint.into());
    }
    let hats = if to == Affiliation::Outcast { Vec::new() } else { row.hats };
    affiliate(draft, &jid, Affiliated { affiliation: to, nick, reason: item.reason.clone(), hats, version: 0 }, cause);
    Ok(())
}

/// Whether a ban of `jid` is one of `who`, or of the domain that they are at.
fn is_hit(jid: &Jid, who: &Jid) -> bool {
    jid.same_bare(who) || (jid.is_domain() && jid.as_str() == who.domain())
}

/// The nickname that is reserved from now on: what the item says, or the one before; outcasts have none.
fn reserved(
    room: &Room,
    facts: &Facts<'_>,
    item: &Item,
    jid: &Jid,
    row: &Affiliated,
    to: Affiliation,
) -> Result<Option<Box<str>>, StanzaError> {
    let keeps = to > Affiliation::None;
    match item.nick.as_deref().filter(|_| item.jid.is_some()) {
        _ if !keeps => Ok(None),
        None => Ok(row.nick.clone()),
        Some("") => Ok(None),
        Some(nick) => {
            nick::refuse_unfit(nick, facts.limits)?;
            nick::refuse_reserved(room, jid, nick)?;
            let other = room.holder(nick).filter(|occupant| !occupant.jid.same_bare(jid));
            if other.is_some() { Err(Condition::Conflict.into()) } else { Ok(Some(nick.into())) }
        }
    }
}

/// Gives somebody an affiliation, with the role or the removal that follows from it, and tells whom it concerns. A new member of a room
/// that only members enter is invited (section 9.5).
pub(crate) fn affiliate(draft: &mut Draft<'_>, jid: &Jid, row: Affiliated, cause: Cause<'_>) {
    let is_known = draft.room.affiliations.get(jid).is_some_and(|row| row.affiliation != Affiliation::None);
    let is_invited = row.affiliation == Affiliation::Member && !is_known && draft.room.config.is_on(&MEMBERS_ONLY);
    let is_there = !draft.nicks_of(jid).is_empty();
    affiliate_known(draft, jid, row, cause);
    if is_invited && !is_there {
        invite_member(draft, jid, cause);
    }
}

/// The same for who knows of it: was invited already, or has asked for it.
pub(crate) fn affiliate_known(draft: &mut Draft<'_>, jid: &Jid, row: Affiliated, cause: Cause<'_>) {
    let nicks = draft.nicks_of(jid);
    let before = draft.room.affiliation(jid);
    let mav = draft.affiliate(jid, row);
    let cause = Cause { mav: mav.as_ref(), ..cause };
    let to = draft.room.affiliation(jid);
    if before == to {
        return;
    }
    if nicks.is_empty() {
        tell_of_absent(draft, jid, to, cause);
    }
    for nick in nicks {
        let Some(occupant) = draft.room.occupant(&nick) else { continue };
        let now = draft.room.affiliation(&occupant.jid);
        let role = role_after(&draft.room.config, occupant.role, before, now);
        match (now, default_role(&draft.room.config, now)) {
            (Affiliation::Outcast, _) => draft.remove(&nick, &[status::BANNED], cause),
            (_, Role::None) => draft.remove(&nick, &[status::NOT_AFFILIATED], cause),
            _ => draft.set_role(&nick, role, cause),
        }
    }
}

/// Occupants who may see addresses hear of a change that does not show in anybody's presence, and so does who is concerned.
fn tell_of_absent(draft: &mut Draft<'_>, jid: &Jid, to: Affiliation, cause: Cause<'_>) {
    tell_occupants(draft, jid, to, cause);
    if !jid.is_domain() {
        let own = UserItem { affiliation: Some(to), reason: cause.reason.map(Box::from), ..UserItem::default() };
        let x = UserX::of(own).status(status::AFFILIATION_CHANGED);
        let notice = presence::notice(&draft.room, &x, MessageType::Normal, vec![jid.clone()]);
        draft.decision.send(notice);
    }
}

/// The first half of that.
pub(crate) fn tell_occupants(draft: &mut Draft<'_>, jid: &Jid, to: Affiliation, cause: Cause<'_>) {
    let item = UserItem {
        affiliation: Some(to),
        role: Some(Role::None),
        jid: Some(jid.clone()),
        reason: cause.reason.map(Box::from),
        ..UserItem::default()
    };
    let x = UserX { mav: cause.mav.cloned(), ..UserX::of(item) };
    let audience = if draft.room.is_open_about_addresses() {
        draft.room.sessions.keys().cloned().collect()
    } else {
        draft.room.moderators()
    };
    let notice = presence::notice(&draft.room, &x, MessageType::Normal, audience);
    draft.decision.send(notice);
}

fn invite_member(draft: &mut Draft<'_>, jid: &Jid, cause: Cause<'_>) {
    let from = Some(draft.room.address.clone());
    let invite = Invite { from, reason: cause.reason.map(Box::from), ..Invite::default() };
    let config = &draft.room.config;
    let password = config.is_on(&PASSWORD_PROTECTED).then(|| config.text(&SECRET).into());
    let x = UserX { invites: vec![invite], password, ..UserX::default() };
    let content = Content::from_tree(&x.tree());
    let kind = Kind::Message(MessageType::Normal);
    draft.decision.send(Outgoing::new(kind, draft.room.address.clone(), content, vec![jid.clone()]));
}
