//! A presence as it is shown to many: written once, with room for each recipient's address (RFC 6121 section 4.2.2).
//! Kept by every available session, so it is as small as its text.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::{Child, write};

use crate::outbox::Frame;

/// A written presence without its recipient.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The start tag without its end.
    head: Bytes,
    /// The rest, shared by all recipients.
    body: Bytes,
    /// The same for all announcements of one full JID: of several that wait only the latest matters. 0 for one that answers what its
    /// recipient did, such as an error: it is not replaced, and does not wait.
    pub key: u64,
    /// What it says.
    pub says: Says,
}

/// Whether somebody comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// That the session is there; repeated if there was no room for it.
    Here,
    /// That it is not there any more: small, once for each, and nobody could repeat it.
    Gone,
}

impl Announcement {
    /// Writes a presence; whom it is addressed to does not count.
    pub fn new(stanza: &Stanza) -> Announcement {
        let mut head = Vec::with_capacity(64);
        stanza.write_head(&mut head, None, None);
        head.pop();
        let body = match stanza.content.is_empty() {
            true => Bytes::from_static(b"/>"),
            false => exact([&b">"[..], stanza.content.bytes(), stanza.tail().as_bytes()].concat()),
        };
        let says = if stanza.kind == Kind::Presence(PresenceType::Unavailable) { Says::Gone } else { Says::Here };
        let key = if is_answer(stanza) { 0 } else { key_of(&stanza.from) };
        Announcement { head: exact(head), body, key, says }
    }

    /// That this session is not there any more.
    pub fn unavailable(of: &Jid) -> Announcement {
        Announcement::new(&Stanza::new(Kind::Presence(PresenceType::Unavailable), of.clone()))
    }

    /// For one recipient.
    pub fn to(&self, recipient: &str) -> Frame {
        let mut head = Vec::with_capacity(self.head.len() + recipient.len() + 6);
        head.extend_from_slice(&self.head);
        write::attribute(&mut head, "to", recipient);
        Frame { head: head.into(), body: self.body.clone() }
    }

    /// Bytes on the heap.
    pub fn memory_usage(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

/// Without room to spare: it is kept for as long as the session is available.
fn exact(bytes: Vec<u8>) -> Bytes {
    bytes.into_boxed_slice().into()
}

/// Whether it answers what its recipient did: an error, or that a room has let it in (XEP-0045 section 7.2.2).
fn is_answer(stanza: &Stanza) -> bool {
    let is_own = |status: Child<'_>| status.is(ns::MUC_USER, "status") && status.attr("code").as_deref() == Some("110");
    stanza.kind == Kind::Presence(PresenceType::Error)
        || stanza.child(ns::MUC_USER, "x").is_some_and(|x| x.children().any(is_own))
}

/// Which announcements replace each other.
fn key_of(from: &Jid) -> u64 {
    let mut hasher = DefaultHasher::new();
    from.as_str().hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use metronome_proto::xml::{Content, Tree};

    use super::*;

    fn text(frame: &Frame) -> String {
        String::from_utf8([&frame.head[..], &frame.body[..]].concat()).unwrap()
    }

    #[test]
    fn everyone_gets_the_same_presence_with_an_address_of_their_own() {
        let from = Jid::parse("alice@localhost/a'b").unwrap();
        let status = Content::from_tree(&Tree::new(ns::CLIENT, "status").text("here"));
        let stanza = Stanza::new(Kind::Presence(PresenceType::Available), from.clone()).with_content(status);
        let announcement = Announcement::new(&stanza);
        let expected = "<presence from='alice@localhost/a&apos;b' to='bob@localhost'><status>here</status></presence>";
        assert_eq!(text(&announcement.to("bob@localhost")), expected);
        assert_eq!(announcement.to("a@b").body.as_ptr(), announcement.to("c@d").body.as_ptr(), "the body is shared");
        let gone = Announcement::unavailable(&from);
        assert_eq!(text(&gone.to("c@d")), "<presence from='alice@localhost/a&apos;b' type='unavailable' to='c@d'/>");
        assert_eq!(gone.key, announcement.key);
    }
}
