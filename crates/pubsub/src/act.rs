//! What every verb has at hand: who asks, what is known, and the rules of the place. Here access is asked for, and here a refusal
//! gets its error.

use std::sync::Arc;

use metronome_model::Affiliation;
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::{PubsubError, Reason};
use metronome_proto::stanza::error::{Condition, ErrorType};

use crate::access::{Claim, Trust, Verb, Verdict, Why, asks_for_trust, judge};
use crate::attachments;
use crate::facts::{Facts, Standing};
use crate::known::{Known, Stop};
use crate::limits::Limits;
use crate::node::Node;
use crate::rules::Rules;

/// A request while it is decided.
#[derive(Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) known: &'a Known,
    pub(crate) rules: &'a dyn Rules,
}

impl<'a> Act<'a> {
    pub(crate) fn limits(&self) -> &'a Limits {
        self.rules.limits()
    }

    /// A node that may not exist.
    pub(crate) fn find(&self, name: &str) -> Result<Option<&'a Arc<Node>>, Stop> {
        Ok(self.known.node(name)?.filter(|node| node.moved().is_none()))
    }

    /// What is left of a node that is no more.
    pub(crate) fn trace(&self, name: &str) -> Result<Option<&'a Arc<Node>>, Stop> {
        Ok(self.known.node(name)?.filter(|node| node.moved().is_some()))
    }

    /// A node that has to exist. Of one that has moved those hear where to who could know of it.
    pub(crate) fn node(&self, name: &str) -> Result<&'a Arc<Node>, Stop> {
        let absent = Stop::from(Condition::ItemNotFound);
        if let Some(trace) = self.trace(name)? {
            let may_know = self.verdict(trace, Verb::Discover)? == Verdict::Granted;
            let gone = PubsubError::new(Condition::Gone).with_new_address(&trace.config.moved);
            return Err(if may_know { gone.into() } else { absent });
        }
        self.find(name)?.ok_or(absent)
    }

    /// What somebody is to a node: the owner of all nodes is owner of each, whatever its rows say.
    pub(crate) fn affiliation(&self, node: &Node, who: &Jid) -> Option<Affiliation> {
        let owns_all = match self.facts.standing {
            Standing::Owner => who.same_bare(self.facts.from),
            _ => false,
        };
        if owns_all || self.is_owner_of_all(who) { Some(Affiliation::Owner) } else { node.affiliation(who) }
    }

    /// Whether every node is theirs by the rules of the place.
    pub(crate) fn is_owner_of_all(&self, who: &Jid) -> bool {
        self.rules.owner(self.facts).is_some_and(|owner| owner.same_bare(who))
    }

    /// What comes of the wish of whoever asks.
    pub(crate) fn verdict(&self, node: &Node, verb: Verb) -> Result<Verdict, Stop> {
        self.verdict_for(node, verb, self.facts.from)
    }

    /// What would come of somebody's wish.
    pub(crate) fn verdict_for(&self, node: &Node, verb: Verb, who: &Jid) -> Result<Verdict, Stop> {
        let judged = self.guard(node)?.map_or(node, |guard| &**guard);
        let affiliation = self.affiliation(judged, who);
        let asks = asks_for_trust(verb, affiliation, judged.config.access_model);
        let trust = if asks { self.known.trust(&judged.name, who)? } else { &Trust::NONE };
        let claim = Claim { affiliation, ..judged.claim(who, trust, self.facts.now_ms) };
        match judge(verb, claim, judged.policy()) {
            // Only the other node can be asked for that.
            Verdict::NeedsApproval if judged.name != node.name => Ok(Verdict::Refused(Why::NotSubscribed)),
            verdict => Ok(verdict),
        }
    }

    /// The node of which it is asked who may do what with this one, if that is another; without it nobody may.
    pub(crate) fn guard(&self, node: &Node) -> Result<Option<&'a Arc<Node>>, Stop> {
        attachments::guard(&node.name).map(|guard| self.node(&guard)).transpose()
    }

    /// Refuses what whoever asks may not do.
    pub(crate) fn require(&self, node: &Node, verb: Verb) -> Result<(), Stop> {
        match self.verdict(node, verb)? {
            Verdict::Granted => Ok(()),
            Verdict::NeedsApproval => Err(refusal(Why::NotSubscribed).into()),
            Verdict::Refused(why) => Err(refusal(why).into()),
        }
    }

    /// A node that is managed by whoever asks.
    pub(crate) fn managed(&self, name: &str) -> Result<&'a Arc<Node>, Stop> {
        let node = self.node(name)?;
        self.require(node, Verb::Manage)?;
        Ok(node)
    }

    /// The bare addresses that get what concerns the owners of a node: those with the affiliation, and the owner of all.
    pub(crate) fn owners(&self, node: &Node) -> Vec<Jid> {
        let mut owners: Vec<_> = self.rules.owner(self.facts).map(Jid::bare).into_iter().collect();
        owners.extend(node.affiliated(Affiliation::Owner).cloned());
        owners.sort();
        owners.dedup();
        owners
    }

    /// Whether somebody acts for this address: the same account, or an owner of all nodes.
    pub(crate) fn acts_for(&self, who: &Jid) -> bool {
        who.same_bare(self.facts.from) || self.facts.standing == Standing::Owner
    }
}

/// The error of a refusal (sections 6.1.3 and 6.5.9).
pub(crate) fn refusal(why: Why) -> PubsubError {
    match why {
        Why::Forbidden => Condition::Forbidden.into(),
        Why::NoPresence => Reason::PresenceSubscriptionRequired.error(),
        Why::NotInGroup => Reason::NotInRosterGroup.error(),
        Why::Closed => Reason::ClosedNode.error(),
        Why::NotSubscribed => Reason::NotSubscribed.beside(Condition::NotAuthorized).with_type(ErrorType::Auth),
    }
}

/// The answer where a node or a service lacks something.
pub(crate) fn unsupported(feature: &'static str) -> Stop {
    Reason::Unsupported(feature).error().into()
}
