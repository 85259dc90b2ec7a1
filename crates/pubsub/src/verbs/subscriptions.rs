//! Lists of subscriptions: one's own (XEP-0060 section 5.6), and those of a node for its owners, who may approve and end them
//! (section 8.8). An owner subscribes nobody who has not asked for it: a node would become a way to send others what they never wanted.

use metronome_model::{NodeChange, SubscriptionState};
use metronome_proto::payload::pubsub::PubsubError;
use metronome_proto::payload::pubsub::{Change, Event, Subscribed, SubscriptionChange, SubscriptionEntry, reply};
use metronome_proto::stanza::error::{Condition, ErrorType};

use crate::act::Act;
use crate::decision::{Decision, Notification};
use crate::known::Stop;
use crate::node::{Node, Subscriber};
use crate::verbs::last;

/// Who hears of a change of a subscription, beside whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The subscriber, and the owners if the node is so configured.
    Subscriber,
    /// Only the owners, if the node is so configured.
    OnlyOwners,
}

/// The sender's own subscriptions, to one node or to all.
pub(crate) fn own(act: Act<'_>, name: Option<&str>) -> Result<Decision, Stop> {
    let now_ms = act.facts.now_ms;
    let entries: Vec<_> = match name {
        Some(name) => {
            let node = act.node(name)?;
            let rows = node.subscriptions_of(act.facts.from).filter(|row| row.lasts(now_ms));
            rows.map(|row| entry(node, row, Some(row.state))).collect()
        }
        None => {
            let rows = act.known.subscriptions(&act.facts.from.bare())?.iter();
            let lasting = rows.filter(|(_, row)| row.expires_ms.is_none_or(|end_ms| end_ms > now_ms));
            let entry = |(node, row): &(Box<str>, metronome_model::Subscription)| SubscriptionEntry {
                node: Some(node.clone()).filter(|node| !node.is_empty()),
                jid: row.jid.clone(),
                subid: Some(row.subid.clone()),
                state: Some(row.state),
            };
            lasting.map(entry).collect()
        }
    };
    Ok(Decision::answer(reply::subscriptions(name, &entries).to_vec("")))
}

/// All subscriptions to a node; those that wait for approval are not among them (section 8.8.1.2).
pub(crate) fn of_node(act: Act<'_>, name: &str) -> Result<Decision, Stop> {
    let node = act.managed(name)?;
    let counts = |row: &&Subscriber| row.state != SubscriptionState::Pending && row.lasts(act.facts.now_ms);
    let entries: Vec<_> = node.subscribers().iter().filter(counts).map(listed).collect();
    Ok(Decision::answer(reply::owner_subscriptions(name, &entries).to_vec("")))
}

/// An owner changes subscriptions: all of them as asked for, or none.
pub(crate) fn set(act: Act<'_>, name: &str, changes: &[SubscriptionChange]) -> Result<Decision, Stop> {
    let node = act.managed(name)?;
    let mut decision = Decision::default();
    for change in changes {
        let Some(row) = target(node, change) else { return Err(unchanged(node, changes).into()) };
        let state = match change.state {
            Change::Keep => continue,
            Change::Remove => None,
            Change::Set(state) if state == row.state => continue,
            Change::Set(state) => Some(state),
        };
        decision.change(name, made(node, row, state));
        tell(act, &mut decision, node, row, state, Told::Subscriber);
        if row.state == SubscriptionState::Pending && state == Some(SubscriptionState::Subscribed) {
            decision.notify(last::for_new(act, node, &row.jid)?);
        }
    }
    Ok(decision)
}

/// The change that gives a subscription another state, or ends it.
pub(crate) fn made(node: &Node, row: &Subscriber, state: Option<SubscriptionState>) -> NodeChange {
    match state {
        None => NodeChange::Unsubscribe { jid: row.jid.clone(), subid: Some(row.subid.clone()) },
        Some(state) => NodeChange::Subscribe(Subscriber { state, ..row.clone() }.row(node.kind)),
    }
}

fn target<'a>(node: &'a Node, change: &SubscriptionChange) -> Option<&'a Subscriber> {
    match (node.subscriptions_at(&change.jid), &change.subid) {
        ([row], None) => Some(row),
        (rows, Some(subid)) => rows.iter().find(|row| row.subid == *subid),
        _ => None,
    }
}

/// Nothing has changed: what was asked for is returned as it still is (section 8.8.2.4).
fn unchanged(node: &Node, changes: &[SubscriptionChange]) -> PubsubError {
    let entry = |change: &SubscriptionChange| match target(node, change) {
        Some(row) => listed(row),
        None => SubscriptionEntry { node: None, jid: change.jid.clone(), subid: change.subid.clone(), state: None },
    };
    let entries: Vec<_> = changes.iter().map(entry).collect();
    let error = PubsubError::new(Condition::NotAcceptable).with_type(ErrorType::Modify);
    error.with_failed(reply::owner_subscriptions(&node.name, &entries))
}

/// Tells of a subscription that has changed (section 12.14): the subscriber, and the owners if the node says so.
pub(crate) fn tell(
    act: Act<'_>,
    decision: &mut Decision,
    node: &Node,
    row: &Subscriber,
    state: Option<SubscriptionState>,
    told: Told,
) {
    let entry = entry(node, row, state);
    let mut content = Vec::new();
    Event::Subscription(Subscribed { entry, expiry_ms: None }).write(&mut content);
    if node.config.notify_sub {
        let owners = act.owners(node).into_iter().filter(|owner| !owner.same_bare(act.facts.from)).collect();
        decision.notify(Notification::to_these(owners, content.clone()));
    }
    if told == Told::Subscriber {
        decision.notify(Notification::to_these(vec![row.jid.clone()], content));
    }
}

/// A subscription with its node.
pub(crate) fn entry(node: &Node, row: &Subscriber, state: Option<SubscriptionState>) -> SubscriptionEntry {
    let name = Some(node.name.clone()).filter(|name| !name.is_empty());
    SubscriptionEntry { node: name, jid: row.jid.clone(), subid: Some(row.subid.clone()), state }
}

fn listed(row: &Subscriber) -> SubscriptionEntry {
    SubscriptionEntry { node: None, jid: row.jid.clone(), subid: Some(row.subid.clone()), state: Some(row.state) }
}
