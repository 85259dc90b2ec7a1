//! Items: what is published, and what is given out. A payload is never taken apart: its bytes go out as they came in, with the
//! declarations that they need to stand alone.

use std::sync::Arc;

use super::{PubsubError, Reason, name};
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Tree, write};

/// What an item carries: one element, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The element, standing alone.
    pub bytes: Arc<[u8]>,
    /// Its namespace.
    pub ns: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl Payload {
    /// Keeps an element of a request.
    pub fn of(element: &Child<'_>) -> Result<Payload, PubsubError> {
        let bytes = element.alone().map_err(|_| Reason::InvalidPayload.error())?;
        Ok(Payload { bytes: Arc::from(&*bytes), ns: element.ns().into(), name: element.name().into() })
    }
}

/// An item as its publisher gives it, section 7.1.1. Who publishes it is not asked of the item (section 7.1.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// Its id; without one it gets one.
    pub id: Option<Box<str>>,
    /// What it carries; a notification may be all there is.
    pub payload: Option<Payload>,
}

impl Publication {
    /// Reads `<item/>`. Text, or more than one payload, is `invalid-payload` (section 7.1.3.6).
    pub(super) fn read(item: &Child<'_>) -> Result<Publication, PubsubError> {
        let mut elements = item.children();
        let payload = elements.next().map(|element| Payload::of(&element)).transpose()?;
        let has_text = item.text().chars().any(|character| !matches!(character, ' ' | '\t' | '\r' | '\n'));
        if has_text || elements.next().is_some() {
            return Err(Reason::InvalidPayload.into());
        }
        Ok(Publication { id: name(item, "id")?, payload })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let payload = self.payload.as_ref().map(|payload| &*payload.bytes);
        write_item(out, self.id.as_deref(), None, payload);
    }
}

/// An item as it is given out: in an answer or in a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: Box<str>,
    /// Who published it, if the node tells.
    pub publisher: Option<Jid>,
    /// The bytes of its payload, if the node delivers it.
    pub payload: Option<Arc<[u8]>>,
}

impl Entry {
    /// An item without anything in it.
    pub fn of_id(id: &str) -> Entry {
        Entry { id: id.into(), publisher: None, payload: None }
    }

    /// Bytes that it takes when written, without escapes.
    pub fn len_bytes(&self) -> usize {
        let publisher = self.publisher.as_ref().map_or(0, |publisher| publisher.as_str().len() + 13);
        self.payload.as_ref().map_or(0, |payload| payload.len()) + self.id.len() + publisher + 19
    }
}

/// Appends `<items/>` of a node within an element of the same namespace: its items, and what is said about them behind.
pub fn write_items(out: &mut Vec<u8>, node: &str, entries: &[Entry], about: Option<&Tree>) {
    out.extend_from_slice(b"<items");
    write::attribute(out, "node", node);
    if entries.is_empty() && about.is_none() {
        return out.extend_from_slice(b"/>");
    }
    out.push(b'>');
    for entry in entries {
        write_item(out, Some(&entry.id), entry.publisher.as_ref(), entry.payload.as_deref());
    }
    if let Some(about) = about {
        // Only elements of other namespaces are said about items, so which one is around does not matter.
        about.write(out, ns::PUBSUB);
    }
    out.extend_from_slice(b"</items>");
}

fn write_item(out: &mut Vec<u8>, id: Option<&str>, publisher: Option<&Jid>, payload: Option<&[u8]>) {
    out.extend_from_slice(b"<item");
    for (name, value) in [("id", id), ("publisher", publisher.map(Jid::as_str))] {
        if let Some(value) = value {
            write::attribute(out, name, value);
        }
    }
    match payload {
        None => out.extend_from_slice(b"/>"),
        Some(payload) => {
            out.push(b'>');
            out.extend_from_slice(payload);
            out.extend_from_slice(b"</item>");
        }
    }
}
