//! A publish-subscribe service: nodes of many owners, and every subscriber has asked for it.

use metronome_model::NodeKind;
use metronome_proto::jid::Jid;

use super::{ByPresence, OnMissing, Rules};
use crate::config::Config;
use crate::facts::Facts;
use crate::limits::Limits;

/// The rules of a service.
#[derive(Clone, Debug)]
pub struct ServiceRules {
    /// The configuration of new leaf nodes.
    pub leaf: Config,
    /// The configuration of new collections.
    pub collection: Config,
    /// What becomes of a publication to a node that does not exist.
    pub on_missing: OnMissing,
    /// The bounds.
    pub limits: Limits,
}

impl Rules for ServiceRules {
    fn defaults(&self, _node: &str, kind: NodeKind) -> Config {
        match kind {
            NodeKind::Leaf => self.leaf.clone(),
            NodeKind::Collection => self.collection.clone(),
        }
    }

    fn on_missing_node(&self) -> OnMissing {
        self.on_missing
    }

    fn by_presence(&self) -> ByPresence {
        ByPresence::Ignored
    }

    fn owner<'a>(&self, _facts: &Facts<'a>) -> Option<&'a Jid> {
        None
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}
