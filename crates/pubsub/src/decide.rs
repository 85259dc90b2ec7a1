//! Which request is decided where. Nothing here reads or writes: what has to be known comes in, and what is to happen goes out.

use std::sync::Arc;

use metronome_model::Item;
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::{OwnerRequest, Request};

use crate::act::Act;
use crate::authorization::Authorization;
use crate::decision::{Audience, Decision, Notification};
use crate::facts::Facts;
use crate::graph::ROOT;
use crate::known::{Known, Stop};
use crate::node::Node;
use crate::public;
use crate::rules::{ByPresence, Rules};
use crate::verbs::{
    affiliations, approve, configure, create, delete, end, items, last, options, publish, purge, relate, retract,
    subscribe, subscriptions, unsubscribe,
};

/// The nodes of one owner, as far as they are known, for one who asks.
#[derive(Clone, Copy)]
pub struct Nodes<'a> {
    /// Who asks, and when.
    pub facts: &'a Facts<'a>,
    /// What has been read.
    pub known: &'a Known,
    /// How nodes behave there.
    pub rules: &'a dyn Rules,
}

impl<'a> Nodes<'a> {
    fn act(self) -> Act<'a> {
        Act { facts: self.facts, known: self.known, rules: self.rules }
    }

    /// Decides what entities, subscribers and publishers ask for.
    pub fn decide(self, request: &Request) -> Result<Decision, Stop> {
        let act = self.act();
        followed(
            act,
            match request {
                Request::Create { node, config } => create::create(act, node.as_deref(), config.as_ref()),
                Request::Subscribe { node, jid, options, public } => {
                    subscribe::subscribe(act, or_root(node), jid, options.as_ref(), *public)
                }
                Request::Unsubscribe(of) => unsubscribe::unsubscribe(act, of),
                Request::Options(of) => options::get(act, of),
                Request::SetOptions { of, form } => options::set(act, of, form),
                Request::DefaultOptions { node } => options::defaults(act, node.as_deref()),
                Request::Items(asked) => items::items(act, asked),
                Request::Publish { node, items, options } => publish::publish(act, node, items, options.as_ref()),
                Request::Retract { node, ids, notice } => retract::retract(act, node, ids, *notice),
                Request::Subscriptions { node } => subscriptions::own(act, node.as_deref()),
                Request::Affiliations { node } => affiliations::own(act, node.as_deref()),
            },
        )
    }

    /// Decides what owners ask for.
    pub fn decide_owner(self, request: &OwnerRequest) -> Result<Decision, Stop> {
        let act = self.act();
        followed(
            act,
            match request {
                OwnerRequest::Configuration { node } => configure::get(act, node),
                OwnerRequest::Configure { node, form } => configure::set(act, node, form),
                OwnerRequest::DefaultConfiguration { kind } => configure::defaults(act, *kind),
                OwnerRequest::Delete { node, redirect } => delete::delete(act, node, redirect.as_deref()),
                OwnerRequest::Purge { node } => purge::purge(act, node),
                OwnerRequest::Subscriptions { node } => subscriptions::of_node(act, node),
                OwnerRequest::SetSubscriptions { node, changes } => subscriptions::set(act, node, changes),
                OwnerRequest::Affiliations { node } => affiliations::of_node(act, node),
                OwnerRequest::SetAffiliations { node, changes } => affiliations::set(act, node, changes),
                OwnerRequest::Associate { node, child } => relate::associate(act, node, child),
                OwnerRequest::Dissociate { node, child } => relate::dissociate(act, node, child),
            },
        )
    }

    /// What an owner has answered to a subscription that waits for approval (XEP-0060 section 8.6).
    pub fn approve(self, answer: &Authorization) -> Result<Decision, Stop> {
        followed(self.act(), approve::answer(self.act(), answer))
    }

    /// Everything that waits for approval at a node, sent to the owner who asks for it (XEP-0060 section 8.7.3).
    pub fn pending(self, node: &str) -> Result<Decision, Stop> {
        approve::pending(self.act(), node)
    }

    /// What is sent of the newest item to somebody who comes online (XEP-0163 section 4.3): the content of a message, stamped with the
    /// time of the publication.
    pub fn last_item(self, node: &Node, item: &Item) -> Vec<u8> {
        last::content(self.act(), node, item)
    }

    /// The newest item for subscribers who come online (XEP-0060 section 12.2), whoever of them asks.
    pub fn last_for_comers(self, node: &Arc<Node>, item: &Item) -> Notification {
        last::for_comers(self.act(), node, item)
    }

    /// The newest item for somebody who may read it from now on: a subscriber, or one whom presence subscribes where that is said.
    pub fn last_for_contact(self, node: &Arc<Node>, item: &Item, by_presence: ByPresence) -> Notification {
        let mut notification = self.last_for_comers(node, item);
        if let Audience::Subscribers(to) = &mut notification.to {
            to.by_presence = by_presence;
        }
        notification
    }

    /// What is sent of items that were published while somebody was away (XEP-0312), oldest first: the content of one message.
    pub fn items_since(self, node: &Node, items: &[Item]) -> Vec<u8> {
        last::missed(self.act(), node, items)
    }

    /// It is time: what is over by now goes from a node. Nobody asks; the facts may say anybody.
    pub fn time(self, node: &str) -> Result<Decision, Stop> {
        followed(self.act(), end::time(self.act(), node))
    }

    /// Somebody has become unavailable: full for one resource, bare once none is left.
    pub fn gone(self, node: &str, who: &Jid) -> Result<Decision, Stop> {
        followed(self.act(), end::presence(self.act(), node, who))
    }
}

/// With what follows for those who want to hear of public subscribers (XEP-0465).
fn followed(act: Act<'_>, decision: Result<Decision, Stop>) -> Result<Decision, Stop> {
    let mut decision = decision?;
    public::follow(act, &mut decision)?;
    Ok(decision)
}

fn or_root(node: &Option<Box<str>>) -> &str {
    node.as_deref().unwrap_or(ROOT)
}
