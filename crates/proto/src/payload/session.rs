//! RFC 3921 section 3: the session element. It does nothing, but older clients wait for its result.

use crate::ns;
use crate::xml::Tree;

/// The stream feature, marked as one that may be left out (draft-cridland-xmpp-session).
pub fn feature() -> Tree {
    Tree::new(ns::SESSION, "session").child(Tree::new(ns::SESSION, "optional"))
}

/// The request as a client sends it.
pub fn request() -> Tree {
    Tree::new(ns::SESSION, "session")
}
