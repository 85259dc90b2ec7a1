//! Removing all items of a node at once (XEP-0060 section 8.5).

use metronome_model::{NodeChange, NodeKind};
use metronome_proto::payload::pubsub::Event;

use crate::access::Verb;
use crate::act::{Act, unsupported};
use crate::attachments::{self, Kind};
use crate::audience::Topic;
use crate::decision::Decision;
use crate::known::Stop;
use crate::verbs::attach;
use crate::{graph, public};

pub(crate) fn purge(act: Act<'_>, name: &str) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    attachments::refuse_summary(name)?;
    let node = act.node(name)?;
    act.require(node, Verb::Purge)?;
    if node.kind == NodeKind::Collection || !node.config.persist_items {
        return Err(unsupported("persistent-items"));
    }
    let mut decision = Decision::default();
    decision.change(name, NodeChange::Purge);
    if node.config.notify_retract {
        let event = Event::Purged { node: name.into() };
        decision.notify(graph::tell(act, node, Topic::Items, &event)?);
    }
    match attachments::kind(name, act.facts.address) {
        Kind::Attachments(target) => attach::emptied(act, &mut decision, &target)?,
        _ => attach::node_gone(act, &mut decision, node)?,
    }
    Ok(decision)
}
