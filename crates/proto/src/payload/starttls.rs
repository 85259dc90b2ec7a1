//! RFC 6120 section 5: STARTTLS.

use crate::ns;
use crate::xml::{Element, Tree};

/// Whether a stream may go on without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It may.
    Optional,
    /// It may not.
    Required,
}

/// The stream feature.
pub fn feature(need: Need) -> Tree {
    let required = (need == Need::Required).then(|| Tree::new(ns::TLS, "required"));
    Tree::new(ns::TLS, "starttls").children(required)
}

/// Whether this is the request.
pub fn is_request(element: &Element) -> bool {
    element.is(ns::TLS, "starttls")
}

/// The request.
pub fn request() -> Tree {
    Tree::new(ns::TLS, "starttls")
}

/// The answer before the handshake.
pub fn proceed() -> Tree {
    Tree::new(ns::TLS, "proceed")
}

/// The answer before the stream is closed.
pub fn failure() -> Tree {
    Tree::new(ns::TLS, "failure")
}
