//! Namespaces (Namespaces in XML 1.0): a name that costs nothing when it is a known one, and the scope of declarations
//! that surrounds an element. Used by the scanner for the stream header and by [`Child`](super::Child) while it is read.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::raw::{self, StartTag};
use crate::ns;

/// The namespaces that streams and their top-level elements are usually in: held without an allocation.
const KNOWN: [&str; 10] = [
    ns::CLIENT,
    ns::SERVER,
    ns::COMPONENT,
    ns::STREAMS,
    ns::SASL,
    ns::TLS,
    ns::STREAM_MANAGEMENT,
    ns::STANZA_ERRORS,
    ns::DIALBACK,
    ns::XML,
];

/// A namespace name. Never kept in a table, so a peer cannot fill one by inventing names.
#[derive(Clone)]
pub enum Namespace {
    /// One that this server knows.
    Static(&'static str),
    /// Any other.
    Shared(Arc<str>),
}

impl Namespace {
    /// The namespace with this name; allocates only for names that are not common at the top of a stream.
    pub fn of(name: &str) -> Namespace {
        match KNOWN.iter().find(|known| **known == name) {
            Some(known) => Namespace::Static(known),
            None if name.is_empty() => Namespace::Static(""),
            None => Namespace::Shared(Arc::from(name)),
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        match self {
            Namespace::Static(name) => name,
            Namespace::Shared(name) => name,
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Namespace) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Namespace {}

/// The declarations of the stream header, by prefix; the empty prefix is the default namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Outer {
    all: Vec<(Box<str>, Namespace)>,
    /// Which one is the default.
    default_at: Option<usize>,
}

impl Outer {
    /// A stream without prefixes, whose content is in this namespace.
    pub(super) fn default_only(name: &'static str) -> Outer {
        Outer { all: vec![("".into(), Namespace::Static(name))], default_at: Some(0) }
    }

    /// The declarations of a start tag.
    pub(super) fn of_tag(tag: StartTag<'_>) -> Outer {
        let declare = |(prefix, raw)| (Box::<str>::from(prefix), Namespace::of(&raw::attribute_value(raw)));
        let all: Vec<_> = tag.declarations().map(declare).collect();
        Outer { default_at: all.iter().position(|(prefix, _)| prefix.is_empty()), all }
    }

    pub(super) fn find(&self, prefix: &[u8]) -> Option<usize> {
        self.all.iter().position(|(known, _)| known.as_bytes() == prefix)
    }

    pub(super) fn get(&self, at: usize) -> &Namespace {
        &self.all[at].1
    }

    pub(super) fn default_at(&self) -> Option<usize> {
        self.default_at
    }

    pub(super) fn default_ns(&self) -> Namespace {
        self.default_at.map_or(Namespace::Static(""), |at| self.get(at).clone())
    }

    pub(super) fn prefixes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(prefix, name)| (&**prefix, name.as_str()))
    }

    pub(super) fn memory_usage(&self) -> usize {
        let text = |(prefix, name): &(Box<str>, Namespace)| match name {
            Namespace::Static(_) => prefix.len(),
            Namespace::Shared(name) => prefix.len() + name.len() + 16,
        };
        self.all.capacity() * size_of::<(Box<str>, Namespace)>() + self.all.iter().map(text).sum::<usize>()
    }
}

/// What is declared around and on an element that has already been scanned.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    default: Cow<'a, str>,
    /// Innermost last; absent as long as nobody uses prefixes, and shared by the elements that add none.
    prefixes: Option<Arc<Vec<Prefix<'a>>>>,
}

/// A prefix and the namespace that it stands for.
type Prefix<'a> = (&'a str, Cow<'a, str>);

impl<'a> Scope<'a> {
    /// The scope of a self-contained element: only the namespace that it inherits.
    pub(crate) fn of_default(default: &'a str) -> Scope<'a> {
        Scope { default: Cow::Borrowed(default), prefixes: None }
    }

    /// The scope inside `tag`.
    pub(crate) fn enter(&self, tag: StartTag<'a>) -> Scope<'a> {
        let mut inside = self.clone();
        for (prefix, raw) in tag.declarations() {
            let name = raw::attribute_value(raw);
            match prefix {
                "" => inside.default = name,
                _ => Arc::make_mut(inside.prefixes.get_or_insert_default()).push((prefix, name)),
            }
        }
        inside
    }

    /// Every prefix with its namespace, innermost first; the default namespace is not among them.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = (&'a str, &str)> {
        let all = self.prefixes.as_deref().map_or(&[][..], Vec::as_slice);
        let is_hidden = move |at: usize| all[at + 1..].iter().any(|(inner, _)| *inner == all[at].0);
        (0..all.len()).rev().filter(move |at| !is_hidden(*at)).map(|at| (all[at].0, &*all[at].1))
    }

    /// The namespace of an element with this prefix, seen from inside it.
    pub(crate) fn namespace(&self, prefix: &str) -> &str {
        match prefix {
            "" => &self.default,
            "xml" => ns::XML,
            _ => {
                let mut innermost_first = self.prefixes.iter().flat_map(|all| all.iter().rev());
                innermost_first.find(|(known, _)| *known == prefix).map_or("", |(_, name)| name)
            }
        }
    }
}
