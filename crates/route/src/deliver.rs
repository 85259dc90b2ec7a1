//! Deliver: the only file that runs effects, and with `copies` the only one that hands messages to sessions. It cannot fail as a whole.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_features::roster;
use metronome_host::blocking::What;
use metronome_host::effect::{Effect, Effects};
use metronome_host::envelope::{Destination, Envelope, Sender};
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{Offered, Session};
use metronome_host::way::Outlet;
use metronome_model::{AccountId, Outcome};
use metronome_proto::ns;
use metronome_proto::payload::stanza_id;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Name, Stanza};

use crate::interests::Viewer;
use crate::{audience, copies, csi, finish, interests, iq, last_items, notify, presence, push, remotes, resumables};

/// Delivers what has nothing to store; runs in the task that admitted it.
pub(crate) fn admitted(server: &Arc<Server>, env: &mut Envelope) {
    match env.stanza.kind {
        Kind::Message(_) => {
            if let Some(owner) = owner_of(env) {
                volatile_message(server, env, owner);
            }
            if env.destination == Destination::Remote {
                to_remote(server, env);
            }
            // Not of one that has come back to its sender, nor of one to the own account, which is received.
            let to_others = matches!(env.destination, Destination::Account(_) | Destination::Remote);
            if let Some(sender) = env.sender.as_session().filter(|sender| to_others && sender.is_copied()) {
                copies::of_sent(server, sender, &env.stanza, None);
            }
        }
        Kind::Presence(_) => presence::deliver(server, env),
        Kind::Iq(_) if env.destination == Destination::Remote => to_remote(server, env),
        Kind::Iq(_) => relayed_iq(server, env),
    }
    run_effects(server, std::mem::take(&mut env.effects), Some(&env.sender));
}

/// Delivers what the writer has answered for; runs in the owner's worker, in commit order.
pub(crate) fn committed(server: &Arc<Server>, env: &mut Envelope, outcome: &Outcome) {
    if let (true, Some(ticket)) = (outcome.is_done(), &mut env.ticket) {
        ticket.stored();
    }
    if let Some(refuse) = finish::refusal_of(outcome) {
        rosters_in_doubt(server, &env.effects, outcome);
        finish::refuse(server, env, refuse);
    } else if let (Outcome::Done { ids }, Kind::Message(_), Some(owner)) = (outcome, env.stanza.kind, owner_of(env)) {
        match env.received_row.and_then(|row| ids.get(row)) {
            Some(&id) => stored_message(server, env, owner, id),
            // Only the sender keeps it: the recipient is of a domain that keeps nothing.
            None => volatile_message(server, env, owner),
        }
    } else if matches!(env.stanza.kind, Kind::Message(_)) && env.destination == Destination::Remote && !is_outgoing(env)
    {
        to_remote(server, env);
    }
    run_effects(server, std::mem::take(&mut env.effects), Some(&env.sender));
}

/// Whether the record stores the stanza for another server.
fn is_outgoing(env: &Envelope) -> bool {
    env.effects.iter().any(|effect| matches!(effect, Effect::Outgoing { .. }))
}

/// Lets the world see what a command has changed; runs in a worker once it is durable.
pub(crate) fn changed(server: &Arc<Server>, effects: Effects) {
    run_effects(server, effects, None);
}

/// After a failed commit nobody knows whether a change took place: what is in memory of rosters and privacy lists is read again.
pub(crate) fn rosters_in_doubt(server: &Arc<Server>, effects: &Effects, outcome: &Outcome) {
    for effect in effects {
        if let Effect::Nodes(changed) = effect {
            server.nodes.forget(changed.owner);
        }
    }
    if !matches!(outcome, Outcome::Unavailable(_)) {
        return;
    }
    for effect in effects {
        match effect {
            Effect::Contact { owner, .. } => {
                let (server, owner) = (server.clone(), *owner);
                tokio::spawn(async move { roster::load::refresh(&server, owner).await });
            }
            Effect::Blocking { owner, jid, .. } => {
                server.facts.forget(jid.bare_str());
                tokio::spawn(presence::lists_in_doubt(server.clone(), *owner));
            }
            _ => {}
        }
    }
}

fn owner_of(env: &Envelope) -> Option<AccountId> {
    match env.destination {
        Destination::OwnAccount => env.sender.as_session().map(|session| session.account),
        Destination::Account(owner) => owner,
        Destination::Nobody
        | Destination::Host
        | Destination::Service(_)
        | Destination::Room
        | Destination::Remote
        | Destination::Unserved => None,
    }
}

