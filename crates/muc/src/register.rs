//! Registering with a room (section 7.10): whoever may becomes a member, with a nickname that nobody else uses, at once or when an admin
//! says so (section 9.9); and asking for that nickname (section 7.12).

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::muc::{Affiliation, Registration, RegistrationDecision, RegistrationRequest};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, StanzaError};
use metronome_proto::xml::{Content, Tree};

use crate::admin;
use crate::affiliated::Affiliated;
use crate::config::{APPROVAL, NAME, REGISTRATION};
use crate::decision::{Decision, Effect, Outgoing, Verdict};
use crate::draft::{Cause, Draft};
use crate::facts::{Facts, Standing};
use crate::nick;
use crate::room::Room;
use crate::step::{Step, Wish};

/// Most people who wait for a decision at once, of those who asked lately.
const WAITING_MAX: usize = 50;

/// Most admins who are asked if none of them is there.
const ASKED_MAX: usize = 10;

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
        RegistrationRequest::Submit(registration) => register(room, facts, registration),
        RegistrationRequest::Remove => unregister(room, facts),
    }
}

/// Members, admins and owners reserve a nickname in any case; others where the room lets them.
fn refuse(room: &Room, facts: &Facts<'_>) -> Result<(), StanzaError> {
    match room.affiliation(facts.from) {
        _ if facts.from.local().is_none() => Err(Condition::NotAllowed.into()),
        Affiliation::Outcast => Err(Condition::Forbidden.into()),
        Affiliation::None if !room.config.is_on(&REGISTRATION) => Err(Condition::NotAllowed.into()),
        _ => Ok(()),
    }
}

fn register(room: &Room, facts: &Facts<'_>, registration: &Registration) -> Verdict {
    refuse(room, facts)?;
    let jid = facts.from.bare();
    refuse_nick(room, facts, &jid, &registration.nick)?;
    let is_new = room.affiliation(&jid) == Affiliation::None;
    if is_new && room.config.is_on(&APPROVAL) && facts.standing == Standing::Ordinary {
        return ask_admins(room, facts, jid, registration);
    }
    let mut draft = Draft::new(room, facts);
    enrol(&mut draft, &jid, &registration.nick)?;
    Ok(done(draft.finish()))
}

fn refuse_nick(room: &Room, facts: &Facts<'_>, jid: &Jid, nick: &str) -> Result<(), StanzaError> {
    nick::refuse_unfit(nick, facts.limits)?;
    nick::refuse_reserved(room, jid, nick)?;
    let other = room.holder(nick).filter(|occupant| !occupant.jid.same_bare(jid));
    if other.is_some() { Err(Condition::Conflict.into()) } else { Ok(()) }
}

/// Somebody is a member at least from now on, and has this nickname.
fn enrol(draft: &mut Draft<'_>, jid: &Jid, nick: &str) -> Result<(), StanzaError> {
    let row = draft.room.affiliations.get(jid).cloned().unwrap_or_default();
    if !row.counts() && draft.room.affiliations.len() >= draft.facts.limits.affiliations_max {
        return Err(Condition::ResourceConstraint.into());
    }
    let affiliation = row.affiliation.max(Affiliation::Member);
    admin::affiliate_known(draft, jid, Affiliated { affiliation, nick: Some(nick.into()), ..row }, Cause::default());
    Ok(())
}

/// Section 9.9: those admins are asked who are there, or some of all; nobody more often than once in a while, and not by too many at once.
fn ask_admins(room: &Room, facts: &Facts<'_>, jid: Jid, registration: &Registration) -> Verdict {
    let wish = Wish::Membership;
    let since_ms = facts.now_ms.saturating_sub(facts.limits.voice_every_ms);
    let lately = |(_, at_ms): &(&(Wish, Jid), &u64)| **at_ms > since_ms;
    let waiting = room.asked.iter().filter(|((known, _), _)| *known == wish).filter(lately);
    let is_again = room.asked.get(&(wish, jid.clone())).is_some_and(|at_ms| *at_ms > since_ms);
    if is_again || waiting.count() >= WAITING_MAX {
        return Err(StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait));
    }
    let is_admin = |jid: &Jid| room.affiliation(jid) >= Affiliation::Admin;
    let mut to: Vec<Jid> = room.sessions.keys().filter(|session| is_admin(session)).cloned().collect();
    if to.is_empty() {
        let admins = room.affiliations.iter().filter(|(_, row)| row.affiliation >= Affiliation::Admin);
        to = admins.map(|(jid, _)| jid.clone()).take(ASKED_MAX).collect();
    }
    let content = Content::from_tree(&registration.to_decide(&jid).tree());
    let mut decision = done(Decision::default());
    decision.send(Outgoing::new(Kind::Message(MessageType::Normal), room.address.clone(), content, to));
    decision.change.0.push(Step::Asked { wish, jid, at_ms: facts.now_ms, forget_ms: since_ms });
    Ok(decision)
}

/// An admin has decided; who asked is told by what it is then, or not at all.
pub(crate) fn approve(room: &Room, facts: &Facts<'_>, answer: &RegistrationDecision) -> Verdict {
    if room.standing(facts) < Affiliation::Admin {
        return Err(Condition::Forbidden.into());
    }
    match room.affiliation(&answer.jid) {
        _ if !answer.allow => return Ok(Decision::default()),
        Affiliation::Outcast => return Err(Condition::NotAllowed.into()),
        _ => refuse_nick(room, facts, &answer.jid, &answer.registration.nick)?,
    }
    let mut draft = Draft::new(room, facts);
    enrol(&mut draft, &answer.jid, &answer.registration.nick)?;
    Ok(draft.finish())
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
    admin::affiliate_known(&mut draft, &jid, Affiliated { affiliation, nick: None, ..row }, Cause::default());
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
