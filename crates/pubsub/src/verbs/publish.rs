//! Publishing (XEP-0060 section 7.1): what the node asks of an item, what makes room for it, and who hears of it. A batch is published
//! as a whole or not at all.

use std::collections::HashSet;
use std::sync::Arc;

use metronome_model::{Item, NodeChange, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::payload::Malformed;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::pubsub::{Entry, Event, Publication, Reason, reply};
use metronome_proto::stanza::error::Condition;

use crate::access::{Verb, Verdict, Why};
use crate::act::{Act, refusal, unsupported};
use crate::attachments::{self, Kind, Target};
use crate::audience::Topic;
use crate::body;
use crate::compare;
use crate::config::NodeFull;
use crate::decision::{Audience, Decision};
use crate::known::{End, Found, Page, Stop};
use crate::node::Node;
use crate::publish_options::Preconditions;
use crate::rules::OnMissing;
use crate::verbs::{attach, create, end, items};
use crate::{graph, public};

/// An item with the id that it is stored under.
struct New<'a> {
    id: Box<str>,
    publication: &'a Publication,
}

pub(crate) fn publish(
    act: Act<'_>,
    name: &str,
    given: &[Publication],
    options: Option<&DataForm>,
) -> Result<Decision, Stop> {
    public::refuse_special(name)?;
    match attachments::kind(name, act.facts.address) {
        Kind::Other => {}
        Kind::Attachments(target) => return attach::publish(act, name, &target, given),
        Kind::Summary(_) => return Err(Condition::Forbidden.into()),
        Kind::Wrong => return Err(Target::refusal()),
    }
    let wanted = options.map(Preconditions::read).transpose()?.unwrap_or_default();
    let mut decision = Decision::default();
    let node = match act.find(name)? {
        Some(node) => {
            act.require(node, Verb::Publish)?;
            wanted.check(&node.config)?;
            Arc::clone(node)
        }
        None => make(act, &mut decision, name, &wanted)?,
    };
    if node.kind == NodeKind::Collection {
        return Err(unsupported("publish"));
    }
    check_shape(act, &node, given)?;
    let new = named(act, given)?;
    let exists = decision.changes.is_empty();
    if node.config.persist_items {
        if exists {
            check_overwriting(act, &node, &new)?;
        }
        compare_latest(act, &node, exists, wanted.previous.as_deref())?;
        store(act, &mut decision, &node, exists, &new)?;
    }
    tell(act, &mut decision, &node, &new)?;
    decision.reply = reply::published(name, new.iter().map(|new| &*new.id)).to_vec("");
    Ok(decision)
}

/// The node that a publication makes, configured as its preconditions say (section 7.1.5).
fn make(act: Act<'_>, decision: &mut Decision, name: &str, wanted: &Preconditions) -> Result<Arc<Node>, Stop> {
    if act.rules.on_missing_node() == OnMissing::Refuse || create::check_may_create(act).is_err() {
        return Err(Condition::ItemNotFound.into());
    }
    let config = wanted.apply(act.rules.defaults(name, NodeKind::Leaf));
    create::add(act, decision, name, NodeKind::Leaf, config, Vec::new())
}

/// What the event type of the node asks of a publication (section 7.1.3.7), and its bounds.
fn check_shape(act: Act<'_>, node: &Node, given: &[Publication]) -> Result<(), Stop> {
    let config = &node.config;
    let notifies_only = !config.persist_items && !config.deliver_payloads;
    match given {
        [] if notifies_only => return Ok(()),
        [] => return Err(Reason::ItemRequired.error().into()),
        _ if notifies_only => return Err(Reason::ItemForbidden.error().into()),
        given if config.persist_items && given.len() as u64 > end::keep(act, config.max_items) => {
            return Err(Reason::MaxItemsExceeded.error().into());
        }
        _ => {}
    }
    let bytes_max =
        config.max_payload_size.map_or(usize::MAX, |size| size as usize).min(act.limits().payload_bytes_max);
    for item in given {
        match &item.payload {
            None if config.deliver_payloads => return Err(Reason::PayloadRequired.error().into()),
            Some(payload) if payload.bytes.len() > bytes_max => return Err(Reason::PayloadTooBig.error().into()),
            _ => {}
        }
    }
    Ok(())
}

/// The items with their ids; those that came without one get one.
fn named<'a>(act: Act<'_>, given: &'a [Publication]) -> Result<Vec<New<'a>>, Stop> {
    let named = given.iter().enumerate().map(|(number, publication)| {
        let id = publication.id.clone().unwrap_or_else(|| act.facts.id(number));
        New { id, publication }
    });
    let named: Vec<_> = named.collect();
    let ids: HashSet<_> = named.iter().map(|new| &new.id).collect();
    if ids.len() < named.len() {
        return Err(Malformed("the same item twice").into());
    }
    Ok(named)
}

