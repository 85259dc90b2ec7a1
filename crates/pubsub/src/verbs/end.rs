//! What ends by itself: leases, subscriptions that last as long as presence does, items that expire, and those of a publisher who has
//! gone offline. Decided without a request, when it is time.

use std::sync::Arc;

use metronome_model::{NodeChange, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::Event;

use crate::act::Act;
use crate::audience::Topic;
use crate::config::Amount;
use crate::decision::Decision;
use crate::graph;
use crate::known::Stop;
use crate::node::{Node, Subscriber};
use crate::options::Expire;
use crate::verbs::subscriptions::{self, Told};
use crate::verbs::{attach, digest, items};

/// For how long it is told where a node has gone, in milliseconds: 90 days.
const TRACE_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// It is time: leases that are over end, and what has expired goes.
pub(crate) fn time(act: Act<'_>, name: &str) -> Result<Decision, Stop> {
    let mut decision = Decision::default();
    if act.trace(name)?.is_some_and(|trace| act.facts.now_ms.saturating_sub(trace.created_ms) > TRACE_MS) {
        decision.change(name, NodeChange::Delete);
    }
    let Some(node) = act.find(name)? else { return Ok(decision) };
    let over: Vec<_> = node.subscribers().iter().filter(|row| !row.lasts(act.facts.now_ms)).collect();
    if !over.is_empty() {
        decision.change(name, NodeChange::EndSubscriptions { at_ms: act.facts.now_ms });
    }
    over.into_iter().for_each(|row| subscriptions::tell(act, &mut decision, node, row, None, Told::Subscriber));
    if let Some(before_ms) = items::expired_before_ms(act, node).filter(|_| node.kind == NodeKind::Leaf) {
        decision.change(name, NodeChange::Expire { before_ms });
    }
    digest::send(act, &mut decision, node)?;
    attach::time(act, &mut decision, node)?;
    Ok(decision)
}

/// Somebody has become unavailable: their temporary subscriptions end (section 12.4), and what they published goes if the node says so.
/// `who` is full, as it was available; bare once no resource is left.
pub(crate) fn presence(act: Act<'_>, name: &str, who: &Jid) -> Result<Decision, Stop> {
    let mut decision = Decision::default();
    let Some(node) = act.find(name)? else { return Ok(decision) };
    let temporary = |row: &&Subscriber| {
        let is_theirs = row.jid == *who || (!who.is_full() && row.jid.same_bare(who));
        is_theirs && (node.config.tempsub || row.options.expire == Some(Expire::Presence))
    };
    for row in node.subscribers().iter().filter(temporary) {
        decision.change(name, subscriptions::made(node, row, None));
        subscriptions::tell(act, &mut decision, node, row, None, Told::OnlyOwners);
    }
    purge_offline(act, &mut decision, node, who)?;
    Ok(decision)
}

/// The field `purge_offline`: nothing is left of a publisher who is gone.
fn purge_offline(act: Act<'_>, decision: &mut Decision, node: &Arc<Node>, who: &Jid) -> Result<(), Stop> {
    let purges = node.config.purge_offline && node.kind == NodeKind::Leaf && node.config.persist_items;
    let publishes = items::newest(act, node)?.is_some_and(|item| item.publisher.same_bare(who));
    if who.is_full() || !purges || !publishes {
        return Ok(());
    }
    decision.change(&node.name, NodeChange::Purge);
    if node.config.notify_retract {
        let event = Event::Purged { node: node.name.clone() };
        decision.notify(graph::tell(act, node, Topic::Items, &event)?);
    }
    Ok(())
}

/// So many items stay in a node.
pub(crate) fn keep(act: Act<'_>, node_max: Amount) -> u64 {
    node_max.within(act.limits().items_max)
}
