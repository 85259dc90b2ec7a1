//! What subscribers are told: the element of a message in the namespace of events.

use super::{Entry, SubscriptionEntry, write_items};
use crate::ns;
use crate::payload::data_form::DataForm;
use crate::payload::delay::format_time;
use crate::xml::{Tree, write};

/// Something that happened to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Items were published, section 7.1.2. Without any, a node that holds none was published to.
    Items {
        /// Where.
        node: Box<str>,
        /// Which.
        items: Vec<Entry>,
    },
    /// Items are gone, section 7.2.2.1.
    Retracted {
        /// From where.
        node: Box<str>,
        /// Which.
        ids: Vec<Box<str>>,
    },
    /// All items are gone, section 8.5.2.
    Purged {
        /// From where.
        node: Box<str>,
    },
    /// The node is gone, section 8.4.2.
    Deleted {
        /// Which.
        node: Box<str>,
        /// The URI of what takes its place.
        redirect: Option<Box<str>>,
    },
    /// Its configuration has changed, section 8.2.5.3.
    Configured {
        /// Of which node.
        node: Box<str>,
        /// The new configuration, if the node delivers payloads.
        form: Option<DataForm>,
    },
    /// A subscription has changed, section 12.14, or its lease is about to end, section 12.19.
    Subscription(Subscribed),
    /// XEP-0248 section 5.3.1.2: a node was made in a collection.
    Created {
        /// Which.
        node: Box<str>,
    },
    /// XEP-0248 section 5.3.2: a node was put into a collection.
    Associated {
        /// The collection.
        node: Box<str>,
        /// The node.
        child: Box<str>,
        /// What is told of the node.
        about: Option<DataForm>,
    },
    /// XEP-0248 section 5.3.2: a node was taken out of a collection.
    Dissociated {
        /// The collection.
        node: Box<str>,
        /// The node.
        child: Box<str>,
    },
}

/// What is told of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The subscription.
    pub entry: SubscriptionEntry,
    /// When it ends: Unix time in milliseconds.
    pub expiry_ms: Option<u64>,
}

impl Event {
    /// Appends the element.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<event");
        write::attribute(out, "xmlns", ns::PUBSUB_EVENT);
        out.push(b'>');
        match self {
            Event::Items { node, items } => write_items(out, node, items, None),
            _ => self.trees().iter().for_each(|tree| tree.write(out, ns::PUBSUB_EVENT)),
        }
        out.extend_from_slice(b"</event>");
    }

    /// The element.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// What is in the element of those events that hold no payloads.
    fn trees(&self) -> Option<Tree> {
        let of_node = |name: &str, node: &str| element(name).attr("node", node);
        Some(match self {
            Event::Items { .. } => return None,
            Event::Retracted { node, ids } => {
                of_node("items", node).children(ids.iter().map(|id| element("retract").attr("id", id)))
            }
            Event::Purged { node } => of_node("purge", node),
            Event::Deleted { node, redirect } => {
                of_node("delete", node).children(redirect.as_ref().map(|uri| element("redirect").attr("uri", uri)))
            }
            Event::Configured { node, form } => {
                of_node("configuration", node).children(form.as_ref().map(DataForm::tree))
            }
            Event::Subscription(Subscribed { entry, expiry_ms }) => {
                let expiry = expiry_ms.map(|at_ms| format_time(i64::try_from(at_ms).unwrap_or(i64::MAX)));
                entry.tree(ns::PUBSUB_EVENT).attr_opt("expiry", expiry)
            }
            Event::Created { node } => of_node("create", node),
            Event::Associated { node, child, about } => {
                let associate = of_node("associate", child).children(about.as_ref().map(DataForm::tree));
                of_node("collection", node).child(associate)
            }
            Event::Dissociated { node, child } => of_node("collection", node).child(of_node("dissociate", child)),
        })
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::PUBSUB_EVENT, name)
}
