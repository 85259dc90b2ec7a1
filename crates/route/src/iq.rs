//! Requests and their answers: RFC 6120 section 8.2.3, RFC 6121 section 8.
//! A request to an account or a host is answered by the feature that registered it, one to a full address by the client that has it;
//! everything else gets `service-unavailable`, in its order.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_features::{last_activity, ping, strangers};
use metronome_host::blocking::What;
use metronome_host::contacts::Known;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{At, IqHandler};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::Child;

use crate::remotes;

/// Takes the answers of other servers, and of those on them, to requests of the server; true if the stanza was one, or was addressed to
/// nobody else.
pub(crate) fn is_remote_answer_for_us(server: &Server, stanza: &Stanza) -> bool {
    is_answer(stanza) && (server.asked.answer(stanza) || !stanza.to.as_ref().is_some_and(Jid::is_full))
}

/// Takes the answers of a client to requests of the server; true if the stanza was one, or was addressed to nobody else.
///
/// Answers that nobody asked for vanish: an answer is never answered (RFC 6120 section 8.2.3).
pub(crate) fn is_answer_for_us(server: &Server, session: &Session, stanza: &Stanza) -> bool {
    if !is_answer(stanza) {
        return false;
    }
    if server.asked.answer(stanza) {
        return true;
    }
    let to = stanza.to.as_ref();
    if to.is_some_and(|to| to.is_full() || remotes::is_remote(server, to)) {
        return false;
    }
    let for_us = to.is_none_or(|to| to.is_domain() || to.as_str() == session.jid.bare_str());
    let ping = stanza.id.as_deref().filter(|_| for_us).and_then(ping::number_of);
    if let Some(proved) = ping.and_then(|number| session.pong(number)) {
        server.note_seen(session.account, proved);
    }
    true
}

fn is_answer(stanza: &Stanza) -> bool {
    matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error))
}

/// Admits a request: its handler fills the record and the effects. What is for another client is relayed at delivery.
pub(crate) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    crate::destination::resolve(server, env);
    let Kind::Iq(kind) = env.stanza.kind else { return Err(Refuse::Drop("not a request")) };
    let to_client = env.stanza.to.as_ref().is_some_and(|to| to.is_full());
    let at = match env.destination {
        // XEP-0012 section 4: one question is only for those who may see the client's presence.
        Destination::OwnAccount | Destination::Account(_) if to_client => {
            refuse_others_push(env, kind)?;
            return last_activity::refuse_stranger(server, env).await;
        }
        Destination::Host => At::Host,
        Destination::Service(_) => at_service(server, env)?,
        // What is not answered beside the room is answered by it, or by an occupant.
        Destination::Room => match at_room(server, env, kind) {
            Some(handler) => return (handler.handle)(server, env).await,
            None => return Ok(()),
        },
        Destination::OwnAccount => At::OwnAccount,
        Destination::Account(_) => At::Account,
        Destination::Remote => return remotes::refuse(server, env),
        Destination::Unserved => return Err(Condition::RemoteServerNotFound.into()),
        Destination::Nobody => return Err(Condition::ServiceUnavailable.into()),
    };
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    if at == At::Account {
        refuse_others_roster(&payload)?;
        match account(server, env).await? {
            Some(account) => env.destination = Destination::Account(Some(account)),
            None => return strangers::answer(env),
        }
    }
    let handler = server.registry.iq(at, kind, payload.ns(), payload.name()).ok_or(Condition::ServiceUnavailable)?;
    (handler.handle)(server, env).await
}

/// What is answered for a room without asking its occupants; such a stanza goes no further than here.
fn at_room(server: &Server, env: &mut Envelope, kind: IqType) -> Option<&'static IqHandler> {
    env.stanza.to.as_ref().filter(|to| to.is_bare() && kind.is_request())?;
    let payload = env.stanza.content.iter().next()?;
    let handler = server.registry.iq(At::Room, kind, payload.ns(), payload.name())?;
    env.destination = Destination::Service(None);
    Some(handler)
}

/// Services answer at their domains.
fn at_service(server: &Server, env: &Envelope) -> Result<At, Refuse> {
    let to = env.stanza.to.as_ref().filter(|to| to.local().is_none()).ok_or(Condition::ServiceUnavailable)?;
    let hosts = server.hosts.load();
    hosts.service(to.domain()).map(|host| host.at()).ok_or_else(|| Condition::ServiceUnavailable.into())
}

/// RFC 6121 section 2.1.5: a roster is its owner's, whether the account exists or not.
fn refuse_others_roster(payload: &Child<'_>) -> Result<(), Refuse> {
    if payload.ns() == ns::ROSTER { Err(Condition::Forbidden.into()) } else { Ok(()) }
}

/// A push of a roster comes from one's own server; clients that take it from anybody who may ask them something are not shown such (RFC 6121
/// section 2.1.6).
fn refuse_others_push(env: &Envelope, kind: IqType) -> Result<(), Refuse> {
    let is_others = matches!(env.destination, Destination::Account(_));
    match env.stanza.content.iter().next() {
        Some(payload) if is_others && kind == IqType::Set => refuse_others_roster(&payload),
        _ => Ok(()),
    }
}

/// The account that a request is for. Absent, disabled and locked ones look alike, and so does one that has blocked the sender.
async fn account(server: &Server, env: &Envelope) -> Result<Option<AccountId>, Refuse> {
    let to = env.stanza.to.as_ref().ok_or(Condition::ServiceUnavailable)?;
    let facts = server.facts.of(&*server.store, to).await?;
    let Some(facts) = facts.filter(|facts| facts.is_active()) else { return Ok(None) };
    let is_denied = check::denies_account(server, &facts, &env.stanza.from, What::Iq).await?;
    Ok((!is_denied).then_some(facts.account.id))
}

/// Whether a request or an answer may be handed to this client: RFC 6121 section 8.5.3.1. Requests reach only those who share their
/// presence with who asks, so that nobody can find out which resources are there.
pub(crate) fn may_reach(server: &Server, session: &Session, stanza: &Stanza) -> bool {
    if check::denies(server, session, &stanza.from, What::Iq) {
        return false;
    }
    is_answer(stanza)
        || stanza.from.same_bare(&session.jid)
        || session.has_directed(&stanza.from)
        || (!session.is_locked() && is_shown(server, session, &stanza.from))
}

fn is_shown(server: &Server, session: &Session, to: &Jid) -> bool {
    let contacts = server.sessions.contacts(session.account);
    contacts.is_some_and(|contacts| contacts.get(to.bare_str()).is_some_and(Known::is_shown))
        || server.hosts.load().shows(&session.jid, to)
}
