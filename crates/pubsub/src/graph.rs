//! Collections (XEP-0248): which collections a node stands in, near and far, and who hears of it there. A node without a collection
//! stands in the root of all, which has no name.

use std::collections::HashSet;
use std::sync::Arc;

use metronome_model::{Affiliation, NodeKind};
use metronome_proto::payload::pubsub::{Event, Reason};
use metronome_proto::stanza::error::Condition;

use crate::act::{Act, refusal};
use crate::audience::{Subscribers, Topic};
use crate::config::{Amount, AssociationPolicy};
use crate::decision::{Audience, Notification};
use crate::known::Stop;
use crate::node::Node;
use crate::rules::ByPresence;

/// The name of the root.
pub const ROOT: &str = "";

/// The collections above a node that stands in these, and how far each is away. Each once, at its least distance; bounded by
/// [`Limits::depth_max`](crate::Limits).
pub(crate) fn above(act: Act<'_>, collections: &[Box<str>]) -> Result<Vec<(Arc<Node>, u32)>, Stop> {
    let mut found: Vec<(Arc<Node>, u32)> = Vec::new();
    let mut level: Vec<Box<str>> = collections.to_vec();
    let mut reaches_root = collections.is_empty().then_some(1);
    for distance in 1..=act.limits().depth_max as u32 {
        let mut next = Vec::new();
        for node in act.known.nodes(&level)? {
            if found.iter().any(|(known, _)| known.name == node.name) {
                continue;
            }
            found.push((Arc::clone(node), distance));
            if node.collections.is_empty() {
                reaches_root = reaches_root.or(Some(distance + 1));
            }
            next.extend(node.collections.iter().cloned());
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    if let Some(distance) = reaches_root.filter(|_| act.rules.by_presence() == ByPresence::Ignored)
        && let Some(root) = act.find(ROOT)?
    {
        found.push((Arc::clone(root), distance));
    }
    Ok(found)
}

/// The notification of something that happened to a node, for its subscribers and for those of the collections above; none if the node
/// does not deliver notifications.
pub(crate) fn tell(act: Act<'_>, node: &Arc<Node>, topic: Topic, event: &Event) -> Result<Option<Notification>, Stop> {
    if node.config.deliver_notifications { tell_always(act, node, topic, event) } else { Ok(None) }
}

/// The same for what is told however the node is configured: its end (XEP-0060 section 8.4.2).
pub(crate) fn tell_always(
    act: Act<'_>,
    node: &Arc<Node>,
    topic: Topic,
    event: &Event,
) -> Result<Option<Notification>, Stop> {
    let collections = above(act, &node.collections)?;
    let by_presence = if topic == Topic::Nodes { ByPresence::Ignored } else { act.rules.by_presence() };
    let to = Subscribers { node: Arc::clone(node), collections, topic, by_presence, body: None };
    if to.len_max() == 0 && by_presence == ByPresence::Ignored {
        return Ok(None);
    }
    let mut content = Vec::new();
    event.write(&mut content);
    Ok(Some(Notification { content, style: node.config.notification_type, to: Audience::Subscribers(to) }))
}

/// A collection that a node is put into: refused if it is none, if whoever asks may not put nodes there, if it is full, and if the
/// node stands above it already (XEP-0248 section 7.3).
pub(crate) fn place<'a>(act: Act<'a>, child: &str, collection: &str) -> Result<&'a Arc<Node>, Stop> {
    let parent = act.node(collection)?;
    if parent.kind != NodeKind::Collection {
        return Err(Reason::InvalidOptions.beside(Condition::NotAllowed).into());
    }
    check_policy(act, parent)?;
    let children = act.known.children(collection, act.limits().children_max + 1)?;
    if !children.iter().any(|known| **known == *child) {
        check_room(act, parent, children.len() + 1)?;
    }
    check_circle(act, parent, child)?;
    Ok(parent)
}

/// Refuses a collection more nodes than it may hold.
pub(crate) fn check_room(act: Act<'_>, parent: &Node, len: usize) -> Result<(), Stop> {
    let max = act.limits().children_max;
    let most = parent.config.children_max.unwrap_or(Amount::Max).within(max as u64);
    if len as u64 > most { Err(Reason::MaxNodesExceeded.error().into()) } else { Ok(()) }
}

/// Refuses a node a place below itself.
pub(crate) fn check_circle(act: Act<'_>, parent: &Node, child: &str) -> Result<(), Stop> {
    let is_above =
        *parent.name == *child || above(act, &parent.collections)?.iter().any(|(node, _)| *node.name == *child);
    if is_above { Err(Reason::InvalidOptions.beside(Condition::NotAllowed).into()) } else { Ok(()) }
}

/// Who may put nodes into a collection, or take them out.
pub(crate) fn check_policy(act: Act<'_>, parent: &Node) -> Result<(), Stop> {
    let affiliation = act.affiliation(parent, act.facts.from);
    let may = match (affiliation, parent.config.children_association_policy) {
        (Some(Affiliation::Owner), _) => true,
        (Some(Affiliation::Outcast), _) | (_, AssociationPolicy::Owners) => false,
        (_, AssociationPolicy::All) => true,
        (_, AssociationPolicy::Whitelist) => {
            let listed = &parent.config.children_association_whitelist;
            listed.iter().any(|jid| jid.same_bare(act.facts.from))
        }
    };
    if may { Ok(()) } else { Err(refusal(crate::access::Why::Forbidden).into()) }
}

/// The leaves below a collection, and how many levels below; those near it first, and not more than this many. A node that stands there by
/// two ways is given once, by the shorter.
pub(crate) fn leaves<'a>(act: Act<'a>, collection: &str, max: usize) -> Result<Vec<(&'a Arc<Node>, u32)>, Stop> {
    let mut seen: HashSet<Box<str>> = HashSet::from([collection.into()]);
    let mut level: Vec<Box<str>> = vec![collection.into()];
    let mut found = Vec::new();
    for distance in 1..=act.limits().depth_max as u32 {
        let mut next = Vec::new();
        for name in &level {
            let names = act.known.children(name, act.limits().children_max + 1)?;
            for node in act.known.nodes(names)? {
                match node.kind {
                    _ if !seen.insert(node.name.clone()) => {}
                    NodeKind::Leaf if found.len() == max => return Ok(found),
                    NodeKind::Leaf => found.push((node, distance)),
                    NodeKind::Collection => next.push(node.name.clone()),
                }
            }
        }
        level = next;
    }
    Ok(found)
}
