//! What the owners of a node ask for: an iq with one child in the namespace of owners, in which one verb stands.

use std::collections::HashSet;

use super::request::form;
use super::{
    Affiliation, NAMED_MAX, NodeKind, PubsubError, SubscriptionState, affiliation_attr, name, required_jid,
    required_node, subscription_attr,
};
use crate::jid::Jid;
use crate::ns;
use crate::payload::Malformed;
use crate::payload::data_form::DataForm;
use crate::stanza::iq::IqType;
use crate::xml::{Child, Tree};

/// Most bytes of the URI of the node that takes the place of a deleted one.
const URI_BYTES_MAX: usize = 8192;

/// A request of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerRequest {
    /// Section 8.2.1: the form with the configuration.
    Configuration {
        /// Of which node.
        node: Box<str>,
    },
    /// Section 8.2.4.
    Configure {
        /// Which node.
        node: Box<str>,
        /// The form, filled in or cancelled.
        form: DataForm,
    },
    /// Section 8.3: the configuration of a new node.
    DefaultConfiguration {
        /// Of which kind.
        kind: NodeKind,
    },
    /// Section 8.4.
    Delete {
        /// Which node.
        node: Box<str>,
        /// The URI of what takes its place.
        redirect: Option<Box<str>>,
    },
    /// Section 8.5.
    Purge {
        /// Which node.
        node: Box<str>,
    },
    /// Section 8.8.1.
    Subscriptions {
        /// To which node.
        node: Box<str>,
    },
    /// Section 8.8.2: only what changes.
    SetSubscriptions {
        /// To which node.
        node: Box<str>,
        /// Each subscription once.
        changes: Vec<SubscriptionChange>,
    },
    /// Section 8.9.1.
    Affiliations {
        /// With which node.
        node: Box<str>,
    },
    /// Section 8.9.2: only what changes.
    SetAffiliations {
        /// With which node.
        node: Box<str>,
        /// Each address once.
        changes: Vec<AffiliationChange>,
    },
    /// XEP-0248 section 7.5: puts a node into a collection.
    Associate {
        /// The collection.
        node: Box<str>,
        /// The node.
        child: Box<str>,
    },
    /// XEP-0248 section 7.6: takes a node out of a collection.
    Dissociate {
        /// The collection.
        node: Box<str>,
        /// The node.
        child: Box<str>,
    },
}

/// What is to become of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change<T> {
    /// It stays as it is.
    Keep,
    /// It goes: the value `none`.
    Remove,
    /// It becomes this.
    Set(T),
}

/// What is to become of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionChange {
    /// The address that is subscribed, or is to be.
    pub jid: Jid,
    /// Which of its subscriptions.
    pub subid: Option<Box<str>>,
    /// What it becomes.
    pub state: Change<SubscriptionState>,
}

/// What is to become of an affiliation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AffiliationChange {
    /// A bare address (section 4.1).
    pub jid: Jid,
    /// What it becomes.
    pub affiliation: Change<Affiliation>,
}

