//! The rules of RFC 6120 section 8 that hold for every stanza, with the stanzas as they are on the wire.
#![allow(clippy::result_large_err)]

use super::error::{Condition, ErrorType};
use super::*;
use crate::ns;
use crate::xml::{Item, Limits, Scanner, Tree};

fn read_in(xml: &str, stream_ns: &str) -> Result<Received, Unreadable> {
    let header = format!("<stream:stream xmlns='{stream_ns}' xmlns:stream='{}'>", ns::STREAMS);
    let mut scanner = Scanner::new(Limits::CLIENT);
    assert!(matches!(scanner.next(&mut header.as_bytes()), Ok(Some(Item::Open(_)))));
    match scanner.next(&mut xml.as_bytes()) {
        Ok(Some(Item::Element(element))) => Received::read(element, stream_ns),
        other => panic!("{other:?}"),
    }
}

fn read(xml: &str) -> Result<Received, Unreadable> {
    read_in(xml, ns::CLIENT)
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn stanza(xml: &str) -> Stanza {
    read(xml).unwrap().stamp(jid("alice@example.org/phone"))
}

fn written(stanza: &Stanza) -> String {
    String::from_utf8(stanza.to_vec()).unwrap()
}

fn refused(xml: &str) -> Box<Refused> {
    match read(xml) {
        Err(Unreadable::Refused(refused)) => refused,
        other => panic!("{xml}: {other:?}"),
    }
}

#[test]
fn the_claimed_sender_is_replaced() {
    let message = read("<message from='bob@evil.example' to='BOB@example.org'><body>x</body></message>").unwrap();
    assert_eq!(message.from, Some(jid("bob@evil.example")));
    let message = message.stamp(jid("alice@example.org/phone"));
    assert_eq!(
        written(&message),
        "<message from='alice@example.org/phone' to='bob@example.org'><body>x</body></message>"
    );
}

#[test]
fn an_id_or_a_language_that_everybody_would_have_to_copy_is_refused() {
    let long = "x".repeat(1024);
    for xml in [format!("<presence id='{long}'/>"), format!("<message xml:lang='{long}' id='m'/>")] {
        let refused = refused(&xml);
        assert_eq!(refused.error.condition, Condition::PolicyViolation);
        assert!(refused.id.is_none_or(|id| &*id == "m"), "nor is it copied into the error");
    }
    assert!(read(&format!("<presence id='{}'/>", &long[1..])).is_ok());
}

#[test]
fn every_recipient_gets_a_head_before_one_body() {
    let message = stanza("<message to='bob@x' id='1&apos;' type='chat' xml:lang='de'><body>x</body></message>");
    let mut out = Vec::new();
    message.write_head(&mut out, Some(&jid("bob@x/a")), None);
    crate::payload::stanza_id::write_stanza_id(&mut out, &jid("bob@x"), "7");
    out.extend_from_slice(message.content.bytes());
    out.extend_from_slice(message.tail().as_bytes());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<message from='alice@example.org/phone' to='bob@x/a' id='1&apos;' type='chat' xml:lang='de'>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='bob@x' id='7'/><body>x</body></message>"
    );
    let mut out = Vec::new();
    message.write_head(&mut out, None, Some(ns::CLIENT));
    assert!(
        String::from_utf8(out)
            .unwrap()
            .starts_with("<message xmlns='jabber:client' from='alice@example.org/phone' id=")
    );
}

#[test]
fn a_stanza_of_a_server_has_the_same_content_as_a_client_s() {
    let message = read_in("<message from='a@x' to='b@y'><body>x</body></message>", ns::SERVER).unwrap();
    assert!(message.content.has(ns::CLIENT, "body"));
    assert!(matches!(read_in("<message xmlns='jabber:client'/>", ns::SERVER), Err(Unreadable::NotStanza(_))));
    assert!(matches!(read("<message xmlns='jabber:server'/>"), Err(Unreadable::NotStanza(_))));
}

/// One side must not see a body where the other sees none.
#[test]
fn children_that_name_the_namespace_of_a_stream_inherit_it() {
    let plain = stanza("<message>1<body>x<i/></body>2<y xmlns='urn:y'><z xmlns='jabber:server'/></y></message>");
    for stream_ns in [ns::CLIENT, ns::SERVER] {
        for body in [
            "<body xmlns='jabber:client'>x<i/></body>",
            "<body xmlns='jabber:server'>x<i/></body>",
            "<body xmlns='jabber:&#115;erver'>x<i/></body>",
            "<c:body xmlns:c='jabber:server'>x<c:i/></c:body>",
        ] {
            let xml = format!("<message>1{body}2<y xmlns='urn:y'><z xmlns='jabber:server'/></y></message>");
            assert_eq!(read_in(&xml, stream_ns).unwrap().content, plain.content, "{body}");
        }
        let xml = format!("<m:message xmlns:m='{stream_ns}'>1<m:body>x<m:i/></m:body></m:message>");
        let content = read_in(&xml, stream_ns).unwrap().content;
        assert_eq!(&content.bytes()[..], b"1<body>x<i/></body>");
    }
    let many = format!("<message>{}<body xmlns='jabber:server'>x</body></message>", "<a/>".repeat(100));
    assert!(stanza(&many).has(ns::CLIENT, "body"));
}

#[test]
fn what_is_no_stanza_is_handed_back() {
    for xml in ["<foo/>", "<message xmlns='urn:x'/>", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"] {
        assert!(matches!(read(xml), Err(Unreadable::NotStanza(_))), "{xml}");
    }
    assert!(matches!(read("<message from='@'/>"), Err(Unreadable::BadFrom)));
}

