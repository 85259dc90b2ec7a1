//! Deleting a node (XEP-0060 section 8.4). What stands in a collection that goes stays where else it stands, or falls back to the root.

use metronome_model::NodeChange;
use metronome_proto::payload::pubsub::Event;
use metronome_proto::stanza::error::Condition;

use crate::act::Act;
use crate::audience::Topic;
use crate::decision::Decision;
use crate::graph::{self, ROOT};
use crate::known::Stop;
use crate::public;

pub(crate) fn delete(act: Act<'_>, name: &str, redirect: Option<&str>) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    if name == ROOT {
        return Err(Condition::NotAllowed.into());
    }
    let node = act.managed(name)?;
    let mut decision = Decision::default();
    decision.change(name, NodeChange::Delete);
    if node.config.notify_delete {
        let event = Event::Deleted { node: name.into(), redirect: redirect.map(Box::from) };
        decision.notify(graph::tell_always(act, node, Topic::End, &event)?);
    }
    Ok(decision)
}
