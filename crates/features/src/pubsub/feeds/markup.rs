//! XHTML that anybody may have published, as what it says: paragraphs, lists, emphasis, links and pictures, and nothing that runs, styles, asks
//! or frames.

use metronome_proto::ns::XHTML;
use metronome_proto::xml::{Child, Node, Tree};

/// What stays as it is.
const KEPT: &[&str] = &[
    "a", "abbr", "b", "blockquote", "br", "cite", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "th", "thead", "tr", "u", "ul", "var",
];

/// What goes with all that is in it; of everything else what is in it stays.
const DROPPED: &[&str] = &[
    "applet", "audio", "base", "canvas", "embed", "form", "frame", "frameset", "head", "iframe", "link", "math", "meta", "noscript",
    "object", "script", "style", "svg", "template", "textarea", "title", "video",
];

/// Where links may lead.
const SCHEMES: &[&str] = &["https:", "http:", "mailto:", "xmpp:"];

/// Most bytes of an address.
const LINK_BYTES_MAX: usize = 2048;

/// The `<div/>` of a text construct, cleaned; none if there is none.
pub(super) fn cleaned(part: &Child<'_>) -> Option<Tree> {
    let div = part.child(XHTML, "div")?;
    Some(with(Tree::new(XHTML, "div"), &div.tree()))
}

/// An address to which a link may lead, as it is.
pub(super) fn link(address: &str) -> Option<&str> {
    let leads = |scheme: &&str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let is_one = address.len() <= LINK_BYTES_MAX && !address.contains(|c: char| c.is_control() || c.is_whitespace());
    (is_one && SCHEMES.iter().any(leads)).then_some(address)
}

/// Adds what is in an element. Recursion ends where the depth of what was published does.
fn with(to: Tree, from: &Tree) -> Tree {
    from.nodes().iter().fold(to, |to, node| match node {
        Node::Text(text) => to.text(text),
        Node::Element(element) if element.ns() != XHTML || DROPPED.contains(&element.name()) => to,
        Node::Element(element) if KEPT.contains(&element.name()) => to.child(kept(element)),
        Node::Element(element) => with(to, element),
    })
}

fn kept(element: &Tree) -> Tree {
    let tree = Tree::new(XHTML, element.name());
    let address = |name: &str| element.get_attr(name).and_then(link);
    let tree = match element.name() {
        "a" => tree.attr_opt("href", address("href")),
        "img" => tree.attr_opt("src", address("src").filter(|src| src.starts_with("http"))).attr_opt("alt", element.get_attr("alt")),
        _ => tree,
    };
    with(tree, element)
}

#[cfg(test)]
mod tests {
    use metronome_proto::xml::Content;

    use super::*;

    fn clean(inside: &str) -> String {
        let xml = format!("<content xmlns='urn:x'><div xmlns='{XHTML}' onclick='x'>{inside}</div></content>");
        let content = Content::parse(xml.as_bytes()).unwrap();
        let div = cleaned(&content.child("urn:x", "content").unwrap()).unwrap();
        String::from_utf8(div.to_vec(XHTML)).unwrap()
    }

    #[test]
    fn what_is_said_stays_and_what_runs_goes() {
        for (given, kept) in [
            ("<p class='x' style='y'>one <em>two</em><br/></p>", "<p>one <em>two</em><br/></p>"),
            ("<a href='https://example.org/?a&amp;b' onclick='x'>link</a>", "<a href='https://example.org/?a&amp;b'>link</a>"),
            ("<a href='javascript:alert(1)'>a</a>", "<a>a</a>"),
            ("<a href=' javascript:alert(1)'>a</a>", "<a>a</a>"),
            ("<a href='java\u{9}script:x'>a</a>", "<a>a</a>"),
            ("<img src='https://x/y.png' onerror='z' alt='a picture'/>", "<img src='https://x/y.png' alt='a picture'/>"),
            ("<img src='data:image/svg+xml,x'/>", "<img/>"),
            ("a<script>alert(1)</script>b", "ab"),
            ("<font><b>x</b></font>", "<b>x</b>"),
            ("<svg xmlns='http://www.w3.org/2000/svg' onload='x'><script/></svg>", ""),
            ("<iframe src='https://x'>y</iframe><style>z</style><form><input/></form>", ""),
            ("&lt;script&gt;", "&lt;script&gt;"),
        ] {
            assert_eq!(clean(given), format!("<div>{kept}</div>").replace("<div></div>", "<div/>"), "{given}");
        }
    }

    #[test]
    fn links_lead_to_pages_people_and_mail() {
        for yes in ["https://a", "HTTP://a", "mailto:a@b", "xmpp:a@b?;node=c"] {
            assert_eq!(link(yes), Some(yes));
        }
        for no in ["", "a", "//a", "javascript:x", "data:x", "vbscript:x", "file:///etc/passwd", "https://a b"] {
            assert_eq!(link(no), None, "{no}");
        }
    }
}
