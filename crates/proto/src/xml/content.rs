//! What is inside a stanza: the bytes of its children, shared by everyone who gets a copy, and the index of their names.
//! Every child stands alone: put under a fresh `<message>` in any stream, it means what it meant.

use bytes::{Buf, Bytes};

use super::child::{Child, text_between};
use super::index::{ChildBytes, Index};
use super::limits::Limits;
use super::scan::{Item, Scanner};
use super::scope::{Namespace, Scope};
use super::tree::Tree;
use crate::ns;

/// The content of a stanza. A clone costs a reference count.
///
/// Children that inherit their namespace are in [`Content::inherited`]: `jabber:client` for stanzas, whatever stream
/// they came on, so that the same bytes serve clients and servers.
#[derive(Clone, Debug)]
pub struct Content {
    bytes: Bytes,
    index: Index,
    inherited: Namespace,
}

/// The bytes given to [`Content::parse`] are not the inside of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the content of an element")]
pub struct NotContent;

impl Content {
    /// No content.
    pub fn empty() -> Content {
        Content { bytes: Bytes::new(), index: Index::default(), inherited: Namespace::Static(ns::CLIENT) }
    }

    pub(super) fn new(bytes: Bytes, index: Index, inherited: Namespace) -> Content {
        Content { bytes, index, inherited }
    }

    /// The content of a stanza that consists of this one element.
    pub fn from_tree(tree: &Tree) -> Content {
        Content::from_trees(std::slice::from_ref(tree))
    }

    /// The content of a stanza that consists of these elements.
    pub fn from_trees(trees: &[Tree]) -> Content {
        let mut bytes = Vec::new();
        for tree in trees {
            tree.write(&mut bytes, ns::CLIENT);
        }
        Content::reread(&bytes)
    }

    /// Reads the bytes of another content back, as a store keeps them. They are judged like a stranger's.
    pub fn parse(bytes: &[u8]) -> Result<Content, NotContent> {
        const HEAD: &[u8] = b"<x xmlns='jabber:client'>";
        if bytes.is_empty() {
            return Ok(Content::empty());
        }
        let wrapped = [HEAD, bytes, b"</x>"].concat();
        let limits = Limits { stanza_bytes: wrapped.len(), ..Limits::STORED };
        let mut input = &wrapped[..];
        match Scanner::elements(limits).next(&mut input) {
            Ok(Some(Item::Element(element))) if input.is_empty() => Ok(element.into_content()),
            _ => Err(NotContent),
        }
    }

    /// Reads what this crate has written. If that fails there is a mistake here or in a caller's names, and nothing is
    /// sent rather than something that nobody has judged.
    fn reread(bytes: &[u8]) -> Content {
        let content = Content::parse(bytes);
        debug_assert!(content.is_ok(), "not XML: {}", String::from_utf8_lossy(bytes));
        content.unwrap_or_default()
    }

    /// The bytes of the children, to be written between a start tag and an end tag.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bytes there are.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The namespace of children that declare none.
    pub fn inherited(&self) -> &str {
        self.inherited.as_str()
    }

    /// The content of a stanza, for streams of every kind: what inherits its namespace is in `jabber:client`, and a child
    /// that names `jabber:client`, or the namespace of another kind of stream, itself inherits it too.
    ///
    /// Otherwise a `<body xmlns='jabber:server'>` would be nothing to us and a body to the next server. Copies nothing
    /// if there is no such child.
    pub(crate) fn of_stanza(self) -> Content {
        let content = Content { inherited: Namespace::Static(ns::CLIENT), ..self };
        let known = [ns::CLIENT, ns::SERVER, ns::COMPONENT];
        if !content.index.may_declare(&content.bytes, &known) {
            return content;
        }
        let scope = content.scope();
        let mut children = ChildBytes::new(&content.index, &content.bytes);
        let mut out = Vec::with_capacity(content.bytes.len());
        let mut copied = 0;
        while let Some(bytes) = children.next() {
            let Some(child) =
                Child::new(bytes, &scope).filter(|child| known.contains(&child.ns()) && child.declares_ns())
            else {
                continue;
            };
            let at = children.offset_of(bytes);
            out.extend_from_slice(&content.bytes[copied..at]);
            child.tree().in_client_namespace().write(&mut out, ns::CLIENT);
            copied = at + bytes.len();
        }
        if copied == 0 {
            return content;
        }
        out.extend_from_slice(&content.bytes[copied..]);
        Content::reread(&out)
    }

