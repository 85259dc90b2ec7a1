//! Registering with a room (section 7.10): whoever may becomes a member, with a nickname that nobody else uses; and asking for that
//! nickname (section 7.12).

use metronome_proto::ns;
use metronome_proto::payload::muc::{Affiliation, Registration, RegistrationRequest};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::{Content, Tree};

use crate::admin;
use crate::config::{NAME, REGISTRATION};
use crate::decision::{Decision, Effect, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::nick;
use crate::room::{Affiliated, Room, fold};

/// What somebody has registered, or what it takes.
pub(crate) fn ask(room: &Room, facts: &Facts<'_>) -> Verdict {
    if let Some(row) = room.affiliations.get(facts.from.bare_str()).filter(|row| row.nick.is_some()) {
        return Ok(reply(&Registration::registered(row.nick.as_deref())));
    }
    refuse(room, facts)?;
    let title = match room.config.text(&NAME) {
        "" => room.address.as_str(),
        name => name,
    };
    Ok(reply(&Registration::to_fill_in(title)))
}

/// Registers, or ends that.
pub(crate) fn decide(room: &Room, facts: &Facts<'_>, request: &RegistrationRequest) -> Verdict {
    match request {
        RegistrationRequest::Cancel => Ok(done(Decision::default())),
        RegistrationRequest::Submit(registration) => register(room, facts, &registration.nick),
        RegistrationRequest::Remove => unregister(room, facts),
    }
}

/// Members, admins and owners reserve a nickname in any case; others where the room lets them.
fn refuse(room: &Room, facts: &Facts<'_>) -> Result<(), StanzaError> {
    match room.affiliation(facts.from) {
        Affiliation::Outcast => Err(Condition::Forbidden.into()),
        Affiliation::None if !room.config.is_on(&REGISTRATION) => Err(Condition::NotAllowed.into()),
        _ => Ok(()),
    }
}

fn register(room: &Room, facts: &Facts<'_>, nick: &str) -> Verdict {
    refuse(room, facts)?;
    nick::refuse_unfit(nick, facts.limits)?;
    nick::refuse_reserved(room, facts.from, nick)?;
    let other = room.occupants.get(&*fold(nick)).filter(|occupant| !occupant.jid.same_bare(facts.from));
    if other.is_some() {
        return Err(Condition::Conflict.into());
    }
    let jid = facts.from.bare();
    let row = room.affiliations.get(&jid).cloned().unwrap_or_default();
    if row == Affiliated::default() && room.affiliations.len() >= facts.limits.affiliations_max {
        return Err(Condition::ResourceConstraint.into());
    }
    let affiliation = row.affiliation.max(Affiliation::Member);
    let mut draft = Draft::new(room, facts);
    let row = Affiliated { affiliation, nick: Some(nick.into()), reason: row.reason };
    admin::affiliate_known(&mut draft, &jid, row, Cause::default());
    Ok(done(draft.finish()))
}

/// Members are members no more; admins and owners give up the nickname only.
fn unregister(room: &Room, facts: &Facts<'_>) -> Verdict {
    let jid = facts.from.bare();
    let Some(row) = room.affiliations.get(&jid).cloned() else { return Err(Condition::RegistrationRequired.into()) };
    let affiliation = match row.affiliation {
        Affiliation::Outcast => return Err(Condition::Forbidden.into()),
        Affiliation::Member => Affiliation::None,
        other => other,
    };
    let mut draft = Draft::new(room, facts);
    admin::affiliate_known(
        &mut draft,
        &jid,
        Affiliated { affiliation, nick: None, reason: row.reason },
        Cause::default(),
    );
    Ok(done(draft.finish()))
}

/// The nickname that is reserved for who asks, as an identity (section 7.12).
pub(crate) fn own_nick(room: &Room, facts: &Facts<'_>, node: &str) -> Decision {
    let nick = room.affiliations.get(facts.from.bare_str()).and_then(|row| row.nick.as_deref());
    let identity = nick.map(|nick| {
        Tree::new(ns::DISCO_INFO, "identity").attr("category", "conference").attr("type", "text").attr("name", nick)
    });
    reply(&Tree::new(ns::DISCO_INFO, "query").attr("node", node).children(identity))
}

fn reply(tree: &Tree) -> Decision {
    Decision { effects: vec![Effect::Reply(Content::from_tree(tree))], ..Decision::default() }
}

fn done(mut decision: Decision) -> Decision {
    let is_end = decision.effects.last() == Some(&Effect::End);
    let at = decision.effects.len() - usize::from(is_end);
    decision.effects.insert(at, Effect::Reply(Content::empty()));
    decision
}
