//! Requests of the server's own to others: sent to whomever they are addressed to, answered or given up. Asked by tasks of their own, never
//! while a stanza is handled.

use std::sync::Arc;

use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::Offered;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::Content;

use crate::remotes;

/// For how long an answer is waited for.
const PATIENCE_MS: u64 = 30_000;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was answered.
    Result(Box<Stanza>),
    /// It was refused, by whomever it was sent to or on its way.
    Error(StanzaError),
    /// Nothing came in time.
    Nothing,
    /// It was not asked: the server waits for too many answers already. Whom it was meant for can do nothing about that.
    Unasked,
}

/// Sends a request that changes something, with one payload, and waits for its answer.
pub(crate) async fn set(server: &Arc<Server>, from: Jid, to: Jid, payload: Content) -> Answer {
    ask(server, IqType::Set, from, to, payload).await
}

/// Sends a question with one payload and waits for its answer.
pub(crate) async fn get(server: &Arc<Server>, from: Jid, to: Jid, payload: Content) -> Answer {
    ask(server, IqType::Get, from, to, payload).await
}

async fn ask(server: &Arc<Server>, kind: IqType, from: Jid, to: Jid, payload: Content) -> Answer {
    let id = server.rng.token();
    let deadline_ms = server.clock.steady_ms() + PATIENCE_MS;
    let Some(answer) = server.asked.ask(&id, &from, &to, deadline_ms) else {
        return Answer::Unasked;
    };
    let request = Stanza::new(Kind::Iq(kind), from).with_to(to).with_id(&id).with_content(payload);
    if let Err(condition) = send(server, &request) {
        server.asked.forget(&id);
        return Answer::Error(condition.into());
    }
    match answer.await {
        Ok(answer) if answer.kind == Kind::Iq(IqType::Result) => Answer::Result(Box::new(answer)),
        Ok(answer) => Answer::Error(StanzaError::read(&answer.content).unwrap_or(Condition::UndefinedCondition.into())),
        Err(_) => Answer::Nothing,
    }
}

/// Hands a request to the client that it is addressed to, or to the queue of its server.
fn send(server: &Server, request: &Stanza) -> Result<(), Condition> {
    let to = request.to.as_ref().ok_or(Condition::ServiceUnavailable)?;
    if remotes::is_remote(server, to) {
        let pushed = remotes::push(server, Arc::new(request.clone()));
        return pushed.error().map_or(Ok(()), |error| Err(error.condition));
    }
    if server.hosts.load().get(to.domain()).is_none() {
        return Err(Condition::RemoteServerNotFound);
    }
    let session = server.sessions.at(to).ok_or(Condition::ServiceUnavailable)?;
    match session.offer_volatile(Frame::whole(request.to_vec())) {
        Offered::Queued | Offered::Deferred | Offered::Spared => Ok(()),
        Offered::Full => Err(Condition::ResourceConstraint),
        Offered::Gone => Err(Condition::ServiceUnavailable),
    }
}
