//! XEP-0012: Last Activity.

use crate::ns;
use crate::xml::{Child, Tree};

/// How long ago somebody was there, or for how long a server has been.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// Since then, in seconds.
    pub seconds: u64,
    /// What was said at the end; may be empty.
    pub status: String,
}

impl Last {
    /// Reads a result's `<query/>`; none without a number of seconds.
    pub fn read(query: &Child<'_>) -> Option<Last> {
        Some(Last { seconds: query.attr("seconds")?.parse().ok()?, status: query.text().into_owned() })
    }

    /// The `<query/>` of a result.
    pub fn tree(&self) -> Tree {
        request().attr("seconds", self.seconds.to_string()).text(&self.status)
    }
}

/// The `<query/>` of a request.
pub fn request() -> Tree {
    Tree::new(ns::LAST, "query")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let last = Last { seconds: 903, status: "Heading Home".into() };
        let content = Content::from_tree(&last.tree());
        assert_eq!(content.bytes(), &b"<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>"[..]);
        assert_eq!(Last::read(&content.iter().next().unwrap()), Some(last));
        assert_eq!(Last::read(&Content::from_tree(&request()).iter().next().unwrap()), None);
    }
}
