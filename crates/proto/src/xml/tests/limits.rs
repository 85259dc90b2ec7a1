//! Each limit holds exactly, whole or byte by byte, and going over it is a `policy-violation`.

use super::*;
use crate::stream::error::Condition;

const SMALL: Limits = Limits { stanza_bytes: 300, depth: 4, attributes: 3, name_bytes: 10, namespaces: 2, children: 3 };

fn error(input: &str) -> Option<XmlError> {
    let run = |step| scan(Scanner::elements(SMALL), input.as_bytes(), step);
    let whole = run(input.len());
    assert_eq!(run(1), whole);
    if whole.1.is_some() {
        assert_eq!(whole.1.map(|error| error.condition()), Some(Condition::PolicyViolation));
        assert_eq!(whole.0, []);
    }
    whole.1
}

#[test]
fn each_limit_holds_exactly() {
    let text = |len: usize| format!("<a>{}</a>", "x".repeat(len - 7));
    let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);
    let prefixed = |len: usize| format!("<a xmlns:p='u'><p:{}/></a>", "n".repeat(len - 2));
    let cases = [
        (text(300), text(301), "stanza bytes"),
        (nested(4), nested(5), "depth"),
        ("<a b='' c='' d='' xmlns='u'/>".into(), "<a b='' c='' d='' e=''/>".into(), "attributes"),
        (format!("<{}/>", "n".repeat(10)), format!("<{}/>", "n".repeat(11)), "name"),
        (prefixed(10), prefixed(11), "name"),
        (format!("<a {}=''/>", "n".repeat(10)), format!("<a {}=''/>", "n".repeat(11)), "name"),
        (
            "<a xmlns:p='u' xmlns='v'/>".into(),
            "<a xmlns:p='u' xmlns='v' xmlns:q='w'/>".into(),
            "namespace declarations",
        ),
        ("<a><b/><b/><b/></a>".into(), "<a><b/><b/><b/><b/></a>".into(), "children"),
        ("<a><b><c/><c/><c/></b></a>".into(), "<a><b><c/><c/><c/><c/></b></a>".into(), "children"),
    ];
    for (within, over, limit) in cases {
        assert_eq!(error(&within), None, "{within}");
        assert_eq!(error(&over), Some(XmlError::Limit(limit)), "{over}");
    }
}

#[test]
fn work_that_few_bytes_could_multiply_is_bounded() {
    let scan = |xml: &str| Scanner::elements(Limits::CLIENT).next(&mut xml.as_bytes());
    assert!(scan(&format!("<a xmlns='{}'/>", "u".repeat(1024))).is_ok());
    assert_eq!(scan(&format!("<a xmlns='{}'/>", "u".repeat(1025))), Err(XmlError::Limit("namespace name")));
    // What a peer may send is also what a store gives back, although an escape is longer.
    let quotes = format!("<m><c:a xmlns:c='{}'/></m>", "\"".repeat(1024));
    let Ok(Some(Item::Element(element))) = scan(&quotes) else { panic!() };
    let content = Content::from_tree(&element.tree());
    assert_eq!(Content::parse(content.bytes()), Ok(content));
    // Thousands of pairs of one local name in namespaces that differ at the end only.
    let uri = "&#117;".repeat(100);
    let declarations: String = (10..30).map(|n| format!(" xmlns:p{n}='{uri}{n}'")).collect();
    let attributes: String = (10..30).map(|n| format!(" p{n}:x=''")).collect();
    let few = format!("<a{declarations}><b{attributes}/></a>");
    assert!(scan(&few).is_ok());
    let many = format!("<a{declarations}>{}</a>", format!("<b{attributes}/>").repeat(100));
    assert_eq!(scan(&many), Err(XmlError::Limit("attributes of one name")));
}

#[test]
fn a_stanza_that_never_ends_is_cut_off_at_the_limit() {
    for (start, more) in
        [("<a>", "x"), ("<a b='", "x"), ("<a", " "), ("<a></a", " "), ("<a><![CDATA[", "]"), ("<a><", "b")]
    {
        let mut scanner = Scanner::elements(SMALL);
        assert_eq!(scanner.next(&mut start.as_bytes()), Ok(None));
        let mut fed = start.len();
        let error = loop {
            match scanner.next(&mut more.as_bytes()) {
                Ok(_) => fed += 1,
                Err(error) => break error,
            }
            assert!(fed <= SMALL.stanza_bytes);
        };
        assert_eq!(error.condition(), Condition::PolicyViolation, "{start}");
    }
}

#[test]
fn an_oversized_stanza_is_refused_although_its_end_is_in_sight() {
    let stream = format!("<a/><a>{}</a><a/>", "x".repeat(300));
    let mut input = stream.as_bytes();
    let mut scanner = Scanner::elements(SMALL);
    assert!(matches!(scanner.next(&mut input), Ok(Some(_))));
    assert_eq!(scanner.next(&mut input), Err(XmlError::Limit("stanza bytes")));
}

#[test]
fn limits_can_be_raised_between_elements() {
    let stanza = format!("<a>{}</a>", "x".repeat(300));
    let mut scanner = Scanner::elements(SMALL);
    scanner.set_limits(Limits::CLIENT);
    assert!(matches!(scanner.next(&mut stanza.as_bytes()), Ok(Some(_))));
}

#[test]
fn the_limits_are_those_that_are_published() {
    let bytes = |limits: Limits| limits.stanza_bytes / 1024;
    assert_eq!((bytes(Limits::BEFORE_AUTH), bytes(Limits::CLIENT), bytes(Limits::SERVER)), (8, 256, 512));
    let Limits { depth, attributes, name_bytes, namespaces, children, .. } = Limits::CLIENT;
    assert_eq!((depth, attributes, name_bytes, namespaces, children), (64, 64, 256, 32, 8192));
}
