//! XEP-0292: vCard4 Over XMPP: a card of the old form (XEP-0054) as one of the new form (RFC 6351), and back, as its section 6 maps them. What one
//! form cannot say is lost on the way to it; nothing is made up.

mod from_temp;
#[cfg(test)]
mod tests;
mod to_temp;

use crate::ns;
use crate::xml::{Child, Tree};

pub use from_temp::from_temp;
pub use to_temp::to_temp;

/// The node with the card (section 4.1).
pub const NODE: &str = "urn:xmpp:vcard4";

/// Properties that are one text in both forms, the old name first. The first of two with the same new name is the one that is written back.
const TEXTS: &[(&str, &str)] = &[
    ("FN", "fn"),
    ("NICKNAME", "nickname"),
    ("TITLE", "title"),
    ("ROLE", "role"),
    ("DESC", "note"),
    ("NOTE", "note"),
    ("TZ", "tz"),
    ("PRODID", "prodid"),
];

/// The parts of a name.
const NAME_PARTS: &[(&str, &str)] =
    &[("FAMILY", "surname"), ("GIVEN", "given"), ("MIDDLE", "additional"), ("PREFIX", "prefix"), ("SUFFIX", "suffix")];

/// The parts of an address.
const ADDRESS_PARTS: &[(&str, &str)] = &[
    ("POBOX", "pobox"),
    ("EXTADD", "ext"),
    ("STREET", "street"),
    ("LOCALITY", "locality"),
    ("REGION", "region"),
    ("PCODE", "code"),
    ("CTRY", "country"),
];

/// What addresses and numbers are for, as far as both forms know it.
const TYPES: &[(&str, &str)] = &[
    ("HOME", "home"),
    ("WORK", "work"),
    ("VOICE", "voice"),
    ("FAX", "fax"),
    ("PAGER", "pager"),
    ("CELL", "cell"),
    ("VIDEO", "video"),
    ("TEXT", "text"),
];

/// Pictures and sounds: somewhere else, or in the card.
const MEDIA: &[(&str, &str)] = &[("PHOTO", "photo"), ("LOGO", "logo"), ("SOUND", "sound")];

fn old(name: &str) -> Tree {
    Tree::new(ns::VCARD, name)
}

fn new(name: &str) -> Tree {
    Tree::new(ns::VCARD4, name)
}

/// The text of an element within another; an empty one is none.
fn text_in(element: &Child<'_>, ns: &str, name: &str) -> Option<String> {
    element.child(ns, name).and_then(|child| own_text(&child))
}

/// The text of an element itself.
fn own_text(element: &Child<'_>) -> Option<String> {
    let text = element.text();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