fn run_effects(server: &Arc<Server>, effects: Effects, sender: Option<&Sender>) {
    // First what is in memory follows: whoever comes or shows itself from here on goes by it, and whoever did before is told below.
    for effect in &effects {
        if let Effect::Contact { owner, contact, .. } = effect {
            server.sessions.change_contacts(*owner, |contacts| contacts.changed(contact));
        }
    }
    for effect in effects {
        match effect {
            Effect::Reply(answer) => match sender {
                Some(Sender::Session(session)) => {
                    server.counters.delivered.add(answer.kind.name());
                    session.answer(Frame::whole(answer.to_vec()));
                }
                Some(Sender::Link(_)) => remotes::send(server, answer),
                None => {}
            },
            Effect::Write(session, kind, frame) => {
                server.counters.delivered.add(kind);
                session.answer(frame);
            }
            Effect::Carbons(carbons) => {
                if let Some(session) = sender.and_then(Sender::as_session) {
                    session.set_carbons(carbons);
                    resumables::note_now(server, session);
                }
            }
            Effect::Contact { owner, contact, push } => {
                roster::push::tell(server, owner, &contact, push);
            }
            Effect::ToAvailable(account, stanza) => to_sessions(server, account, &stanza, Session::is_available),
            Effect::ToInterested(account, stanza) => {
                to_sessions(server, account, &stanza, |session| session.is_interested() || session.is_available());
            }
            Effect::Show { of, to } => {
                presence::show(server, of, to);
                interests::begins_to_see(server, of, Viewer::Account(to));
            }
            Effect::Hide { of, to } => presence::hide(server, of, to),
            Effect::ShowTo { of, to } => {
                presence::show_to(server, of, &to);
                interests::begins_to_see(server, of, Viewer::Remote(&to));
            }
            Effect::HideFrom { of, from } => presence::hide_from(server, of, &from),
            Effect::Admitted { of, before } => last_items::admitted(server, of, before),
            // The writer's thread has seen to it (`workers`).
            Effect::Outgoing { stanza, outlet, .. } => match outlet {
                Outlet::Component(_) => server.counters.to_components.add(stanza.kind.name()),
                Outlet::Remote(_) => server.counters.to_servers.add(stanza.kind.name()),
            },
            Effect::Notify(told) => notify::run(server, *told),
            Effect::Nodes(changed) => server.nodes.change(*changed),
            Effect::Forget(jid) => {
                server.facts.forget(jid.bare_str());
                server.rooms.note_changed(&jid);
            }
            Effect::Removed(id, jid) => {
                server.uploads.forget(id);
                server.removed.lock().push((id, jid));
            }
            Effect::Blocking { owner, jid, blocking } => {
                server.facts.change(jid.bare_str(), |facts| facts.blocking = blocking.clone());
                presence::lists_changed(server, owner, &blocking);
            }
            Effect::Rules(session, rules) => {
                presence::rules_changed(server, &session, rules);
                resumables::note_now(server, &session);
            }
            Effect::Lock(account, lock) => presence::lock(server, account, lock),
            Effect::Begin(stream) => stream.begin(),
            Effect::Disconnect(account, condition, why) => {
                server.sessions.of(account).iter().for_each(|session| session.close(condition, Some(why)));
            }
            Effect::DisconnectOthers(stays, condition, why) => {
                let all = server.sessions.of(stays.account);
                all.iter()
                    .filter(|other| other.serial != stays.serial)
                    .for_each(|other| other.close(condition, Some(why)));
            }
        }
    }
}

/// A stanza that is about the account and not about one of its sessions.
fn to_sessions(server: &Server, account: AccountId, stanza: &Stanza, is_for: impl Fn(&Session) -> bool) {
    let frame = Frame::whole(stanza.to_vec());
    let is_for =
        |session: &&Arc<Session>| is_for(session) && !check::denies(server, session, &stanza.from, What::OtherIn);
    for session in server.sessions.of(account).iter().filter(is_for) {
        match session.offer_volatile(frame.clone()) {
            Offered::Queued => server.counters.delivered.add(stanza.kind.name()),
            _ => {
                server.counters.dropped.add();
                session.missed();
            }
        }
    }
}

