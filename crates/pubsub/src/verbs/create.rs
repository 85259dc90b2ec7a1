//! Making nodes (XEP-0060 section 8.1): with a name or without, configured or not; and by publishing (section 7.1.4).

use std::sync::Arc;

use metronome_model::{Affiliation, NodeChange, NodeKind, NodeRow};
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
use crate::public;
use crate::verbs::{configure, relate};

pub(crate) fn create(act: Act<'_>, name: Option<&str>, form: Option<&DataForm>) -> Result<Decision, Stop> {
    let name = name.map_or_else(|| act.facts.id(0), Box::from);
    public::refuse_special(&name)?;
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
