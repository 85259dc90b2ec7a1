//! Which nodes stand in which collections (XEP-0248 section 7): told to the subscribers of the collection, and kept with the node that
//! stands in it, so that both sides always say the same.

use std::sync::Arc;

use metronome_model::{NodeChange, NodeKind};
use metronome_proto::payload::Malformed;
use metronome_proto::payload::pubsub::{Event, PubsubError, Reason};
use metronome_proto::stanza::error::Condition;

use crate::access::Verb;
use crate::act::Act;
use crate::audience::Topic;
use crate::decision::Decision;
use crate::graph::{self, ROOT};
use crate::known::Stop;
use crate::node::Node;

/// Most nodes that one request puts into a collection or takes out of it; each of them is told.
const CHANGES_MAX: usize = 100;

/// Puts a node into a collection and changes nothing else (XEP-0248 section 7.5).
pub(crate) fn associate(act: Act<'_>, collection: &str, child: &str) -> Result<Decision, Stop> {
    let node = act.managed(child)?;
    let mut decision = Decision::default();
    if node.collections.iter().any(|known| **known == *collection) {
        return Ok(decision);
    }
    let parent = graph::place(act, child, collection)?;
    let collections: Vec<_> = node.collections.iter().cloned().chain([collection.into()]).collect();
    check_collections(act, &collections)?;
    move_to(&mut decision, node, collections);
    joined(act, &mut decision, parent, node)?;
    Ok(decision)
}

/// Takes a node out of a collection (XEP-0248 section 7.6): an owner of the node does, and whoever may put nodes into the collection.
pub(crate) fn dissociate(act: Act<'_>, collection: &str, child: &str) -> Result<Decision, Stop> {
    let node = act.node(child)?;
    let parent = act.node(collection)?;
    if act.require(node, Verb::Manage).is_err() {
        graph::check_policy(act, parent)?;
    }
    if !node.collections.iter().any(|known| **known == *collection) {
        return Err(Malformed("a node that does not stand in this collection").into());
    }
    let mut decision = Decision::default();
    move_to(&mut decision, node, without(node, collection));
    left(act, &mut decision, parent, node)?;
    Ok(decision)
}

/// The collections that a node is to stand in: each is asked for a place if it is new, and told of it; and so is one that it leaves.
pub(crate) fn set_parents(
    act: Act<'_>,
    decision: &mut Decision,
    node: &Arc<Node>,
    collections: &[Box<str>],
) -> Result<(), Stop> {
    check_collections(act, collections)?;
    act.known.nodes(collections)?;
    for new in collections.iter().filter(|name| !node.collections.contains(name)) {
        let parent = graph::place(act, &node.name, new)?;
        joined(act, decision, parent, node)?;
    }
    for old in node.collections.iter().filter(|name| !collections.contains(name)) {
        if let Some(parent) = act.find(old)? {
            left(act, decision, parent, node)?;
        }
    }
    Ok(())
}

/// The nodes that are to stand in a collection, beside those that do now. Only one's own nodes can be put somewhere.
pub(crate) fn set_children(
    act: Act<'_>,
    decision: &mut Decision,
    parent: &Arc<Node>,
    now: &[Box<str>],
    wanted: &[Box<str>],
) -> Result<(), Stop> {
    if parent.kind != NodeKind::Collection && !wanted.is_empty() {
        return Err(Reason::InvalidOptions.beside(Condition::NotAllowed).into());
    }
    if wanted.len() > now.len() {
        graph::check_room(act, parent, wanted.len())?;
    }
    let changing: Vec<_> =
        wanted.iter().chain(now).filter(|name| wanted.contains(name) != now.contains(name)).cloned().collect();
    if changing.len() > CHANGES_MAX {
        return Err(PubsubError::new(Condition::PolicyViolation).with_text("too many nodes at once").into());
    }
    act.known.nodes(&changing)?;
    for new in wanted.iter().filter(|name| !now.contains(name)) {
        let node = act.managed(new)?;
        graph::check_circle(act, parent, new)?;
        let collections: Vec<_> = node.collections.iter().cloned().chain([parent.name.clone()]).collect();
        check_collections(act, &collections)?;
        move_to(decision, node, collections);
        joined(act, decision, parent, node)?;
    }
    for old in now.iter().filter(|name| !wanted.contains(name)) {
        if let Some(node) = act.find(old)? {
            move_to(decision, node, without(node, &parent.name));
            left(act, decision, parent, node)?;
        }
    }
    Ok(())
}

/// Tells the subscribers of a collection that a node stands in it now.
pub(crate) fn joined(act: Act<'_>, decision: &mut Decision, parent: &Arc<Node>, child: &Node) -> Result<(), Stop> {
    let event = Event::Associated { node: parent.name.clone(), child: child.name.clone(), about: None };
    told(act, decision, parent, event)
}

fn left(act: Act<'_>, decision: &mut Decision, parent: &Arc<Node>, child: &Node) -> Result<(), Stop> {
    told(act, decision, parent, Event::Dissociated { node: parent.name.clone(), child: child.name.clone() })
}

/// A collection tells of what stands in it as it tells of its configuration, which that is.
fn told(act: Act<'_>, decision: &mut Decision, parent: &Arc<Node>, event: Event) -> Result<(), Stop> {
    if parent.config.notify_config {
        decision.notify(graph::tell(act, parent, Topic::Nodes, &event)?);
    }
    Ok(())
}

fn move_to(decision: &mut Decision, node: &Node, collections: Vec<Box<str>>) {
    decision.change(&node.name, NodeChange::Configure { config: node.config.encode(), collections });
}

fn without(node: &Node, collection: &str) -> Vec<Box<str>> {
    node.collections.iter().filter(|known| ***known != *collection).cloned().collect()
}

/// A node stands in a bounded number of collections, and never beside that in the root, which is where it stands without any.
fn check_collections(act: Act<'_>, collections: &[Box<str>]) -> Result<(), Stop> {
    if collections.len() > act.limits().collections_max || collections.iter().any(|name| **name == *ROOT) {
        return Err(Reason::MaxNodesExceeded.error().into());
    }
    Ok(())
}
