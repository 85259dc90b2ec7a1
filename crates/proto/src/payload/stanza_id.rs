//! XEP-0359: Unique and Stable Stanza IDs.

use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Content, Tree, write};

/// Appends `<stanza-id/>`, for a stanza whose head has just been written: each recipient has its own.
pub fn write_stanza_id(out: &mut Vec<u8>, by: &Jid, id: &str) {
    out.extend_from_slice(b"<stanza-id");
    write::attribute(out, "xmlns", ns::STANZA_ID);
    write::attribute(out, "by", by.as_str());
    write::attribute(out, "id", id);
    out.extend_from_slice(b"/>");
}

/// The element, for a copy that is built anyway.
pub fn tree(by: &Jid, id: &str) -> Tree {
    Tree::new(ns::STANZA_ID, "stanza-id").attr("by", by.as_str()).attr("id", id)
}

/// Whether a child claims to be an id given by `by`. An address that is none claims nothing.
pub fn is_by(child: &Child<'_>, by: &Jid) -> bool {
    child.is(ns::STANZA_ID, "stanza-id")
        && child.attr("by").is_some_and(|claimed| Jid::parse(&claimed).is_ok_and(|claimed| claimed == *by))
}

/// Removes every id that claims to be given by `by`: nobody may speak for another (section 3.1). Copies nothing if there
/// is none.
#[must_use]
pub fn without_claims(content: Content, by: &Jid) -> Content {
    if !content.has(ns::STANZA_ID, "stanza-id") {
        return content;
    }
    content.without(|child| is_by(child, by))
}

/// The id that the sender's client gave the message, kept by everyone on the way.
pub fn origin_id(content: &Content) -> Option<String> {
    content.child(ns::STANZA_ID, "origin-id")?.attr("id").map(String::from)
}
