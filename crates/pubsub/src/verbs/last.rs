//! The last published item, sent to whoever has just subscribed (XEP-0060 section 6.1.7) or comes online.

use std::sync::Arc;

use metronome_model::Item;
use metronome_proto::jid::Jid;
use metronome_proto::payload::delay::Delay;
use metronome_proto::payload::pubsub::{Event, Payload};
use metronome_proto::xml::Content;

use crate::act::Act;
use crate::audience::{Subscribers, Topic};
use crate::body;
use crate::config::SendLast;
use crate::decision::{Audience, Notification};
use crate::known::Stop;
use crate::node::Node;
use crate::rules::ByPresence;
use crate::verbs::items;

/// The last item for a new subscriber, if the node sends it.
pub(crate) fn for_new(act: Act<'_>, node: &Node, jid: &Jid) -> Result<Option<Notification>, Stop> {
    if node.config.send_last_published_item == SendLast::Never || !node.config.deliver_notifications {
        return Ok(None);
    }
    let Some(item) = items::newest(act, node)? else { return Ok(None) };
    let content = content(act, node, &item);
    Ok(Some(Notification { content, style: node.config.notification_type, to: Audience::These(vec![jid.clone()]) }))
}

/// The last item for subscribers who come online.
pub(crate) fn for_comers(act: Act<'_>, node: &Arc<Node>, item: &Item) -> Notification {
    let mut to = Subscribers {
        node: Arc::clone(node),
        collections: Vec::new(),
        topic: Topic::Items,
        by_presence: ByPresence::Ignored,
        body: None,
        guard: None,
        before: None,
    };
    if to.wants_body() {
        to.body = text(item);
    }
    let content = content(act, node, item);
    Notification { content, style: node.config.notification_type, to: Audience::Subscribers(to) }
}

/// The last item for those who may read a node from now on and could not before, whether a subscription or their presence asks for it
/// (section 12.2): what comes next would be the first that they hear.
pub(crate) fn for_admitted(act: Act<'_>, before: &Arc<Node>, now: &Arc<Node>) -> Result<Option<Notification>, Stop> {
    let lets_in = |node: &Arc<Node>| (node.config.access_model, node.config.roster_groups_allowed.clone());
    let is_same = lets_in(before) == lets_in(now);
    let by_presence = act.rules.by_presence();
    let nobody = now.subscribers().is_empty() && by_presence == ByPresence::Ignored;
    if is_same || nobody || !before.config.persist_items || !now.sends_last_on_presence() {
        return Ok(None);
    }
    let Some(item) = items::newest(act, now)? else { return Ok(None) };
    let mut notification = for_comers(act, now, &item);
    if let Audience::Subscribers(to) = &mut notification.to {
        (to.by_presence, to.before) = (by_presence, Some(Arc::clone(before)));
    }
    Ok(Some(notification))
}

/// What an item says to humans.
fn text(item: &Item) -> Option<Box<str>> {
    let content = Content::parse(&item.payload).ok()?;
    body::of(&Payload::of(&content.iter().next()?).ok()?)
}

/// Items as they would have been sent when they were published.
pub(crate) fn missed(act: Act<'_>, node: &Node, found: &[Item]) -> Vec<u8> {
    let mut entries = items::entries(act, node, found);
    if !node.config.deliver_payloads {
        entries.iter_mut().for_each(|entry| entry.payload = None);
    }
    let mut out = Vec::new();
    Event::Items { node: node.name.clone(), items: entries }.write(&mut out);
    out
}

/// What is sent: the item, and when it was published.
pub(crate) fn content(act: Act<'_>, node: &Node, item: &Item) -> Vec<u8> {
    let mut out = missed(act, node, std::slice::from_ref(item));
    let at_ms = i64::try_from(item.updated_ms).unwrap_or(i64::MAX);
    Delay { at_ms, from: Some(act.facts.address.clone()), reason: None }.tree().write(&mut out, "");
    out
}
