//! An item as an entry of a feed (RFC 4287 section 4.1.2). What was published as one is written anew with all that an entry must have, and with
//! nothing but what is known: it comes from anybody, and is read by programs that know nothing of nodes.

use metronome_model::Item;
use metronome_proto::ns::ATOM;
use metronome_proto::payload::delay::{format_time, parse_time};
use metronome_proto::xml::{Child, Content, Tree};

use super::markup;
use crate::upload::encode_name;

/// Authors, categories and links of an entry, each.
const EACH_MAX: usize = 20;

/// Most bytes of an address, and of a short text.
const LINE_BYTES_MAX: usize = 2048;

/// The entry of an item of the node at this address.
pub(super) fn of(item: &Item, node: &str) -> Tree {
    let uri = format!("{node};item={}", encode_name(&item.id));
    let content = Content::parse(&item.payload).unwrap_or_default();
    match content.child(ATOM, "entry") {
        Some(entry) => published(item, &uri, &entry),
        None => bare(item, &uri, &content),
    }
}

fn element(name: &str, text: impl AsRef<str>) -> Tree {
    Tree::new(ATOM, name).text(text)
}

fn stamp(at_ms: u64) -> Tree {
    element("updated", super::stamp(at_ms))
}

fn alternate(uri: &str) -> Tree {
    Tree::new(ATOM, "link").attr("rel", "alternate").attr("href", uri)
}

/// Of a payload that is no entry its text is all that everybody understands.
fn bare(item: &Item, uri: &str, content: &Content) -> Tree {
    let text = content.iter().next().map(|payload| payload.text().trim().to_owned()).unwrap_or_default();
    let entry = Tree::new(ATOM, "entry").child(element("id", uri)).child(element("title", &*item.id));
    let entry = entry.child(stamp(item.updated_ms)).child(alternate(uri));
    if text.is_empty() { entry } else { entry.child(element("content", text)) }
}

fn published(item: &Item, uri: &str, entry: &Child<'_>) -> Tree {
    let parts: Vec<Child<'_>> = entry.children().filter(|part| part.ns() == ATOM).collect();
    let first = |name: &str| parts.iter().find(|part| part.name() == name);
    let several = |name: &'static str| parts.iter().filter(move |part| part.name() == name).take(EACH_MAX);
    let time = |name: &str| first(name).and_then(|part| parse_time(part.text().trim())).map(format_time);
    let id = first("id").map(|id| id.text().trim().to_owned()).filter(|id| is_address(id));
    let title = first("title").and_then(text).unwrap_or_else(|| element("title", &*item.id));
    // There may be one of each kind (XEP-0277), and in a feed there is one.
    let content = several("content").filter_map(content).max_by_key(|content| match content.get_attr("type") {
        Some("xhtml") => 2,
        Some("html") => 1,
        _ => 0,
    });
    let links: Vec<Tree> = several("link").filter_map(link).collect();
    let is_reachable = content.is_some() || links.iter().any(|link| link.get_attr("rel").is_none_or(|rel| rel == "alternate"));
    Tree::new(ATOM, "entry")
        .child(element("id", id.as_deref().unwrap_or(uri)))
        .child(title)
        .child(time("updated").map_or_else(|| stamp(item.updated_ms), |time| element("updated", time)))
        .children(time("published").map(|time| element("published", time)))
        .children(several("author").chain(several("contributor")).filter_map(person))
        .children(several("category").filter_map(category))
        .children(links)
        .children((!is_reachable).then(|| alternate(uri)))
        .children(["summary", "rights"].into_iter().filter_map(|name| first(name).and_then(text)))
        .children(content)
}

