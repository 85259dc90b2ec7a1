//! The last published item, sent to whoever has just subscribed (XEP-0060 section 6.1.7) or comes online.

use metronome_model::Item;
use metronome_proto::jid::Jid;
use metronome_proto::payload::delay::Delay;
use metronome_proto::payload::pubsub::Event;

use crate::act::Act;
use crate::config::SendLast;
use crate::decision::{Audience, Notification};
use crate::known::Stop;
use crate::node::Node;
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
