//! What who enters says with the presence (section 7.2): the password, how much of the history is wanted, and what is known of the
//! affiliations (XEP-0463).

use super::{Mav, PASSWORD_BYTES_MAX, text, text_tree};
use crate::ns;
use crate::payload::delay::{format_time, parse_time};
use crate::payload::{Malformed, digits};
use crate::xml::{Child, Tree};

/// `<x/>` in the presence of who enters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Join {
    /// What it takes to enter a room with a password.
    pub password: Option<Box<str>>,
    /// How much of the history is wanted.
    pub history: History,
    /// What is known of the affiliations; none for who does not ask for them.
    pub mav: Option<Mav>,
}

/// Bounds of the history (section 7.2.14); the one that leaves least counts. None of them leaves it to the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Most characters of all stanzas as they are written; 0 is no history.
    pub maxchars: Option<u64>,
    /// Most messages.
    pub maxstanzas: Option<u64>,
    /// Messages of so many seconds before now.
    pub seconds: Option<u64>,
    /// Messages from this Unix time in milliseconds on; what was before 1970 is 0.
    pub since_ms: Option<u64>,
}

impl Join {
    /// Reads `<x/>`. Numbers that are none and times that are none are malformed.
    pub fn read(x: &Child<'_>) -> Result<Join, Malformed> {
        Ok(Join {
            password: text(x, ns::MUC, "password", PASSWORD_BYTES_MAX)?,
            history: x.child(ns::MUC, "history").map_or(Ok(History::default()), |history| History::read(&history))?,
            mav: x.child(ns::MUC_AFFILIATIONS, "mav").map(|mav| Mav::read(&mav)).transpose()?,
        })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        let history = (self.history != History::default()).then(|| self.history.tree());
        Tree::new(ns::MUC, "x")
            .children(history)
            .children(text_tree(ns::MUC, "password", self.password.as_deref()))
            .children(self.mav.as_ref().map(Mav::tree))
    }
}

/// Without the password.
impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let has_password = self.password.is_some();
        f.debug_struct("Join")
            .field("has_password", &has_password)
            .field("history", &self.history)
            .field("mav", &self.mav)
            .finish()
    }
}

impl History {
    fn read(history: &Child<'_>) -> Result<History, Malformed> {
        let number = |attr| {
            let text = history.attr(attr);
            text.map(|text| digits(&text).ok_or(Malformed("a bound of the history that is no number"))).transpose()
        };
        let since = history.attr("since").map(|since| parse_time(&since).ok_or(Malformed("a time that is none")));
        Ok(History {
            maxchars: number("maxchars")?,
            maxstanzas: number("maxstanzas")?,
            seconds: number("seconds")?,
            since_ms: since.transpose()?.map(|at_ms| u64::try_from(at_ms).unwrap_or(0)),
        })
    }

    fn tree(&self) -> Tree {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let since = self.since_ms.map(|at_ms| format_time(i64::try_from(at_ms).unwrap_or(i64::MAX)));
        Tree::new(ns::MUC, "history")
            .attr_opt("maxchars", number(self.maxchars))
            .attr_opt("maxstanzas", number(self.maxstanzas))
            .attr_opt("seconds", number(self.seconds))
            .attr_opt("since", since)
    }
}
