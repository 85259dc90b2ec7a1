//! XEP-0470: attaching to an item, and what follows for its summary. What is attached to an item that is removed goes with it.

use std::sync::Arc;

use metronome_model::{Item, NodeChange, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::pubsub::{Entry, Event, Publication, Reason, reply};
use metronome_proto::stanza::error::Condition;

use crate::access::Verb;
use crate::act::{Act, unsupported};
use crate::attachments::attached::Attached;
use crate::attachments::summary::{REACTIONS_MAX, Summary};
use crate::attachments::{self, Kind, Target};
use crate::audience::Topic;
use crate::decision::Decision;
use crate::known::{Found, Page, Stop};
use crate::node::Node;
use crate::verbs::{create, delete, end, items};
use crate::{config::Amount, graph, public};

/// Most nodes with attachments that go with the node they belong to at once; further ones go when it is time.
const GONE_MAX: usize = 1000;

/// Most bytes of what one person attaches to an item.
const BYTES_MAX: usize = 16 * 1024;

/// So many of them are in one page of a store, whatever they have.
const READ_AT_ONCE: usize = 50;

/// Somebody attaches something: one item with their own address as its id (section 4.5). Options of the publication do not count.
pub(crate) fn publish(act: Act<'_>, name: &str, target: &Target, given: &[Publication]) -> Result<Decision, Stop> {
    let guard = act.node(&target.node)?;
    act.require(guard, Verb::Publish)?;
    let [given] = given else { return Err(Condition::BadRequest.into()) };
    let from = act.facts.from.bare();
    if given.id.as_deref() != Some(from.as_str()) {
        return Err(Condition::BadRequest.into());
    }
    let new = Attached::judge(given.payload.as_ref())?;
    check_size(act, given)?;
    if guard.kind != NodeKind::Leaf || !guard.config.persist_items {
        return Err(unsupported("persistent-items"));
    }
    if act.known.publishers(&target.node, std::slice::from_ref(&target.item))?.is_empty() {
        return Err(Condition::ItemNotFound.into());
    }
    let mut decision = Decision::default();
    let node = match act.find(name)? {
        Some(node) => Arc::clone(node),
        None => made(act, &mut decision, name, ns::PUBSUB_ATTACHMENTS, guard)?,
    };
    let id: Box<str> = from.as_str().into();
    let before = if decision.changes.is_empty() { former(act, name, std::slice::from_ref(&id))? } else { Vec::new() };
    if decision.changes.is_empty() && before.is_empty() {
        check_room(act, &node)?;
    }
    let payload = given.payload.as_ref().map_or_else(|| Arc::from([]), |payload| Arc::clone(&payload.bytes));
    put(act, &mut decision, &node, id, payload, from)?;
    count(act, &mut decision, guard, target, &before, &[new])?;
    decision.reply = reply::published(name, [act.facts.from.bare_str()]).to_vec("");
    Ok(decision)
}

/// What these people have attached is attached no longer.
pub(crate) fn taken(
    act: Act<'_>,
    decision: &mut Decision,
    name: &str,
    target: &Target,
    ids: &[Box<str>],
) -> Result<(), Stop> {
    let before = former(act, name, ids)?;
    match act.find(&target.node)? {
        Some(guard) => count(act, decision, guard, target, &before, &[]),
        None => Ok(()),
    }
}

/// Nothing is attached to an item any more.
pub(crate) fn emptied(act: Act<'_>, decision: &mut Decision, target: &Target) -> Result<(), Stop> {
    let Some(summary) = act.find(&attachments::summary_name(&target.node))? else { return Ok(()) };
    let (id, payload) = (target.item.clone(), Arc::from(Summary::default().to_vec()));
    put(act, decision, summary, id, payload, act.facts.address.clone())
}

/// Items are removed, and what is attached to them goes too.
pub(crate) fn items_gone(act: Act<'_>, decision: &mut Decision, node: &Node, ids: &[Box<str>]) -> Result<(), Stop> {
    let Some(summary) = act.find(&attachments::summary_name(&node.name))? else { return Ok(()) };
    let there: Vec<Box<str>> = act.known.publishers(&summary.name, ids)?.iter().map(|(id, _)| id.clone()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let target = |item: Box<str>| Target { node: node.name.clone(), item };
    let names: Vec<Box<str>> = there.iter().map(|item| target(item.clone()).name(act.facts.address).into()).collect();
    for attachments in act.known.nodes(&names)? {
        delete::remove(act, decision, attachments, None)?;
    }
    decision.change(&summary.name, NodeChange::Retract { ids: there.clone() });
    let event = Event::Retracted { node: summary.name.clone(), ids: there };
    decision.notify(graph::tell(act, summary, Topic::Items, &event)?);
    Ok(())
}

/// A node is emptied or deleted, and everything goes that is attached to its items.
pub(crate) fn node_gone(act: Act<'_>, decision: &mut Decision, node: &Node) -> Result<(), Stop> {
    let Some(summary) = act.find(&attachments::summary_name(&node.name))? else { return Ok(()) };
    let names = act.known.beginning(&attachments::beginning(&node.name, act.facts.address), GONE_MAX)?;
    for attachments in act.known.nodes(names)? {
        delete::remove(act, decision, attachments, None)?;
    }
    delete::remove(act, decision, summary, None)
}

/// It is time for a node with attachments: if its item has gone unnoticed, because there was no room for it or its time was over, it goes.
pub(crate) fn time(act: Act<'_>, decision: &mut Decision, node: &Arc<Node>) -> Result<(), Stop> {
    let target = match attachments::kind(&node.name, act.facts.address) {
        Kind::Attachments(target) => target,
        Kind::Summary(of) if act.find(of)?.is_none() => return delete::remove(act, decision, node, None),
        _ => match public::subscribers_of(&node.name) {
            Some(of) if act.find(of)?.is_none() => return delete::remove(act, decision, node, None),
            _ => return Ok(()),
        },
    };
    let Some(guard) = act.find(&target.node)? else { return delete::remove(act, decision, node, None) };
    if act.known.publishers(&target.node, std::slice::from_ref(&target.item))?.is_empty() {
        items_gone(act, decision, guard, std::slice::from_ref(&target.item))?;
    }
    Ok(())
}

/// The summary follows: without what was attached before, and with what is attached now.
fn count(
    act: Act<'_>,
    decision: &mut Decision,
    guard: &Arc<Node>,
    target: &Target,
    before: &[Attached],
    now: &[Attached],
) -> Result<(), Stop> {
    let name = attachments::summary_name(&guard.name);
    let mut summary = Summary::default();
    let node = match act.find(&name)? {
        Some(node) => {
            let found = act.known.items(&name, std::slice::from_ref(&target.item))?;
            summary = found.first().map(|item| Summary::read(&item.payload)).unwrap_or_default();
            Arc::clone(node)
        }
        None => made(act, decision, &name, ns::PUBSUB_ATTACHMENTS_SUMMARY, guard)?,
    };
    before.iter().for_each(|attached| summary.take(attached));
    now.iter().for_each(|attached| summary.add(attached));
    if summary.reactions.len() > REACTIONS_MAX {
        return Err(Condition::ResourceConstraint.into());
    }
    let payload = Arc::from(summary.to_vec());
    put(act, decision, &node, target.item.clone(), payload, act.facts.address.clone())
}

/// What was attached under these ids.
fn former(act: Act<'_>, name: &str, ids: &[Box<str>]) -> Result<Vec<Attached>, Stop> {
    let mut former = Vec::new();
    for some in ids.chunks(READ_AT_ONCE) {
        former.extend(act.known.items(name, some)?.iter().map(|item| Attached::read(&item.payload)));
    }
    Ok(former)
}

/// A node of the server's own making, that nobody owns: who may do what is asked of the other one.
fn made(act: Act<'_>, decision: &mut Decision, name: &str, kind: &str, guard: &Node) -> Result<Arc<Node>, Stop> {
    create::add_made(act, decision, name, attachments::config(kind, guard), guard.creator.clone())
}

/// Publishes an item and tells of it.
fn put(
    act: Act<'_>,
    decision: &mut Decision,
    node: &Arc<Node>,
    id: Box<str>,
    payload: Arc<[u8]>,
    publisher: Jid,
) -> Result<(), Stop> {
    let now_ms = act.facts.now_ms;
    let entry = Entry { id: id.clone(), publisher: None, payload: Some(Arc::clone(&payload)) };
    let item = Item { id, publisher, created_ms: now_ms, updated_ms: now_ms, payload };
    decision.change(&node.name, NodeChange::Publish { item, keep: end::keep(act, Amount::Max) });
    let event = Event::Items { node: node.name.clone(), items: vec![entry] };
    decision.notify(graph::tell(act, node, Topic::Items, &event)?);
    Ok(())
}

fn check_size(act: Act<'_>, given: &Publication) -> Result<(), Stop> {
    let bytes = given.payload.as_ref().map_or(0, |payload| payload.bytes.len());
    if bytes > act.limits().payload_bytes_max.min(BYTES_MAX) {
        return Err(Reason::PayloadTooBig.error().into());
    }
    if act.known.usage()?.bytes.saturating_add(bytes as u64) > act.limits().bytes_max {
        return Err(Condition::ResourceConstraint.into());
    }
    Ok(())
}

/// What is counted must not go unseen, so a full node takes no more.
fn check_room(act: Act<'_>, node: &Node) -> Result<(), Stop> {
    let page = Page { rows_max: 0, ..items::first_page(act, node) };
    match act.known.page(&node.name, &page)? {
        Found::Items { count, .. } if *count >= end::keep(act, Amount::Max) => Err(Reason::NodeFull.error().into()),
        _ => Ok(()),
    }
}
