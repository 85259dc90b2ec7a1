//! XEP-0059: Result Set Management: which page is asked for, and which one was given.

use super::{Malformed, digits};
use crate::ns;
use crate::xml::{Child, Tree};

/// A page as it is asked for. Numbers too large for anything are the largest there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Most items.
    pub max: Option<u64>,
    /// The page begins behind this item; an empty one is not given.
    pub after: Option<String>,
    /// The page ends before this item; empty for the last page.
    pub before: Option<String>,
    /// The page begins with the item of this number.
    pub index: Option<u64>,
}

impl Wanted {
    /// Reads the `<set/>` within a query; without one nothing is said.
    pub fn read(query: &Child<'_>) -> Result<Wanted, Malformed> {
        let Some(set) = query.child(ns::RSM, "set") else { return Ok(Wanted::default()) };
        let text = |name| set.child(ns::RSM, name).map(|child| child.text().into_owned());
        Ok(Wanted {
            max: text("max").map(|max| number(&max)).transpose()?,
            after: text("after").filter(|after| !after.is_empty()),
            before: text("before"),
            index: text("index").map(|index| number(&index)).transpose()?,
        })
    }
}

impl Wanted {
    /// The element `<set/>`, as one who asks writes it.
    pub fn tree(&self) -> Tree {
        let number = |name, number: Option<u64>| number.map(|number| element(name).text(number.to_string()));
        let text = |name, text: &Option<String>| text.as_ref().map(|text| element(name).text(text));
        element("set")
            .children(number("max", self.max))
            .children(text("after", &self.after))
            .children(text("before", &self.before))
            .children(number("index", self.index))
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::RSM, name)
}

fn number(text: &str) -> Result<u64, Malformed> {
    digits(text.trim_matches([' ', '\t', '\r', '\n'])).ok_or(Malformed("a number of a result set that is none"))
}

/// A page as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The first and the last item; none in an empty page.
    pub ends: Option<(String, String)>,
    /// How many items stand before the page.
    pub index: Option<u64>,
    /// How many items there are in all.
    pub count: Option<u64>,
}

impl Given {
    /// The element `<set/>`.
    pub fn tree(&self) -> Tree {
        let mut set = element("set");
        if let Some((first, last)) = &self.ends {
            let index = self.index.map(|index| index.to_string());
            set = set.child(element("first").attr_opt("index", index).text(first)).child(element("last").text(last));
        }
        set.children(self.count.map(|count| element("count").text(count.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(set: &str) -> Result<Wanted, Malformed> {
        let query = format!("<query xmlns='urn:q'><set xmlns='http://jabber.org/protocol/rsm'>{set}</set></query>");
        Wanted::read(&Content::parse(query.as_bytes()).unwrap().iter().next().unwrap())
    }

    #[test]
    fn a_page_is_asked_for_by_its_neighbours_or_its_number() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(""), Ok(Wanted::default()));
        assert_eq!(read("<max>10</max>"), Ok(Wanted { max: Some(10), ..Wanted::default() }));
        assert_eq!(read("<max>0</max><after>7</after>").unwrap().after, some("7"));
        assert_eq!(read("<before/>").unwrap().before, some(""));
        assert_eq!(read("<before>9</before>").unwrap().before, some("9"));
        assert_eq!(read("<after/>").unwrap().after, None);
        assert_eq!(read("<index> 371 </index>").unwrap().index, Some(371));
        assert_eq!(read("<max xmlns='urn:x'>1</max>"), Ok(Wanted::default()));
    }

    #[test]
    fn huge_numbers_are_the_largest_and_what_is_none_is_refused() {
        assert_eq!(read("<max>99999999999999999999999999</max>").unwrap().max, Some(u64::MAX));
        for wrong in ["<max/>", "<max>-1</max>", "<max>1.5</max>", "<index>x</index>", "<max>１</max>", "<max>+1</max>"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_tells_its_ends_and_its_place() {
        let xml = |given: &Given| String::from_utf8(given.tree().to_vec(ns::RSM)).unwrap();
        let ends = Some(("4".to_owned(), "9".to_owned()));
        let page = Given { ends, index: Some(3), count: Some(20) };
        assert_eq!(xml(&page), "<set><first index='3'>4</first><last>9</last><count>20</count></set>");
        assert_eq!(xml(&Given { ends: None, index: Some(0), count: Some(0) }), "<set><count>0</count></set>");
        assert_eq!(xml(&Given::default()), "<set/>");
    }
}
