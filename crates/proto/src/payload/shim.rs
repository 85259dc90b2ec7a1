//! XEP-0131: Stanza Headers and Internet Metadata: what a notification says about itself.

use crate::ns;
use crate::xml::{Child, Tree};

/// The subscription because of which something is sent (XEP-0060 section 12.16).
pub const SUBID: &str = "SubID";

/// The collection through which something comes (XEP-0248 section 5.3.1).
pub const COLLECTION: &str = "Collection";

/// The headers that this server writes, as features of the node [`ns::SHIM`] (section 3.2).
pub fn features() -> [String; 2] {
    [COLLECTION, SUBID].map(|header| format!("{}#{header}", ns::SHIM))
}

/// The element with these headers, name and value.
pub fn headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Tree {
    let header = |(name, value): (&str, &str)| Tree::new(ns::SHIM, "header").attr("name", name).text(value);
    Tree::new(ns::SHIM, "headers").children(headers.into_iter().map(header))
}

/// The values of one header, in order.
pub fn values(headers: &Child<'_>, name: &str) -> Vec<String> {
    let named =
        headers.children().filter(|child| child.is(ns::SHIM, "header") && child.attr("name").as_deref() == Some(name));
    named.map(|header| header.text().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    #[test]
    fn headers_are_written_in_order_and_read_by_name() {
        let content = Content::from_tree(&headers([(SUBID, "123-abc"), (COLLECTION, "a & b"), (SUBID, "004-yyy")]));
        let written = content.iter().next().unwrap();
        assert_eq!(values(&written, SUBID), ["123-abc", "004-yyy"]);
        assert_eq!(values(&written, COLLECTION), ["a & b"]);
        assert!(values(&written, "TTL").is_empty());
        assert_eq!(features()[1], "http://jabber.org/protocol/shim#SubID");
    }
}
