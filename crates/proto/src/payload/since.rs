//! XEP-0312: PubSub Since: how long ago a resource was last here, in its first presence.

use super::{Malformed, digits};
use crate::ns;
use crate::xml::{Child, Content, Tree};

/// Seconds since the resource was last online, if its presence says so. More than anything can be is the most there is.
pub fn seconds(presence: &Content) -> Result<Option<u64>, Malformed> {
    presence.child(ns::AGO, "ago").map(|ago| read(&ago)).transpose()
}

fn read(ago: &Child<'_>) -> Result<u64, Malformed> {
    let secs = ago.attr("secs").ok_or(Malformed("a time ago that is not said"))?;
    digits(&secs).ok_or(Malformed("a time ago that is no number"))
}

/// The element.
pub fn ago(seconds: u64) -> Tree {
    Tree::new(ns::AGO, "ago").attr("secs", seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_presence_says_how_long_ago_it_was() {
        let of = |xml: &str| seconds(&Content::parse(xml.as_bytes()).unwrap());
        assert_eq!(of("<show>away</show>"), Ok(None));
        assert_eq!(seconds(&Content::from_tree(&ago(86511))), Ok(Some(86511)));
        assert_eq!(of("<ago xmlns='urn:xmpp:ago:0' secs='99999999999999999999999'/>"), Ok(Some(u64::MAX)));
        for wrong in ["", " secs=''", " secs='-1'", " secs='1.5'", " secs='+1'"] {
            assert!(of(&format!("<ago xmlns='urn:xmpp:ago:0'{wrong}/>")).is_err(), "{wrong}");
        }
    }
}
