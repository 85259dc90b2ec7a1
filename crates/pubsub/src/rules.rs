//! What differs between a service and an account: the defaults, who gets a node by publishing, and whether contacts are told without
//! a subscription. Everything else is one engine.

mod account;
mod service;

use metronome_model::NodeKind;
use metronome_proto::jid::Jid;

use crate::config::Config;
use crate::facts::Facts;
use crate::limits::Limits;

pub use account::AccountRules;
pub use service::ServiceRules;

/// How nodes behave at one kind of address.
pub trait Rules: Send + Sync {
    /// The configuration of a new node of this name and kind.
    fn defaults(&self, node: &str, kind: NodeKind) -> Config;

    /// Whether a publication makes the node that it is for (XEP-0060 section 7.1.4).
    fn on_missing_node(&self) -> OnMissing;

    /// Whether presence subscribes to nodes (XEP-0060 section 9.1).
    fn by_presence(&self) -> ByPresence;

    /// Who is owner of every node without an affiliation, if that is one address; the notices for owners go there as well.
    fn owner<'a>(&self, facts: &Facts<'a>) -> Option<&'a Jid>;

    /// The bounds.
    fn limits(&self) -> &Limits;
}

/// What becomes of a publication to a node that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnMissing {
    /// The node is made, if the publisher may create one.
    Create,
    /// It is refused.
    Refuse,
}

/// Whether a contact counts as a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByPresence {
    /// Those who have a presence subscription, or have shown presence, and want the node.
    Subscribes,
    /// Only explicit subscriptions count.
    Ignored,
}