impl OwnerRequest {
    /// Reads `<pubsub/>` of an iq-get or an iq-set.
    pub fn read(kind: IqType, pubsub: &Child<'_>) -> Result<OwnerRequest, PubsubError> {
        let mut own = pubsub.children().filter(|child| child.ns() == ns::PUBSUB_OWNER);
        let verb = own.next().ok_or(Malformed("a request for nothing"))?;
        if own.next().is_some() {
            return Err(Malformed("more than one request").into());
        }
        let node = || required_node(&verb);
        Ok(match (kind, verb.name()) {
            (IqType::Get, "configure") => OwnerRequest::Configuration { node: node()? },
            (IqType::Get, "default") => {
                let kind = verb.attr("type").map_or(Some(NodeKind::Leaf), |kind| NodeKind::of(&kind));
                OwnerRequest::DefaultConfiguration { kind: kind.ok_or(Malformed("no kind of node"))? }
            }
            (IqType::Get, "subscriptions") => OwnerRequest::Subscriptions { node: node()? },
            (IqType::Get, "affiliations") => OwnerRequest::Affiliations { node: node()? },
            (IqType::Set, "configure") => {
                let form = form(&verb)?.ok_or(Malformed("a configuration without a form"))?;
                OwnerRequest::Configure { node: node()?, form }
            }
            (IqType::Set, "delete") => OwnerRequest::Delete { node: node()?, redirect: redirect(&verb)? },
            (IqType::Set, "purge") => OwnerRequest::Purge { node: node()? },
            (IqType::Set, "subscriptions") => {
                OwnerRequest::SetSubscriptions { node: node()?, changes: subscription_changes(&verb)? }
            }
            (IqType::Set, "affiliations") => {
                OwnerRequest::SetAffiliations { node: node()?, changes: affiliation_changes(&verb)? }
            }
            (IqType::Set, "collection") => relation(&verb, node()?)?,
            _ => return Err(Malformed("no request of this kind").into()),
        })
    }

    /// Whether it is an iq-get or an iq-set.
    pub fn kind(&self) -> IqType {
        match self {
            OwnerRequest::Configuration { .. }
            | OwnerRequest::DefaultConfiguration { .. }
            | OwnerRequest::Subscriptions { .. }
            | OwnerRequest::Affiliations { .. } => IqType::Get,
            _ => IqType::Set,
        }
    }

    /// The node that it is about, if it is about one.
    pub fn node(&self) -> Option<&str> {
        match self {
            OwnerRequest::Configuration { node }
            | OwnerRequest::Configure { node, .. }
            | OwnerRequest::Delete { node, .. }
            | OwnerRequest::Purge { node }
            | OwnerRequest::Subscriptions { node }
            | OwnerRequest::SetSubscriptions { node, .. }
            | OwnerRequest::Affiliations { node }
            | OwnerRequest::SetAffiliations { node, .. }
            | OwnerRequest::Associate { node, .. }
            | OwnerRequest::Dissociate { node, .. } => Some(node),
            OwnerRequest::DefaultConfiguration { .. } => None,
        }
    }

    /// The element, as a client writes it.
    pub fn tree(&self) -> Tree {
        let of_node = |verb: &str, node: &str| element(verb).attr("node", node);
        let verb = match self {
            OwnerRequest::Configuration { node } => of_node("configure", node),
            OwnerRequest::Configure { node, form } => of_node("configure", node).child(form.tree()),
            OwnerRequest::DefaultConfiguration { kind } => element("default").attr("type", kind.as_str()),
            OwnerRequest::Delete { node, redirect } => {
                let redirect = redirect.as_ref().map(|uri| element("redirect").attr("uri", uri));
                of_node("delete", node).children(redirect)
            }
            OwnerRequest::Purge { node } => of_node("purge", node),
            OwnerRequest::Subscriptions { node } => of_node("subscriptions", node),
            OwnerRequest::SetSubscriptions { node, changes } => {
                of_node("subscriptions", node).children(changes.iter().map(SubscriptionChange::tree))
            }
            OwnerRequest::Affiliations { node } => of_node("affiliations", node),
            OwnerRequest::SetAffiliations { node, changes } => {
                of_node("affiliations", node).children(changes.iter().map(AffiliationChange::tree))
            }
            OwnerRequest::Associate { node, child } => of_node("collection", node).child(of_node("associate", child)),
            OwnerRequest::Dissociate { node, child } => of_node("collection", node).child(of_node("dissociate", child)),
        };
        element("pubsub").child(verb)
    }
}

impl SubscriptionChange {
    fn read(subscription: &Child<'_>) -> Result<SubscriptionChange, PubsubError> {
        let state = change(subscription, "subscription", SubscriptionState::of)?;
        Ok(SubscriptionChange { jid: required_jid(subscription)?, subid: name(subscription, "subid")?, state })
    }

