//! Subscriptions that wait for an owner (XEP-0060 sections 8.6 and 8.7): the form that asks, and what an owner answers.

use std::sync::Arc;

use metronome_model::SubscriptionState;
use metronome_proto::stanza::error::Condition;

use crate::act::Act;
use crate::authorization::{Authorization, Verdict as Said};
use crate::decision::{Decision, Notification};
use crate::known::Stop;
use crate::node::{Node, Subscriber};
use crate::verbs::last;
use crate::verbs::subscriptions::{self, Told};

/// An owner has answered. An answer to something that is settled already, or never was asked, changes nothing.
pub(crate) fn answer(act: Act<'_>, said: &Authorization) -> Result<Decision, Stop> {
    let node = act.managed(&said.node)?;
    let mut decision = Decision::default();
    let state = match said.verdict {
        Said::Allow => Some(SubscriptionState::Subscribed),
        Said::Deny => None,
    };
    let waits = |row: &&Subscriber| {
        row.state == SubscriptionState::Pending && said.subid.as_ref().is_none_or(|subid| **subid == *row.subid)
    };
    let row = node.subscriptions_at(&said.subscriber).iter().find(waits);
    let row = row.ok_or(Stop::from(Condition::ItemNotFound))?;
    decision.change(&node.name, subscriptions::made(node, row, state));
    subscriptions::tell(act, &mut decision, node, row, state, Told::Subscriber);
    if state.is_some() {
        decision.notify(last::for_new(act, node, &row.jid)?);
    }
    Ok(decision)
}

/// Asks the owners of a node whether somebody may subscribe.
pub(crate) fn ask(act: Act<'_>, node: &Node, row: &Subscriber) -> Option<Notification> {
    Notification::to_these(act.owners(node), form(node, row))
}

/// Everything that waits for approval at a node, for an owner who asks for it: one message for each.
pub(crate) fn pending(act: Act<'_>, name: &str) -> Result<Decision, Stop> {
    let node: &Arc<Node> = act.managed(name)?;
    let waits = |row: &&Subscriber| row.state == SubscriptionState::Pending && row.lasts(act.facts.now_ms);
    let mut decision = Decision::default();
    for row in node.subscribers().iter().filter(waits) {
        decision.notify(Notification::to_these(vec![act.facts.from.clone()], form(node, row)));
    }
    Ok(decision)
}

fn form(node: &Node, row: &Subscriber) -> Vec<u8> {
    Authorization::ask(&node.name, &row.subid, &row.jid).tree().to_vec("")
}