/// A request or an answer for another client: RFC 6121 section 8.5.3. Requests that nobody takes come back.
fn relayed_iq(server: &Server, env: &mut Envelope) {
    let Some(to) = env.stanza.to.as_ref().filter(|to| to.is_full()) else { return };
    if !matches!(env.destination, Destination::OwnAccount | Destination::Account(_)) {
        return;
    }
    let session = server.sessions.at(to).filter(|session| iq::may_reach(server, session, &env.stanza));
    let offered = session.map(|session| session.offer_volatile(Frame::whole(env.stanza.to_vec())));
    match offered {
        Some(Offered::Queued) => server.counters.delivered.add(Name::Iq),
        Some(Offered::Full) => finish::refuse(server, env, Condition::ResourceConstraint.into()),
        _ => finish::refuse(server, env, Condition::ServiceUnavailable.into()),
    }
}

/// A message whose row is durable: whoever does not get it now reads the row later, so no error can follow.
fn stored_message(server: &Arc<Server>, env: &Envelope, owner: AccountId, id: u64) {
    let audience = audience::choose(server, owner, &env.stanza);
    tracing::trace!(why = audience.why, id, sessions = audience.sessions.len(), "a stored message is delivered");
    if !audience.sessions.is_empty() {
        let frame = stored_frame(&env.stanza, id, |_| {});
        for session in &audience.sessions {
            let offered = match audience.direct {
                true => session.offer_direct(id, frame.clone()),
                false => session.offer(id, frame.clone()),
            };
            if offered == Offered::Queued {
                server.counters.delivered.add(Name::Message);
            }
        }
    }
    copies::of_received(server, &env.stanza, &audience, Some(id));
    // What no device but one that has chosen another list may have is nothing to wake the others for.
    let is_denied =
        env.stanza.to.as_ref().is_some_and(|to| check::denies_account_now(server, to, &env.stanza.from, What::Message));
    if let Some(services) = env.services.as_ref().filter(|_| !is_denied) {
        push::of_stored(server, &env.stanza, owner, services.iter());
    }
}

/// What is not stored for another server: if it cannot go, its sender hears so.
fn to_remote(server: &Server, env: &mut Envelope) {
    if let Some(error) = remotes::push(server, env.stanza.clone()).error() {
        finish::refuse(server, env, error.into());
    }
}

/// A message that nobody stores: for those who are there.
fn volatile_message(server: &Server, env: &mut Envelope, owner: AccountId) {
    let taken = hand_volatile(server, &env.stanza, owner);
    if taken == 0 && tells_sender(&env.stanza) {
        finish::refuse(server, env, StanzaError::new(Condition::ServiceUnavailable).into());
    }
}

/// Hands a message that is not stored to those who are there, and says how many took it.
pub(crate) fn hand_volatile(server: &Server, stanza: &Stanza, owner: AccountId) -> usize {
    let audience = audience::choose(server, owner, stanza);
    tracing::trace!(why = audience.why, sessions = audience.sessions.len(), "a message is delivered");
    let frame = (!audience.sessions.is_empty()).then(|| Frame::whole(stanza.to_vec()));
    let (mut taken, passing) = (0, csi::passing(stanza));
    for session in &audience.sessions {
        let Some(frame) = frame.clone() else { break };
        match csi::offer(session, frame, stanza, passing) {
            Offered::Spared => taken += 1,
            Offered::Queued | Offered::Deferred => {
                taken += 1;
                server.counters.delivered.add(Name::Message);
            }
            Offered::Full | Offered::Gone => server.counters.dropped.add(),
        }
    }
    copies::of_received(server, stanza, &audience, None);
    taken
}

/// Whether the sender hears of it when nobody took a message that is not stored: a room must know that an occupant has left
/// (RFC 6121 section 8.5.3.2.1), and people that their words were not kept; nobody needs to hear of a lost chat state.
pub(crate) fn tells_sender(stanza: &Stanza) -> bool {
    match stanza.kind {
        Kind::Message(MessageType::Groupchat) => true,
        Kind::Message(MessageType::Chat | MessageType::Normal) => stanza.has(ns::CLIENT, "body"),
        _ => false,
    }
}

/// A stored message as a client gets it: with its id in the archive, and with what `more` writes.
pub(crate) fn stored_frame(stanza: &Stanza, id: u64, more: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let owner = stanza.to.as_ref().unwrap_or(&stanza.from).bare();
    let content = stanza.content.bytes();
    let mut out = Vec::with_capacity(content.len() + 320);
    stanza.write_head(&mut out, stanza.to.as_ref(), None);
    out.extend_from_slice(content);
    stanza_id::write_stanza_id(&mut out, &owner, &id.to_string());
    more(&mut out);
    out.extend_from_slice(stanza.tail().as_bytes());
    Frame::whole(out)
}
