//! Stanzas for components (XEP-0114): into the queue of whichever there is, and back to their senders if they cannot go. The queues are in
//! `host/components`, the streams that empty them in `net`.

use std::sync::Arc;

use metronome_host::components::{Component, Given, KEEP, QUEUE};
use metronome_host::hosts::Host;
use metronome_host::outbox::Frame;
use metronome_host::remotes::Pushed;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::stream;

use crate::remotes;

/// Whether a component takes what is for this address.
pub(crate) fn takes(server: &Server, to: &Jid) -> bool {
    server.hosts.load().component(to.domain()).is_some()
}

/// The component that takes what is for this address, and its rules of this moment.
fn of(server: &Server, to: &Jid) -> Option<(Arc<Component>, Arc<Host>)> {
    let host = server.hosts.load().component(to.domain())?.clone();
    Some((server.components.of(&host.name), host))
}

fn bytes_max(host: &Host) -> usize {
    host.values.bytes(&QUEUE) as usize
}

/// Queues a stanza, if it is for a component.
pub(crate) fn push(server: &Server, stanza: &Arc<Stanza>) -> Option<Pushed> {
    let (component, host) = of(server, stanza.to.as_ref()?)?;
    Some(match component.push(stanza.clone(), server.clock.steady_ms(), bytes_max(&host)) {
        Given::Queued => Pushed::Queued,
        Given::Full => Pushed::Full,
    })
}

/// Hands a component what is told to many, if that is whom it is for.
pub(crate) fn tell(server: &Server, from: &Jid, to: &Jid, frame: impl FnOnce() -> Frame) -> bool {
    let Some((component, host)) = of(server, to) else { return false };
    let frame = frame();
    if component.push_announced(from, frame, server.clock.steady_ms(), bytes_max(&host)) == Given::Full {
        server.counters.dropped.add();
    }
    true
}

/// By the clock, once a second: what has waited for too long goes back, and a component that the configuration does not have any more ends.
pub(crate) fn tick(server: &Server) {
    let (hosts, now_ms) = (server.hosts.load_full(), server.clock.steady_ms());
    for component in server.components.all() {
        let name = component.name.as_str();
        let keep_ms = match hosts.component(name) {
            Some(host) => host.values.duration(&KEEP).as_millis() as u64,
            None => {
                component.close(stream::error::Condition::HostGone);
                0
            }
        };
        for stanza in component.take_overdue(now_ms, keep_ms) {
            give_back(server, &stanza);
        }
        if hosts.component(name).is_none() && !component.is_connected() {
            server.components.forget(name);
        }
    }
}

/// Returns everything that waits; for the end of the server, as none of it is stored.
pub fn give_all_back(server: &Server) {
    for component in server.components.all() {
        for stanza in component.take_overdue(server.clock.steady_ms(), 0) {
            give_back(server, &stanza);
        }
    }
}

fn give_back(server: &Server, stanza: &Stanza) {
    let error = StanzaError::new(Condition::ServiceUnavailable).with_type(ErrorType::Wait);
    remotes::give_back(server, stanza, &error.with_text("the component is not connected"));
}
