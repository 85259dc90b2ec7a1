//! Deleting a node (XEP-0060 section 8.4). What stands in a collection that goes stays where else it stands, or falls back to the root.

use std::sync::Arc;

use metronome_model::{NodeChange, NodeKind};
use metronome_proto::payload::pubsub::Event;
use metronome_proto::stanza::error::Condition;

use crate::act::Act;
use crate::attachments::{self, Kind};
use crate::audience::Topic;
use crate::config::{AccessModel, Config};
use crate::decision::Decision;
use crate::graph::{self, ROOT};
use crate::known::Stop;
use crate::node::Node;
use crate::public;
use crate::verbs::attach;

pub(crate) fn delete(act: Act<'_>, name: &str, redirect: Option<&str>) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    if name == ROOT {
        return Err(Condition::NotAllowed.into());
    }
    attachments::refuse_summary(name)?;
    let node = act.managed(name)?;
    let mut decision = Decision::default();
    match attachments::kind(name, act.facts.address) {
        Kind::Attachments(target) => attach::emptied(act, &mut decision, &target)?,
        _ => attach::node_gone(act, &mut decision, node)?,
    }
    if let Some(special) = act.find(&public::name(name))? {
        remove(act, &mut decision, special, None)?;
    }
    remove(act, &mut decision, node, redirect)?;
    if let Some(uri) = redirect {
        leave_trace(&mut decision, act, node, uri);
    }
    Ok(decision)
}

/// Whoever comes later hears where to go (section 6.1.3.11), if they could know of the node. Of a closed one nobody does.
fn leave_trace(decision: &mut Decision, act: Act<'_>, node: &Node, uri: &str) {
    let Config { access_model, roster_groups_allowed, .. } = node.config.clone();
    if access_model == AccessModel::Whitelist || node.kind == NodeKind::Collection {
        return;
    }
    let config = Config { access_model, roster_groups_allowed, subscribe: false, moved: uri.into(), ..Config::base() };
    let (kind, config, collections) = (NodeKind::Leaf, config.encode(), Vec::new());
    let (creator, at_ms) = (node.creator.clone(), act.facts.now_ms);
    decision.change(&node.name, NodeChange::Create { kind, config, collections, creator, at_ms });
}

/// Deletes a node, and tells those who are subscribed.
pub(crate) fn remove(
    act: Act<'_>,
    decision: &mut Decision,
    node: &Arc<Node>,
    redirect: Option<&str>,
) -> Result<(), Stop> {
    decision.change(&node.name, NodeChange::Delete);
    if node.config.notify_delete {
        let event = Event::Deleted { node: node.name.clone(), redirect: redirect.map(Box::from) };
        decision.notify(graph::tell_always(act, node, Topic::End, &event)?);
    }
    Ok(())
}