#[test]
fn malformed_stanzas_are_refused_with_the_error_of_the_rfc() {
    for (xml, condition) in [
        ("<message to='@'/>", Condition::JidMalformed),
        ("<message to=''/>", Condition::JidMalformed),
        ("<presence type='foo'/>", Condition::BadRequest),
        ("<presence type='available'/>", Condition::BadRequest),
        ("<iq type='foo' id='1'><a xmlns='u'/></iq>", Condition::BadRequest),
        ("<iq id='1'><a xmlns='u'/></iq>", Condition::BadRequest),
        ("<iq type='get'><a xmlns='u'/></iq>", Condition::BadRequest),
        ("<iq type='get' id='1'/>", Condition::BadRequest),
        ("<iq type='set' id='1'><a xmlns='u'/><b xmlns='u'/></iq>", Condition::BadRequest),
        ("<iq type='result' id='1'><a xmlns='u'/><b xmlns='u'/></iq>", Condition::BadRequest),
        ("<iq type='result'/>", Condition::BadRequest),
    ] {
        assert_eq!(refused(xml).error.condition, condition, "{xml}");
    }
}

#[test]
fn a_refused_stanza_is_answered_once_and_answers_never() {
    let (server, alice) = (jid("example.org"), jid("alice@example.org/phone"));
    let reply = refused("<message to='@' id='7'/>").into_reply(server.clone(), alice.clone()).unwrap();
    assert_eq!(
        written(&reply),
        "<message from='example.org' to='alice@example.org/phone' id='7' type='error'><error type='modify'>\
         <jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    );
    for xml in ["<message to='@' type='error'/>", "<iq type='result' id='1' to='@'/>", "<iq type='error' id='1'/>"] {
        assert!(refused(xml).into_reply(server.clone(), alice.clone()).is_none(), "{xml}");
    }
}

#[test]
fn types_are_read_and_written() {
    let kinds = [
        ("<message/>", Kind::Message(MessageType::Normal)),
        ("<message type='unheard-of-and-very-long'/>", Kind::Message(MessageType::Normal)),
        ("<message type='groupchat'/>", Kind::Message(MessageType::Groupchat)),
        ("<presence/>", Kind::Presence(PresenceType::Available)),
        ("<presence type='probe'/>", Kind::Presence(PresenceType::Probe)),
        ("<iq type='result' id=''/>", Kind::Iq(IqType::Result)),
    ];
    for (xml, kind) in kinds {
        let stanza = stanza(xml);
        assert_eq!(stanza.kind, kind, "{xml}");
        assert_eq!(read(&written(&stanza)).unwrap().kind, kind);
    }
}

#[test]
fn a_result_goes_back_to_the_sender() {
    let ping = stanza("<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(crate::payload::ping::is_request(&ping));
    assert_eq!(
        written(&ping.result(Content::empty())),
        "<iq from='example.org' to='alice@example.org/phone' id='p1' type='result'/>"
    );
    let own = stanza("<iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(own.result(Content::empty()).from, jid("alice@example.org"));
}

#[test]
fn an_error_goes_back_with_what_it_is_about() {
    let message = stanza("<message to='bob@x' id='1'><body>x</body></message>");
    let error = StanzaError::new(Condition::ServiceUnavailable).with_text("gone & away");
    assert_eq!(
        written(&message.error(&error).unwrap()),
        "<message from='bob@x' to='alice@example.org/phone' id='1' type='error'><body>x</body>\
         <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>gone &amp; away</text></error></message>"
    );
    let large = stanza(&format!("<message to='bob@x'><body>{}</body></message>", "x".repeat(ECHO_BYTES_MAX)));
    assert!(!large.error(&error).unwrap().has(ns::CLIENT, "body"));
}

#[test]
fn errors_and_results_are_never_answered_with_an_error() {
    let error = StanzaError::new(Condition::ItemNotFound);
    for xml in ["<message type='error'/>", "<presence type='error'/>", "<iq type='result' id='1'/>"] {
        assert!(stanza(xml).error(&error).is_none(), "{xml}");
    }
}

#[test]
fn every_condition_is_read_as_it_was_written() {
    for &condition in Condition::ALL {
        let mut error = StanzaError::new(condition).with_text("why").with_type(ErrorType::Wait);
        error.by = Some(jid("x.example"));
        error.application = ["too-many", "far-too-many"].map(|name| Tree::new("urn:app", name).attr("n", "3")).to_vec();
        if condition == Condition::Gone {
            error.new_address = Some("xmpp:a@b?x&y".into());
        }
        assert_eq!(StanzaError::read(&Content::from_tree(&error.tree())), Some(error));
    }
    assert_eq!(Condition::ALL.len(), 22);
}

#[test]
fn an_unknown_error_is_an_undefined_condition() {
    let content = Content::parse(b"<error><foo xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>").unwrap();
    let error = StanzaError::read(&content).unwrap();
    assert_eq!((error.condition, error.kind), (Condition::UndefinedCondition, ErrorType::Modify));
    assert_eq!(StanzaError::read(&Content::empty()), None);
}

#[test]
fn a_priority_is_a_number_from_minus_128_to_127() {
    let priority = |xml: &str| presence::priority(&stanza(xml).content);
    assert_eq!(priority("<presence/>"), Some(0));
    assert_eq!(priority("<presence><priority> -128\n</priority></presence>"), Some(-128));
    assert_eq!(priority("<presence><priority>128</priority></presence>"), None);
    assert_eq!(priority("<presence><priority>high</priority></presence>"), None);
}

#[test]
fn a_stanza_is_small_enough_to_be_moved() {
    assert!(size_of::<Stanza>() <= 296, "{}", size_of::<Stanza>());
}
