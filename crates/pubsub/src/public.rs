//! XEP-0465: who is publicly subscribed to a node, as the items of a node of its own that nobody makes, fills or empties: its name is
//! that of the other behind a prefix.

use std::collections::BTreeSet;
use std::sync::Arc;

use metronome_model::{NodeChange, NodeKind, SubscriptionState};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::pubsub::{Entry, Event, Items, reply};
use metronome_proto::payload::rsm::Given;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Tree;

use crate::access::Verb;
use crate::act::{Act, unsupported};
use crate::attachments;
use crate::audience::Topic;
use crate::compare;
use crate::decision::Decision;
use crate::graph::{self, ROOT};
use crate::known::Stop;
use crate::node::Node;
use crate::verbs::create;

/// What the names of these nodes begin with.
pub const SUBSCRIBERS: &str = "urn:xmpp:pps:subscribers:0/";

/// The node in which an account's public subscriptions would stand; nobody but the server may fill it.
const SUBSCRIPTIONS: &str = "urn:xmpp:pps:subscriptions:0";

/// The node that tells of the public subscribers of another one.
pub(crate) fn name(of: &str) -> String {
    format!("{SUBSCRIBERS}{of}")
}

/// The node that somebody wants to hear of the public subscribers by: made with the first subscription, and as open as the other one.
pub(crate) fn made(act: Act<'_>, decision: &mut Decision, name: &str, of: &str) -> Result<Arc<Node>, Stop> {
    let guard = act.node(of)?;
    if guard.kind == NodeKind::Collection || subscribers_of(of).is_some() || attachments::is_made(of) {
        return Err(unsupported("subscribe"));
    }
    match act.find(name)? {
        Some(node) => Ok(Arc::clone(node)),
        None => {
            let config = attachments::config(ns::PUBLIC_SUBSCRIPTIONS, guard);
            create::add_made(act, decision, name, config, guard.creator.clone())
        }
    }
}

/// Who is publicly subscribed by what a decision changes, and who is not any more, is told to those who want to hear of it.
pub(crate) fn follow(act: Act<'_>, decision: &mut Decision) -> Result<(), Stop> {
    let is_of_subscribers = |change: &NodeChange| {
        matches!(
            change,
            NodeChange::Subscribe(_) | NodeChange::Unsubscribe { .. } | NodeChange::EndSubscriptions { .. }
        )
    };
    let changed = decision.changes.iter().filter(|(_, change)| is_of_subscribers(change)).map(|(name, _)| name.clone());
    let names: BTreeSet<Box<str>> =
        changed.filter(|name| **name != *ROOT && attachments::guard(name).is_none()).collect();
    for node_name in names {
        let (Some(before), Some(special)) = (act.find(&node_name)?, act.find(&name(&node_name))?) else { continue };
        let mut changes = decision.changes.iter().filter(|(name, _)| *name == node_name);
        let after = changes.try_fold((**before).clone(), |node, (_, change)| node.after(change));
        let Some(after) = after else { continue };
        let now_ms = act.facts.now_ms;
        let (before, after) = (subscribers(before, now_ms), subscribers(&after, now_ms));
        let new: Vec<_> = after.iter().filter(|jid| !before.contains(jid)).cloned().map(entry).collect();
        let gone: Vec<_> = before.iter().filter(|jid| !after.contains(jid)).map(id_of).collect();
        let new = (!new.is_empty()).then(|| Event::Items { node: special.name.clone(), items: new });
        let gone = (!gone.is_empty()).then(|| Event::Retracted { node: special.name.clone(), ids: gone });
        for event in new.into_iter().chain(gone) {
            decision.notify(graph::tell(act, special, Topic::Items, &event)?);
        }
    }
    Ok(())
}

/// The node whose subscribers are meant.
pub(crate) fn subscribers_of(name: &str) -> Option<&str> {
    name.strip_prefix(SUBSCRIBERS)
}

/// Nobody makes, fills, empties or deletes one of these nodes (XEP-0465 section 5).
pub(crate) fn refuse_special(name: &str) -> Result<(), Stop> {
    if subscribers_of(name).is_some() || name == SUBSCRIPTIONS { Err(Condition::Forbidden.into()) } else { Ok(()) }
}

/// The public subscribers of a node, for whoever may read it. One that does not exist has none, as one without any.
pub(crate) fn items(act: Act<'_>, asked: &Items, name: &str, of: &str) -> Result<Decision, Stop> {
    let jids = match act.find(of)? {
        Some(node) => {
            act.require(node, Verb::Read)?;
            if node.kind == NodeKind::Collection {
                return Err(unsupported("retrieve-items"));
            }
            subscribers(node, act.facts.now_ms)
        }
        None => Vec::new(),
    };
    let mut entries: Vec<_> = jids.into_iter().map(entry).collect();
    if !asked.ids.is_empty() {
        entries.retain(|entry| asked.ids.contains(&entry.id));
    }
    let (page, given) = page(act, entries, asked)?;
    let mut out = Vec::new();
    reply::write_page(&mut out, name, &page, None, given.as_ref());
    Ok(Decision::answer(out))
}

/// The bare addresses, in order, each once.
fn subscribers(node: &Node, now_ms: u64) -> Vec<Jid> {
    let is_public = |row: &&crate::node::Subscriber| {
        row.options.public && row.state == SubscriptionState::Subscribed && row.lasts(now_ms)
    };
    let mut jids: Vec<_> = node.subscribers().iter().filter(is_public).map(|row| row.jid.bare()).collect();
    jids.sort();
    jids.dedup();
    jids
}

fn id_of(jid: &Jid) -> Box<str> {
    compare::value(jid.as_str().as_bytes()).into()
}

fn entry(jid: Jid) -> Entry {
    let id = id_of(&jid);
    let payload = Tree::new(ns::PUBLIC_SUBSCRIPTIONS, "subscriber").attr("jid", jid.as_str()).to_vec("");
    Entry { id, publisher: None, payload: Some(payload.into()) }
}

/// A page of them (XEP-0059), from the beginning unless it is asked for otherwise.
fn page(act: Act<'_>, entries: Vec<Entry>, asked: &Items) -> Result<(Vec<Entry>, Option<Given>), Stop> {
    let place = |id: &str| entries.iter().position(|entry| *entry.id == *id).ok_or(Stop::from(Condition::ItemNotFound));
    let set = &asked.set;
    let start = match (&set.after, set.index) {
        (Some(after), _) => place(after)? + 1,
        (None, index) => usize::try_from(index.unwrap_or(0)).unwrap_or(usize::MAX).min(entries.len()),
    };
    let end = match set.before.as_deref() {
        Some("") | None => entries.len(),
        Some(before) => place(before)?,
    };
    let max = set.max.or(asked.max).unwrap_or(u64::MAX).min(act.limits().page_max as u64) as usize;
    let (start, end) = match set.before {
        Some(_) => (end.saturating_sub(max).max(start.min(end)), end),
        None => (start.min(end), end.min(start.saturating_add(max))),
    };
    let count = entries.len();
    let rows: Vec<_> = entries.into_iter().skip(start).take(end.saturating_sub(start)).collect();
    let ends = rows.first().zip(rows.last()).map(|(first, last)| (first.id.to_string(), last.id.to_string()));
    let is_part = rows.len() < count || *set != Default::default();
    let given = is_part.then_some(Given { ends, index: Some(start as u64), count: Some(count as u64) });
    Ok((rows, given))
}
