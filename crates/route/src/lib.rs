//! The life of a stanza: admit, commit, deliver, each step one line in one function, in order.
//! What clients send enters by `from_client`, what other servers send by `from_remote`, what components send by
//! `from_component`; what leaves goes into an outbox. Nothing here owns a socket.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admit;
mod ask;
mod audience;
pub mod catch_up;
pub mod components;
mod copies;
pub mod csi;
mod deliver;
mod destination;
mod finish;
pub mod inflight;
pub mod interests;
mod iq;
mod last_items;
mod made;
mod message;
mod notify;
mod order;
pub mod presence;
pub mod push;
mod queue;
pub mod remotes;
mod repeated;
pub mod resumables;
pub mod returned;
pub mod rooms;
pub mod server_info;
pub mod timers;
mod visits;
mod waking;
pub mod workers;
mod written;

use std::sync::Arc;

use metronome_host::envelope::{Envelope, Sender};
use metronome_host::hosts::Host;
use metronome_host::links::Link;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, Received, Stanza};

use crate::inflight::InFlight;

/// The synchronisation types of the parts that are model-checked; `tests/model.rs` gives them other ones.
pub(crate) use metronome_host::sync;

/// Takes one stanza of a client into its in-flight list: stamps `from` and fixes the rules it is handled under.
///
/// The caller has made sure that the list has room ([`InFlight::has_room`]) and polls it afterwards.
pub fn from_client(server: &Arc<Server>, session: &Arc<Session>, read: Received, list: &mut InFlight) {
    server.counters.from_clients.add(read.kind.name());
    // An earlier process has stored it, and could not say so before it ended.
    if list.is_repeated() {
        return list.push_settled();
    }
    let stanza = read.stamp(session.jid.clone());
    if matches!(stanza.kind, Kind::Iq(_)) && iq::is_answer_for_us(server, session, &stanza) {
        return list.push_settled();
    }
    // The rules of this moment: a reload counts from the next stanza on, and never midway through one.
    let Some(host) = server.hosts.load().get(session.jid.domain()).cloned() else { return list.push_settled() };
    let order = order::of(server, &stanza);
    list.push(order, Envelope::new(host, Sender::Session(session.clone()), stanza, None));
}

/// Takes one stanza that has come over a link into the link's list. The stream has proved that it may come from its `from`, and that `to` is an
/// address of ours; one that lacks either address goes no further.
///
/// The caller has made sure that the list has room ([`InFlight::has_room`]) and polls it afterwards. One account that is slow has only so
/// many places in the list: what goes beyond them is refused, so that the others are not held up.
pub fn from_remote(server: &Arc<Server>, link: &Arc<Link>, read: Received, list: &mut InFlight) {
    server.counters.from_servers.add(read.kind.name());
    let (Some(from), Some(to)) = (read.from.clone(), read.to.clone()) else { return list.push_settled() };
    let stanza = read.stamp(from);
    let hosts = server.hosts.load();
    let Some(host) = hosts.spoken_for(to.domain()) else { return list.push_settled() };
    if hosts.answering(to.domain()).is_some() && iq::is_remote_answer_for_us(server, &stanza) {
        return list.push_settled();
    }
    take(server, link, host, stanza, list);
}

/// Takes one stanza that a component has sent into its link's list, as [`from_remote`] does. The stream has seen to it that `from` is of a domain
/// of the component, whose rules `component` has; where `to` leads does not matter, but there must be one.
pub fn from_component(
    server: &Arc<Server>,
    component: &Arc<Host>,
    link: &Arc<Link>,
    stanza: Stanza,
    list: &mut InFlight,
) {
    server.counters.from_components.add(stanza.kind.name());
    let Some(to) = &stanza.to else { return list.push_settled() };
    let hosts = server.hosts.load();
    let served = hosts.answering(to.domain());
    if served.is_some() && iq::is_remote_answer_for_us(server, &stanza) {
        return list.push_settled();
    }
    take(server, link, served.unwrap_or(component), stanza, list);
}

/// Puts a stanza of a link into its list, unless its recipient has as many there as it may have.
fn take(server: &Arc<Server>, link: &Arc<Link>, host: &Arc<Host>, stanza: Stanza, list: &mut InFlight) {
    if stanza.to.as_ref().is_some_and(|to| !list.has_place_for(to)) {
        server.counters.dropped.add();
        if let (true, Some(error)) = (deserves_answer(stanza.kind), stanza.error(&Condition::ResourceConstraint.into()))
        {
            remotes::send(server, error);
        }
        return list.push_settled();
    }
    let order = order::of_remote(server, &stanza);
    list.push(order, Envelope::new(host.clone(), Sender::Link(link.clone()), stanza, None));
}

/// Whether whoever sent it must hear that it was not taken: nobody waits for what becomes of a presence.
fn deserves_answer(kind: Kind) -> bool {
    !matches!(kind, Kind::Presence(_))
}
