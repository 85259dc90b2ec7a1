//! Digests (the options `digest` and `digest_frequency`): what was published since the last one, in one message for each node. Nothing is
//! kept for them but the time up to which they have told.

use std::sync::Arc;

use metronome_model::{Item, NodeChange, NodeKind, SubscriptionState};
use metronome_proto::ns;
use metronome_proto::xml::Tree;

use crate::access::{Verb, Verdict};
use crate::act::Act;
use crate::decision::{Audience, Decision, Notification};
use crate::graph;
use crate::known::{End, Found, Page, Stop};
use crate::node::{Node, Subscriber};
use crate::options::{Options, SubscriptionType};
use crate::verbs::{items, last};

/// Most leaves of a collection that a digest tells of.
const LEAVES_MAX: usize = 100;

/// A leaf that digests tell of, how far below the subscription it stands, and its items.
type Source<'a> = (&'a Arc<Node>, u32, &'a [Item]);

/// Sends the digests of a node that are due; one tells of the newest items, if there are more than a page holds.
pub(crate) fn send(act: Act<'_>, decision: &mut Decision, node: &Arc<Node>) -> Result<(), Stop> {
    let due: Vec<_> = node.subscribers().iter().filter(|row| is_due(act, row)).collect();
    let Some(since_ms) = due.iter().map(|row| row.options.digested_ms).min() else { return Ok(()) };
    let sources = sources(act, node, since_ms)?;
    for row in due {
        send_to(act, decision, node, row, &sources)?;
    }
    Ok(())
}

fn is_due(act: Act<'_>, row: &Subscriber) -> bool {
    let now_ms = act.facts.now_ms;
    let options = &row.options;
    let counts = row.state == SubscriptionState::Subscribed && options.deliver && row.lasts(now_ms);
    let tells = options.subscription_type != SubscriptionType::Nodes;
    options.digest && tells && counts && now_ms.saturating_sub(options.digested_ms) >= options.digest_frequency_ms
}

/// What was published since then.
fn sources<'a>(act: Act<'a>, node: &Arc<Node>, since_ms: u64) -> Result<Vec<Source<'a>>, Stop> {
    let leaves = match node.kind {
        NodeKind::Leaf => vec![(act.node(&node.name)?, 0)],
        NodeKind::Collection => graph::leaves(act, &node.name, LEAVES_MAX)?,
    };
    let mut sources = Vec::new();
    for (leaf, distance) in leaves {
        if !leaf.config.persist_items || !leaf.config.deliver_notifications {
            continue;
        }
        let first = items::first_page(act, leaf);
        let from_ms = first.from_ms.max(since_ms.saturating_add(1));
        let page = Page { from_ms, from: End::Last, rows_max: act.limits().page_max, ..first };
        if let Found::Items { rows, .. } = act.known.page(&leaf.name, &page)? {
            sources.push((leaf, distance, rows.as_slice()));
        }
    }
    Ok(sources)
}

/// One subscriber's digest, of what they may read.
fn send_to(
    act: Act<'_>,
    decision: &mut Decision,
    node: &Node,
    row: &Subscriber,
    sources: &[Source<'_>],
) -> Result<(), Stop> {
    let mut digested_ms = row.options.digested_ms;
    for (leaf, distance, rows) in sources {
        let new = &rows[rows.partition_point(|item| item.updated_ms <= row.options.digested_ms)..];
        let reaches = *distance == 0 || row.options.subscription_depth.reaches(*distance);
        let (Some(newest), true) = (new.last(), reaches) else { continue };
        let may = |node: &Node| act.verdict_for(node, Verb::Read, &row.jid).map(|verdict| verdict == Verdict::Granted);
        if !may(leaf)? || !may(node)? {
            continue;
        }
        digested_ms = digested_ms.max(newest.updated_ms);
        let mut content = last::missed(act, leaf, new);
        if *distance > 0 {
            let header = Tree::new(ns::SHIM, "header").attr("name", "Collection").text(&node.name);
            Tree::new(ns::SHIM, "headers").child(header).write(&mut content, "");
        }
        let to = Audience::These(vec![row.jid.clone()]);
        decision.notify(Some(Notification { content, style: leaf.config.notification_type, to }));
    }
    if digested_ms > row.options.digested_ms {
        let options = Options { digested_ms, ..row.options.clone() };
        let told = Subscriber { options, ..row.clone() };
        decision.change(&node.name, NodeChange::Subscribe(told.row(node.kind)));
    }
    Ok(())
}
