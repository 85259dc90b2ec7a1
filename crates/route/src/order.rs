//! The order of a stream's stanzas (RFC 6120 section 10.1): which of them must wait for which.

use std::hash::{DefaultHasher, Hash, Hasher};

use metronome_host::feature::{Asks, At};
use metronome_host::server::Server;
use metronome_proto::stanza::{Kind, Stanza};

/// What a stanza waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// For nothing: it is answered from the host's snapshot alone.
    Free,
    /// For everything before it, and everything behind it waits for it.
    All,
    /// For those before it to the same bare address, told by its hash: two addresses with one hash merely wait more.
    To(u64),
}

/// The order of a stanza from one of our clients. No `to` means the own account.
pub(crate) fn of(server: &Server, stanza: &Stanza) -> Order {
    let address = stanza.to.as_ref().unwrap_or(&stanza.from).bare_str();
    match stanza.kind {
        Kind::Presence(_) if stanza.to.is_none() => Order::All,
        Kind::Iq(kind) => {
            let at = if stanza.to.as_ref().is_some_and(|to| to.is_domain()) { At::Host } else { At::OwnAccount };
            let own = address == stanza.from.bare_str() || at == At::Host;
            let payload = stanza.content.iter().next();
            let handler =
                payload.filter(|_| own).and_then(|payload| server.registry.iq(at, kind, payload.ns(), payload.name()));
            match handler.map(|handler| handler.asks) {
                Some(Asks::Snapshot) => Order::Free,
                Some(Asks::Change) => Order::All,
                Some(Asks::Read) | None => to(address),
            }
        }
        _ => to(address),
    }
}

fn to(address: &str) -> Order {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    Order::To(hasher.finish())
}
