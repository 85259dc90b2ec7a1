//! What entities, subscribers and publishers ask for: an iq with one child in the namespace of publish-subscribe, in which one
//! verb stands, and behind it at most the form that goes with it.

use std::collections::HashSet;

use super::item::Publication;
use super::{NAMED_MAX, Order, PUBLISHED_MAX, PubsubError, Reason, name, required_jid, required_node};
use crate::jid::Jid;
use crate::ns;
use crate::payload::data_form::DataForm;
use crate::payload::rsm::Wanted;
use crate::payload::{Malformed, digits, truth};
use crate::stanza::iq::IqType;
use crate::xml::{Child, Tree, write};

/// A request. Where a node may be left out, the root of all nodes is meant (XEP-0248), or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Section 8.1: a new node; without a name it gets one. Without a form it has the default configuration.
    Create {
        /// Its name.
        node: Option<Box<str>>,
        /// Its configuration.
        config: Option<DataForm>,
    },
    /// Section 6.1.
    Subscribe {
        /// To which node.
        node: Option<Box<str>>,
        /// The address that is subscribed.
        jid: Jid,
        /// The options of the subscription.
        options: Option<DataForm>,
        /// XEP-0465: whether others may know.
        public: Public,
    },
    /// Section 6.2.
    Unsubscribe(SubscriptionName),
    /// Section 6.3.2: the form with the options of a subscription.
    Options(SubscriptionName),
    /// Section 6.3.5.
    SetOptions {
        /// Of which subscription.
        of: SubscriptionName,
        /// The form, filled in or cancelled.
        form: DataForm,
    },
    /// Section 6.4: the options of a subscription that sets none.
    DefaultOptions {
        /// To which node.
        node: Option<Box<str>>,
    },
    /// Section 6.5.
    Items(Items),
    /// Section 7.1. All items are published, or none.
    Publish {
        /// Where.
        node: Box<str>,
        /// What.
        items: Vec<Publication>,
        /// The preconditions.
        options: Option<DataForm>,
    },
    /// Section 7.2. All items are removed, or none.
    Retract {
        /// Where.
        node: Box<str>,
        /// Which.
        ids: Vec<Box<str>>,
        /// Whether subscribers are told.
        notice: RetractNotice,
    },
    /// Section 5.6: the sender's own subscriptions.
    Subscriptions {
        /// Only those to this node.
        node: Option<Box<str>>,
    },
    /// Section 5.7: the sender's own affiliations.
    Affiliations {
        /// Only that with this node.
        node: Option<Box<str>>,
    },
}

/// A subscription, by what tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionName {
    /// To which node.
    pub node: Option<Box<str>>,
    /// The address that is subscribed.
    pub jid: Jid,
    /// Which of its subscriptions.
    pub subid: Option<Box<str>>,
}

/// Which items of a node are wanted, section 6.5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Of which node.
    pub node: Option<Box<str>>,
    /// Only the latest so many.
    pub max: Option<u64>,
    /// The subscription by right of which they are asked for.
    pub subid: Option<Box<str>>,
    /// Only these; all, if there are none.
    pub ids: Vec<Box<str>>,
    /// Which page (XEP-0059).
    pub set: Wanted,
    /// In which order (XEP-0413).
    pub order: Option<Order>,
}

/// Whether a subscription may be seen by others (XEP-0465).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Public {
    /// Only by the subscriber and the owners.
    #[default]
    No,
    /// By everybody who may see the node.
    Yes,
}

/// What a retraction says about telling the subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetractNotice {
    /// As the node is configured.
    #[default]
    AsConfigured,
    /// They are told.
    Wanted,
    /// They are not told, unless the node is configured to do so.
    Unwanted,
}

impl Request {
    /// Reads `<pubsub/>` of an iq-get or an iq-set.
    pub fn read(kind: IqType, pubsub: &Child<'_>) -> Result<Request, PubsubError> {
        let mut own = pubsub.children().filter(|child| child.ns() == ns::PUBSUB);
        let verb = own.next().ok_or(Malformed("a request for nothing"))?;
        let beside = own.next();
        if own.next().is_some() {
            return Err(Malformed("more than one request").into());
        }
        let companion = |name: &str| match &beside {
            Some(beside) if beside.name() != name => Err(PubsubError::from(Malformed("more than one request"))),
            beside => Ok(beside.as_ref()),
        };
        let request = match (kind, verb.name()) {
            (IqType::Get, "items") => Request::Items(Items::read(pubsub, &verb)?),
            (IqType::Get, "subscriptions") => Request::Subscriptions { node: name(&verb, "node")? },
            (IqType::Get, "affiliations") => Request::Affiliations { node: name(&verb, "node")? },
            (IqType::Get, "default") => Request::DefaultOptions { node: name(&verb, "node")? },
            (IqType::Get, "options") => Request::Options(SubscriptionName::read(&verb)?),
            (IqType::Set, "create") => return create(&verb, companion("configure")?),
            (IqType::Set, "subscribe") => return subscribe(&verb, companion("options")?),
            (IqType::Set, "publish") => return publish(&verb, companion("publish-options")?),
            (IqType::Set, "retract") => retract(&verb)?,
            (IqType::Set, "unsubscribe") => Request::Unsubscribe(SubscriptionName::read(&verb)?),
            (IqType::Set, "options") => {
                let form = form(&verb)?.ok_or(Malformed("options without a form"))?;
                Request::SetOptions { of: SubscriptionName::read(&verb)?, form }
            }
            _ => return Err(Malformed("no request of this kind").into()),
        };
        match beside {
            Some(_) => Err(Malformed("more than one request").into()),
            None => Ok(request),
        }
    }

