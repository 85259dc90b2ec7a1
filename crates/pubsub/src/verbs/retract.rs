//! Removing items (XEP-0060 section 7.2): all that are named, or none.

use std::collections::HashSet;

use metronome_model::{NodeChange, NodeKind};
use metronome_proto::payload::pubsub::{Event, RetractNotice};
use metronome_proto::stanza::error::Condition;

use crate::access::{Verb, Verdict};
use crate::act::{Act, refusal, unsupported};
use crate::attachments::{self, Kind};
use crate::audience::Topic;
use crate::decision::Decision;
use crate::known::Stop;
use crate::verbs::attach;
use crate::{graph, public};

pub(crate) fn retract(act: Act<'_>, name: &str, ids: &[Box<str>], notice: RetractNotice) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    attachments::refuse_summary(name)?;
    let node = act.node(name)?;
    act.require(node, Verb::RetractOwn)?;
    if node.kind == NodeKind::Collection || !node.config.persist_items {
        return Err(unsupported("persistent-items"));
    }
    let found = act.known.publishers(name, ids)?;
    let there: HashSet<_> = found.iter().map(|(id, _)| id).collect();
    if ids.iter().any(|id| !there.contains(id)) {
        return Err(Condition::ItemNotFound.into());
    }
    let is_other = found.iter().any(|(_, publisher)| !publisher.same_bare(act.facts.from));
    if is_other && act.verdict(node, Verb::RetractOther)? != Verdict::Granted {
        return Err(refusal(crate::access::Why::Forbidden).into());
    }
    let mut decision = Decision::default();
    decision.change(name, NodeChange::Retract { ids: ids.to_vec() });
    if notice == RetractNotice::Wanted || node.config.notify_retract {
        let event = Event::Retracted { node: name.into(), ids: ids.to_vec() };
        decision.notify(graph::tell(act, node, Topic::Items, &event)?);
    }
    match attachments::kind(name, act.facts.address) {
        Kind::Attachments(target) => attach::taken(act, &mut decision, name, &target, ids)?,
        _ => attach::items_gone(act, &mut decision, node, ids)?,
    }
    Ok(decision)
}
