//! An account as a service of its own (XEP-0163): one owner, nodes made by publishing, contacts told by presence.

use metronome_model::NodeKind;
use metronome_proto::jid::Jid;

use super::{ByPresence, OnMissing, Rules};
use crate::config::{Amount, Config};
use crate::facts::Facts;
use crate::limits::Limits;
use crate::profiles;

/// The rules of an account, or of a domain that has nodes as an account has.
#[derive(Clone, Debug)]
pub struct AccountRules {
    /// The configuration of new leaf nodes.
    pub leaf: Config,
    /// The configuration of new collections.
    pub collection: Config,
    /// Nodes that hold one item unless they are configured otherwise; a name that ends in `*` stands for all that begin like it.
    pub singletons: Vec<Box<str>>,
    /// The bounds.
    pub limits: Limits,
}

impl AccountRules {
    fn is_singleton(&self, node: &str) -> bool {
        self.singletons.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => node.starts_with(beginning),
            None => **name == *node,
        })
    }
}

impl Rules for AccountRules {
    fn defaults(&self, node: &str, kind: NodeKind) -> Config {
        let mut config = match kind {
            NodeKind::Leaf => profiles::by_name(node, self.leaf.clone()),
            NodeKind::Collection => self.collection.clone(),
        };
        if self.is_singleton(node) {
            config.max_items = Amount::Count(1);
        }
        config
    }

    fn on_missing_node(&self) -> OnMissing {
        OnMissing::Create
    }

    fn by_presence(&self) -> ByPresence {
        ByPresence::Subscribes
    }

    fn owner<'a>(&self, facts: &Facts<'a>) -> Option<&'a Jid> {
        Some(facts.address)
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}
