//! Malformed and odd inputs behind a stream header: which are refused, how, and that nothing comes after.

use super::*;
use crate::stream::error::Condition;

use Condition::{BadFormat, NotWellFormed, PolicyViolation, RestrictedXml, UnsupportedEncoding};

/// The stream error that `input` leads to, behind a stream header.
fn refused(input: &[u8]) -> Option<Condition> {
    let (items, error) = in_stream(input);
    assert!(items.len() == 1 || error.is_none(), "an item before the error: {items:?}");
    error.map(|error| error.condition())
}

#[test]
fn malformed_xml_is_refused() {
    let cases: &[(&[u8], Condition)] = &[
        (b"<a><!-- x --></a>", RestrictedXml),
        (b"<!-- x --><a/>", RestrictedXml),
        (b"<a><?x y?></a>", RestrictedXml),
        (b"<?xml version='1.0'?><a/>", RestrictedXml),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]>", RestrictedXml),
        (b"<a><!DOCTYPE b></a>", RestrictedXml),
        (b"<a>&foo;</a>", RestrictedXml),
        (b"<a b='&lol9;'/>", RestrictedXml),
        (b"<a>\0</a>", NotWellFormed),
        (b"<a>\x0b</a>", NotWellFormed),
        (b"<a b='\x01'/>", NotWellFormed),
        (b"<a>&#1;</a>", NotWellFormed),
        (b"<a>&#0;</a>", NotWellFormed),
        (b"<a>&#xD800;</a>", NotWellFormed),
        (b"<a>&#x110000;</a>", NotWellFormed),
        (b"<a>&#xFFFE;</a>", NotWellFormed),
        (b"<a>&#;</a>", NotWellFormed),
        (b"<a>&#x;</a>", NotWellFormed),
        (b"<a>&;</a>", NotWellFormed),
        (b"<a>a & b</a>", NotWellFormed),
        (b"<a>\xEF\xBF\xBE</a>", NotWellFormed),
        (b"<a>\xEF\xBF\xBF</a>", NotWellFormed),
        (b"<a>\xC3\x28</a>", NotWellFormed),
        (b"<a>\xC0\xBC</a>", NotWellFormed),
        (b"<a>\xED\xA0\x80</a>", NotWellFormed),
        (b"<a b='<'/>", NotWellFormed),
        (b"<a>]]></a>", NotWellFormed),
        (b"<1a/>", NotWellFormed),
        (b"<-a/>", NotWellFormed),
        (b"<a:b:c xmlns:a='u'/>", NotWellFormed),
        (b"<:a/>", NotWellFormed),
        (b"<a:/>", NotWellFormed),
        (b"< a/>", NotWellFormed),
        ("<a\u{D7}/>".as_bytes(), NotWellFormed),
        (b"<a b:='c'/>", NotWellFormed),
        (b"<p:a/>", NotWellFormed),
        (b"<a p:b='c'/>", NotWellFormed),
        (b"<a xmlns:p=''/>", NotWellFormed),
        (b"<a xmlns:xml='urn:x'/>", NotWellFormed),
        (b"<a xmlns:xmlns='urn:x'/>", NotWellFormed),
        (b"<a xmlns='http://www.w3.org/2000/xmlns/'/>", NotWellFormed),
        (b"<a xmlns:p='http://www.w3.org/XML/1998/namespac&#101;'/>", NotWellFormed),
        (b"<xmlns:foo/>", NotWellFormed),
        (b"<xml:foo/>", NotWellFormed),
        (b"<a b='1'c='2'/>", NotWellFormed),
        (b"<a b='1' b='2'/>", NotWellFormed),
        (b"<a xmlns='u' xmlns='v'/>", NotWellFormed),
        (b"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", NotWellFormed),
        (b"<a xmlns:p='u' xmlns:q='&#117;' p:b='1' q:b='2'/>", NotWellFormed),
        (b"<a b=c/>", NotWellFormed),
        (b"<a b/>", NotWellFormed),
        (b"<a b='c></a>", NotWellFormed),
        (b"<a/ >", NotWellFormed),
        (b"<a></b>", NotWellFormed),
        (b"<a></ab>", NotWellFormed),
        (b"<a></A>", NotWellFormed),
        (b"</a>", NotWellFormed),
        (b"<a></stream:stream>", NotWellFormed),
        (b"</stream:streamx>", NotWellFormed),
        (b"</stream>", NotWellFormed),
        (b"text", BadFormat),
        (b"&amp;", BadFormat),
        (b"<![CDATA[x]]>", BadFormat),
        (b"\xEF\xBB\xBF<a/>", BadFormat),
        (b"<a>&#x00000000000000041;</a>", PolicyViolation),
    ];
    for (input, condition) in cases {
        assert_eq!(refused(input), Some(*condition), "{}", String::from_utf8_lossy(input));
    }
}

