//! A small owned tree for cold paths: payloads of iqs that are changed or built, features, errors. Routed stanzas never
//! become one. Built with a chain of calls, written by the one escaper.

use std::collections::HashMap;

use super::child::Child;
use super::raw::{self, Token, Tokens};
use super::scope::{Namespace, Scope};
use super::write;
use crate::ns;

/// An element with everything in it, owned.
///
/// Attributes have no prefix, except `xml:lang` and the like; those with other prefixes are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    name: Box<str>,
    ns: Namespace,
    attributes: Vec<(Box<str>, Box<str>)>,
    nodes: Vec<Node>,
}

/// What a tree contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Tree),
    /// Text, without escapes.
    Text(String),
}

impl Tree {
    /// An empty element.
    pub fn new(ns: &str, name: &str) -> Tree {
        Tree { name: name.into(), ns: Namespace::of(ns), attributes: Vec::new(), nodes: Vec::new() }
    }

    /// Adds an attribute; one of that name is replaced. `name` is ours: it is not escaped.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl AsRef<str>) -> Tree {
        let value = Box::from(value.as_ref());
        match self.attributes.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name.into(), value)),
        }
        self
    }

    /// Adds an attribute if there is a value.
    #[must_use]
    pub fn attr_opt(self, name: &str, value: Option<impl AsRef<str>>) -> Tree {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Adds an element at the end.
    #[must_use]
    pub fn child(mut self, tree: Tree) -> Tree {
        self.nodes.push(Node::Element(tree));
        self
    }

    /// Adds elements at the end.
    #[must_use]
    pub fn children(mut self, trees: impl IntoIterator<Item = Tree>) -> Tree {
        self.nodes.extend(trees.into_iter().map(Node::Element));
        self
    }

    /// Adds text at the end.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Tree {
        if !text.as_ref().is_empty() {
            self.nodes.push(Node::Text(text.as_ref().to_owned()));
        }
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    pub fn ns(&self) -> &str {
        self.ns.as_str()
    }

    /// Whether it has this namespace and name.
    pub fn is(&self, ns: &str, name: &str) -> bool {
        *self.name == *name && self.ns() == ns
    }

    /// The value of an attribute.
    pub fn get_attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// All attributes, name and value.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The first element with this namespace and name.
    pub fn get_child(&self, ns: &str, name: &str) -> Option<&Tree> {
        self.elements().find(|tree| tree.is(ns, name))
    }

    /// The elements, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Tree> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(tree) => Some(tree),
            Node::Text(_) => None,
        })
    }

    /// Elements and text, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The text, that of its elements not included.
    pub fn get_text(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            if let Node::Text(more) = node {
                text.push_str(more);
            }
        }
        text
    }

    /// Appends it as XML, declaring namespaces where they differ from `parent_ns` and from each other.
    pub fn write(&self, out: &mut Vec<u8>, parent_ns: &str) {
        let mut open = vec![(self, self.nodes.iter())];
        self.write_head(out, parent_ns);
        while let Some((tree, nodes)) = open.last_mut() {
            match nodes.next() {
                Some(Node::Text(text)) => write::text(out, text),
                Some(Node::Element(inner)) => {
                    inner.write_head(out, tree.ns());
                    open.push((inner, inner.nodes.iter()));
                }
                None => {
                    tree.write_tail(out);
                    open.pop();
                }
            }
        }
    }

    /// The XML under a parent of this namespace.
    pub fn to_vec(&self, parent_ns: &str) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, parent_ns);
        out
    }

    /// The same with `jabber:client` wherever it says the namespace of another kind of stream. Recursion ends where the scanner's depth limit does.
    pub(super) fn in_client_namespace(mut self) -> Tree {
        if [ns::SERVER, ns::COMPONENT].contains(&self.ns()) {
            self.ns = Namespace::Static(ns::CLIENT);
        }
        let inside = |node| match node {
            Node::Element(tree) => Node::Element(tree.in_client_namespace()),
            text => text,
        };
        self.nodes = self.nodes.into_iter().map(inside).collect();
        self
    }

    fn write_head(&self, out: &mut Vec<u8>, parent_ns: &str) {
        out.push(b'<');
        out.extend_from_slice(self.name.as_bytes());
        if self.ns() != parent_ns {
            write::attribute(out, "xmlns", self.ns());
        }
        for (name, value) in &self.attributes {
            write::attribute(out, name, value);
        }
        out.extend_from_slice(if self.nodes.is_empty() { b"/>" } else { b">" });
    }

    fn write_tail(&self, out: &mut Vec<u8>) {
        if !self.nodes.is_empty() {
            out.extend_from_slice(b"</");
            out.extend_from_slice(self.name.as_bytes());
            out.push(b'>');
        }
    }

    /// Copies a scanned element. Its depth is bounded by the limits under which it was scanned.
    pub(super) fn read(child: &Child<'_>) -> Tree {
        // Each namespace once: many elements may mean a long one.
        let mut namespaces = HashMap::new();
        let mut tree = Tree::head(child.tag(), child.scope(), &mut namespaces);
        if child.tag().empty {
            return tree;
        }
        let mut scope = child.scope().clone();
        // The elements around `tree`, outermost first, each with what is declared in it.
        let mut around: Vec<(Tree, Scope<'_>)> = Vec::new();
        let mut tokens = Tokens::new(child.bytes(), child.content_start());
        loop {
            match tokens.next() {
                Some(Token::Text(raw)) => tree.push_text(&raw::text_value(raw)),
                Some(Token::CData(raw)) => tree.push_text(&raw::cdata_value(raw)),
                Some(Token::Open(tag)) => {
                    let inside = scope.enter(tag);
                    let inner = Tree::head(tag, &inside, &mut namespaces);
                    if tag.empty {
                        tree.nodes.push(Node::Element(inner));
                    } else {
                        around.push((std::mem::replace(&mut tree, inner), std::mem::replace(&mut scope, inside)));
                    }
                }
                Some(Token::Close) | None => {
                    let Some((parent, outside)) = around.pop() else { return tree };
                    let done = std::mem::replace(&mut tree, parent);
                    tree.nodes.push(Node::Element(done));
                    scope = outside;
                }
            }
        }
    }

    fn head(tag: raw::StartTag<'_>, inside: &Scope<'_>, namespaces: &mut HashMap<String, Namespace>) -> Tree {
        let name = inside.namespace(tag.prefix());
        let ns = match namespaces.get(name) {
            Some(known) => known.clone(),
            None => namespaces.entry(name.to_owned()).or_insert(Namespace::of(name)).clone(),
        };
        let mut tree = Tree { name: tag.local().into(), ns, attributes: Vec::new(), nodes: Vec::new() };
        for attribute in tag.attributes() {
            let name = match (attribute.prefix, attribute.local) {
                (b"", b"xmlns") => continue,
                (b"", local) => Box::from(raw::text(local)),
                (b"xml", local) => format!("xml:{}", raw::text(local)).into_boxed_str(),
                _ => continue,
            };
            tree.attributes.push((name, raw::attribute_value(attribute.value).into()));
        }
        tree
    }

    /// Text that comes in pieces (around CDATA) is one node.
    fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }
}
