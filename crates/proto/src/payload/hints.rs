//! XEP-0334: Message Processing Hints: names only, children without anything inside.

use crate::ns;
use crate::xml::Content;

/// What a sender asks the servers to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Not to be kept by anyone but the recipients, offline storage included.
    NoStore,
    /// Not to be kept in archives.
    NoPermanentStore,
    /// Not to be copied to other sessions.
    NoCopy,
    /// To be kept although it looks as if it need not.
    Store,
}

impl Hint {
    /// The name of its element.
    pub fn name(self) -> &'static str {
        match self {
            Hint::NoStore => "no-store",
            Hint::NoPermanentStore => "no-permanent-store",
            Hint::NoCopy => "no-copy",
            Hint::Store => "store",
        }
    }

    /// Whether a message carries it.
    pub fn is_in(self, content: &Content) -> bool {
        content.has(ns::HINTS, self.name())
    }
}
