//! The life of a stanza: admit, commit, deliver, each step one line in one function, in order.
//! What clients send enters by `from_client`; what leaves goes into an outbox. Nothing here owns a socket.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admit;
mod ask;
mod audience;
pub mod catch_up;
mod copies;
pub mod csi;
mod deliver;
mod destination;
mod finish;
pub mod inflight;
mod iq;
mod message;
mod order;
pub mod presence;
pub mod push;
mod queue;
mod repeated;
pub mod resumables;
pub mod returned;
pub mod timers;
pub mod workers;

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stanza::{Kind, Received};

use crate::inflight::InFlight;

/// The synchronisation types of the parts that are model-checked; `tests/model.rs` gives them other ones.
pub(crate) use metronome_host::sync;

/// Takes one stanza of a client into its in-flight list: stamps `from` and fixes the rules it is handled under.
///
/// The caller has made sure that the list has room ([`InFlight::has_room`]) and polls it afterwards.
pub fn from_client(server: &Arc<Server>, session: &Arc<Session>, read: Received, list: &mut InFlight) {
    server.counters.stanzas_in.add();
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
    list.push(order, Envelope::new(host, session.clone(), stanza, None));
}
