//! Making nodes (XEP-0060 section 8.1): with a name or without, configured or not; and by publishing (section 7.1.4).

use std::sync::Arc;

use metronome_model::{Affiliation, NodeChange, NodeKind, NodeRow};
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::pubsub::{Event, Reason, reply};
use metronome_proto::stanza::error::Condition;

use crate::act::Act;
use crate::audience::Topic;
use crate::config::Config;
use crate::decision::Decision;
use crate::facts::{Creation, Standing};
use crate::graph::{self, ROOT};
use crate::known::Stop;
use crate::node::Node;
use crate::verbs::{configure, relate};
use crate::{attachments, public};

pub(crate) fn create(act: Act<'_>, name: Option<&str>, form: Option<&DataForm>) -> Result<Decision, Stop> {
    let name = name.map_or_else(|| act.facts.id(0), Box::from);
    public::refuse_special(&name)?;
    attachments::refuse_made(&name)?;
    check_may_create(act)?;
    if *name == *ROOT || act.find(&name)?.is_some() {
        return Err(Condition::Conflict.into());
    }
    let wanted = configure::read_new(act, &name, form)?;
    let parents: Vec<_> =
        wanted.collections.iter().map(|parent| graph::place(act, &name, parent)).collect::<Result<_, _>>()?;
    let mut decision = Decision::default();
    let node = add(act, &mut decision, &name, wanted.kind, wanted.config, wanted.collections)?;
    for parent in parents {
        relate::joined(act, &mut decision, parent, &node)?;
    }
    relate::set_children(act, &mut decision, &node, &[], &wanted.children)?;
    decision.reply = reply::created(&name).to_vec("");
    Ok(decision)
}

/// Who may make nodes here at all.
pub(crate) fn check_may_create(act: Act<'_>) -> Result<(), Stop> {
    let owns_all = act.facts.standing == Standing::Owner || act.is_owner_of_all(act.facts.from);
    match act.facts.creation {
        _ if owns_all => Ok(()),
        _ if act.rules.owner(act.facts).is_some() => Err(Condition::Forbidden.into()),
        Creation::Allowed => Ok(()),
        Creation::Forbidden => Err(Condition::Forbidden.into()),
        Creation::NeedsRegistration => Err(Condition::RegistrationRequired.into()),
    }
}

/// Adds a node of the server's own making, which nobody owns, within the quota; nobody is told that it is there.
pub(crate) fn add_made(
    act: Act<'_>,
    decision: &mut Decision,
    name: &str,
    config: Config,
    creator: Jid,
) -> Result<Arc<Node>, Stop> {
    let made = decision.changes.iter().filter(|(_, change)| matches!(change, NodeChange::Create { .. })).count() as u64;
    if act.known.usage()?.nodes + made >= act.limits().nodes_max {
        return Err(Reason::MaxNodesExceeded.error().into());
    }
    let (kind, at_ms, config) = (NodeKind::Leaf, act.facts.now_ms, config.encode());
    let (of_row, by, collections) = (config.clone(), creator.clone(), Vec::new());
    decision.change(name, NodeChange::Create { kind, config, collections: Vec::new(), creator, at_ms });
    let row = NodeRow { name: name.into(), kind, config: of_row, collections, creator: by, created_ms: at_ms };
    Ok(Arc::new(Node::read(row, Vec::new(), Vec::new())))
}

/// Adds a node that does not exist yet, owned by whoever asks, within the quota.
pub(crate) fn add(
    act: Act<'_>,
    decision: &mut Decision,
    name: &str,
    kind: NodeKind,
    config: Config,
    collections: Vec<Box<str>>,
) -> Result<Arc<Node>, Stop> {
    if act.known.usage()?.nodes >= act.limits().nodes_max {
        return Err(Reason::MaxNodesExceeded.error().into());
    }
    if let Some(trace) = act.trace(name)? {
        // Nobody else takes the place of a node that has moved.
        let is_theirs = trace.creator.same_bare(act.facts.from) || act.facts.standing == Standing::Owner;
        if !is_theirs {
            act.node(name)?;
        }
        decision.change(name, NodeChange::Delete);
    }
    let creator = act.facts.from.bare();
    let stored = config.encode();
    let at_ms = act.facts.now_ms;
    let create = NodeChange::Create {
        kind,
        config: stored.clone(),
        collections: collections.clone(),
        creator: creator.clone(),
        at_ms,
    };
    decision.change(name, create);
    let row =
        NodeRow { name: name.into(), kind, config: stored, collections, creator: creator.clone(), created_ms: at_ms };
    let mut affiliations = Vec::new();
    if name != ROOT {
        decision.change(name, NodeChange::Affiliate { jid: creator.clone(), affiliation: Some(Affiliation::Owner) });
        affiliations.push((creator, Affiliation::Owner));
    }
    let node = Arc::new(Node::read(row, affiliations, Vec::new()));
    if name != ROOT {
        let event = Event::Created { node: name.into() };
        decision.notify(graph::tell(act, &node, Topic::Nodes, &event)?);
    }
    Ok(node)
}