    /// Whether there is a child with this namespace and name. Parses nothing.
    pub fn has(&self, ns: &str, name: &str) -> bool {
        let is_indexed = self.index.find(&self.bytes, self.inherited(), ns, name).is_some();
        is_indexed || (self.index.more_from > 0 && self.child(ns, name).is_some())
    }

    /// The first child with this namespace and name.
    pub fn child(&self, ns: &str, name: &str) -> Option<Child<'_>> {
        if let Some(entry) = self.index.find(&self.bytes, self.inherited(), ns, name) {
            return Child::new(entry.bytes(&self.bytes), &self.scope());
        }
        if self.index.more_from == 0 { None } else { self.iter().find(|child| child.is(ns, name)) }
    }

    /// The children, in order; text between them is not seen.
    pub fn iter(&self) -> impl Iterator<Item = Child<'_>> {
        let scope = self.scope();
        ChildBytes::new(&self.index, &self.bytes).filter_map(move |bytes| Child::new(bytes, &scope))
    }

    /// How many children there are.
    pub fn count(&self) -> usize {
        match self.index.more_from {
            0 => self.index.entries.len(),
            _ => ChildBytes::new(&self.index, &self.bytes).count(),
        }
    }

    /// The text between the children.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        text_between(&self.bytes, 0)
    }

    /// The content without the children that `drop` names; text stays. Copies nothing if none is dropped.
    #[must_use]
    pub fn without(self, drop: impl Fn(&Child<'_>) -> bool) -> Content {
        let scope = self.scope();
        let mut children = ChildBytes::new(&self.index, &self.bytes);
        let mut kept = None::<Vec<u8>>;
        let mut copied = 0;
        while let Some(bytes) = children.next() {
            if !Child::new(bytes, &scope).is_some_and(|child| drop(&child)) {
                continue;
            }
            let at = children.offset_of(bytes);
            kept.get_or_insert_default().extend_from_slice(&self.bytes[copied..at]);
            copied = at + bytes.len();
        }
        let Some(mut kept) = kept else { return self };
        kept.extend_from_slice(&self.bytes[copied..]);
        let inherited = self.inherited.clone();
        Content { inherited, ..Content::reread(&kept) }
    }

    /// The content with one more child at its end. What is there already is copied, and not read again.
    #[must_use]
    pub fn with(&self, tree: &Tree) -> Content {
        let more = Content::reread(&tree.to_vec(self.inherited()));
        self.and(&Content { inherited: self.inherited.clone(), ..more })
    }

    /// The content with the children of another behind its own: both are copied, and neither is read again.
    #[must_use]
    pub fn and(&self, other: &Content) -> Content {
        if other.is_empty() || (self.is_empty() && self.inherited() == other.inherited()) {
            return if other.is_empty() { self.clone() } else { other.clone() };
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() + other.bytes.len());
        bytes.extend_from_slice(&self.bytes);
        let joined = match self.inherited() == other.inherited() {
            true => self.index.joined(&other.index, self.bytes.len()),
            false => None,
        };
        let inherited = self.inherited.clone();
        if let Some(index) = joined {
            bytes.extend_from_slice(&other.bytes);
            return Content { bytes: bytes.into(), index, inherited };
        }
        if self.inherited() == other.inherited() {
            bytes.extend_from_slice(&other.bytes);
        } else {
            other.iter().for_each(|child| child.tree().write(&mut bytes, self.inherited()));
        }
        Content { inherited, ..Content::reread(&bytes) }
    }

    /// Bytes on the heap, the shared ones included.
    pub fn memory_usage(&self) -> usize {
        self.bytes.len() + self.index.memory_usage()
    }

    fn scope(&self) -> Scope<'_> {
        Scope::of_default(self.inherited())
    }
}

impl Default for Content {
    fn default() -> Content {
        Content::empty()
    }
}

/// Content is equal if its bytes are.
impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        self.bytes == other.bytes && self.inherited == other.inherited
    }
}

impl Eq for Content {}

/// Cuts the children out of an element's bytes without copying them.
pub(super) fn cut(mut bytes: Bytes, mut index: Index, from: usize, to: usize) -> (Bytes, Index) {
    if from == to {
        return (Bytes::new(), Index::default());
    }
    bytes.truncate(to);
    bytes.advance(from);
    index.shift(from as u32);
    (bytes, index)
}
