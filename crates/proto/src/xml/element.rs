//! A top-level element as the scanner hands it over: its bytes in one allocation of their own, judged, and an index of
//! its children. `Received::read` turns it into a stanza; stream negotiation reads it as it is.

use std::borrow::Cow;

use bytes::Bytes;

use super::child::{Child, text_between};
use super::content::{self, Content};
use super::index::{ChildBytes, Index};
use super::raw::{self, StartTag};
use super::scope::{Namespace, Scope};
use super::tree::Tree;

/// One top-level element of a stream, immutable; a clone costs a reference count.
///
/// It always stands alone: where the sender used prefixes of the stream or put one on the element itself, the scanner has
/// rewritten it with default declarations.
#[derive(Clone, Debug)]
pub struct Element {
    bytes: Bytes,
    ns: Namespace,
    name_len: u16,
    /// Behind the start tag.
    head_end: u32,
    /// Before the end tag.
    tail_start: u32,
    index: Index,
}

impl Element {
    pub(super) fn new(bytes: Bytes, found: super::walk::Found) -> Element {
        Element {
            bytes,
            ns: found.ns,
            name_len: found.name_len,
            head_end: found.head_end as u32,
            tail_start: found.tail_start as u32,
            index: found.index,
        }
    }

    /// The name without its prefix.
    pub fn name(&self) -> &str {
        raw::text(&self.bytes[1..1 + usize::from(self.name_len)])
    }

    /// The namespace.
    pub fn ns(&self) -> &str {
        self.ns.as_str()
    }

    /// Whether it has this namespace and name.
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// Whether its own start tag does not say what namespace it is in: then that is the one of the stream around it.
    pub fn inherits_ns(&self) -> bool {
        self.tag().is_some_and(|tag| !tag.declarations().any(|(prefix, _)| prefix.is_empty()))
    }

    /// The value of an attribute without a prefix.
    pub fn attr(&self, name: &str) -> Option<Cow<'_, str>> {
        self.tag()?.attribute("", name)
    }

    /// Its `xml:lang`.
    pub fn lang(&self) -> Option<Cow<'_, str>> {
        self.tag()?.attribute("xml", "lang")
    }

    /// Every attribute but namespace declarations: prefix (empty, or `xml`), name and value.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str, Cow<'_, str>)> {
        self.tag().into_iter().flat_map(StartTag::attributes).filter_map(|attribute| {
            let is_declaration =
                attribute.prefix == b"xmlns" || (attribute.prefix.is_empty() && attribute.local == b"xmlns");
            let named =
                || (raw::text(attribute.prefix), raw::text(attribute.local), raw::attribute_value(attribute.value));
            (!is_declaration).then(named)
        })
    }

    /// The children, in order.
    pub fn children(&self) -> impl Iterator<Item = Child<'_>> {
        let scope = Scope::of_default(self.ns());
        let all = &self.bytes[..self.tail_start as usize];
        ChildBytes::new(&self.index, all).filter_map(move |bytes| Child::new(bytes, &scope))
    }

    /// The first child with this namespace and name.
    pub fn child(&self, ns: &str, name: &str) -> Option<Child<'_>> {
        if let Some(entry) = self.index.find(&self.bytes, self.ns(), ns, name) {
            return Child::new(entry.bytes(&self.bytes), &Scope::of_default(self.ns()));
        }
        if self.index.more_from == 0 { None } else { self.children().find(|child| child.is(ns, name)) }
    }

    /// Its text, CDATA included, that of its children not.
    pub fn text(&self) -> Cow<'_, str> {
        text_between(&self.bytes[..self.tail_start as usize], self.head_end as usize)
    }

    /// Its bytes. They stand alone but for the namespace, which may be inherited from the stream.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// An owned copy, for cold paths.
    pub fn tree(&self) -> Tree {
        // The element itself may inherit its namespace from the stream.
        match Child::new(&self.bytes, &Scope::of_default(self.ns())) {
            Some(child) => child.tree(),
            None => Tree::new(self.ns(), self.name()),
        }
    }

    /// What is inside it, without copying.
    pub fn into_content(self) -> Content {
        let (bytes, index) = content::cut(self.bytes, self.index, self.head_end as usize, self.tail_start as usize);
        Content::new(bytes, index, self.ns)
    }

    /// Bytes on the heap.
    pub fn memory_usage(&self) -> usize {
        self.bytes.len() + self.index.memory_usage()
    }

    fn tag(&self) -> Option<StartTag<'_>> {
        StartTag::of(&self.bytes[..self.head_end as usize])
    }
}

/// Elements are equal if their bytes are.
impl PartialEq for Element {
    fn eq(&self, other: &Element) -> bool {
        self.bytes == other.bytes && self.ns == other.ns
    }
}

impl Eq for Element {}
