//! XEP-0463: MUC Affiliations Versioning: which state of the affiliations somebody knows, and from which to which a list leads.

use super::{ID_BYTES_MAX, bounded_attr};
use crate::ns;
use crate::payload::Malformed;
use crate::xml::{Child, Tree};

/// `<mav/>`. Versions are opaque to clients, so a room takes any text for one that it does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mav {
    /// The version that changes are counted from. Who enters and leaves it out knows nothing; a list without it is the whole list.
    pub since: Option<Box<str>>,
    /// The version after the changes; only rooms say it.
    pub until: Option<Box<str>>,
}

impl Mav {
    /// Reads the element.
    pub fn read(mav: &Child<'_>) -> Result<Mav, Malformed> {
        Ok(Mav { since: bounded_attr(mav, "since", ID_BYTES_MAX)?, until: bounded_attr(mav, "until", ID_BYTES_MAX)? })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::MUC_AFFILIATIONS, "mav")
            .attr_opt("since", self.since.as_ref())
            .attr_opt("until", self.until.as_ref())
    }
}
