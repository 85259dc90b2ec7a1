//! What the fields can say, with the words of the forms.

use crate::words::words;

words! {
    /// Who may subscribe to a node and retrieve its items (section 4.5).
    pub enum AccessModel {
        /// Whom an owner has approved.
        Authorize = "authorize", "Subscription requests must be approved and only subscribers may retrieve items";
        /// Anyone.
        Open = "open", "Anyone may subscribe and retrieve items";
        /// Who has a subscription to the owner's presence.
        Presence = "presence", "Anyone with a presence subscription may subscribe and retrieve items";
        /// Who is in certain groups of the owner's roster.
        Roster = "roster", "Anyone in the chosen roster groups may subscribe and retrieve items";
        /// Whom an owner has made a member.
        Whitelist = "whitelist", "Only those on a whitelist may subscribe and retrieve items";
    }
}

words! {
    /// Who may publish.
    pub enum PublishModel {
        /// Owners and publishers.
        Publishers = "publishers", "Only publishers may publish";
        /// Subscribers as well.
        Subscribers = "subscribers", "Subscribers may publish";
        /// Anyone.
        Open = "open", "Anyone may publish";
    }
}

words! {
    /// When the last item is sent.
    pub enum SendLast {
        /// Only who asks for it gets it.
        Never = "never", "Never";
        /// To a new subscriber.
        OnSub = "on_sub", "When a new subscription is processed";
        /// And to a subscriber who comes online.
        OnSubAndPresence = "on_sub_and_presence", "When a new subscription is processed and whenever a subscriber comes online";
    }
}

words! {
    /// The type of the messages to subscribers.
    pub enum NotificationType {
        /// They are kept for who is offline.
        Normal = "normal", "Messages of type normal";
        /// They are not.
        Headline = "headline", "Messages of type headline";
    }
}

words! {
    /// What happens when a node that is full is published to (section 7.1.2.5).
    pub enum NodeFull {
        /// The oldest item goes, and subscribers are told if they are told of removals.
        RetractOldest = "retract-oldest", "Retract the oldest item";
        /// The oldest item goes.
        DiscardOldest = "discard-oldest", "Discard the oldest item without telling anybody";
        /// The new one is refused.
        Reject = "reject", "Reject the new item";
    }
}

words! {
    /// Whom an item names as its publisher (section 12.17).
    pub enum ItemReply {
        /// The owner of the node.
        Owner = "owner", "The owner of the node";
        /// Who has published it.
        Publisher = "publisher", "The publisher of the item";
        /// Nobody.
        None = "none", "Nobody";
    }
}

words! {
    /// Who may put nodes into a collection (XEP-0248 section 7.2.1).
    pub enum AssociationPolicy {
        /// Anyone.
        All = "all", "Anyone may associate nodes with this collection";
        /// Its owners.
        Owners = "owners", "Only the owners of this node may associate other nodes with it";
        /// Who is on a list.
        Whitelist = "whitelist", "Only those on the whitelist may associate other nodes with it";
    }
}

/// A number, or as much as the service allows (section 12.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Amount {
    /// At most so many; at least one.
    Count(u32),
    /// The word `max`.
    Max,
}

impl Amount {
    /// As it is written.
    pub fn word(self) -> String {
        match self {
            Amount::Count(count) => count.to_string(),
            Amount::Max => "max".to_owned(),
        }
    }

    /// What it comes to where there is at most `max`.
    pub fn within(self, max: u64) -> u64 {
        match self {
            Amount::Count(count) => u64::from(count).min(max),
            Amount::Max => max,
        }
    }
}
