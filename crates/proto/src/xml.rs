//! XML as XMPP has it (RFC 6120 section 11): a strict scanner for what comes in, one escaper for what goes out, and views
//! into an element that parse only what is asked for. No I/O; the callers are `net` (scanning), the stanza types of this
//! crate, and whoever reads or builds a payload.

mod alone;
mod chars;
mod child;
mod content;
mod element;
mod header;
mod index;
mod isolate;
mod limits;
mod raw;
mod scan;
mod scope;
mod tree;
mod walk;
pub mod write;

#[cfg(test)]
mod tests;

pub use alone::TooMuchAround;
pub use child::Child;
pub use content::{Content, NotContent};
pub use element::Element;
pub use header::Header;
pub use limits::{Limits, XmlError};
pub use raw::attribute_in;
pub use scan::{Item, Scanner};
pub use scope::Namespace;
pub use tree::{Node, Tree};
