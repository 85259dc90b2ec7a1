//! XEP-0049: Private XML Storage: a query with the one element that is stored or asked for.

use super::Malformed;
use crate::ns;
use crate::xml::{Child, Tree};

/// The element of a query, found by its namespace and its name. Several, or one without a namespace of its own, are malformed;
/// none is `Ok(None)`, for which the two requests have different answers (section 2.3).
pub fn element<'a>(query: &Child<'a>) -> Result<Option<Child<'a>>, Malformed> {
    let mut elements = query.children();
    let Some(element) = elements.next() else { return Ok(None) };
    if elements.next().is_some() {
        return Err(Malformed("one element at a time"));
    }
    match element.ns() {
        "" | ns::PRIVATE | ns::CLIENT | ns::SERVER => Err(Malformed("the element has no namespace of its own")),
        _ => Ok(Some(element)),
    }
}

/// Whether an element holds nothing, as one that is asked for: no attribute, no text, no element.
pub fn is_empty(element: &Child<'_>) -> bool {
    let tree = element.tree();
    tree.nodes().is_empty() && tree.attributes().next().is_none()
}

/// The answer where nothing is stored: the element that was asked for.
pub fn nothing(ns: &str, name: &str) -> Tree {
    Tree::new(ns::PRIVATE, "query").child(Tree::new(ns, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn judge(inside: &str) -> Result<Option<(String, String, bool)>, Malformed> {
        let content = Content::parse(format!("<query xmlns='jabber:iq:private'>{inside}</query>").as_bytes()).unwrap();
        let element = element(&content.iter().next().unwrap())?;
        Ok(element.map(|element| (element.ns().to_owned(), element.name().to_owned(), is_empty(&element))))
    }

    #[test]
    fn there_is_one_element_with_a_namespace_of_its_own() {
        assert_eq!(judge("<exodus xmlns='exodus:prefs'/>"), Ok(Some(("exodus:prefs".into(), "exodus".into(), true))));
        for full in ["<p:a xmlns:p='urn:p' b='c'/>", "<a xmlns='urn:p'>b</a>", "<a xmlns='urn:p'><b/></a>"] {
            assert_eq!(judge(full), Ok(Some(("urn:p".into(), "a".into(), false))), "{full}");
        }
        assert_eq!(judge(""), Ok(None));
        assert_eq!(judge("only text"), Ok(None));
        for bad in [
            "<a/>",
            "<a xmlns='jabber:client'/>",
            "<a xmlns=''/>",
            "<a xmlns='urn:a'/><b xmlns='urn:a'/>",
            "<a/><b xmlns='b'/>",
        ] {
            assert!(judge(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_asked_for_and_is_not_there_comes_back_empty() {
        let content = Content::from_tree(&nothing("exodus:prefs", "exodus"));
        assert_eq!(content.bytes(), &b"<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'/></query>"[..]);
    }
}
