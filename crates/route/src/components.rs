//! Stanzas for components (XEP-0114): into the queue of whichever there is, and back to their senders if they cannot go. The queues are in
//! `host/components`, the streams that empty them in `net`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use metronome_host::components::{Component, Done, Given, KEEP, Overdue, QUEUE, payer};
use metronome_host::hosts::Host;
use metronome_host::links::{Link, LinkKind};
use metronome_host::outbox::Frame;
use metronome_host::remotes::Pushed;
use metronome_host::server::{Load, Server};
use metronome_model::{Op, Outgoing, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::{Name, Stanza};
use metronome_proto::stream;
use metronome_store::StoreError;

use crate::remotes::{self, PAGE_ROWS, REMOVAL_BYTES};

/// Whether a component takes what is for this address.
pub(crate) fn takes(server: &Server, to: &Jid) -> bool {
    server.hosts.load().component(to.domain()).is_some()
}

/// Whether the address is of the domain of a component itself, and not of one that it has taken over.
pub(crate) fn is_own(server: &Server, to: &Jid) -> bool {
    server.hosts.load().known(to.domain()).is_some()
}

/// The component that takes what is for this address, and its rules of this moment.
fn of(server: &Server, to: &Jid) -> Option<(Arc<Component>, Arc<Host>)> {
    let host = server.hosts.load().component(to.domain())?.clone();
    Some((server.components.of(&host.name), host))
}

fn bytes_max(host: &Host) -> usize {
    host.values.bytes(&QUEUE) as usize
}

/// Whether a component has room for one more stanza from there that is to be stored; none if the address is no component's.
pub(crate) fn has_room(server: &Server, from: &Jid, to: &Jid) -> Option<bool> {
    let (component, host) = of(server, to)?;
    Some(component.has_room(payer(&server.hosts.load(), from), bytes_max(&host)))
}

/// Queues a stanza that is not stored, if it is for a component.
pub(crate) fn push(server: &Server, stanza: &Arc<Stanza>) -> Option<Pushed> {
    let (component, host) = of(server, stanza.to.as_ref()?)?;
    let payer = payer(&server.hosts.load(), &stanza.from);
    Some(match component.push(stanza.clone(), payer, server.clock.steady_ms(), bytes_max(&host)) {
        Given::Queued => {
            server.counters.to_components.add(stanza.kind.name());
            Pushed::Queued
        }
        Given::Full => Pushed::Full,
    })
}

/// Hands a component what is told to many, if that is whom it is for.
pub(crate) fn tell(server: &Server, from: &Jid, to: &Jid, kind: Name, frame: impl FnOnce() -> Frame) -> bool {
    let Some((component, host)) = of(server, to) else { return false };
    let (frame, payer) = (frame(), payer(&server.hosts.load(), from));
    match component.push_announced(from, frame, payer, server.clock.steady_ms(), bytes_max(&host)) {
        Given::Queued => server.counters.to_components.add(kind),
        Given::Full => server.counters.dropped.add(),
    }
    true
}

/// Parts what an earlier process has left into what is for components and what is for other servers.
pub(crate) fn of_components(server: &Server, left: Vec<Outgoing>) -> (Vec<Outgoing>, Vec<Outgoing>) {
    left.into_iter().partition(|waiting| takes(server, &waiting.remote))
}

/// Reads what an earlier process has left for components. It was bounded when it was stored.
pub(crate) async fn take_up(server: &Server, left: Vec<Outgoing>) -> Result<(), StoreError> {
    let pairs: BTreeSet<(Box<str>, Box<str>)> =
        left.iter().map(|waiting| (waiting.sender.domain().into(), waiting.remote.domain().into())).collect();
    let mut rows = Vec::new();
    for (local, remote) in pairs {
        let mut after = 0;
        loop {
            let page = server.store.outbox(&local, &remote, after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            rows.extend(page);
        }
    }
    // In the order of the commits, whoever sent them.
    rows.sort_by_key(|row| row.id);
    let hosts = server.hosts.load_full();
    for row in rows {
        if let Some((component, _)) = row.stanza.to.as_ref().and_then(|to| of(server, to)) {
            let payer = payer(&hosts, &row.stanza.from);
            component.left(row, payer, server.clock.steady_ms());
        }
    }
    Ok(())
}

/// By the clock, once a second: what has waited for too long goes back, the outbox forgets what has arrived, and a component that the
/// configuration does not have any more ends.
pub(crate) fn tick(server: &Arc<Server>) {
    let (hosts, now_ms) = (server.hosts.load_full(), server.clock.steady_ms());
    for component in server.components.all() {
        let known = hosts.component(component.name.as_str());
        if known.is_none() {
            component.close(stream::error::Condition::HostGone);
        }
        let keep_ms = known.map_or(0, |host| host.values.duration(&KEEP).as_millis() as u64);
        let overdue = component.take_overdue(now_ms, keep_ms);
        give_all_of_back(server, &component, overdue);
        component.look_for_answers(now_ms);
        forget_done(server, &component);
        if known.is_none() {
            server.components.forget(component);
        }
    }
}

/// The server stops and its streams have ended: what has arrived is removed, so that the next process does not send it again.
pub(crate) async fn flush_done(server: &Server) {
    for component in server.components.all() {
        for done in component.take_done(|local, remote| !is_left(server, local, remote)) {
            let permit = server.writer.permit(REMOVAL_BYTES).await;
            server.writer.submit(permit, removal(done), Load::Quiet);
        }
    }
}

/// What was stored before the domain was a component's is with the remotes still, and has lower numbers.
fn is_left(server: &Server, local: &str, remote: &str) -> bool {
    let (Ok(local), Ok(remote)) = (Jid::parse(local), Jid::parse(remote)) else { return false };
    server.remotes.known(&local, &remote).is_some_and(|remote| remote.report().rows > 0)
}

fn removal(Done { local, remote, to }: Done) -> Record {
    Record::of(Op::Dequeue { local, remote, to })
}

/// Submits what has arrived as removals.
fn forget_done(server: &Server, component: &Component) {
    let mut permits = Vec::new();
    let done = component.take_done(|local, remote| {
        let permit = if is_left(server, local, remote) { None } else { server.writer.try_permit(REMOVAL_BYTES) };
        let may = permit.is_some();
        permits.extend(permit);
        may
    });
    for (done, permit) in done.into_iter().zip(permits) {
        server.writer.submit(permit, removal(done), Load::Quiet);
    }
}

/// Returns everything that waits and is not stored; for the end of the server.
pub fn give_all_back(server: &Server) {
    for component in server.components.all() {
        for Overdue { stanza, .. } in component.take_volatile() {
            remotes::give_back(server, &stanza, &away());
        }
    }
}

/// Returns what has waited: what is not stored at once, and the rest in its order, by rows of its senders' archives.
fn give_all_of_back(server: &Arc<Server>, component: &Arc<Component>, overdue: Vec<Overdue>) {
    let (rows, others): (Vec<_>, Vec<_>) = overdue.into_iter().partition(|overdue| overdue.row.is_some());
    for Overdue { stanza, .. } in others {
        remotes::give_back(server, &stanza, &away());
    }
    if rows.is_empty() {
        return;
    }
    let (server, component) = (server.clone(), component.clone());
    tokio::spawn(async move {
        let link = Link::new(0, LinkKind::Component, component.name.as_str(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        for Overdue { row, stanza } in rows {
            remotes::give_row_back(&server, &link, (*stanza).clone(), &away()).await;
            // Behind it: whatever happens in between, a row is returned or still there.
            row.into_iter().for_each(|row| component.returned(row, &stanza));
        }
    });
}

/// What senders are told (RFC 6120 section 8.3.3.13): it is worth trying again.
fn away() -> StanzaError {
    StanzaError::new(Condition::RecipientUnavailable).with_text("the component is not connected")
}
