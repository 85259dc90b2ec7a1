//! Judges an input by our scanner and by `rxml`, written by somebody else: both must see the same elements and stop at
//! the same kind of place. Used by `tests/differential.rs` and by the fuzz targets.

use metronome_proto::xml::{Item, Limits, Node, Scanner, Tree, XmlError};
use rxml::error::EndOrError;
use rxml::{Options, Parse, WithOptions};

/// What an XML parser sees; text in pieces is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Namespace, name, and the attributes in order, each with namespace, name and value.
    Start(String, String, Vec<(String, String, String)>),
    Text(String),
    End,
}

/// How an input ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Behind the end of the stream.
    Closed,
    /// Between elements, or in one.
    Unfinished,
    Rejected(String),
}

/// Bounds that do not matter here.
const LIMITS: Limits = Limits {
    stanza_bytes: 1 << 20,
    depth: 1000,
    attributes: 1000,
    name_bytes: 10_000,
    namespaces: 1000,
    children: 1 << 20,
};

/// Panics if the two disagree, or if we disagree with ourselves about the same bytes in other pieces.
pub(crate) fn check(input: &[u8]) {
    let (items, error) = scan(input, input.len().max(1));
    for step in [1, 7] {
        assert_eq!(scan(input, step), (items.clone(), error), "{step} bytes at a time");
    }
    if is_exempt(input, error) {
        return;
    }
    let (theirs, their_verdict) = parse(input);
    let ours: Vec<Vec<Event>> = items.iter().filter_map(events_of_item).collect();
    // They hand out what comes before an error within an element, we do not: what we hand out must be in theirs.
    assert!(ours.len() <= theirs.len(), "we see {} elements, they {}", ours.len(), theirs.len());
    for (item, (our, their)) in
        items.iter().filter(|item| matches!(item, Item::Element(_))).zip(ours.iter().zip(&theirs))
    {
        // Attributes with a prefix go from the head of an element that has to be rewritten: no stanza has any.
        assert_eq!(without_prefixed(&our[0]), without_prefixed(&their[0]));
        assert_eq!(our[1..], their[1..]);
        check_tree(item, their);
    }
    let is_closed = items.last() == Some(&Item::Close);
    match (error, &their_verdict) {
        (None, Verdict::Rejected(why)) => assert!(is_in_element(input, &items), "they reject: {why}"),
        (Some(_), Verdict::Rejected(_)) => {}
        // They wait for the end of what may not even begin there.
        (Some(XmlError::NotWellFormed("something behind the end of the stream")), Verdict::Closed) => {}
        // We know it earlier: then nothing that follows can make it right for them.
        (Some(error), verdict) => {
            assert_eq!(*verdict, Verdict::Unfinished, "we say: {error}");
            for rest in ["", ">", "/>", "'>", "\">", ";>", "]]>", "='a'>", "stream>", "stream:stream>"] {
                let longer = [input, rest.as_bytes(), b"</stream:stream>"].concat();
                assert!(matches!(parse(&longer).1, Verdict::Rejected(_) | Verdict::Unfinished), "we say: {error}");
            }
        }
        (None, verdict) => {
            assert_eq!(ours.len(), theirs.len());
            assert_eq!(is_closed, *verdict == Verdict::Closed);
        }
    }
}

/// Where we are stricter or more lenient on purpose.
fn is_exempt(input: &[u8], error: Option<XmlError>) -> bool {
    let has = |needle: &[u8]| input.windows(needle.len()).any(|window| window == needle);
    matches!(error, Some(XmlError::Limit(_) | XmlError::BadFormat(_)))
        // White space before the header, a declaration with `standalone`, elements in the namespace of `xml:`.
        || input.first().is_some_and(u8::is_ascii_whitespace)
        || has(b"standalone")
        || has(b"<xml:")
        // They refuse or lose a carriage return that stands alone (rxml 0.14); XML 1.0 section 2.11 makes it a line feed.
        || input.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')
        // They keep one behind a bracket in a CDATA section, where it is part of a line end.
        || (has(b"<![CDATA[") && has(b"\r"))
        // They take two declarations of one prefix (rxml 0.14), which XML 1.0 section 3.1 forbids like any other pair.
        || (error == Some(XmlError::NotWellFormed("an attribute given twice")) && has(b"xmlns"))
        // They refuse U+FDF0 to U+FFFD in names (rxml 0.14), which XML 1.0 section 2.3 allows.
        || String::from_utf8_lossy(input).chars().any(|c| ('\u{FDF0}'..='\u{FFFD}').contains(&c))
        // They take the declaration's attributes one by one and see an error before its end.
        || matches!(error, Some(XmlError::NotWellFormed("XML declaration") | XmlError::UnsupportedEncoding))
}

/// Whether the input ends before we have judged all of it: within an element.
fn is_in_element(input: &[u8], items: &[Item]) -> bool {
    let mut scanner = Scanner::new(LIMITS);
    let mut rest = input;
    let mut seen = 0;
    while let Ok(Some(_)) = scanner.next(&mut rest) {
        seen += 1;
    }
    assert_eq!(seen, items.len());
    scanner.buffered() > 0
}

