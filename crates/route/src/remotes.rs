//! Stanzas for other servers: what is stored for them, what is not, and what comes back. The queues are in `host/remotes`, the streams that
//! empty them in `net`. Whatever cannot go is returned to its sender here; nothing waits for a socket.

mod going_back;

use std::sync::Arc;

use metronome_features::archive::{Decision, Worth};
use metronome_features::muc;
use metronome_host::announcement::Announcement;
use metronome_host::effect::Effect;
use metronome_host::envelope::{Envelope, Sender};
use metronome_host::hosts::Keeps;
use metronome_host::links::LinkKind;
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::remotes::{Backlog, Bounds, Failure, FailureKind, KEEP, Pushed, Remote};
use metronome_host::rooms::Item;
use metronome_host::server::{Load, Server};
use metronome_host::session::Session;
use metronome_host::way::{Outlet, Way};
use metronome_model::{Op, OutboxRow, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::{Kind, Name, Stanza};
use metronome_store::{Permit, StoreError};

use crate::{components, deliver, presence};
pub(crate) use going_back::give_row_back;
use going_back::{give_back_overdue, return_too_large};

/// Rows read at once.
pub(crate) const PAGE_ROWS: usize = 128;

/// What the removal of rows costs of the writer's room.
pub(crate) const REMOVAL_BYTES: usize = 512;

/// Why nobody here speaks to other servers.
const CLOSED: Failure = Failure { kind: FailureKind::NoServer, text: "this server does not speak to others" };

/// Whether a stanza may go to another server, or to a component, at all. Guests speak to nobody on other servers (XEP-0175 section 5).
pub(crate) fn refuse(server: &Server, env: &Envelope) -> Result<(), Refuse> {
    if let Some(to) = env.stanza.to.as_ref().filter(|to| components::takes(server, to)) {
        return match &env.sender {
            // Where a component has taken over the way to another server, that is no way around this.
            Sender::Session(session) if session.is_guest() && !components::is_own(server, to) => Err(guest().into()),
            _ => Ok(()),
        };
    }
    if !server.remotes.is_open() {
        return Err(CLOSED.error().into());
    }
    let to = env.stanza.to.as_ref().map(Jid::domain).unwrap_or_default();
    if let Err(closed) = server.gate.judge(&env.host, to, server.clock.unix_ms()) {
        tracing::debug!(remote = to, why = closed.as_str(), "nothing is exchanged with another server");
        return Err(StanzaError::new(Condition::RemoteServerNotFound)
            .with_text("nothing is exchanged with this server")
            .into());
    }
    match &env.sender {
        Sender::Session(session) => refuse_session(server, env, session),
        // Other servers know a component by its own domain only.
        Sender::Link(link) => match server.hosts.load().spoken_for(env.stanza.from.domain()) {
            Some(_) if link.kind == LinkKind::Component => Ok(()),
            _ => Err(Condition::Forbidden.into()),
        },
    }
}

/// What an account may not: a guest nothing at all, and nobody too many new servers.
fn refuse_session(server: &Server, env: &Envelope, session: &Session) -> Result<(), Refuse> {
    if session.is_guest() {
        return Err(guest().into());
    }
    let meets = env.stanza.to.as_ref().is_some_and(|to| !server.remotes.knows(&env.stanza.from, to));
    if meets && !server.gate.may_meet(&env.host.values, session.jid.bare_str(), server.clock.steady_ms()) {
        let text = "you have written to too many other servers lately";
        return Err(StanzaError::new(Condition::PolicyViolation).with_text(text).into());
    }
    Ok(())
}

fn guest() -> StanzaError {
    StanzaError::new(Condition::RemoteServerNotFound).with_text("guests speak to nobody on other servers")
}

/// A message that matters gets a row that goes only once the other server is known to have it. Whatever else is in the record becomes durable
/// with it.
pub(crate) fn keep_outgoing(server: &Server, env: &mut Envelope, decision: Decision) -> Result<(), Refuse> {
    refuse(server, env)?;
    if decision.worth == Worth::Nothing || env.host.keeps == Keeps::Nothing {
        return Ok(());
    }
    refuse_full(server, &env.stanza)?;
    let Some(to) = &env.stanza.to else { return Ok(()) };
    match Way::between(server, &env.stanza.from, to) {
        Way::Nowhere => Err(Condition::ResourceConstraint.into()),
        way => {
            way.send(env.stanza.clone(), &mut env.record, &mut env.effects);
            Ok(())
        }
    }
}

/// Whether one more stanza of its sender may be stored for the other server, or for the component.
pub(crate) fn refuse_full(server: &Server, stanza: &Stanza) -> Result<(), Refuse> {
    let Some(to) = &stanza.to else { return Ok(()) };
    let judged = match components::has_room(server, &stanza.from, to) {
        Some(true) => Ok(()),
        Some(false) => Err(Pushed::Full),
        None => match server.remotes.of(&stanza.from, to) {
            Some(remote) => remote.refuse_stored(&stanza.from),
            None => Err(Pushed::Full),
        },
    };
    judged.map_err(|pushed| pushed.error().map_or(Refuse::Drop("it waits already"), Refuse::from))
}

/// Queues what is not stored.
pub(crate) fn push(server: &Server, stanza: Arc<Stanza>) -> Pushed {
    if let Some(pushed) = components::push(server, &stanza) {
        return pushed;
    }
    if !server.remotes.is_open() {
        return Pushed::Down(CLOSED);
    }
    let Some(remote) = stanza.to.as_ref().and_then(|to| server.remotes.of(&stanza.from, to)) else {
        return Pushed::Full;
    };
    let kind = stanza.kind.name();
    let pushed = remote.push(stanza);
    if pushed == Pushed::Queued {
        server.counters.to_servers.add(kind);
    }
    pushed
}

/// Sends what the server itself makes; its account hears if it cannot go, unless it is an answer.
pub fn send(server: &Server, stanza: Stanza) {
    // An error about what the server itself has made: there is nobody who waits for it.
    if let Some(to) = stanza.to.as_ref().filter(|to| !is_remote(server, to)) {
        return match muc::is_room(server, to) {
            true => server.rooms.tell(&to.bare(), Item::Returned(Box::new(stanza))),
            false => server.counters.dropped.add(),
        };
    }
    let stanza = Arc::new(stanza);
    if let Some(error) = push(server, stanza.clone()).error() {
        give_back(server, &stanza, &error);
    }
}

/// Shows a presence to somebody on another server; nobody hears if it cannot go.
pub(crate) fn announce(server: &Server, from: &Jid, announcement: &Announcement, to: &Jid) {
    tell(server, from, to, Name::Presence, || announcement.to(to.as_str()));
}

/// Hands somebody on another server, or a component, a stanza of this kind that is told to many; nobody hears if it cannot go.
pub(crate) fn tell(server: &Server, from: &Jid, to: &Jid, kind: Name, mut frame: impl FnMut() -> Frame) {
    if components::tell(server, from, to, kind, &mut frame) {
        return;
    }
    if server.remotes.is_open()
        && let Some(remote) = server.remotes.of(from, to)
    {
        match remote.push_announced(from, frame()) {
            Pushed::Queued => server.counters.to_servers.add(kind),
            _ => server.counters.dropped.add(),
        }
    }
}

/// Whether an address is on another server, or a component's.
pub(crate) fn is_remote(server: &Server, jid: &Jid) -> bool {
    server.hosts.load().is_elsewhere(jid.domain())
}

/// Hands what a record has stored for other servers and components to their queues; on the writer's thread, so that they get it in the order of
/// the numbers.
pub(crate) fn committed(effects: &[Effect], outcome: &Outcome) {
    let Outcome::Done { ids } = outcome else { return };
    for effect in effects {
        let Effect::Outgoing { place, at_ms, stanza, outlet } = effect else { continue };
        let Some(&row) = ids.get(*place) else { continue };
        match outlet {
            Outlet::Component(room) => room.fill(row, stanza),
            Outlet::Remote(remote) => remote.push_stored(row, *at_ms, stanza.clone()),
        }
    }
}

/// Returns a stanza with an error to whoever it is from, unless it was one itself or an answer.
pub(crate) fn give_back(server: &Server, stanza: &Stanza, error: &StanzaError) {
    let Some(error) = stanza.error(error) else { return };
    server.counters.bounced.add();
    let Some(to) = error.to.clone() else { return };
    if muc::is_room(server, &to) {
        return server.rooms.tell(&to.bare(), Item::Returned(Box::new(error)));
    }
    if is_remote(server, &to) {
        if push(server, Arc::new(error)) != Pushed::Queued {
            server.counters.dropped.add();
        }
        return;
    }
    match error.kind {
        Kind::Iq(_) if server.asked.answer(&error) => {}
        Kind::Iq(_) => {
            if let Some(session) = server.sessions.at(&to) {
                server.counters.delivered.add(Name::Iq);
                session.answer(Frame::whole(error.to_vec()));
            }
        }
        Kind::Message(_) => {
            let taken =
                server.sessions.online(to.bare_str()).map(|owner| deliver::hand_volatile(server, &error, owner));
            if taken.unwrap_or_default() == 0 {
                server.counters.dropped.add();
            }
        }
        Kind::Presence(_) => presence::given_back(server, &error, &to),
    }
}

/// Reads what an earlier process has left in the outbox. Called once, before streams are made.
pub async fn take_up(server: &Server) -> Result<(), StoreError> {
    set_bounds(server);
    let (for_components, for_others) = components::of_components(server, server.store.outgoing().await?);
    server.remotes.left(&for_others);
    components::take_up(server, for_components).await
}

/// The rules of this moment.
fn set_bounds(server: &Server) {
    let hosts = server.hosts.load();
    server.remotes.set_bounds(Bounds::of(&hosts.values));
    server.remotes.set_components(hosts.components().map(|host| host.name.as_str()));
}

/// No stream to a pair came about: what is not stored goes back to its senders, and what is stored too if there is no such server.
pub fn failed(server: &Arc<Server>, remote: &Arc<Remote>, failure: Failure) {
    tracing::info!(
        host = remote.local.as_str(),
        remote = remote.remote.as_str(),
        why = failure.text,
        "no stream to another server"
    );
    let error = failure.error();
    for stanza in remote.failed(failure, server.clock.steady_ms()) {
        give_back(server, &stanza, &error);
    }
    give_back_overdue(server, remote, keep_ms(server));
}

/// For how long stored stanzas wait, in milliseconds.
fn keep_ms(server: &Server) -> u64 {
    server.hosts.load().values.duration(&KEEP).as_millis() as u64
}

/// Reads the next rows of the outbox for the stream that carries a pair: what [`Carrier::reads`] says. The stream's own task polls it beside
/// everything else and gives them to [`Carrier::fill`].
///
/// [`Carrier::reads`]: metronome_host::remotes::Carrier::reads
/// [`Carrier::fill`]: metronome_host::remotes::Carrier::fill
pub async fn page(server: Arc<Server>, remote: Arc<Remote>, read: Backlog) -> Result<Vec<OutboxRow>, StoreError> {
    server.store.outbox(remote.local.domain(), remote.remote.domain(), read.after, PAGE_ROWS).await
}

/// By the clock, once a second: pairs are tried again, the outbox forgets what has arrived, and what has waited for too long goes back.
pub(crate) fn tick(server: &Arc<Server>) {
    set_bounds(server);
    server.remotes.tick(server.clock.steady_ms());
    let keep_ms = keep_ms(server);
    for remote in server.remotes.all() {
        forget_done(server, &remote);
        return_too_large(server, &remote);
        give_back_overdue(server, &remote, keep_ms);
    }
}

/// Submits what has arrived as removals. Where the writer has no room they wait, rather than take it from messages.
fn forget_done(server: &Server, remote: &Remote) {
    if remote.has_done()
        && let Some(permit) = server.writer.try_permit(REMOVAL_BYTES)
    {
        forget_done_with(server, remote, permit);
    }
}

fn forget_done_with(server: &Server, remote: &Remote, permit: Permit) {
    if let Some(to) = remote.take_done() {
        server.writer.submit(permit, dequeue(remote, to), Load::Quiet);
    }
}

/// The server stops and its streams have ended: what has arrived is removed, so that the next process does not send it again.
pub async fn flush_done(server: &Server) {
    for remote in server.remotes.all().into_iter().filter(|remote| remote.has_done()) {
        let permit = server.writer.permit(REMOVAL_BYTES).await;
        forget_done_with(server, &remote, permit);
    }
    components::flush_done(server).await;
}

/// What a stream was to carry is larger than the other side takes (XEP-0478 section 4), and is not stored.
pub fn too_large(server: &Server, stanza: &Stanza) {
    give_back(server, stanza, &going_back::too_large());
}

fn dequeue(remote: &Remote, to: u64) -> Record {
    Record::of(Op::Dequeue { local: remote.local.domain().into(), remote: remote.remote.domain().into(), to })
}
