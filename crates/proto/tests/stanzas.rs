//! Property: what is read, written and read again is the same, for every stanza that is accepted.
#![allow(clippy::unwrap_used)]

mod round_trip;

use proptest::prelude::*;

#[test]
fn stanzas_are_read_back_as_they_were_written() {
    for stanza in [
        "<message to='b@x' id='1' type='chat' xml:lang='de'><body>a&#13;&lt;]]&gt;</body><x xmlns='urn:x&amp;y'/>tail</message>",
        "<message xmlns:p='urn:p' to='b@x/r&apos;'><p:a p:b=''><c/></p:a><d xmlns=''><p:e/></d></message>",
        "<c:message xmlns:c='jabber:client' xmlns='urn:d'><c:body>x</c:body><y/></c:message>",
        "<presence type='subscribe' to='b@x'/><presence><priority> 5 </priority></presence>",
        "<iq type='get' id='&#9;'><q xmlns='a'><![CDATA[<]]>&#x10FFFF;</q></iq><iq type='get' to='@' id='x'><q xmlns='a'/></iq>",
        "<message><error type='wait'/></message><message type='error'/><other xmlns='urn:o' a='&#10;'>x</other>",
    ] {
        round_trip::check(stanza.as_bytes());
    }
}

fn text() -> impl Strategy<Value = String> {
    "([a-z<>&'\" \t\r\n;#é]|\\]\\]>|&amp;|\u{1F980}){0,12}"
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    metronome_proto::xml::write::attribute_value(&mut out, text);
    String::from_utf8(out).unwrap()
}

/// An element's XML, with children, prefixes and declarations of all kinds.
fn element() -> impl Strategy<Value = String> {
    let leaf = (0..4u8, text(), text()).prop_map(|(shape, name, content)| {
        let (name, content) = (escaped(&name), escaped(&content));
        match shape {
            0 => format!("<a xmlns='{name}'>{content}</a>"),
            1 => format!("<p:a xmlns:p='u{name}' p:b='{content}' c='{name}'/>"),
            2 => format!("<b d='{name}'><![CDATA[{name}]]>{content}</b>"),
            _ => format!("<q:a xmlns='u{name}'><b q:c='{content}'/></q:a>"),
        }
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (proptest::collection::vec(inner, 0..3), text())
            .prop_map(|(inner, ns)| format!("<e xmlns='{}' xmlns:p='v'>{}</e>", escaped(&ns), inner.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_accepted_stanza_survives_reading_and_writing(
        id in text(), lang in text(), children in proptest::collection::vec(element(), 0..4), plain in any::<bool>(),
    ) {
        let (id, lang) = (escaped(&id), escaped(&lang));
        let (prefix, ns) = if plain { ("", "xmlns") } else { ("c:", "xmlns:c") };
        let children = children.concat();
        let stanza = format!(
            "<{prefix}message {ns}='jabber:client' xmlns:q='urn:q' id='{id}' xml:lang='{lang}'>{children}</{prefix}message>"
        );
        round_trip::check(stanza.as_bytes());
    }
}
