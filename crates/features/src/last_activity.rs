//! XEP-0012: Last Activity: for how long the server has been up, and how long ago an account was there, for those who may see its
//! presence. Departures are noted in memory by `route::presence` and stored in batches by `route::timers`.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::{Load, Server};
use metronome_model::{AccountId, LastSeen, Op, Record};
use metronome_proto::ns;
use metronome_proto::payload::last::Last;
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::{roster, strangers};

/// Most bytes that are kept of what somebody says at the end; the rest is cut off.
pub const STATUS_BYTES_MAX: usize = 1024;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "last-activity",
    xeps: &[Xep::new(12, "2.0", "Last Activity")],
    disco: &[ns::LAST],
    disco_account: &[ns::LAST],
    disco_services: &[ns::LAST],
    iq: &[
        at_domain(At::Host),
        at_domain(At::Services),
        at(At::OwnAccount),
        at(At::Account),
    ],
    ..Feature::NONE
};

const fn at_domain(place: At) -> IqHandler {
    IqHandler {
        asks: Asks::Snapshot,
        handle: |server, env| Box::pin(std::future::ready(answer_for_host(server, env))),
        ..at(place)
    }
}

const fn at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::LAST,
        name: "query",
        asks: Asks::Read,
        handle: |server, env| Box::pin(answer_for_account(server, env)),
    }
}

/// The last available session of an account is gone; `status` is what it said. Takes a short lock and waits for nothing.
pub fn note(server: &Server, account: AccountId, status: &str) {
    let end = status.floor_char_boundary(STATUS_BYTES_MAX);
    let last = LastSeen { at_ms: server.clock.unix_ms(), status: status[..end].into() };
    if !server.departures.lock().note(account, last) {
        tracing::debug!(%account, "too many departures wait to be stored; this one is not");
    }
}

/// Submits what was noted: one record for each account, so that one that was deleted meanwhile spoils nobody else's. Where the
/// writer has no room they wait, rather than take it from messages.
pub fn flush(server: &Server) {
    const BYTES: usize = 256;
    server.departures.lock().begin_batch();
    while server.departures.lock().waiting() > 0 {
        let Some(permit) = server.writer.try_permit(BYTES) else { return };
        let Some((owner, last)) = server.departures.lock().submit() else { return };
        server.writer.submit(permit, Record::of(Op::SetLastSeen { owner, last: Box::new(last) }), Load::Quiet);
    }
}

/// Stops a query on its way to a client if its sender may not see the presence of that account (section 4): whether somebody is
/// connected is nobody else's business. All other stanzas pass. An account that does not exist answers like one that hides.
pub async fn refuse_stranger(server: &Arc<Server>, env: &Envelope) -> Result<(), Refuse> {
    let asks = env.stanza.kind == Kind::Iq(IqType::Get) && env.stanza.has(ns::LAST, "query");
    let Some(to) = env.stanza.to.as_ref().filter(|_| asks && env.destination != Destination::OwnAccount) else {
        return Ok(());
    };
    let facts = server.facts.of(&*server.store, to).await?.filter(|facts| facts.is_active());
    let seen = match facts {
        Some(facts) => roster::may_see(server, facts.account.id, &env.stanza.from).await?,
        None => false,
    };
    if seen { Ok(()) } else { Err(Condition::Forbidden.into()) }
}

fn answer_for_host(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let last = Last { seconds: server.clock.steady_ms() / 1000, status: String::new() };
    reply(env, &last);
    Ok(())
}

async fn answer_for_account(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let last = match env.destination {
        // Who asks is there.
        Destination::OwnAccount => Last::default(),
        Destination::Account(Some(owner)) if roster::may_see(server, owner, &env.stanza.from).await? => {
            of_account(server, owner).await?
        }
        _ => return strangers::answer(env),
    };
    reply(env, &last);
    Ok(())
}

/// Zero for who is available. One that is connected and does not show itself is not there: otherwise this would tell what its
/// presence does not.
async fn of_account(server: &Server, owner: AccountId) -> Result<Last, Refuse> {
    if server.sessions.of(owner).iter().any(|session| session.priority().is_some()) {
        return Ok(Last::default());
    }
    let noted = server.departures.lock().of(owner).cloned();
    let last = match noted {
        Some(last) => Some(last),
        None => server.store.last_seen(owner).await?,
    };
    let LastSeen { at_ms, status } = last.ok_or(Condition::ItemNotFound)?;
    Ok(Last { seconds: server.clock.unix_ms().saturating_sub(at_ms) / 1000, status: status.into() })
}

fn reply(env: &mut Envelope, last: &Last) {
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&last.tree()))));
}
