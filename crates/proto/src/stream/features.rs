//! Stream features (RFC 6120 section 4.3.2): what may be negotiated next on a stream.

use crate::ns;
use crate::xml::{Element, Tree};

/// The features of one stage of a stream. Empty ones end the negotiation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features(Vec<Tree>);

impl Features {
    /// No features.
    pub fn new() -> Features {
        Features::default()
    }

    /// Adds one; they are written in this order.
    #[must_use]
    pub fn with(mut self, feature: Tree) -> Features {
        self.0.push(feature);
        self
    }

    /// Adds one.
    pub fn push(&mut self, feature: Tree) {
        self.0.push(feature);
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Tree> {
        self.0.iter()
    }

    /// One of them.
    pub fn get(&self, ns: &str, name: &str) -> Option<&Tree> {
        self.iter().find(|feature| feature.is(ns, name))
    }

    /// Appends `<stream:features>`; the prefix `stream` must be declared.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_before([], out);
    }

    /// The same, with others behind them that were written before.
    pub fn write_before<'a>(&self, others: impl IntoIterator<Item = &'a Written>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<stream:features>");
        for feature in &self.0 {
            feature.write(out, "");
        }
        for other in others {
            out.extend_from_slice(&other.xml);
        }
        out.extend_from_slice(b"</stream:features>");
    }

    /// Reads a peer's features; `None` if the element is something else.
    pub fn read(element: &Element) -> Option<Features> {
        element.is(ns::STREAMS, "features").then(|| Features(element.children().map(|child| child.tree()).collect()))
    }
}

/// A feature that is the same on many streams, written once.
#[derive(Debug, Clone)]
pub struct Written {
    feature: Tree,
    xml: Box<[u8]>,
}

impl Written {
    /// Writes it.
    pub fn new(feature: Tree) -> Written {
        let xml = feature.to_vec("").into_boxed_slice();
        Written { feature, xml }
    }

    /// Whether it is this one.
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.feature.is(ns, name)
    }
}
