//! XEP-0395: Atomically Compare-And-Publish PubSub Items: a value for the content of each item, which changes when the content does.

use crate::ns;
use crate::xml::Tree;

/// The precondition of a publication: the value of the item that the publisher takes for the latest.
pub const FIELD: &str = "pubsub#prev_item_cap_value";

/// The element within `<items/>` with the value of each item, by its id.
///
/// The entries are called as the text of section 3.1 calls them; its example has another name.
pub fn map<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Tree {
    let entry = |(id, value): (&str, &str)| {
        Tree::new(ns::COMPARE_AND_PUBLISH, "cap-v-map-entry").attr("item-id", id).attr("cap-value", value)
    };
    Tree::new(ns::COMPARE_AND_PUBLISH, "cap-v-map").children(values.into_iter().map(entry))
}