/// Our items, and the error that ended them, for an input that comes in pieces of `step` bytes.
pub(crate) fn scan(input: &[u8], step: usize) -> (Vec<Item>, Option<XmlError>) {
    let mut scanner = Scanner::new(LIMITS);
    let mut items = Vec::new();
    for mut piece in input.chunks(step) {
        loop {
            match scanner.next(&mut piece) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(scanner.next(&mut &b"<a/>"[..]), Err(XmlError::Failed));
                    return (items, Some(error));
                }
            }
        }
    }
    (items, None)
}

/// Their elements of depth 2, whole ones only, and how it ended.
fn parse(input: &[u8]) -> (Vec<Vec<Event>>, Verdict) {
    let mut parser = parser();
    let (mut elements, mut current, mut depth) = (Vec::new(), Vec::new(), 0);
    let mut is_open = false;
    let mut rest = input;
    let verdict = loop {
        match parser.parse(&mut rest, false) {
            Ok(Some(event)) => {
                depth += push(&mut current, event);
                is_open |= depth > 0;
                if depth == 1 && current.last() == Some(&Event::End) {
                    elements.push(std::mem::take(&mut current));
                } else if depth <= 1 {
                    current.clear();
                }
            }
            Ok(None) => break Verdict::Closed,
            Err(EndOrError::NeedMoreData) if is_open && depth == 0 => break Verdict::Closed,
            Err(EndOrError::NeedMoreData) => break Verdict::Unfinished,
            Err(EndOrError::Error(error)) => break Verdict::Rejected(error.to_string()),
        }
    };
    (elements, verdict)
}

fn parser() -> rxml::Parser {
    rxml::Parser::with_options(Options { max_token_length: 1 << 20, ..Options::default() })
}

/// Appends an event and returns by how much it changes the depth.
fn push(events: &mut Vec<Event>, event: rxml::Event) -> i32 {
    match event {
        rxml::Event::XmlDeclaration(..) => 0,
        rxml::Event::StartElement(_, (ns, name), attributes) => {
            let attribute = |((ns, name), value): ((rxml::Namespace, rxml::NcName), String)| {
                (ns.as_str().to_owned(), name.as_str().to_owned(), value)
            };
            let mut attributes: Vec<_> = attributes.into_iter().map(attribute).collect();
            attributes.sort();
            events.push(Event::Start(ns.as_str().to_owned(), name.as_str().to_owned(), attributes));
            1
        }
        rxml::Event::EndElement(_) => {
            events.push(Event::End);
            -1
        }
        rxml::Event::Text(_, text) => {
            push_text(events, &text);
            0
        }
    }
}

fn push_text(events: &mut Vec<Event>, text: &str) {
    match events.last_mut() {
        _ if text.is_empty() => {}
        Some(Event::Text(before)) => before.push_str(text),
        _ => events.push(Event::Text(text.to_owned())),
    }
}

/// What they see in the bytes that we hand out: those must stand alone, and be exactly one element.
fn events_of_item(item: &Item) -> Option<Vec<Event>> {
    let Item::Element(element) = item else { return None };
    let mut around = b"<x".to_vec();
    metronome_proto::xml::write::attribute(&mut around, "xmlns", element.ns());
    around.push(b'>');
    around.extend_from_slice(element.bytes());
    around.extend_from_slice(b"</x>");
    let (mut elements, verdict) = parse(&around);
    assert_ne!(elements.len(), 0, "not whole: {:?}", element.bytes());
    assert_eq!((elements.len(), verdict), (1, Verdict::Closed));
    elements.pop()
}

/// Our own view of the element, against their events.
fn check_tree(item: &Item, theirs: &[Event]) {
    let Item::Element(element) = item else { return };
    let tree = element.tree();
    let mut ours = Vec::new();
    tree_events(&tree, &mut ours);
    let plain: Vec<Event> = theirs.iter().map(without_prefixed).collect();
    assert_eq!(ours, plain);
    let reread = Scanner::elements(LIMITS).next(&mut &tree.to_vec("jabber:client")[..]);
    let Ok(Some(Item::Element(reread))) = reread else { panic!("our own writing is refused: {reread:?}") };
    assert_eq!(reread.tree(), tree);
}

fn tree_events(tree: &Tree, events: &mut Vec<Event>) {
    let attribute = |(name, value): (&str, &str)| match name.strip_prefix("xml:") {
        Some(local) => (rxml::XMLNS_XML.to_owned(), local.to_owned(), value.to_owned()),
        None => (String::new(), name.to_owned(), value.to_owned()),
    };
    let mut attributes: Vec<_> = tree.attributes().map(attribute).collect();
    attributes.sort();
    events.push(Event::Start(tree.ns().to_owned(), tree.name().to_owned(), attributes));
    for node in tree.nodes() {
        match node {
            Node::Element(inner) => tree_events(inner, events),
            Node::Text(text) => push_text(events, text),
        }
    }
    events.push(Event::End);
}

/// Trees keep no attributes with prefixes other than `xml`.
fn without_prefixed(event: &Event) -> Event {
    let Event::Start(ns, name, attributes) = event else { return event.clone() };
    let kept = attributes.iter().filter(|(ns, _, _)| ns.is_empty() || ns == rxml::XMLNS_XML).cloned();
    Event::Start(ns.clone(), name.clone(), kept.collect())
}
