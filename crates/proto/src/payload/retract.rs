//! XEP-0424: Message Retraction: which message is taken back, and what stands in its place in archives.

use super::delay::format_time;
use crate::ns;
use crate::xml::{Content, Tree};

/// The id of the message that this one takes back.
pub fn target(content: &Content) -> Option<String> {
    let id = content.child(ns::RETRACT, "retract")?.attr("id")?.into_owned();
    Some(id).filter(|id| !id.is_empty())
}

/// Whether this is what stands in the place of a message that was taken back.
pub fn is_tombstone(content: &Content) -> bool {
    content.has(ns::RETRACT, "retracted")
}

/// What stands in the place of a message: the id of the message that took it back, and when (Unix, milliseconds).
pub fn tombstone(id: &str, at_ms: u64) -> Tree {
    let stamp = format_time(i64::try_from(at_ms).unwrap_or(i64::MAX));
    Tree::new(ns::RETRACT, "retracted").attr("stamp", stamp).attr("id", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retraction_names_a_message_and_a_tombstone_the_retraction() {
        let content = |xml: &str| Content::parse(xml.as_bytes()).unwrap();
        assert_eq!(target(&content("<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>")).as_deref(), Some("m1"));
        for none in [
            "<retract xmlns='urn:xmpp:message-retract:1'/>",
            "<retract xmlns='urn:xmpp:message-retract:1' id=''/>",
            "<x/>",
        ] {
            assert_eq!(target(&content(none)), None, "{none}");
        }
        let tombstone = Content::from_tree(&tombstone("r1", 0));
        assert!(is_tombstone(&tombstone));
        assert_eq!(
            tombstone.bytes(),
            &b"<retracted xmlns='urn:xmpp:message-retract:1' stamp='1970-01-01T00:00:00.000Z' id='r1'/>"[..]
        );
    }
}
