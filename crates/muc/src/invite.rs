//! Invitations through the room, and their refusals (sections 7.8.2 and 9.5).

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Decline, Invite, Role, UserX};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, MessageType, StanzaError};
use metronome_proto::xml::Content;

use crate::admin;
use crate::affiliated::Affiliated;
use crate::config::{ALLOW_INVITES, MEMBERS_ONLY, PASSWORD_PROTECTED, SECRET};
use crate::decision::{Decision, Outgoing, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::room::{Room, State};
use crate::step::Step;

/// An occupant, or somebody who may do so anyway, invites others. In a room for members only that makes them members.
pub(crate) fn invite(room: &Room, facts: &Facts<'_>, invites: &[Invite]) -> Verdict {
    refuse(room, facts, invites)?;
    let mut draft = Draft::new(room, facts);
    for invite in invites {
        let Some(to) = &invite.to else { return Err(Condition::BadRequest.into()) };
        let row = draft.room.affiliations.get(to.bare_str()).cloned().unwrap_or_default();
        if draft.room.affiliation(to) == Affiliation::Outcast {
            return Err(Condition::NotAllowed.into());
        }
        if to.local().is_none() || to.same_bare(&room.address) {
            return Err(StanzaError::new(Condition::ItemNotFound).with_text("This is not the address of a person"));
        }
        send(&mut draft, to, invite);
        draft.step(Step::Invited { by: facts.from.clone(), whom: to.bare() });
        if room.config.is_on(&MEMBERS_ONLY) && row.affiliation == Affiliation::None {
            if draft.room.affiliations.len() >= facts.limits.affiliations_max {
                return Err(Condition::ResourceConstraint.into());
            }
            let row = Affiliated { affiliation: Affiliation::Member, ..row };
            admin::affiliate_known(&mut draft, &to.bare(), row, Cause::default());
        }
    }
    Ok(draft.finish())
}

/// In a room for members only admins invite, and others if the room lets them (section 9.5); elsewhere whoever is there.
fn refuse(room: &Room, facts: &Facts<'_>, invites: &[Invite]) -> Result<(), StanzaError> {
    let (affiliation, role) = (room.standing(facts), room.role(facts));
    if room.state == State::Locked && affiliation != Affiliation::Owner {
        return Err(Condition::ItemNotFound.into());
    }
    if role == Role::None && affiliation < Affiliation::Admin {
        return Err(Condition::NotAcceptable.into());
    }
    let is_privileged = match room.config.is_on(&MEMBERS_ONLY) {
        true => affiliation >= Affiliation::Admin,
        false => role == Role::Moderator || affiliation >= Affiliation::Admin,
    };
    if !is_privileged && (!room.config.is_on(&ALLOW_INVITES) || role == Role::Visitor) {
        return Err(Condition::Forbidden.into());
    }
    let too_long =
        |invite: &Invite| invite.reason.as_ref().is_some_and(|text| text.len() > facts.limits.reason_bytes_max);
    if invites.is_empty() || invites.iter().any(too_long) {
        return Err(Condition::BadRequest.into());
    }
    if invites.len() > facts.limits.invitees_max {
        return Err(Condition::PolicyViolation.into());
    }
    Ok(())
}

fn send(draft: &mut Draft<'_>, to: &Jid, invite: &Invite) {
    let room = &draft.room;
    // Where addresses are hidden, inviting somebody does not tell the own one.
    let from = match room.occupant_of(draft.facts.from) {
        Some(occupant) if !room.is_open_about_addresses() => occupant.address.clone(),
        _ => draft.facts.from.bare(),
    };
    let invite = Invite { from: Some(from), to: None, ..invite.clone() };
    let password = room.config.is_on(&PASSWORD_PROTECTED).then(|| room.config.text(&SECRET).into());
    let x = UserX { invites: vec![invite], password, ..UserX::default() };
    let kind = Kind::Message(MessageType::Normal);
    let outgoing = Outgoing::new(kind, room.address.clone(), Content::from_tree(&x.tree()), vec![to.clone()]);
    draft.decision.send(outgoing);
}

/// Whoever was invited does not come; the inviter is told, if there was such an invitation, so that nobody writes to strangers through a
/// room. One that is not remembered is passed over.
pub(crate) fn decline(room: &Room, facts: &Facts<'_>, decline: &Decline) -> Verdict {
    if decline.reason.as_ref().is_some_and(|reason| reason.len() > facts.limits.reason_bytes_max) {
        return Err(Condition::BadRequest.into());
    }
    let mut decision = Decision::default();
    let is_meant = |by: &Jid| match &decline.to {
        None => true,
        Some(to) => to.same_bare(by) || room.occupant_of(by).is_some_and(|known| known.address == *to),
    };
    let whom = facts.from.bare();
    let Some((by, _)) = room.invitations.iter().rev().find(|(by, known)| *known == whom && is_meant(by)) else {
        return Ok(decision);
    };
    let refusal = Decline { from: Some(whom.clone()), to: None, reason: decline.reason.clone() };
    let x = UserX { decline: Some(refusal), ..UserX::default() };
    let kind = Kind::Message(MessageType::Normal);
    let content = Content::from_tree(&x.tree());
    decision.send(Outgoing::new(kind, room.address.clone(), content, vec![by.clone()]));
    decision.change.0.push(Step::Declined { by: by.clone(), whom });
    Ok(decision)
}
