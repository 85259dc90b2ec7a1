//! XEP-0060: Publish-Subscribe, and the documents that add to its elements (XEP-0248, XEP-0395, XEP-0413, XEP-0462, XEP-0465,
//! XEP-0499): what subscribers, publishers and owners ask for, as one value for each request, and what they are answered and
//! told. Forms stay forms here; the crate `pubsub` knows what their fields mean.

mod compare;
mod discovery;
mod error;
mod event;
mod item;
mod order;
mod owner;
pub mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use compare::{FIELD as COMPARE_FIELD, map as compare_map};
pub use discovery::{Kinds, Listing, Relatives, TypeFilter};
pub use error::{PubsubError, Reason};
pub use event::{Event, Subscribed};
pub use item::{Entry, Payload, Publication, write_items};
pub use order::{By, Order};
pub use owner::{AffiliationChange, Change, OwnerRequest, SubscriptionChange};
pub use reply::{OptionsSupport, SubscriptionEntry};
pub use request::{Items, Public, Request, RetractNotice, SubscriptionName};

use super::Malformed;
use crate::jid::Jid;
use crate::xml::Child;

/// Most bytes of the name of a node, of the id of an item, and of the id of a subscription: as long as the longest address,
/// since some documents use addresses as ids.
pub const NAME_BYTES_MAX: usize = 3071;

/// Most items that one request publishes.
pub const PUBLISHED_MAX: usize = 100;

/// Most items, affiliations or subscriptions that one request names.
pub const NAMED_MAX: usize = 1000;

/// What an entity is to a node, section 4.1. An entity without an affiliation has `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Affiliation {
    /// May do everything.
    Owner,
    /// May publish, and remove what it has published.
    Publisher,
    /// May publish, and receives nothing.
    PublishOnly,
    /// May subscribe and retrieve, whatever the access model says of others.
    Member,
    /// May do nothing.
    Outcast,
}

impl Affiliation {
    /// All of them.
    pub const ALL: [Affiliation; 5] = [
        Affiliation::Owner,
        Affiliation::Publisher,
        Affiliation::PublishOnly,
        Affiliation::Member,
        Affiliation::Outcast,
    ];

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Affiliation::Owner => "owner",
            Affiliation::Publisher => "publisher",
            Affiliation::PublishOnly => "publish-only",
            Affiliation::Member => "member",
            Affiliation::Outcast => "outcast",
        }
    }

    /// Reads the attribute; `none` is none of them.
    pub fn of(attr: &str) -> Option<Affiliation> {
        Affiliation::ALL.into_iter().find(|affiliation| affiliation.as_str() == attr)
    }
}

/// How far a subscription has come, section 4.2. An entity without a subscription has `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubscriptionState {
    /// It is told everything.
    Subscribed,
    /// No owner has approved it yet.
    Pending,
    /// Its options have to be set first.
    Unconfigured,
}

impl SubscriptionState {
    /// All of them.
    pub const ALL: [SubscriptionState; 3] =
        [SubscriptionState::Subscribed, SubscriptionState::Pending, SubscriptionState::Unconfigured];

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            SubscriptionState::Subscribed => "subscribed",
            SubscriptionState::Pending => "pending",
            SubscriptionState::Unconfigured => "unconfigured",
        }
    }

    /// Reads the attribute; `none` is none of them.
    pub fn of(attr: &str) -> Option<SubscriptionState> {
        SubscriptionState::ALL.into_iter().find(|state| state.as_str() == attr)
    }
}

/// What a node contains, section 4.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// Items.
    #[default]
    Leaf,
    /// Nodes (XEP-0248).
    Collection,
}

impl NodeKind {
    /// The attribute, and the value of the field.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeKind::Leaf => "leaf",
            NodeKind::Collection => "collection",
        }
    }

    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<NodeKind> {
        [NodeKind::Leaf, NodeKind::Collection].into_iter().find(|kind| kind.as_str() == attr)
    }
}

/// The attribute of an affiliation that may be none.
pub fn affiliation_attr(affiliation: Option<Affiliation>) -> &'static str {
    affiliation.map_or("none", Affiliation::as_str)
}

/// The attribute of a subscription that may be none.
pub fn subscription_attr(state: Option<SubscriptionState>) -> &'static str {
    state.map_or("none", SubscriptionState::as_str)
}

/// A name in an attribute; an empty one is none.
fn name(element: &Child<'_>, attr: &str) -> Result<Option<Box<str>>, PubsubError> {
    let Some(name) = element.attr(attr).filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.len() > NAME_BYTES_MAX {
        return Err(Malformed("a name that is too long").into());
    }
    Ok(Some(name.into()))
}

/// The node that an element is about, where it cannot be the root of all.
fn required_node(element: &Child<'_>) -> Result<Box<str>, PubsubError> {
    name(element, "node")?.ok_or_else(|| Reason::NodeidRequired.error())
}

/// The address that an element is about.
fn required_jid(element: &Child<'_>) -> Result<Jid, PubsubError> {
    let jid = element.attr("jid").filter(|jid| !jid.is_empty()).ok_or_else(|| Reason::JidRequired.error())?;
    Jid::parse(&jid).map_err(|_| Reason::InvalidJid.error())
}
