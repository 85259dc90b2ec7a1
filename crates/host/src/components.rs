//! External components (XEP-0114): their streams, and what waits for them. `route` pushes, the tasks of the streams drain. Which components there
//! are `Hosts::component` knows; what is here is only what they have at the moment, all of it in memory. What must not be lost is in the
//! store's outbox as well, and goes from there only once the component is known to have it.

mod added;
mod asked;
mod attached;
mod component;
mod kept;
mod place;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;

use metronome_proto::jid::Jid;

use crate::hosts::Hosts;
use crate::options::{Kind, Setting};
use crate::sync::Mutex;
pub use added::Added;
pub use attached::{Attached, Drained};
use component::hash_of;
pub use component::{Component, Given, Overdue, Report, TooMany};
pub use kept::Done;
pub use place::Place;

/// What a component proves itself with.
pub const SECRET: Setting = Setting::new(
    "component.secret",
    Kind::Text,
    "\"\"",
    "The secret by which a component proves itself; without one it cannot connect. Write one for each, in `[host.\"NAME\"]`.",
)
.for_new_streams()
.secret()
.per_host();

/// What else it takes.
pub const ROUTES: Setting = Setting::new(
    "component.routes",
    Kind::Domains,
    "[]",
    "Further domains whose stanzas go to this component instead of to another server, and which it may write as senders too. Domains of \
     this server are not among them.",
)
.per_host();

/// What it is called.
pub const NAME: Setting = Setting::new(
    "component.name",
    Kind::Text,
    "\"\"",
    "The name under which clients find the component among the server's services.",
)
.per_host();

/// How much waits for it.
pub const QUEUE: Setting = Setting::new(
    "component.queue",
    Kind::Bytes,
    "\"1 MiB\"",
    "Most bytes that wait for a component that is away or slow, half of them from one sender. Beyond it messages and requests are returned.",
)
.per_host()
.within(16 << 10, 1 << 30);

/// For how long.
pub const KEEP: Setting = Setting::new(
    "component.keep",
    Kind::Duration,
    "\"5 min\"",
    "How long messages and presence wait for a component that is away before they are returned. Requests are returned once it has been \
     away for ten seconds.",
)
.per_host()
.within(0, 86_400_000);

/// How many streams it may have.
pub const STREAMS: Setting = Setting::new(
    "component.streams",
    Kind::Count { min: 1, max: 100 },
    "8",
    "Most streams of one component at the same time. What one sender sends keeps its order: it goes over one of them.",
)
.for_new_streams()
.per_host();

/// When a silent one is asked whether it is there.
pub const IDLE: Setting = Setting::new(
    "component.idle",
    Kind::Duration,
    "\"5 min\"",
    "A component that says nothing for this long gets a ping; if it then stays silent for a minute, its stream is closed.",
)
.for_new_streams()
.per_host()
.within(100, 86_400_000);

/// The settings of components.
pub const SETTINGS: &[Setting] = &[SECRET, ROUTES, NAME, QUEUE, KEEP, STREAMS, IDLE];

/// The components that are connected or for which something waits.
#[derive(Debug, Default)]
pub struct Components(Mutex<HashMap<Box<str>, Arc<Component>>>);

impl Components {
    /// The component with this domain, which the configuration has: as many as it names, no more.
    pub fn of(&self, name: &Jid) -> Arc<Component> {
        let mut known = self.0.lock();
        if let Some(component) = known.get(name.domain()) {
            return component.clone();
        }
        let made = Arc::new(Component::new(name.domain_jid()));
        known.insert(name.domain().into(), made.clone());
        made
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<Component>> {
        self.0.lock().values().cloned().collect()
    }

    /// Forgets one that the configuration does not have any more, unless something of it is left or on its way.
    pub fn forget(&self, gone: Arc<Component>) {
        let mut known = self.0.lock();
        // Besides this one only the table has it: nobody holds a place.
        if Arc::strong_count(&gone) <= 2 && gone.is_unused() {
            known.remove(gone.name.domain());
        }
    }

    /// Bytes that wait in memory.
    pub fn memory_usage(&self) -> usize {
        self.all().iter().map(|component| component.report().bytes).sum()
    }
}

/// Who pays for the room of a stanza from this address: an account of ours for itself, and elsewhere a domain for all its addresses, of which it
/// has as many as it likes.
pub fn payer(hosts: &Hosts, from: &Jid) -> u64 {
    hash_of(if hosts.get(from.domain()).is_some() { from.bare_str() } else { from.domain() })
}
