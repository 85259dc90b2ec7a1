//! XEP-0288: Bidirectional Server-to-Server Connections.

use super::stream_limits;
use crate::ns;
use crate::xml::{Element, Tree};

/// The stream feature.
pub fn feature() -> Tree {
    Tree::new(ns::BIDI_FEATURE, "bidi")
}

/// The wish of the server that has opened the stream, with what it takes on it (XEP-0478).
pub fn request(bytes_max: usize, idle_seconds: u64) -> Tree {
    Tree::new(ns::BIDI, "bidi").child(stream_limits::feature(bytes_max, Some(idle_seconds)))
}

/// Whether this is the wish.
pub fn is_request(element: &Element) -> bool {
    element.is(ns::BIDI, "bidi")
}
