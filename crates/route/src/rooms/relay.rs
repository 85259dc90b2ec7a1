//! Requests between occupants (section 15.6): each gets an id that nobody can guess, so that only its answer finds the way back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::session::Offered;
use metronome_muc::{Input, may_query, says_gone};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{IqType, Kind, Name, Stanza, StanzaError};
use metronome_proto::xml::Content;

use super::task::Task;
use crate::{made, remotes};

/// Requests that wait for their answers in one room; the oldest are forgotten first.
const RELAYED_MAX: usize = 1000;

/// The requests that wait, by the id under which they were passed on.
#[derive(Default)]
pub(super) struct Relayed {
    requests: HashMap<Box<str>, Request>,
    order: VecDeque<Box<str>>,
}

struct Request {
    /// Who asks, and the id that they know it by.
    asker: Jid,
    id: Option<Box<str>>,
    /// Who is asked, and as whom.
    asked: Jid,
    occupant: Jid,
}

impl Relayed {
    fn note(&mut self, id: Box<str>, request: Request) {
        if self.order.len() >= RELAYED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.requests.insert(id, request);
    }

    fn take(&mut self, id: &str, from: &Jid) -> Option<Request> {
        if self.requests.get(id)?.asked != *from {
            return None;
        }
        self.order.retain(|known| **known != *id);
        self.requests.remove(id)
    }
}

impl Task {
    /// Passes a request on in the name of the occupant who asks.
    pub(super) fn pass_on(&mut self, env: &Envelope, nick: &str) -> Result<(), Refuse> {
        let stanza = &env.stanza;
        let room = self.room.as_ref().ok_or(Condition::ItemNotFound)?;
        let (asked, own_nick) = may_query(room, &stanza.from, nick)?;
        let broken = |_| StanzaError::new(Condition::InternalServerError);
        let from = self.address.with_resource(own_nick).map_err(broken)?;
        // The card of an occupant is that of the account, which answers for itself; no client does.
        let is_card = stanza.kind == Kind::Iq(IqType::Get) && stanza.has(ns::VCARD, "vCard");
        let asked = if is_card { asked.bare() } else { asked.clone() };
        let id = self.server.rng.token();
        let passed = Stanza::new(stanza.kind, from).with_id(&id).with_content(stanza.content.clone());
        let passed = Stanza { lang: stanza.lang.clone(), ..passed }.with_to(asked.clone());
        match self.server.sessions.at(&asked) {
            None if !remotes::is_remote(&self.server, &asked) => {
                drop(tokio::spawn(made::ask(self.server.clone(), passed)))
            }
            Some(session) => match session.offer_volatile(Frame::whole(passed.to_vec())) {
                Offered::Queued => self.server.counters.delivered.add(Name::Iq),
                Offered::Full => return Err(Condition::ResourceConstraint.into()),
                _ => return Err(Condition::ServiceUnavailable.into()),
            },
            None => {
                if let Some(error) = remotes::push(&self.server, Arc::new(passed)).error() {
                    return Err(error.into());
                }
            }
        }
        let occupant = self.address.with_resource(nick).map_err(broken)?;
        let request = Request { asker: stanza.from.clone(), id: stanza.id.clone(), asked, occupant };
        self.relayed.note(id.into(), request);
        Ok(())
    }

    /// Passes an answer back. One that nobody waits for vanishes.
    pub(super) fn pass_back(&mut self, answer: &Stanza) {
        let id = answer.id.as_deref().unwrap_or_default();
        let Some(request) = self.relayed.take(id, &answer.from) else { return };
        // Who has failed may say its real address there (`by`), which is not for everybody: only what is wrong goes on.
        let content = match answer.kind {
            Kind::Iq(IqType::Error) => {
                let error = StanzaError::read(&answer.content).unwrap_or(Condition::UndefinedCondition.into());
                Content::from_tree(&StanzaError { by: None, new_address: None, ..error }.tree())
            }
            _ => answer.content.clone(),
        };
        let passed = Stanza {
            kind: answer.kind,
            from: request.occupant,
            to: Some(request.asker.clone()),
            id: request.id,
            lang: answer.lang.clone(),
            content,
        };
        match self.server.sessions.at(&request.asker) {
            Some(session) => session.answer(Frame::whole(passed.to_vec())),
            None => remotes::send(&self.server, passed),
        }
    }

    /// Something that the room has sent could not go, or came back.
    pub(super) async fn returned(&mut self, error: &Stanza) {
        if let Kind::Iq(_) = error.kind {
            return self.pass_back(error);
        }
        // What a session of ours does not let in is no sign that it is gone.
        let is_gone = StanzaError::read(&error.content).is_none_or(|error| says_gone(&error));
        if is_gone && self.server.sessions.at(&error.from).is_none() {
            self.happen(&error.from, &Input::Lose(&error.from)).await;
        }
    }
}
