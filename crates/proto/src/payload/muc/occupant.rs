//! XEP-0421: occupant identifiers: the same for everything that a person does in a room under whatever nickname, and given by the
//! room alone.

use crate::ns;
use crate::xml::{Content, Tree};

/// Most bytes of an identifier; the document allows as many characters.
pub const OCCUPANT_ID_BYTES_MAX: usize = 128;

/// The identifier in a stanza that a room has sent.
pub fn occupant_id(content: &Content) -> Option<Box<str>> {
    let id = content.child(ns::OCCUPANT_ID, "occupant-id")?.attr("id")?;
    (1..=OCCUPANT_ID_BYTES_MAX).contains(&id.len()).then(|| id.into())
}

/// The element.
pub fn occupant_id_tree(id: &str) -> Tree {
    Tree::new(ns::OCCUPANT_ID, "occupant-id").attr("id", id)
}

/// Takes out every identifier that a client has put into a stanza: there is one, the room's (section 4). Copies nothing if there is none.
#[must_use]
pub fn without_occupant_ids(content: Content) -> Content {
    if !content.has(ns::OCCUPANT_ID, "occupant-id") {
        return content;
    }
    content.without(|child| child.is(ns::OCCUPANT_ID, "occupant-id"))
}