/// Whether something may stand for an address: with a scheme, and in one piece.
fn is_address(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    text.len() <= LINE_BYTES_MAX
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

fn line(part: &Child<'_>, attribute: &str) -> Option<String> {
    part.attr(attribute).map(|value| value.into_owned()).filter(|value| value.len() <= LINE_BYTES_MAX)
}

/// A text construct (section 3.1). HTML as a text stays one: who reads it has to take care of it (section 8.1).
fn text(part: &Child<'_>) -> Option<Tree> {
    let tree = Tree::new(ATOM, part.name());
    match part.attr("type").as_deref() {
        None | Some("text") => Some(tree.text(part.text())),
        Some("html") => Some(tree.attr("type", "html").text(part.text())),
        Some("xhtml") => Some(tree.attr("type", "xhtml").child(markup::cleaned(part)?)),
        Some(_) => None,
    }
}

/// What an entry contains (section 4.1.3); of other kinds than texts only where it is.
fn content(part: &Child<'_>) -> Option<Tree> {
    match (part.attr("src"), part.attr("type")) {
        (Some(src), kind) => {
            let kind = kind.filter(|kind| kind.len() <= LINE_BYTES_MAX);
            let src = markup::link(&src)?;
            Some(Tree::new(ATOM, "content").attr_opt("type", kind).attr("src", src))
        }
        (None, _) => text(part),
    }
}

/// A person construct (section 3.2).
fn person(part: &Child<'_>) -> Option<Tree> {
    let of = |name: &str| part.child(ATOM, name).map(|child| child.text().trim().to_owned());
    let short = |text: &String| !text.is_empty() && text.len() <= LINE_BYTES_MAX;
    let name = of("name").filter(short)?;
    let uri = of("uri").filter(short).filter(|uri| markup::link(uri).is_some());
    Some(Tree::new(ATOM, part.name()).child(element("name", name)).children(uri.map(|uri| element("uri", uri))))
}

fn category(part: &Child<'_>) -> Option<Tree> {
    let term = line(part, "term")?;
    let scheme = line(part, "scheme").filter(|scheme| is_address(scheme));
    Some(Tree::new(ATOM, "category").attr("term", term).attr_opt("scheme", scheme).attr_opt("label", line(part, "label")))
}

fn link(part: &Child<'_>) -> Option<Tree> {
    let href = line(part, "href")?;
    let href = markup::link(&href)?;
    let tree = Tree::new(ATOM, "link").attr_opt("rel", line(part, "rel")).attr("href", href);
    Some(["type", "hreflang", "title"].into_iter().fold(tree, |tree, name| tree.attr_opt(name, line(part, name))))
}

#[cfg(test)]
mod tests {
    use metronome_proto::jid::Jid;

    use super::*;

    const NODE: &str = "xmpp:pubsub.localhost?;node=news";

    fn entry(payload: &str) -> String {
        let item = Item {
            id: "a<b".into(),
            publisher: Jid::parse("alice@localhost/secret").unwrap(),
            created_ms: 0,
            updated_ms: 2_000,
            payload: payload.as_bytes().into(),
        };
        String::from_utf8(of(&item, NODE).to_vec(ATOM)).unwrap()
    }

    fn atom(inside: &str) -> String {
        entry(&format!("<entry xmlns='http://www.w3.org/2005/Atom'>{inside}</entry>"))
    }

    #[test]
    fn an_entry_has_all_that_it_must_have() {
        let text = atom("");
        assert!(text.contains("<id>xmpp:pubsub.localhost?;node=news;item=a%3Cb</id><title>a&lt;b</title>"), "{text}");
        assert!(text.contains("<updated>1970-01-01T00:00:02.000Z</updated>"), "{text}");
        assert!(text.contains("<link rel='alternate' href='xmpp:pubsub.localhost?;node=news;item=a%3Cb'/>"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn what_was_published_is_there() {
        let text = atom(
            "<title>Soliloquy</title><id>tag:denmark.lit,2003:entry-32397</id><published>2003-12-13T18:30:02Z</published>\
             <updated>2003-12-13T19:30:02+01:00</updated><author><name>William</name><uri>https://denmark.lit/w</uri></author>\
             <category term='play' label='A play'/><link rel='alternate' type='text/html' href='https://denmark.lit/1'/>\
             <summary>To be</summary><content type='html'>&lt;p&gt;or not&lt;/p&gt;</content>",
        );
        for part in [
            "<title>Soliloquy</title>",
            "<id>tag:denmark.lit,2003:entry-32397</id>",
            "<updated>2003-12-13T18:30:02.000Z</updated>",
            "<author><name>William</name><uri>https://denmark.lit/w</uri></author>",
            "<category term='play' label='A play'/>",
            "<link rel='alternate' href='https://denmark.lit/1' type='text/html'/>",
            "<summary>To be</summary>",
            "<content type='html'>&lt;p&gt;or not&lt;/p&gt;</content>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("rel='alternate'").count(), 1, "{text}");
    }

    #[test]
    fn of_several_texts_the_richest_is_passed_on() {
        let text = atom(
            "<content>plain</content><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>rich</p></div></content>",
        );
        assert!(text.contains("<p>rich</p>") && !text.contains("plain"), "{text}");
    }

    #[test]
    fn nothing_that_runs_and_nothing_unknown_is_passed_on() {
        let text = atom(
            "<id>no address</id><id>urn:x:2</id><script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>\
             <link href='javascript:alert(1)'/><link rel='self' href='data:text/html,x'/><content type='application/xml'><x/></content>\
             <author><name>W</name><uri>javascript:alert(1)</uri></author><updated>yesterday</updated>\
             <activity xmlns='http://activitystrea.ms/spec/1.0/'/><title type='xhtml'>no div</title>",
        );
        assert!(!text.contains("alert") && !text.contains("data:") && !text.contains("activity"), "{text}");
        assert!(!text.contains("<content") && text.contains(";item=a%3Cb</id>"), "{text}");
        assert!(text.contains("<updated>1970-01-01T00:00:02.000Z</updated>"), "{text}");
    }

    #[test]
    fn of_other_payloads_the_text_is_told() {
        let text = entry("<x xmlns='urn:x'>some &lt;words&gt;<script xmlns='http://www.w3.org/1999/xhtml'>no</script></x>");
        assert!(text.contains("<content>some &lt;words&gt;</content>") && !text.contains("script"), "{text}");
        assert!(!entry("").contains("<content"), "an item without a payload");
    }
}