    fn tree(&self) -> Tree {
        element("subscription")
            .attr("jid", self.jid.as_str())
            .attr_opt("subscription", self.state.attr(subscription_attr))
            .attr_opt("subid", self.subid.as_ref())
    }
}

impl AffiliationChange {
    fn read(affiliation: &Child<'_>) -> Result<AffiliationChange, PubsubError> {
        let change = change(affiliation, "affiliation", Affiliation::of)?;
        Ok(AffiliationChange { jid: required_jid(affiliation)?.bare(), affiliation: change })
    }

    fn tree(&self) -> Tree {
        let affiliation = self.affiliation.attr(affiliation_attr);
        element("affiliation").attr("jid", self.jid.as_str()).attr_opt("affiliation", affiliation)
    }
}

impl<T: Copy> Change<T> {
    fn attr(&self, attr: impl Fn(Option<T>) -> &'static str) -> Option<&'static str> {
        match self {
            Change::Keep => None,
            Change::Remove => Some(attr(None)),
            Change::Set(to) => Some(attr(Some(*to))),
        }
    }
}

/// What an attribute says that something becomes; without it, it stays (sections 8.8.2.1 and 8.9.2.1).
fn change<T>(element: &Child<'_>, attr: &str, of: impl Fn(&str) -> Option<T>) -> Result<Change<T>, PubsubError> {
    match element.attr(attr).as_deref() {
        None => Ok(Change::Keep),
        Some("none") => Ok(Change::Remove),
        Some(to) => of(to).map(Change::Set).ok_or(Malformed("something that nobody can become").into()),
    }
}

fn subscription_changes(list: &Child<'_>) -> Result<Vec<SubscriptionChange>, PubsubError> {
    let read = list.children().filter(|child| child.is(ns::PUBSUB_OWNER, "subscription"));
    each_once(read.map(|child| SubscriptionChange::read(&child)), |change| (change.jid.clone(), change.subid.clone()))
}

fn affiliation_changes(list: &Child<'_>) -> Result<Vec<AffiliationChange>, PubsubError> {
    let read = list.children().filter(|child| child.is(ns::PUBSUB_OWNER, "affiliation"));
    each_once(read.map(|child| AffiliationChange::read(&child)), |change| change.jid.clone())
}

/// Changes of different things; to change one twice is a `bad-request` (section 8.9.2.4).
fn each_once<T, K: std::hash::Hash + Eq>(
    changes: impl Iterator<Item = Result<T, PubsubError>>,
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>, PubsubError> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for change in changes {
        let change = change?;
        if all.len() == NAMED_MAX {
            return Err(Malformed("too many changes").into());
        }
        if !seen.insert(key(&change)) {
            return Err(Malformed("the same changed twice").into());
        }
        all.push(change);
    }
    Ok(all)
}

/// What is to become of one node in a collection.
fn relation(collection: &Child<'_>, node: Box<str>) -> Result<OwnerRequest, PubsubError> {
    let mut relations = collection.children().filter(|child| child.ns() == ns::PUBSUB_OWNER);
    let (Some(relation), None) = (relations.next(), relations.next()) else {
        return Err(Malformed("one node of a collection at a time").into());
    };
    let child = required_node(&relation)?;
    match relation.name() {
        "associate" => Ok(OwnerRequest::Associate { node, child }),
        "dissociate" => Ok(OwnerRequest::Dissociate { node, child }),
        _ => Err(Malformed("no relation of this kind").into()),
    }
}

fn redirect(delete: &Child<'_>) -> Result<Option<Box<str>>, PubsubError> {
    let Some(redirect) = delete.child(ns::PUBSUB_OWNER, "redirect") else { return Ok(None) };
    match redirect.attr("uri").filter(|uri| !uri.is_empty() && uri.len() <= URI_BYTES_MAX) {
        Some(uri) => Ok(Some(uri.into())),
        None => Err(Malformed("a redirection to nowhere").into()),
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::PUBSUB_OWNER, name)
}
