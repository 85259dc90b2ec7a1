//! Who may do what with a node: the affiliations of XEP-0060 section 4.1 and the access models of section 4.5 as one table.
//! Asked by every verb, and again for every recipient when something is delivered, so that access follows the roster live.

#[cfg(test)]
mod tests;

use metronome_model::{Affiliation, SubscriptionState};

use crate::config::{AccessModel, PublishModel};

/// What somebody wants to do with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Subscribe to it.
    Subscribe,
    /// Retrieve its items, and be told of them.
    Read,
    /// Publish an item with a new id, or in the place of an own one.
    Publish,
    /// Remove an item that they published.
    RetractOwn,
    /// Remove or replace an item that somebody else published.
    RetractOther,
    /// Remove all items.
    Purge,
    /// Configure it, delete it, and say who may do what: the owner use cases of section 8.
    Manage,
    /// See that it is there, and what it is about (sections 5.2 to 5.4).
    Discover,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 8] = [
        Verb::Subscribe,
        Verb::Read,
        Verb::Publish,
        Verb::RetractOwn,
        Verb::RetractOther,
        Verb::Purge,
        Verb::Manage,
        Verb::Discover,
    ];
}

/// What the owners of a node let somebody see by way of their rosters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Whether they have a subscription to an owner's presence.
    pub presence: bool,
    /// The groups that they stand in, in the roster of an owner.
    pub groups: Vec<Box<str>>,
}

impl Trust {
    /// Somebody whom no owner knows.
    pub const NONE: Trust = Trust { presence: false, groups: Vec::new() };

    /// Whether one of these groups is theirs. Without a presence subscription no group counts (section 6.5.1).
    fn is_in(&self, groups: &[Box<str>]) -> bool {
        self.presence && self.groups.iter().any(|group| groups.iter().any(|allowed| allowed == group))
    }
}

/// Everything about somebody that decides over their access to one node.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// What they are to the node.
    pub affiliation: Option<Affiliation>,
    /// Their best subscription to it.
    pub subscription: Option<SubscriptionState>,
    /// As of the rosters of the node's owners.
    pub trust: &'a Trust,
}

/// What a node asks of those who want something from it.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Who may subscribe and read.
    pub access: AccessModel,
    /// The groups that [`AccessModel::Roster`] lets in.
    pub groups: &'a [Box<str>],
    /// Who may publish.
    pub publish: PublishModel,
}

/// What comes of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// They may.
    Granted,
    /// They may once an owner has approved it: subscriptions to a node whose access model is `authorize`.
    NeedsApproval,
    /// They may not.
    Refused(Why),
}

/// Why somebody may not; each has an answer of its own (sections 6.1.3 and 6.5.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// They are shut out, or what they are does not allow it.
    Forbidden,
    /// They would need a subscription to an owner's presence.
    NoPresence,
    /// They would need to stand in one of the node's roster groups.
    NotInGroup,
    /// They are not on the node's whitelist.
    Closed,
    /// They would need a subscription to the node; one that is not approved yet is none.
    NotSubscribed,
}

/// Whether the verdict can depend on [`Claim::trust`]; where it does not, nobody needs to look into a roster.
pub fn asks_for_trust(verb: Verb, affiliation: Option<Affiliation>, access: AccessModel) -> bool {
    affiliation.is_none()
        && matches!(verb, Verb::Subscribe | Verb::Read | Verb::Discover)
        && matches!(access, AccessModel::Presence | AccessModel::Roster)
}

/// The table. Purging is left to owners: it stands among the owner use cases (section 8.5). Publishers may remove and replace what
/// others published, as section 4.1 allows; all others only what is their own.
pub fn judge(verb: Verb, claim: Claim<'_>, policy: Policy<'_>) -> Verdict {
    use Affiliation::{Member, Outcast, Owner, PublishOnly, Publisher};
    let granted = |yes| if yes { Verdict::Granted } else { Verdict::Refused(Why::Forbidden) };
    match (verb, claim.affiliation) {
        (_, Some(Outcast)) => Verdict::Refused(Why::Forbidden),
        (_, Some(Owner)) => Verdict::Granted,
        (Verb::Purge | Verb::Manage, _) => Verdict::Refused(Why::Forbidden),
        (Verb::RetractOther, affiliation) => granted(affiliation == Some(Publisher)),
        (Verb::Publish | Verb::RetractOwn, Some(Publisher | PublishOnly)) => Verdict::Granted,
        (Verb::Publish | Verb::RetractOwn, Some(Member) | None) => granted(publishes(claim, policy.publish)),
        (Verb::Subscribe | Verb::Read, Some(Publisher | Member)) => Verdict::Granted,
        (Verb::Subscribe | Verb::Read, Some(PublishOnly)) => Verdict::Refused(Why::Forbidden),
        (Verb::Discover, Some(_)) => Verdict::Granted,
        (Verb::Subscribe | Verb::Read | Verb::Discover, None) => enter(verb, claim, policy),
    }
}

/// Whether somebody who is not a publisher may publish.
fn publishes(claim: Claim<'_>, model: PublishModel) -> bool {
    match model {
        PublishModel::Publishers => false,
        PublishModel::Subscribers => claim.subscription == Some(SubscriptionState::Subscribed),
        PublishModel::Open => true,
    }
}

/// What the access model says of somebody without an affiliation.
fn enter(verb: Verb, claim: Claim<'_>, policy: Policy<'_>) -> Verdict {
    match policy.access {
        AccessModel::Open => Verdict::Granted,
        AccessModel::Presence if claim.trust.presence => Verdict::Granted,
        AccessModel::Presence => Verdict::Refused(Why::NoPresence),
        AccessModel::Roster if claim.trust.is_in(policy.groups) => Verdict::Granted,
        AccessModel::Roster => Verdict::Refused(Why::NotInGroup),
        AccessModel::Authorize => approved(verb, claim.subscription),
        AccessModel::Whitelist => Verdict::Refused(Why::Closed),
    }
}

/// A node that has its subscribers approved is no secret; its items are.
fn approved(verb: Verb, subscription: Option<SubscriptionState>) -> Verdict {
    match (verb, subscription) {
        (Verb::Discover, _) | (_, Some(SubscriptionState::Subscribed | SubscriptionState::Unconfigured)) => {
            Verdict::Granted
        }
        (Verb::Subscribe, _) => Verdict::NeedsApproval,
        (_, Some(SubscriptionState::Pending) | None) => Verdict::Refused(Why::NotSubscribed),
    }
}
