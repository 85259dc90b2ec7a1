//! A stanza that many get: one written body, and a start tag of its own for each recipient.

use bytes::Bytes;
use metronome_host::outbox::Frame;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::write;

/// What stands around the address in a start tag: ` to='` before it and `'>` behind it. So a head takes exactly its room, most of the time.
const ADDRESS_BYTES: usize = 7;

/// A stanza as far as it is the same for all.
pub(crate) struct Written {
    /// The start tag up to the value of `to`, which is the only thing that is missing.
    head: Vec<u8>,
    /// The content and the end tag, shared by all.
    body: Bytes,
}

impl Written {
    /// A stanza with this content instead of its own.
    pub(crate) fn new(stanza: &Stanza, content: &[&[u8]]) -> Written {
        let mut head = Vec::with_capacity(128);
        stanza.write_head(&mut head, None, None);
        head.pop();
        let mut body = content.concat();
        body.extend_from_slice(stanza.tail().as_bytes());
        Written { head, body: body.into() }
    }

    /// For one recipient, with something before the content.
    pub(crate) fn to(&self, to: &Jid, extra: &[u8]) -> Frame {
        let mut head = Vec::with_capacity(self.head.len() + to.as_str().len() + extra.len() + ADDRESS_BYTES);
        head.extend_from_slice(&self.head);
        write::attribute(&mut head, "to", to.as_str());
        head.push(b'>');
        head.extend_from_slice(extra);
        Frame { head: head.into(), body: self.body.clone() }
    }
}
