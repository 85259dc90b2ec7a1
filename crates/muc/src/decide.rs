//! Which input is decided where. Nothing here reads or writes: what has to be known comes in, and what is to happen goes out.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{
    AdminRequest, Decline, Destroy, Invite, Moderate, OwnerRequest, RegistrationDecision, RegistrationRequest,
    VoiceForm,
};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Stanza, StanzaError};
use metronome_proto::xml::Content;

use crate::avatar::{self, Card};
use crate::decision::Verdict;
use crate::enter::Entry;
use crate::facts::{Facts, Standing};
use crate::hat_request::HatRequest;
use crate::history::Past;
use crate::room::{Room, State};
use crate::{
    admin, announce, configure, destroy, enter, expel, forget, hat_forms, hats, invite, leave, message, moderate, nick,
    private, register, voice,
};

/// What happens to a room.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Available presence with `<x/>` of the namespace `muc`.
    Enter(Entry<'a>),
    /// Available presence without it: news of an occupant, or another nickname. What the entry says of joining is not looked at.
    Update(Entry<'a>),
    /// Unavailable presence.
    Leave {
        /// Its content.
        presence: &'a Content,
        /// Its id; what the session is told has it too.
        id: Option<&'a str>,
    },
    /// A session cannot be reached any more, or its server says that it is gone.
    Lose(&'a Jid),
    /// The service stops.
    Stop,
    /// A message of type `groupchat` to the room; with the row that a retraction in it names, if there is one.
    Say(&'a Stanza, Option<&'a Past>),
    /// A message to the occupant with this nickname.
    Tell(&'a str, &'a Stanza),
    /// Mediated invitations.
    Invite(&'a [Invite]),
    /// The refusal of one.
    Decline(&'a Decline),
    /// A form about voice.
    Voice(&'a VoiceForm),
    /// A request about people.
    Admin(&'a AdminRequest),
    /// A request of an owner.
    Owner(&'a OwnerRequest),
    /// The service ends the room, for this reason.
    Destroy(&'a Destroy),
    /// The service says something to everybody.
    Announce(&'a str),
    /// The service removes the occupant that this session is, for this reason.
    Expel(&'a Jid, &'a str),
    /// A question about the own registration.
    AskRegistration,
    /// A registration, or its end.
    Register(&'a RegistrationRequest),
    /// An admin decides on a registration.
    Approve(&'a RegistrationDecision),
    /// A request about hats.
    Hats(&'a HatRequest),
    /// What is to be filled in for this command about hats.
    HatForm(&'a str),
    /// The account with this bare address was deleted.
    Forget(&'a Jid),
    /// A question for the own reserved nickname, at this disco node.
    AskNick(&'a str),
    /// Another card for the room.
    SetCard(&'a Card),
    /// A moderator takes back the message in this row.
    Moderate(&'a Moderate, Option<&'a Past>),
}

/// Decides what an input leads to. Nothing of it has happened when this returns.
pub fn decide(room: &Room, facts: &Facts<'_>, input: &Input<'_>) -> Verdict {
    refuse_at_lock(room, facts, input)?;
    match *input {
        Input::Enter(ref entry) => enter::enter(room, facts, entry),
        Input::Update(ref entry) => nick::update(room, facts, entry),
        Input::Leave { presence, id } => Ok(leave::leave(room, facts, presence, id)),
        Input::Lose(session) => Ok(leave::lose(room, session)),
        Input::Stop => Ok(leave::stop(room, facts)),
        Input::Say(stanza, target) => message::say(room, facts, stanza, target),
        Input::Tell(nick, stanza) => private::send(room, facts, nick, stanza),
        Input::Invite(invites) => invite::invite(room, facts, invites),
        Input::Decline(decline) => invite::decline(room, facts, decline),
        Input::Voice(form) => voice::decide(room, facts, form),
        Input::Admin(request) => admin::decide(room, facts, request),
        Input::Owner(request) => configure::decide(room, facts, request),
        Input::Destroy(request) => destroy::destroy(room, facts, request),
        Input::Announce(text) => Ok(announce::announce(room, facts, text)),
        Input::Expel(session, reason) => Ok(expel::expel(room, facts, session, reason)),
        Input::AskRegistration => register::ask(room, facts),
        Input::Register(request) => register::decide(room, facts, request),
        Input::Approve(answer) => register::approve(room, facts, answer),
        Input::Hats(request) => hats::decide(room, facts, request),
        Input::HatForm(node) => hat_forms::ask(room, facts, node),
        Input::Forget(jid) => Ok(forget::forget(room, facts, jid)),
        Input::AskNick(node) => Ok(register::own_nick(room, facts, node)),
        Input::SetCard(card) => avatar::set(room, facts, card),
        Input::Moderate(request, target) => moderate::moderate(room, facts, request, target),
    }
}

/// To all but its creator a room that is not configured yet does not exist (sections 7.2.10 and 15.2). What the service does, and the end of
/// a session, are no questions of anybody.
fn refuse_at_lock(room: &Room, facts: &Facts<'_>, input: &Input<'_>) -> Result<(), StanzaError> {
    let is_known = facts.standing == Standing::Superuser || facts.from.same_bare(&room.creator);
    let is_asked =
        !matches!(input, Input::Leave { .. } | Input::Lose(_) | Input::Stop | Input::Destroy(_) | Input::Forget(_));
    if room.state == State::Locked && is_asked && !is_known { Err(Condition::ItemNotFound.into()) } else { Ok(()) }
}