    /// Whether it is an iq-get or an iq-set.
    pub fn kind(&self) -> IqType {
        match self {
            Request::Options(_)
            | Request::DefaultOptions { .. }
            | Request::Items(_)
            | Request::Subscriptions { .. }
            | Request::Affiliations { .. } => IqType::Get,
            _ => IqType::Set,
        }
    }

    /// The node that it is about, if it names one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Request::Create { node, .. }
            | Request::Subscribe { node, .. }
            | Request::Unsubscribe(SubscriptionName { node, .. })
            | Request::Options(SubscriptionName { node, .. })
            | Request::SetOptions { of: SubscriptionName { node, .. }, .. }
            | Request::DefaultOptions { node }
            | Request::Subscriptions { node }
            | Request::Affiliations { node }
            | Request::Items(Items { node, .. }) => node.as_deref(),
            Request::Publish { node, .. } | Request::Retract { node, .. } => Some(node),
        }
    }

    /// Appends the element, as a client writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<pubsub");
        write::attribute(out, "xmlns", ns::PUBSUB);
        out.push(b'>');
        match self {
            Request::Publish { node, items, options } => {
                out.extend_from_slice(b"<publish");
                write::attribute(out, "node", node);
                out.push(b'>');
                items.iter().for_each(|item| item.write(out));
                out.extend_from_slice(b"</publish>");
                let options = options.as_ref().map(|form| element("publish-options").child(form.tree()));
                options.iter().for_each(|tree| tree.write(out, ns::PUBSUB));
            }
            Request::Items(items) => items.write(out),
            _ => self.trees().iter().for_each(|tree| tree.write(out, ns::PUBSUB)),
        }
        out.extend_from_slice(b"</pubsub>");
    }

    /// The element, as a client writes it.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// What is in the element of those requests that hold no payloads.
    fn trees(&self) -> Vec<Tree> {
        let of_node = |verb: &str, node: &Option<Box<str>>| element(verb).attr_opt("node", node.as_ref());
        let with_form =
            |name: &str, form: &Option<DataForm>| form.as_ref().map(|form| element(name).child(form.tree()));
        match self {
            Request::Create { node, config } => {
                [of_node("create", node)].into_iter().chain(with_form("configure", config)).collect()
            }
            Request::Subscribe { node, jid, options, public } => {
                let public = (*public == Public::Yes).then(|| Tree::new(ns::PUBLIC_SUBSCRIPTIONS, "public"));
                let subscribe = of_node("subscribe", node).attr("jid", jid.as_str()).children(public);
                [subscribe].into_iter().chain(with_form("options", options)).collect()
            }
            Request::Unsubscribe(of) => vec![of.tree("unsubscribe")],
            Request::Options(of) => vec![of.tree("options")],
            Request::SetOptions { of, form } => vec![of.tree("options").child(form.tree())],
            Request::DefaultOptions { node } => vec![of_node("default", node)],
            Request::Subscriptions { node } => vec![of_node("subscriptions", node)],
            Request::Affiliations { node } => vec![of_node("affiliations", node)],
            Request::Retract { node, ids, notice } => {
                let notify = match notice {
                    RetractNotice::AsConfigured => None,
                    RetractNotice::Wanted => Some("true"),
                    RetractNotice::Unwanted => Some("false"),
                };
                let retract = element("retract").attr("node", node).attr_opt("notify", notify);
                vec![retract.children(ids.iter().map(|id| element("item").attr("id", id)))]
            }
            Request::Publish { .. } | Request::Items(_) => Vec::new(),
        }
    }
}

impl SubscriptionName {
    fn read(element: &Child<'_>) -> Result<SubscriptionName, PubsubError> {
        let (node, subid) = (name(element, "node")?, name(element, "subid")?);
        Ok(SubscriptionName { node, jid: required_jid(element)?, subid })
    }

