//! How a stanza that must not be lost leaves this server: as a row of the outbox, and from there into the queue of another server or of a
//! component. Called where such stanzas are admitted.

use std::sync::Arc;

use metronome_model::Record;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

use crate::components::{Component, Place, payer};
use crate::effect::{Effect, Effects};
use crate::remotes::Remote;
use crate::server::Server;

/// The way to one domain, at one moment.
#[derive(Debug, Clone)]
pub enum Way {
    /// To another server, since this Unix time in milliseconds.
    Remote(Arc<Remote>, u64),
    /// To a component.
    Component(ToComponent),
    /// There is none: it is an address of our own, or there are too many other servers.
    Nowhere,
}

/// See [`Way::Component`].
#[derive(Debug, Clone)]
pub struct ToComponent {
    component: Arc<Component>,
    payer: u64,
    /// Steady time in milliseconds.
    now_ms: u64,
    /// Unix time in milliseconds.
    at_ms: u64,
}

/// Where a stanza waits in memory once its row is durable.
#[derive(Debug)]
pub enum Outlet {
    /// In the queue for another server: a pair that somebody holds is not forgotten meanwhile.
    Remote(Arc<Remote>),
    /// In that of a component.
    Component(Place),
}

impl Way {
    /// The way from one address to another.
    pub fn between(server: &Server, from: &Jid, to: &Jid) -> Way {
        let (hosts, at_ms) = (server.hosts.load(), server.clock.unix_ms());
        if let Some(host) = hosts.component(to.domain()) {
            let component = server.components.of(&host.name);
            let (payer, now_ms) = (payer(&hosts, from), server.clock.steady_ms());
            return Way::Component(ToComponent { component, payer, now_ms, at_ms });
        }
        let remote = hosts.is_elsewhere(to.domain()).then(|| server.remotes.of(from, to)).flatten();
        remote.map_or(Way::Nowhere, |remote| Way::Remote(remote, at_ms))
    }

    /// Stores a stanza with what else is in the record, and sends it once that is durable; nothing if there is no way.
    pub fn send(&self, stanza: Arc<Stanza>, record: &mut Record, effects: &mut Effects) {
        let (at_ms, outlet) = match self {
            Way::Remote(remote, at_ms) => (*at_ms, Outlet::Remote(remote.clone())),
            Way::Component(to) => (to.at_ms, Outlet::Component(to.component.place(&stanza, to.payer, to.now_ms))),
            Way::Nowhere => return,
        };
        let place = record.enqueue(at_ms, stanza.clone());
        effects.push(Effect::Outgoing { place, at_ms, stanza, outlet });
    }
}