/// An item takes the place of one with its id (section 12.8): an own one, or any for those who may remove any.
fn check_overwriting(act: Act<'_>, node: &Node, new: &[New<'_>]) -> Result<(), Stop> {
    if act.verdict(node, Verb::RetractOther)? == Verdict::Granted {
        return Ok(());
    }
    let is_other = |(_, publisher): &(Box<str>, Jid)| !publisher.same_bare(act.facts.from);
    if replaced(act, node, new)?.iter().any(is_other) { Err(refusal(Why::Forbidden).into()) } else { Ok(()) }
}

/// The items that are there already under the ids that the publisher has chosen, and whose they are.
fn replaced<'a>(act: Act<'a>, node: &Node, new: &[New<'_>]) -> Result<&'a [(Box<str>, Jid)], Stop> {
    let chosen: Vec<_> = new.iter().filter_map(|new| new.publication.id.clone()).collect();
    if chosen.is_empty() { Ok(&[]) } else { act.known.publishers(&node.name, &chosen) }
}

/// XEP-0395: the latest item is the one that the publisher knows.
fn compare_latest(act: Act<'_>, node: &Node, exists: bool, expected: Option<&str>) -> Result<(), Stop> {
    let Some(expected) = expected else { return Ok(()) };
    let latest = if exists { items::newest(act, node)? } else { None };
    let value = latest.map(|item| compare::value(&item.payload));
    if value.as_deref().unwrap_or_default() == expected {
        return Ok(());
    }
    Err(Reason::CompareFailed(value.map(Box::from)).error().into())
}

/// Puts the items into the node, and out of it what has no place beside them.
fn store(act: Act<'_>, decision: &mut Decision, node: &Arc<Node>, exists: bool, new: &[New<'_>]) -> Result<(), Stop> {
    let keep = end::keep(act, node.config.max_items);
    let now_ms = act.facts.now_ms;
    let publisher = act.facts.from.bare();
    let stored = new.iter().map(|new| Item {
        id: new.id.clone(),
        publisher: publisher.clone(),
        created_ms: now_ms,
        updated_ms: now_ms,
        payload: new.publication.payload.as_ref().map_or_else(|| Arc::from([]), |payload| Arc::clone(&payload.bytes)),
    });
    let stored: Vec<_> = stored.collect();
    let bytes = stored.iter().map(|item| item.len_bytes() as u64).sum::<u64>();
    if act.known.usage()?.bytes.saturating_add(bytes) > act.limits().bytes_max {
        return Err(Condition::ResourceConstraint.into());
    }
    if exists {
        make_room(act, decision, node, new, keep)?;
        if let Some(before_ms) = items::expired_before_ms(act, node) {
            decision.change(&node.name, NodeChange::Expire { before_ms });
        }
    }
    for item in stored {
        decision.change(&node.name, NodeChange::Publish { item, keep });
    }
    Ok(())
}

/// What happens at a node that is full (the field `publish_node_full`): it says no, or its oldest items go, and who wants to hears of it.
/// A node for one item only replaces it, which needs no word.
fn make_room(act: Act<'_>, decision: &mut Decision, node: &Arc<Node>, new: &[New<'_>], keep: u64) -> Result<(), Stop> {
    let full = node.config.publish_node_full;
    let says_so = full == NodeFull::RetractOldest && node.config.notify_retract && keep > 1;
    if full != NodeFull::Reject && !says_so {
        return Ok(());
    }
    let page =
        Page { from: End::First, rows_max: if says_so { 2 * new.len() } else { 0 }, ..items::first_page(act, node) };
    let Found::Items { rows, count, .. } = act.known.page(&node.name, &page)? else { return Ok(()) };
    let stay = count.saturating_sub(replaced(act, node, new)?.len() as u64);
    let over = (stay + new.len() as u64).saturating_sub(keep);
    if over > 0 && full == NodeFull::Reject {
        return Err(Reason::NodeFull.error().into());
    }
    let is_new = |item: &&Item| new.iter().any(|new| new.id == item.id);
    let gone: Vec<_> =
        rows.iter().filter(|item| !is_new(item)).take(over as usize).map(|item| item.id.clone()).collect();
    if !gone.is_empty() {
        let event = Event::Retracted { node: node.name.clone(), ids: gone };
        decision.notify(graph::tell(act, node, Topic::Items, &event)?);
    }
    Ok(())
}

/// One notification for all of them (section 7.1.2).
fn tell(act: Act<'_>, decision: &mut Decision, node: &Arc<Node>, new: &[New<'_>]) -> Result<(), Stop> {
    let publisher = items::publisher(act, node, &act.facts.from.bare());
    let entry = |new: &New<'_>| Entry {
        id: new.id.clone(),
        publisher: publisher.clone(),
        payload: new
            .publication
            .payload
            .as_ref()
            .filter(|_| node.config.deliver_payloads)
            .map(|payload| payload.bytes.clone()),
    };
    let event = Event::Items { node: node.name.clone(), items: new.iter().map(entry).collect() };
    let mut notification = graph::tell(act, node, Topic::Items, &event)?;
    if let Some(Audience::Subscribers(to)) = notification.as_mut().map(|notification| &mut notification.to)
        && to.wants_body()
    {
        to.body = new.iter().find_map(|new| body::of(new.publication.payload.as_ref()?));
    }
    decision.notify(notification);
    Ok(())
}
