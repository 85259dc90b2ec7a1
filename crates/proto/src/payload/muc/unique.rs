//! XEP-0307: Unique Room Names for Multi-User Chat: the service makes up a name that no room has.

use crate::ns;
use crate::payload::Malformed;
use crate::xml::{Child, Tree};

/// Reads the question: an empty element.
pub fn read(unique: &Child<'_>) -> Result<(), Malformed> {
    let is_empty = unique.text().trim().is_empty() && unique.children().next().is_none();
    is_empty.then_some(()).ok_or(Malformed("a name in the question for one"))
}

/// The answer: the local part of the address of a room that is not there yet.
pub fn tree(name: &str) -> Tree {
    Tree::new(ns::MUC_UNIQUE, "unique").text(name)
}
