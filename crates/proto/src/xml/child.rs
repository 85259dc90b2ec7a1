//! A view of one element inside another: names, attributes and text straight from the accepted bytes, on demand.
//! What payload readers take. Copies nothing unless a value is written with references.

use std::borrow::Cow;

use super::index::ChildBytes;
use super::raw::{self, StartTag, Token, Tokens};
use super::scope::Scope;
use super::tree::Tree;

/// An element within an accepted stanza, borrowed from its bytes.
#[derive(Clone, Debug)]
pub struct Child<'a> {
    bytes: &'a [u8],
    tag: StartTag<'a>,
    /// What is declared inside it.
    scope: Scope<'a>,
}

impl<'a> Child<'a> {
    /// `bytes` must be one whole accepted element.
    pub(super) fn new(bytes: &'a [u8], around: &Scope<'a>) -> Option<Child<'a>> {
        let tag = StartTag::read(bytes)?;
        Some(Child { bytes, tag, scope: around.enter(tag) })
    }

    /// The name without its prefix.
    pub fn name(&self) -> &'a str {
        self.tag.local()
    }

    /// The namespace.
    pub fn ns(&self) -> &str {
        self.scope.namespace(self.tag.prefix())
    }

    /// Whether it has this namespace and name.
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// The value of an attribute without a prefix.
    pub fn attr(&self, name: &str) -> Option<Cow<'a, str>> {
        self.tag.attribute("", name)
    }

    /// Its own `xml:lang`; that of its parents is not looked for.
    pub fn lang(&self) -> Option<Cow<'a, str>> {
        self.tag.attribute("xml", "lang")
    }

    /// Its text, CDATA included, that of its children not.
    pub fn text(&self) -> Cow<'a, str> {
        text_between(self.bytes, self.content_start())
    }

    /// Its elements, in order.
    pub fn children(&self) -> impl Iterator<Item = Child<'a>> + use<'a> {
        let scope = self.scope.clone();
        ChildBytes::unindexed(self.bytes, self.content_start()).filter_map(move |bytes| Child::new(bytes, &scope))
    }

    /// The first element with this namespace and name.
    pub fn child(&self, ns: &str, name: &str) -> Option<Child<'a>> {
        self.children().find(|child| child.is(ns, name))
    }

    /// Its bytes as they were sent. They stand alone if this is a direct child of a stanza, but for the namespace that it
    /// may inherit from there.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// An owned copy, for code that keeps or changes it. Costs up to sixty times the bytes at worst: not for routing.
    pub fn tree(&self) -> Tree {
        Tree::read(self)
    }

    /// Whether its namespace is declared on itself rather than inherited; for children that stand alone.
    pub(super) fn declares_ns(&self) -> bool {
        !self.tag.prefix().is_empty() || self.tag.declarations().any(|(prefix, _)| prefix.is_empty())
    }

    pub(super) fn tag(&self) -> StartTag<'a> {
        self.tag
    }

    pub(super) fn scope(&self) -> &Scope<'a> {
        &self.scope
    }

    /// Where its content begins; its end if it is an empty tag.
    pub(super) fn content_start(&self) -> usize {
        self.tag.len
    }
}

/// The text directly inside an element, from its content's start to its end tag.
pub(super) fn text_between(bytes: &[u8], from: usize) -> Cow<'_, str> {
    let mut text = Cow::Borrowed("");
    let mut tokens = Tokens::new(bytes, from);
    while let Some(token) = tokens.next() {
        let more = match token {
            Token::Text(raw) => raw::text_value(raw),
            Token::CData(raw) => raw::cdata_value(raw),
            Token::Open(tag) => {
                if !tag.empty {
                    tokens.skip_element();
                }
                continue;
            }
            Token::Close => break,
        };
        if text.is_empty() { text = more } else { text.to_mut().push_str(&more) }
    }
    text
}
