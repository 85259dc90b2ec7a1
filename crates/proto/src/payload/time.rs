//! XEP-0202: Entity Time.

use super::Malformed;
use super::delay::{format_time, parse_time};
use crate::ns;
use crate::xml::{Child, Tree};

/// The time at an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Unix time in milliseconds.
    pub utc_ms: i64,
    /// Its time zone as an offset, such as `-06:00`.
    pub offset: String,
}

impl Time {
    /// A time that tells nothing of where the entity is.
    pub fn in_utc(utc_ms: i64) -> Time {
        Time { utc_ms, offset: "+00:00".to_owned() }
    }

    /// Reads a result's `<time/>`.
    pub fn read(time: &Child<'_>) -> Result<Time, Malformed> {
        let text = |name| time.child(ns::TIME, name).map(|child| child.text().into_owned());
        let utc_ms = text("utc").and_then(|utc| parse_time(&utc)).ok_or(Malformed("a time without a time"))?;
        Ok(Time { utc_ms, offset: text("tzo").ok_or(Malformed("a time without an offset"))? })
    }

    /// The `<time/>` of a result.
    pub fn tree(&self) -> Tree {
        request()
            .child(Tree::new(ns::TIME, "tzo").text(&self.offset))
            .child(Tree::new(ns::TIME, "utc").text(format_time(self.utc_ms)))
    }
}

/// The `<time/>` of a request.
pub fn request() -> Tree {
    Tree::new(ns::TIME, "time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    #[test]
    fn a_time_is_read_as_it_was_written() {
        let time = Time::in_utc(1_166_551_115_000);
        let content = Content::from_tree(&time.tree());
        let expected = "<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2006-12-19T17:58:35.000Z</utc></time>";
        assert_eq!(content.bytes(), expected.as_bytes());
        assert_eq!(Time::read(&content.iter().next().unwrap()), Ok(time));
        assert!(Time::read(&Content::from_tree(&request()).iter().next().unwrap()).is_err());
    }
}
