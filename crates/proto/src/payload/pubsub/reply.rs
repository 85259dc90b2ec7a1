//! What the requests are answered.

use super::{Affiliation, Entry, SubscriptionState, affiliation_attr, subscription_attr, write_items};
use crate::jid::Jid;
use crate::ns;
use crate::payload::data_form::DataForm;
use crate::payload::rsm::Given;
use crate::xml::{Tree, write};

/// A subscription as it is told, to the subscriber or to an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionEntry {
    /// To which node; not said where the list says it.
    pub node: Option<Box<str>>,
    /// The address that is subscribed.
    pub jid: Jid,
    /// Which of its subscriptions.
    pub subid: Option<Box<str>>,
    /// How far it has come; none once it is over.
    pub state: Option<SubscriptionState>,
}

/// What the answer to a subscription says about its options, section 6.1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptionsSupport {
    /// There are none.
    None,
    /// They may be set.
    Supported,
    /// They have to be set before anything is sent.
    Required,
}

impl SubscriptionEntry {
    /// The element, in either namespace.
    pub fn tree(&self, ns: &str) -> Tree {
        Tree::new(ns, "subscription")
            .attr_opt("node", self.node.as_ref())
            .attr("jid", self.jid.as_str())
            .attr_opt("subid", self.subid.as_ref())
            .attr("subscription", subscription_attr(self.state))
    }
}

/// The answer to a new subscription, section 6.1: how far it has come, what is said about its options, and which it has.
pub fn subscription(entry: &SubscriptionEntry, support: OptionsSupport, options: Option<&DataForm>) -> Tree {
    let may_set = || Tree::new(ns::PUBSUB, "subscribe-options");
    let support = match support {
        OptionsSupport::None => None,
        OptionsSupport::Supported => Some(may_set()),
        OptionsSupport::Required => Some(may_set().child(Tree::new(ns::PUBSUB, "required"))),
    };
    let form = options.map(|form| Tree::new(ns::PUBSUB, "options").child(form.tree()));
    pubsub().child(entry.tree(ns::PUBSUB).children(support)).children(form)
}

/// The sender's own subscriptions, section 5.6; of one node, if only that was asked for.
pub fn subscriptions<'a>(node: Option<&str>, entries: impl IntoIterator<Item = &'a SubscriptionEntry>) -> Tree {
    let entries = entries.into_iter().map(|entry| entry.tree(ns::PUBSUB));
    pubsub().child(Tree::new(ns::PUBSUB, "subscriptions").attr_opt("node", node).children(entries))
}

/// The sender's own affiliations, section 5.7, each with its node.
pub fn affiliations<'a>(node: Option<&str>, entries: impl IntoIterator<Item = (&'a str, Affiliation)>) -> Tree {
    let entry = |(node, affiliation): (&str, Affiliation)| {
        Tree::new(ns::PUBSUB, "affiliation").attr("node", node).attr("affiliation", affiliation.as_str())
    };
    let list = Tree::new(ns::PUBSUB, "affiliations").attr_opt("node", node);
    pubsub().child(list.children(entries.into_iter().map(entry)))
}

/// The options of a subscription, section 6.3.3.
pub fn options(node: Option<&str>, jid: &Jid, subid: Option<&str>, form: &DataForm) -> Tree {
    let options = Tree::new(ns::PUBSUB, "options").attr_opt("node", node).attr("jid", jid.as_str());
    pubsub().child(options.attr_opt("subid", subid).child(form.tree()))
}

/// The options of a subscription that sets none, section 6.4.2.
pub fn default_options(node: Option<&str>, form: &DataForm) -> Tree {
    pubsub().child(Tree::new(ns::PUBSUB, "default").attr_opt("node", node).child(form.tree()))
}

/// A new node, section 8.1.1.
pub fn created(node: &str) -> Tree {
    pubsub().child(Tree::new(ns::PUBSUB, "create").attr("node", node))
}

/// Published items, section 7.1.2.
pub fn published<'a>(node: &str, ids: impl IntoIterator<Item = &'a str>) -> Tree {
    let item = |id: &str| Tree::new(ns::PUBSUB, "item").attr("id", id);
    pubsub().child(Tree::new(ns::PUBSUB, "publish").attr("node", node).children(ids.into_iter().map(item)))
}

/// Appends the items of one node, section 6.5, with the page that they are (XEP-0059).
pub fn write_page(out: &mut Vec<u8>, node: &str, entries: &[Entry], about: Option<&Tree>, set: Option<&Given>) {
    write_pages(out, [(node, entries, about)], set);
}

/// Appends the items of several nodes (XEP-0248 section 6.2).
pub fn write_pages<'a>(
    out: &mut Vec<u8>,
    nodes: impl IntoIterator<Item = (&'a str, &'a [Entry], Option<&'a Tree>)>,
    set: Option<&Given>,
) {
    out.extend_from_slice(b"<pubsub");
    write::attribute(out, "xmlns", ns::PUBSUB);
    out.push(b'>');
    for (node, entries, about) in nodes {
        write_items(out, node, entries, about);
    }
    if let Some(set) = set {
        set.tree().write(out, ns::PUBSUB);
    }
    out.extend_from_slice(b"</pubsub>");
}

/// The form with the configuration of a node, section 8.2.2.
pub fn configuration(node: &str, form: &DataForm) -> Tree {
    owner().child(Tree::new(ns::PUBSUB_OWNER, "configure").attr("node", node).child(form.tree()))
}

/// The configuration of a new node, section 8.3.3.
pub fn default_configuration(form: &DataForm) -> Tree {
    owner().child(Tree::new(ns::PUBSUB_OWNER, "default").child(form.tree()))
}

/// All subscriptions to a node, section 8.8.1; those that could not be changed, with an error.
pub fn owner_subscriptions<'a>(node: &str, entries: impl IntoIterator<Item = &'a SubscriptionEntry>) -> Tree {
    let entries = entries.into_iter().map(|entry| entry.tree(ns::PUBSUB_OWNER));
    owner().child(Tree::new(ns::PUBSUB_OWNER, "subscriptions").attr("node", node).children(entries))
}

/// All affiliations with a node, section 8.9.1; those that could not be changed, with an error.
pub fn owner_affiliations<'a>(node: &str, entries: impl IntoIterator<Item = (&'a Jid, Option<Affiliation>)>) -> Tree {
    let entry = |(jid, affiliation): (&Jid, Option<Affiliation>)| {
        let entry = Tree::new(ns::PUBSUB_OWNER, "affiliation").attr("jid", jid.as_str());
        entry.attr("affiliation", affiliation_attr(affiliation))
    };
    let list = Tree::new(ns::PUBSUB_OWNER, "affiliations").attr("node", node);
    owner().child(list.children(entries.into_iter().map(entry)))
}

/// What an entity is told of its own affiliation when it changes, section 8.9.4.
pub fn affiliation_notice(node: &str, jid: &Jid, affiliation: Option<Affiliation>) -> Tree {
    let entry = Tree::new(ns::PUBSUB, "affiliation").attr("jid", jid.as_str());
    let list = Tree::new(ns::PUBSUB, "affiliations").attr("node", node);
    pubsub().child(list.child(entry.attr("affiliation", affiliation_attr(affiliation))))
}

fn pubsub() -> Tree {
    Tree::new(ns::PUBSUB, "pubsub")
}

fn owner() -> Tree {
    Tree::new(ns::PUBSUB_OWNER, "pubsub")
}
