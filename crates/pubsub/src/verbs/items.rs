//! Retrieving items (XEP-0060 section 6.5): pages of XEP-0059 in the orders of XEP-0413, each with the values of XEP-0395.
//!
//! Items stand in the order in which they were published, the oldest first, unless another order is asked for. Who asks for no page gets
//! the newest items, in that order.

use metronome_model::{Item, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::{By, Entry, Items, Reason, reply};
use metronome_proto::payload::rsm::{Given, Wanted};
use metronome_proto::stanza::error::Condition;

use crate::access::{Verb, Verdict};
use crate::act::{Act, unsupported};
use crate::config::ItemReply;
use crate::decision::Decision;
use crate::graph::{self, ROOT};
use crate::known::{End, Found, Page, Stop};
use crate::node::Node;
use crate::{compare, public};

/// Most leaves of a collection whose items are in one answer.
const LEAVES_MAX: usize = 20;

/// Items of each node of a collection, unless fewer are asked for.
const LEAF_ITEMS_MAX: usize = 10;

pub(crate) fn items(act: Act<'_>, asked: &Items) -> Result<Decision, Stop> {
    let name = asked.node.as_deref().unwrap_or(ROOT);
    if let Some(of) = public::subscribers_of(name) {
        return public::items(act, asked, name, of);
    }
    if name == ROOT {
        return Err(unsupported("retrieve-items"));
    }
    let node = act.node(name)?;
    check_subid(act, node, asked.subid.as_deref())?;
    act.require(node, Verb::Read)?;
    if node.kind == NodeKind::Collection {
        return of_collection(act, node, asked);
    }
    if !node.config.persist_items {
        return Err(unsupported("persistent-items"));
    }
    let (rows, given) = match asked.ids.as_slice() {
        [] => page(act, node, asked)?,
        ids => (by_id(act, node, ids)?, None),
    };
    let mut out = Vec::new();
    reply::write_page(&mut out, name, &entries(act, node, &rows), compare::map(&rows).as_ref(), given.as_ref());
    Ok(Decision::answer(out))
}

/// Items as they are given out: the payload, and the publisher if the node tells.
pub(crate) fn entries(act: Act<'_>, node: &Node, rows: &[Item]) -> Vec<Entry> {
    let entry = |item: &Item| Entry {
        id: item.id.clone(),
        publisher: publisher(act, node, &item.publisher),
        payload: Some(item.payload.clone()).filter(|payload| !payload.is_empty()),
    };
    rows.iter().map(entry).collect()
}

/// Whom replies to an item go to (section 12.16).
pub(crate) fn publisher(act: Act<'_>, node: &Node, publisher: &Jid) -> Option<Jid> {
    match node.config.itemreply {
        ItemReply::None => None,
        ItemReply::Publisher => Some(publisher.clone()),
        ItemReply::Owner => act.owners(node).into_iter().next(),
    }
}

/// The newest item of a node, if it keeps items and has one that has not expired.
pub(crate) fn newest(act: Act<'_>, node: &Node) -> Result<Option<Item>, Stop> {
    if node.kind == NodeKind::Collection || !node.config.persist_items {
        return Ok(None);
    }
    let page = Page { from: End::Last, rows_max: 1, ..first_page(act, node) };
    match act.known.page(&node.name, &page)? {
        Found::Items { rows, .. } => Ok(rows.last().cloned()),
        Found::Unknown => Ok(None),
    }
}

/// A page of what has not expired, to be asked for from its beginning.
pub(crate) fn first_page(act: Act<'_>, node: &Node) -> Page {
    Page {
        by: By::Modification,
        from_ms: expired_before_ms(act, node).unwrap_or(0),
        after: None,
        before: None,
        from: End::First,
        skip: 0,
        rows_max: 0,
    }
}

/// What was published before this time is not there any more (the field `item_expire`).
pub(crate) fn expired_before_ms(act: Act<'_>, node: &Node) -> Option<u64> {
    node.expired_before_ms(act.facts.now_ms, act.limits().expire_s_max)
}

/// Who has several subscriptions says by right of which they ask (sections 6.5.9.1 and 6.5.9.2).
fn check_subid(act: Act<'_>, node: &Node, subid: Option<&str>) -> Result<(), Stop> {
    let from = act.facts.from;
    let most = |jid: &Jid| node.subscriptions_at(jid).len();
    match subid {
        None if most(&from.bare()).max(most(from)) > 1 => Err(Reason::SubidRequired.error().into()),
        Some(subid) if !node.subscriptions_of(from).any(|row| *row.subid == *subid) => {
            Err(Reason::InvalidSubid.error().into())
        }
        _ => Ok(()),
    }
}

fn by_id(act: Act<'_>, node: &Node, ids: &[Box<str>]) -> Result<Vec<Item>, Stop> {
    let since_ms = expired_before_ms(act, node).unwrap_or(0);
    let found = act.known.items(&node.name, ids)?;
    Ok(found.iter().filter(|item| item.updated_ms >= since_ms).cloned().collect())
}

/// One page. In a descending order the page is searched from the other end, and turned round.
fn page(act: Act<'_>, node: &Node, asked: &Items) -> Result<(Vec<Item>, Option<Given>), Stop> {
    let descending = asked.order.is_some_and(|order| order.descending);
    let by = asked.order.map_or(By::Modification, |order| order.by);
    let wanted = Page { by, ..sought(act, node, asked, descending) };
    let Found::Items { rows, count, index } = act.known.page(&node.name, &wanted)? else {
        return Err(Condition::ItemNotFound.into());
    };
    let mut rows = rows.clone();
    let mut index = *index;
    if descending {
        rows.reverse();
        index = count.saturating_sub(index + rows.len() as u64);
    }
    let is_part = (rows.len() as u64) < *count;
    let ends = rows.first().zip(rows.last()).map(|(first, last)| (first.id.to_string(), last.id.to_string()));
    let shown = asked.set != Wanted::default() || (is_part && asked.max.is_none());
    Ok((rows, shown.then_some(Given { ends, index: Some(index), count: Some(*count) })))
}

/// What is searched for.
fn sought(act: Act<'_>, node: &Node, asked: &Items, descending: bool) -> Page {
    let set = &asked.set;
    let most = set.max.unwrap_or(u64::MAX).min(asked.max.unwrap_or(u64::MAX)).min(act.limits().page_max as u64);
    let id = |id: &Option<String>| id.as_deref().filter(|id| !id.is_empty()).map(Box::from);
    let (mut after, mut before) = (id(&set.after), id(&set.before));
    let says_where = set.max.is_some() || after.is_some() || set.index.is_some();
    let backwards = set.before.is_some() || (asked.max.is_some() && set.max.is_none());
    let mut from = match (backwards, says_where, descending) {
        (true, _, _) if set.before.is_some() => End::Last,
        (_, true, _) | (_, _, true) => End::First,
        _ => End::Last,
    };
    if descending {
        std::mem::swap(&mut after, &mut before);
        from = match from {
            End::First => End::Last,
            End::Last => End::First,
        };
    }
    let skip = set.index.unwrap_or(0);
    Page { after, before, from, skip, rows_max: most as usize, ..first_page(act, node) }
}

/// The newest items of the leaves in a collection that whoever asks may read themselves (XEP-0248 section 6.2); the access of the
/// collection alone would let out what they keep.
fn of_collection(act: Act<'_>, node: &Node, asked: &Items) -> Result<Decision, Stop> {
    let rows_max = asked.max.map_or(LEAF_ITEMS_MAX, |max| (max as usize).min(LEAF_ITEMS_MAX));
    let mut found = Vec::new();
    for (leaf, _) in graph::leaves(act, &node.name, LEAVES_MAX)? {
        if !leaf.config.persist_items || act.verdict(leaf, Verb::Read)? != Verdict::Granted {
            continue;
        }
        let page = Page { from: End::Last, rows_max, ..first_page(act, leaf) };
        if let Found::Items { rows, .. } = act.known.page(&leaf.name, &page)?
            && !rows.is_empty()
        {
            found.push((&*leaf.name, entries(act, leaf, rows), compare::map(rows)));
        }
    }
    let mut out = Vec::new();
    let pages = found.iter().map(|(name, entries, about)| (*name, entries.as_slice(), about.as_ref()));
    reply::write_pages(&mut out, pages, None);
    Ok(Decision::answer(out))
}
