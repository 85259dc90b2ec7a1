//! Ending a subscription (XEP-0060 section 6.2), by the subscriber or by whoever acts for them.

use std::sync::Arc;

use metronome_proto::payload::pubsub::{Reason, SubscriptionName, reply};
use metronome_proto::stanza::error::Condition;

use crate::act::Act;
use crate::decision::Decision;
use crate::graph::ROOT;
use crate::known::Stop;
use crate::node::{Node, Subscriber};
use crate::verbs::subscriptions::{self, Told};

pub(crate) fn unsubscribe(act: Act<'_>, of: &SubscriptionName) -> Result<Decision, Stop> {
    let (node, row) = find(act, of)?;
    let mut decision = Decision::default();
    decision.change(&node.name, subscriptions::made(node, row, None));
    let told = if row.jid.same_bare(act.facts.from) { Told::OnlyOwners } else { Told::Subscriber };
    subscriptions::tell(act, &mut decision, node, row, None, told);
    let tree = subscriptions::entry(node, row, None);
    decision.reply = reply::subscription(&tree, reply::OptionsSupport::None, None).to_vec("");
    Ok(decision)
}

/// The subscription that is meant: the only one of this address, or the one with this id (sections 6.2.3 and 6.3.4).
pub(crate) fn find<'a>(act: Act<'a>, of: &SubscriptionName) -> Result<(&'a Arc<Node>, &'a Subscriber), Stop> {
    let node = act.node(of.node.as_deref().unwrap_or(ROOT))?;
    if !act.acts_for(&of.jid) {
        return Err(Condition::Forbidden.into());
    }
    match (node.subscriptions_at(&of.jid), &of.subid) {
        ([], _) => Err(Reason::NotSubscribed.error().into()),
        ([row], None) => Ok((node, row)),
        (_, None) => Err(Reason::SubidRequired.error().into()),
        (rows, Some(subid)) => match rows.iter().find(|row| row.subid == *subid) {
            Some(row) => Ok((node, row)),
            None => Err(Reason::InvalidSubid.error().into()),
        },
    }
}
