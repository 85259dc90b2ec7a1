//! What an item says to humans (XEP-0060 section 12.7): the text of an Atom entry, which is the only payload that everybody means the
//! same by.

use metronome_model::NodeKind;
use metronome_proto::ns::ATOM;
use metronome_proto::payload::pubsub::Payload;
use metronome_proto::xml::Content;

use crate::node::Node;
use crate::options::Bodies;

/// Most bytes of a body; what is longer is cut.
const BODY_BYTES_MAX: usize = 4096;

/// Types of nodes whose items are Atom entries.
const ATOM_TYPES: &[&str] = &[ATOM, "urn:xmpp:microblog:0"];

/// Whether a subscriber of this node may ask for bodies: its type says what its items are, or says nothing.
pub(crate) fn offered(node: &Node) -> Bodies {
    let kind = &*node.config.r#type;
    let may_be_atom = kind.is_empty() || ATOM_TYPES.contains(&kind) || node.kind == NodeKind::Collection;
    if may_be_atom { Bodies::Made } else { Bodies::None }
}

/// The summary of an entry, its text, or its title; none of another payload.
pub(crate) fn of(payload: &Payload) -> Option<Box<str>> {
    if &*payload.ns != ATOM || &*payload.name != "entry" {
        return None;
    }
    let content = Content::parse(&payload.bytes).ok()?;
    let entry = content.child(ATOM, "entry")?;
    let is_text = |kind: Option<&str>| matches!(kind, None | Some("text"));
    ["summary", "content", "title"].into_iter().find_map(|name| {
        let part = entry.children().find(|child| child.is(ATOM, name) && is_text(child.attr("type").as_deref()))?;
        let text = part.text();
        let text = text.trim();
        (!text.is_empty()).then(|| cut(text).into())
    })
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(BODY_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
