//! The configuration of a node (XEP-0060 sections 8.2 and 8.3): shown to its owners, set by them, and what follows from it for what is
//! in the node already.

use std::sync::Arc;

use metronome_model::{NodeChange, NodeKind};
use metronome_proto::payload::data_form::{DataForm, FormType};
use metronome_proto::payload::pubsub::{Event, Reason, reply};
use metronome_proto::stanza::error::Condition;

use crate::act::Act;
use crate::audience::Topic;
use crate::config::{Config, Relations, Submitted};
use crate::decision::Decision;
use crate::graph::{self, ROOT};
use crate::known::Stop;
use crate::node::Node;
use crate::verbs::{end, items, last, relate};
use crate::{attachments, profiles, public};

/// What a form makes of a node that does not exist yet.
pub(crate) struct NewNode {
    pub kind: NodeKind,
    pub config: Config,
    pub collections: Vec<Box<str>>,
    pub children: Vec<Box<str>>,
}

/// The form with the configuration.
pub(crate) fn get(act: Act<'_>, name: &str) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    let node = act.managed(name)?;
    let config = match act.guard(node)? {
        Some(guard) => attachments::shown(&node.config, guard),
        None => node.config.clone(),
    };
    let form = config.form(FormType::Form, relations(act, node)?);
    Ok(Decision::answer(reply::configuration(name, &form).to_vec("")))
}

/// The configuration of new nodes, for everybody.
pub(crate) fn defaults(act: Act<'_>, kind: NodeKind) -> Result<Decision, Stop> {
    let relations = Relations { kind, collections: &[], children: &[] };
    let form = act.rules.defaults("", kind).form(FormType::Form, relations);
    Ok(Decision::answer(reply::default_configuration(&form).to_vec("")))
}

/// What the form of a request for a new node says, over the defaults of its kind.
pub(crate) fn read_new(act: Act<'_>, name: &str, form: Option<&DataForm>) -> Result<NewNode, Stop> {
    let kind = form.and_then(|form| form.value("pubsub#node_type")).and_then(NodeKind::of).unwrap_or_default();
    let defaults = act.rules.defaults(name, kind);
    let Some(form) = form.filter(|form| form.kind != FormType::Cancel) else {
        return Ok(NewNode { kind, config: defaults, collections: Vec::new(), children: Vec::new() });
    };
    let defaults = profiles::by_type(form.value("pubsub#type").unwrap_or_default(), defaults);
    let submitted = defaults.submit(form, kind)?;
    let collections = named(submitted.collections.unwrap_or_default());
    Ok(NewNode { kind, config: submitted.config, collections, children: named(submitted.children.unwrap_or_default()) })
}

/// Sets the configuration; a form that is cancelled changes nothing.
pub(crate) fn set(act: Act<'_>, name: &str, form: &DataForm) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    let node = act.managed(name)?;
    attachments::refuse_made(name)?;
    let mut decision = Decision::default();
    if form.kind == FormType::Cancel {
        return Ok(decision);
    }
    let Submitted { config, kind, collections, children } = node.config.submit(form, node.kind)?;
    let turned = turn(&mut decision, node, kind.unwrap_or(node.kind))?;
    let collections = collections.map_or_else(|| node.collections.clone(), named);
    let change = NodeChange::Configure { config: config.encode(), collections: collections.clone() };
    let after = turned.after(&change).map_or(turned, Arc::new);
    decision.change(name, change);
    relate::set_parents(act, &mut decision, node, &collections)?;
    if let Some(children) = children.map(named) {
        let now = act.known.children(name, act.limits().children_max + 1)?;
        relate::set_children(act, &mut decision, &after, now, &children)?;
    }
    if after.kind == node.kind {
        settle_items(act, &mut decision, node, &after);
        decision.notify(last::for_admitted(act, node, &after)?);
    }
    if config.notify_config {
        let form = config.deliver_payloads.then(|| {
            config.form(FormType::Result, Relations { kind: node.kind, collections: &collections, children: &[] })
        });
        let event = Event::Configured { node: name.into(), form };
        decision.notify(graph::tell(act, &after, Topic::Nodes, &event)?);
    }
    Ok(decision)
}

/// A leaf may become a collection, and its items go; never the other way round (XEP-0248 section 7.2.4).
fn turn(decision: &mut Decision, node: &Arc<Node>, kind: NodeKind) -> Result<Arc<Node>, Stop> {
    if kind == node.kind {
        return Ok(Arc::clone(node));
    }
    if kind == NodeKind::Leaf {
        return Err(Reason::InvalidOptions.beside(Condition::NotAllowed).into());
    }
    let change = NodeChange::Turn(kind);
    let turned = node.after(&change).map_or_else(|| Arc::clone(node), Arc::new);
    decision.change(&node.name, NodeChange::Purge);
    decision.change(&node.name, change);
    Ok(turned)
}

/// Items that the new configuration has no place for.
fn settle_items(act: Act<'_>, decision: &mut Decision, before: &Node, after: &Node) {
    if before.kind == NodeKind::Collection || !before.config.persist_items {
        return;
    }
    if !after.config.persist_items {
        return decision.change(&before.name, NodeChange::Purge);
    }
    let keep = end::keep(act, after.config.max_items);
    if keep < end::keep(act, before.config.max_items) {
        decision.change(&before.name, NodeChange::Trim { keep });
    }
    if let Some(before_ms) = items::expired_before_ms(act, after) {
        decision.change(&before.name, NodeChange::Expire { before_ms });
    }
}

/// What the form shows of the nodes around this one.
fn relations<'a>(act: Act<'a>, node: &'a Node) -> Result<Relations<'a>, Stop> {
    let children = match node.kind {
        NodeKind::Leaf => &[],
        NodeKind::Collection => act.known.children(&node.name, act.limits().children_max + 1)?,
    };
    Ok(Relations { kind: node.kind, collections: &node.collections, children })
}

/// Names in byte order, each once; an empty one is the root, in which everything stands that stands nowhere else.
fn named(mut names: Vec<Box<str>>) -> Vec<Box<str>> {
    names.retain(|name| **name != *ROOT);
    names.sort();
    names.dedup();
    names
}