    fn tree(&self, verb: &str) -> Tree {
        let tree = element(verb).attr_opt("node", self.node.as_ref());
        tree.attr("jid", self.jid.as_str()).attr_opt("subid", self.subid.as_ref())
    }
}

impl Items {
    fn read(pubsub: &Child<'_>, items: &Child<'_>) -> Result<Items, PubsubError> {
        let positive =
            |max: &str| digits(max).filter(|max| *max > 0).ok_or(Malformed("a number of items that is none"));
        let max = items.attr("max_items").map(|max| positive(&max));
        Ok(Items {
            node: name(items, "node")?,
            max: max.transpose()?,
            subid: name(items, "subid")?,
            ids: ids(items)?,
            set: Wanted::read(pubsub)?,
            order: Order::read_in(pubsub)?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let max = self.max.map(|max| max.to_string());
        let items = element("items")
            .attr_opt("node", self.node.as_ref())
            .attr_opt("max_items", max)
            .attr_opt("subid", self.subid.as_ref())
            .children(self.ids.iter().map(|id| element("item").attr("id", id)));
        items.write(out, ns::PUBSUB);
        self.order.iter().for_each(|order| order.tree().write(out, ns::PUBSUB));
        if self.set != Wanted::default() {
            self.set.tree().write(out, ns::PUBSUB);
        }
    }
}

fn create(create: &Child<'_>, configure: Option<&Child<'_>>) -> Result<Request, PubsubError> {
    if configure.is_some_and(|configure| configure.attr("node").is_some()) {
        return Err(Malformed("a configuration for another node than the new one").into());
    }
    let config = configure.map(form).transpose()?.flatten();
    Ok(Request::Create { node: name(create, "node")?, config })
}

fn subscribe(subscribe: &Child<'_>, options: Option<&Child<'_>>) -> Result<Request, PubsubError> {
    let names_another = |options: &Child<'_>| ["node", "jid"].iter().any(|name| options.attr(name).is_some());
    if options.is_some_and(names_another) {
        return Err(Malformed("options for another subscription than the new one").into());
    }
    let public = match subscribe.child(ns::PUBLIC_SUBSCRIPTIONS, "public") {
        Some(_) => Public::Yes,
        None => Public::No,
    };
    let (node, jid) = (name(subscribe, "node")?, required_jid(subscribe)?);
    Ok(Request::Subscribe { node, jid, options: options.map(form).transpose()?.flatten(), public })
}

fn publish(publish: &Child<'_>, options: Option<&Child<'_>>) -> Result<Request, PubsubError> {
    let node = required_node(publish)?;
    let mut items = Vec::new();
    for item in publish.children().filter(|child| child.is(ns::PUBSUB, "item")) {
        if items.len() == PUBLISHED_MAX {
            return Err(Reason::MaxItemsExceeded.into());
        }
        items.push(Publication::read(&item)?);
    }
    let required = |options| form(options)?.ok_or(PubsubError::from(Malformed("preconditions without a form")));
    Ok(Request::Publish { node, items, options: options.map(required).transpose()? })
}

fn retract(retract: &Child<'_>) -> Result<Request, PubsubError> {
    let notice = match retract.attr("notify").map(|notify| truth(&notify)) {
        None => RetractNotice::AsConfigured,
        Some(Some(true)) => RetractNotice::Wanted,
        Some(Some(false)) => RetractNotice::Unwanted,
        Some(None) => return Err(Malformed("neither to be told nor not to be told").into()),
    };
    let (node, ids) = (required_node(retract)?, ids(retract)?);
    if ids.is_empty() {
        return Err(Reason::ItemRequired.into());
    }
    Ok(Request::Retract { node, ids, notice })
}

/// The ids of the items in an element, each once.
fn ids(element: &Child<'_>) -> Result<Vec<Box<str>>, PubsubError> {
    let mut ids = Vec::new();
    let mut seen = HashSet::new();
    for item in element.children().filter(|child| child.is(ns::PUBSUB, "item")) {
        let id = name(&item, "id")?.ok_or_else(|| Reason::ItemRequired.error())?;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
        if ids.len() > NAMED_MAX {
            return Err(Malformed("too many items").into());
        }
    }
    Ok(ids)
}

/// The form in an element.
pub(super) fn form(element: &Child<'_>) -> Result<Option<DataForm>, PubsubError> {
    Ok(element.child(ns::DATA_FORMS, "x").map(|form| DataForm::read(&form)).transpose()?)
}

fn element(name: &str) -> Tree {
    Tree::new(ns::PUBSUB, name)
}
