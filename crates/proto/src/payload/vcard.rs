//! XEP-0054: vcard-temp. A card is kept as it was given; only what a server must know of it is read.

use crate::ns;
use crate::xml::{Child, Tree};

/// Whether a card holds nothing at all: storing it removes the one that is there.
pub fn is_empty(card: &Child<'_>) -> bool {
    card.children().next().is_none() && card.text().trim().is_empty()
}

/// How many pictures a card has; more than one is of no use to anybody and costs everyone who reads the card.
pub fn photos(card: &Child<'_>) -> usize {
    card.children().filter(|child| child.is(ns::VCARD, "PHOTO")).count()
}

/// An empty card, as in a request.
pub fn request() -> Tree {
    Tree::new(ns::VCARD, "vCard")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    #[test]
    fn pictures_are_counted_and_empty_cards_are_seen() {
        let of = |inside: &str| {
            let content = Content::parse(format!("<vCard xmlns='vcard-temp'>{inside}</vCard>").as_bytes()).unwrap();
            let card = content.iter().next().unwrap();
            (is_empty(&card), photos(&card))
        };
        assert_eq!(of(""), (true, 0));
        assert_eq!(of(" \n"), (true, 0));
        assert_eq!(of("<FN/>"), (false, 0));
        assert_eq!(of("<PHOTO/><FN/><PHOTO xmlns='urn:x'/><N><PHOTO/></N><PHOTO/>"), (false, 2));
    }
}
