//! Collections (XEP-0248): which collections a node stands in, near and far, and who hears of it there. A node without a collection
//! stands in the root of all, which has no name.

use std::collections::HashSet;
use std::sync::Arc;

use metronome_model::{Affiliation, NodeKind};
use metronome_proto::payload::pubsub::{Event, Reason};
use metronome_proto::stanza::error::Condition;

use crate::act::{Act, refusal};
use crate::attachments;
use crate::audience::{Subscribers, Topic};
use crate::config::{Amount, AssociationPolicy};
use crate::decision::{Audience, Notification};
use crate::known::Stop;
use crate::node::Node;
use crate::rules::ByPresence;

/// The name of the root.
pub const ROOT: &str = "";

/// The collections above a node.
struct Above {
    /// Each once, at its least distance: 1 for those that the node stands in.
    found: Vec<(Arc<Node>, u32)>,
    /// Whether these are all.
    extent: Extent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// There are more of them than [`Limits::above_max`](crate::Limits), or farther away than [`Limits::depth_max`](crate::Limits).
    Cut,
}

/// The collections above a node that stands in these, the root among them, within the bounds.
fn above(act: Act<'_>, collections: &[Box<str>]) -> Result<Above, Stop> {
    let mut above = Above { found: Vec::new(), extent: Extent::Whole };
    let mut seen: HashSet<&str> = HashSet::new();
    let mut level: Vec<Box<str>> = collections.to_vec();
    let mut reaches_root = collections.is_empty().then_some(1);
    let mut distance = 0;
    while !level.is_empty() {
        distance += 1;
        let mut next = Vec::new();
        for node in act.known.nodes(&level)? {
            if !seen.insert(&node.name) {
                continue;
            }
            if above.found.len() == act.limits().above_max || distance > act.limits().depth_max {
                above.extent = Extent::Cut;
                return Ok(above);
            }
            above.found.push((Arc::clone(node), distance));
            if node.collections.is_empty() {
                reaches_root = reaches_root.or(Some(distance + 1));
            }
            next.extend(node.collections.iter().filter(|name| !seen.contains(&***name)).cloned());
        }
        level = next;
    }
    if let Some(distance) = reaches_root.filter(|_| act.rules.by_presence() == ByPresence::Ignored)
        && let Some(root) = act.find(ROOT)?
    {
        above.found.push((Arc::clone(root), distance));
    }
    Ok(above)
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
    let collections = above(act, &node.collections)?.found;
    let by_presence = if topic == Topic::Nodes { ByPresence::Ignored } else { act.rules.by_presence() };
    let guard = match attachments::guard(&node.name) {
        Some(guard) => act.find(&guard)?.cloned(),
        None => None,
    };
    let to = Subscribers { node: Arc::clone(node), collections, topic, by_presence, body: None, guard, before: None };
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

/// Refuses a node a place below itself, and one so deep that nobody can tell.
pub(crate) fn check_circle(act: Act<'_>, parent: &Node, child: &str) -> Result<(), Stop> {
    let above = above(act, &parent.collections)?;
    if *parent.name == *child || above.found.iter().any(|(node, _)| *node.name == *child) {
        return Err(Reason::InvalidOptions.beside(Condition::NotAllowed).into());
    }
    match above.extent {
        Extent::Whole => Ok(()),
        Extent::Cut => Err(Reason::MaxNodesExceeded.error().into()),
    }
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
    for distance in 1..=act.limits().depth_max {
        let mut next = Vec::new();
        for name in &level {
            let names = act.known.children(name, act.limits().children_max + 1)?;
            for node in act.known.nodes(names)? {
                let is_full = found.len() == max || seen.len() > act.limits().above_max + max;
                match node.kind {
                    _ if is_full => return Ok(found),
                    _ if !seen.insert(node.name.clone()) => {}
                    NodeKind::Leaf => found.push((node, distance)),
                    NodeKind::Collection => next.push(node.name.clone()),
                }
            }
        }
        level = next;
    }
    Ok(found)
}
