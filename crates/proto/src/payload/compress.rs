//! XEP-0138: Stream Compression.

use crate::conditions::conditions;
use crate::ns;
use crate::xml::{Element, Tree};

/// The method that every server with this feature has (section 4).
const ZLIB: &str = "zlib";

conditions! {
    /// Why a stream is not compressed, or cannot be read any more.
    pub enum Condition {
        /// None of the methods that were asked for is known here.
        UnsupportedMethod = "unsupported-method",
        /// It cannot be done now.
        SetupFailed = "setup-failed",
        /// What was sent cannot be decompressed.
        ProcessingFailed = "processing-failed",
    }
}

/// The stream feature.
pub fn feature() -> Tree {
    let method = Tree::new(ns::COMPRESS_FEATURE, "method").text(ZLIB);
    Tree::new(ns::COMPRESS_FEATURE, "compression").child(method)
}

/// Whether this is a request, and then whether it is one for a method that is known here.
pub fn asked(element: &Element) -> Option<Result<(), Condition>> {
    if !element.is(ns::COMPRESS, "compress") {
        return None;
    }
    let mut methods = element.children().filter(|child| child.is(ns::COMPRESS, "method")).peekable();
    if methods.peek().is_none() {
        return Some(Err(Condition::SetupFailed));
    }
    let is_known = methods.any(|method| method.text().trim() == ZLIB);
    Some(if is_known { Ok(()) } else { Err(Condition::UnsupportedMethod) })
}

/// The answer behind which everything is compressed.
pub fn compressed() -> Tree {
    Tree::new(ns::COMPRESS, "compressed")
}

/// The answer to who is refused; within a stream error, why the stream ends.
pub fn failure(condition: Condition) -> Tree {
    Tree::new(ns::COMPRESS, "failure").child(Tree::new(ns::COMPRESS, condition.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Item, Limits, Scanner};

    fn read(inside: &str) -> Option<Result<(), Condition>> {
        let xml = format!("<compress xmlns='http://jabber.org/protocol/compress'>{inside}</compress>");
        match Scanner::elements(Limits::BEFORE_AUTH).next(&mut xml.as_bytes()) {
            Ok(Some(Item::Element(element))) => asked(&element),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_names_methods() {
        assert_eq!(read("<method>zlib</method>"), Some(Ok(())));
        assert_eq!(read("<method>lzw</method><method> zlib </method>"), Some(Ok(())));
        assert_eq!(read("<method>lzw</method>"), Some(Err(Condition::UnsupportedMethod)));
        assert_eq!(read("<method>ZLIB</method>"), Some(Err(Condition::UnsupportedMethod)));
        assert_eq!(read(""), Some(Err(Condition::SetupFailed)));
        assert_eq!(read("<method xmlns='urn:x'>zlib</method>"), Some(Err(Condition::SetupFailed)));
    }

    #[test]
    fn it_is_written_as_in_the_examples() {
        let written = |tree: Tree| String::from_utf8(tree.to_vec(ns::CLIENT)).unwrap();
        assert_eq!(
            written(feature()),
            "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>"
        );
        assert_eq!(
            written(failure(Condition::SetupFailed)),
            "<failure xmlns='http://jabber.org/protocol/compress'><setup-failed/></failure>"
        );
        assert_eq!(written(compressed()), "<compressed xmlns='http://jabber.org/protocol/compress'/>");
    }
}