#[test]
fn legal_oddities_are_accepted() {
    for input in [
        "<a><![CDATA[<b>&c;]] ]>]]></a>",
        "<a><![CDATA[]]]]><![CDATA[>]]></a>",
        "<m ></m >",
        "<m\r\n\ta\n=\t'b'\r/>",
        "<a xmlns='u'><b xmlns=''/></a>",
        "<a>x\u{FEFF}y</a>",
        "<a xmlns:p='u' xmlns:q='v' p:b='1' q:b='2' b='3'/>",
        "<a xmlns:p='u'><b xmlns:p='v' p:c=''/><p:b/></a>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='de'/>",
        "<a b='>' c=\"'\" d='&quot;&apos;&lt;&gt;&amp;&#9;&#x1F980;'>]] > ]]&gt; ></a>",
        "<élan é='ü'>\u{7f}\u{85}\u{10FFFF}\u{FFFD}</élan>",
        "<_a.-1 _='' a-.1=''/>",
        " \r\n\t<a/> \n",
    ] {
        let (items, error) = in_stream(input.as_bytes());
        assert_eq!((items.len(), error), (2, None), "{input}");
    }
}

/// RFC 6120 section 11.1, and the advisories in which entities were expanded: nothing is expanded, so nothing grows.
#[test]
fn forbidden_prologs_are_refused_at_their_first_bytes() {
    let forbidden = [
        ("<!DOCTYPE lolz [<!ENTITY lol 'lol'>", RestrictedXml),
        ("<?xml version='1.0'?><!DOCTYPE lolz", RestrictedXml),
        ("<!-- ", RestrictedXml),
        ("<?php ", RestrictedXml),
        ("<?xml-stylesheet ", RestrictedXml),
        ("<?xml version='1.0'?><?xml version='1.0'?>", RestrictedXml),
        ("<![CDATA[", BadFormat),
        ("<?xml version='1.1'?>", NotWellFormed),
        ("<?xml encoding='UTF-8'?>", NotWellFormed),
        ("<?xml version='1.0' encoding='UTF-16'?>", UnsupportedEncoding),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>", UnsupportedEncoding),
        ("<?xml version='1.0' standalone='maybe'?>", NotWellFormed),
        ("<?xml version='1.0' foo='bar'?>", NotWellFormed),
        ("\u{FEFF}<?xml version='1.0'?>", NotWellFormed),
        ("</stream:stream>", NotWellFormed),
        ("hello", NotWellFormed),
    ];
    for (input, condition) in forbidden {
        let (items, error) = scan_all(input.as_bytes());
        assert_eq!((items.len(), error.map(|error| error.condition())), (0, Some(condition)), "{input}");
    }
    let utf16: Vec<u8> = "<?xml version='1.0'?>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(scan_all(&utf16).1, Some(XmlError::NotWellFormed("not a name")));
    assert_eq!(scan_all(&[b"\xFF\xFE", &utf16[..]].concat()).1, Some(XmlError::UnsupportedEncoding));
}

#[test]
fn every_usual_declaration_is_accepted() {
    for declaration in [
        "",
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>",
        "<?xml version = '1.0' encoding='UTF-8' standalone='yes'?>\r\n",
        "\n<?xml version='1.0'?>\n",
    ] {
        let stream = format!("{declaration}<stream:stream xmlns:stream='s'></stream:stream>");
        let (items, error) = scan_all(stream.as_bytes());
        assert_eq!((items.len(), error), (2, None), "{declaration}");
    }
}

#[test]
fn the_end_of_the_stream_is_the_end() {
    let (items, error) = in_stream(b"<a/></stream:stream \n> \n");
    assert_eq!((items.last(), error), (Some(&Item::Close), None));
    let (_, error) = in_stream(b"</stream:stream><a/>");
    assert_eq!(error, Some(XmlError::NotWellFormed("something behind the end of the stream")));
    let (items, error) = scan_all(b"<s xmlns='u'/>");
    assert_eq!((items.len(), items.last(), error), (2, Some(&Item::Close), None));
}

/// A close of the root inside an element must not end the stream for us while somebody else still sees the element.
#[test]
fn the_root_cannot_be_closed_from_within() {
    for input in ["<a></stream:stream>", "<a><b></a></b>", "<stream:stream></stream:stream></stream:stream><x/>"] {
        let (items, error) = in_stream(input.as_bytes());
        let elements = items.iter().filter(|item| matches!(item, Item::Element(_))).count();
        assert!(error.is_some() && elements <= 1, "{input}: {items:?}");
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let mut scanner = Scanner::elements(Limits::CLIENT);
    let mut input = &b"<a/><b></a><c/>"[..];
    assert!(matches!(scanner.next(&mut input), Ok(Some(Item::Element(_)))));
    assert!(scanner.next(&mut input).is_err());
    assert_eq!(scanner.buffered(), 0);
    assert_eq!(scanner.next(&mut &b"<c/>"[..]), Err(XmlError::Failed));
    assert_eq!(scanner.next(&mut &b""[..]), Ok(None));
}

#[test]
fn bare_elements_have_no_root_to_close() {
    let mut scanner = Scanner::elements(Limits::CLIENT);
    assert!(scanner.next(&mut &b"</stream:stream>"[..]).is_err());
}
