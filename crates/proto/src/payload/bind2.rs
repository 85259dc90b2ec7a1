//! XEP-0386: Bind 2: a resource is bound in the same round trip in which the client logs in.

use crate::ns;
use crate::xml::{Child, Tree};

/// What stands among the inline features of XEP-0388: the features that can be asked for while a resource is bound.
pub fn feature<'a>(inline: impl IntoIterator<Item = &'a str>) -> Tree {
    let feature = |var| Tree::new(ns::BIND2, "feature").attr("var", var);
    let features: Vec<Tree> = inline.into_iter().map(feature).collect();
    let inline = (!features.is_empty()).then(|| Tree::new(ns::BIND2, "inline").children(features));
    Tree::new(ns::BIND2, "bind").children(inline)
}

/// What the client would like to see in its resource; empty if it says nothing.
pub fn tag(bind: &Child<'_>) -> String {
    bind.child(ns::BIND2, "tag").map(|tag| tag.text().trim().to_owned()).unwrap_or_default()
}

/// The answer, with what came of what was asked for.
pub fn bound(results: Vec<Tree>) -> Tree {
    Tree::new(ns::BIND2, "bound").children(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_inline_features_announces_an_empty_element() {
        let written = |tree: Tree| String::from_utf8(tree.to_vec("")).unwrap();
        assert_eq!(written(feature([])), "<bind xmlns='urn:xmpp:bind:0'/>");
        assert_eq!(
            written(feature([ns::CARBONS])),
            "<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/></inline></bind>"
        );
    }
}
