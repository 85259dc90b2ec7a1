//! Payloads as they are on the wire, read and written.

use super::*;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Content, Element, Item, Limits, Scanner, Tree};

fn content(xml: &str) -> Content {
    Content::parse(xml.as_bytes()).unwrap()
}

fn element(tree: &Tree) -> Element {
    match Scanner::elements(Limits::CLIENT).next(&mut &tree.to_vec(ns::CLIENT)[..]) {
        Ok(Some(Item::Element(element))) => element,
        other => panic!("{other:?}"),
    }
}

fn written(tree: &Tree) -> String {
    String::from_utf8(tree.to_vec(ns::CLIENT)).unwrap()
}

#[test]
fn a_resource_is_asked_for_and_told() {
    let read = |xml: &str| bind::Request::read(&content(xml).iter().next().unwrap()).map(|request| request.resource);
    let bind = |inside: &str| format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inside}</bind>");
    assert_eq!(read(&bind("")), Ok(None));
    assert_eq!(read(&bind("<resource/>")), Ok(None));
    assert_eq!(read(&bind("<resource>Zoë</resource>")), Ok(Some("Zoë".into())));
    assert!(read(&bind(&format!("<resource>{}</resource>", "x".repeat(2000)))).is_err());
    let jid = Jid::parse("a@b/c").unwrap();
    let result = Content::from_tree(&bind::result(&jid));
    assert_eq!(bind::read_result(&result.child(ns::BIND, "bind").unwrap()), Ok(jid));
}

#[test]
fn sasl_elements_are_read_as_they_were_written() {
    use sasl::{Answer, Condition, Request};
    let auth = |data: Option<&str>| Request::Auth { mechanism: "PLAIN".into(), data: data.map(Into::into) };
    for request in [auth(None), auth(Some("=")), auth(Some("AGE=")), Request::Response("".into()), Request::Abort] {
        assert_eq!(Request::read(&element(&request.tree())), Some(request));
    }
    let failure = |condition| Answer::Failure { condition, text: Some("no".into()) };
    let mut answers =
        vec![Answer::Challenge("cg==".into()), Answer::Success(None), Answer::Success(Some("dg==".into()))];
    answers.extend(Condition::ALL.iter().map(|&condition| failure(condition)));
    for answer in answers {
        assert_eq!(Answer::read(&element(&answer.tree())), Some(answer));
    }
    assert_eq!(Request::read(&element(&Tree::new(ns::SASL, "foo"))), None);
    assert_eq!(Request::read(&element(&Tree::new(ns::CLIENT, "auth"))), None);
}

#[test]
fn features_are_written_and_read() {
    let mechanisms = sasl::feature(["SCRAM-SHA-256-PLUS", "PLAIN"]);
    assert_eq!(sasl::mechanisms(&mechanisms), ["SCRAM-SHA-256-PLUS", "PLAIN"]);
    assert_eq!(
        written(&sasl::channel_bindings(["tls-exporter"])),
        "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>"
    );
    assert_eq!(
        written(&starttls::feature(starttls::Need::Required)),
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    );
    assert!(starttls::is_request(&element(&starttls::request())));
}

#[test]
fn disco_is_read_as_it_was_written() {
    let info = disco::Info {
        node: Some("n".into()),
        identities: vec![disco::Identity::new("server", "im").named("M & M")],
        features: vec![ns::DISCO_INFO.into(), ns::PING.into()],
        extensions: vec![data_form::DataForm::new(data_form::FormType::Result)],
    };
    assert_eq!(disco::Info::read(&Content::from_tree(&info.tree()).iter().next().unwrap()), Ok(info));
    let item = disco::Item { jid: Jid::parse("a.b").unwrap(), node: None, name: Some("x".into()) };
    let items = disco::Items { node: None, items: vec![item] };
    assert_eq!(disco::Items::read(&Content::from_tree(&items.tree()).iter().next().unwrap()), Ok(items));
    let bad = content("<query xmlns='http://jabber.org/protocol/disco#items'><item/></query>");
    assert_eq!(disco::Items::read(&bad.iter().next().unwrap()), Err(Malformed("an item without a jid")));
}

#[test]
fn a_version_tells_no_system_unless_asked_to() {
    let version = version::Version { name: "Metronome".into(), version: "1".into(), os: None };
    assert_eq!(
        written(&version.tree()),
        "<query xmlns='jabber:iq:version'><name>Metronome</name><version>1</version></query>"
    );
    assert_eq!(version::Version::read(&Content::from_tree(&version.tree()).iter().next().unwrap()), version);
}

#[test]
fn a_delay_is_read_as_it_was_written() {
    let from = Some(Jid::parse("example.org").unwrap());
    let delay = delay::Delay { at_ms: 1_790_000_000_123, from, reason: Some("Offline Storage".into()) };
    assert_eq!(delay::Delay::read(&Content::from_tree(&delay.tree()).iter().next().unwrap()), Ok(delay));
    assert!(delay::Delay::read(&content("<delay xmlns='urn:xmpp:delay'/>").iter().next().unwrap()).is_err());
}

#[test]
fn nobody_may_claim_to_be_us_in_a_stanza_id() {
    let us = Jid::parse("bob@example.org").unwrap();
    let claims = content(
        "<stanza-id xmlns='urn:xmpp:sid:0' by='BOB@example.org' id='1'/><body/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='room@x' id='2'/><stanza-id xmlns='urn:xmpp:sid:0' by='bob@example.org' id='3'/>\
         <origin-id xmlns='urn:xmpp:sid:0' id='4'/>",
    );
    let kept = stanza_id::without_claims(claims, &us);
    assert_eq!(kept.count(), 3);
    assert_eq!(kept.child(ns::STANZA_ID, "stanza-id").unwrap().attr("id").unwrap(), "2");
    assert_eq!(stanza_id::origin_id(&kept).as_deref(), Some("4"));
}

#[test]
fn hints_are_seen_by_name() {
    let hinted = content("<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:x'/>");
    assert!(hints::Hint::NoStore.is_in(&hinted) && !hints::Hint::NoCopy.is_in(&hinted));
}

#[test]
fn a_stream_for_both_directions_tells_what_it_takes() {
    assert_eq!(
        written(&bidi::request(10_000, 1800)),
        "<bidi xmlns='urn:xmpp:bidi'><limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes>\
         <idle-seconds>1800</idle-seconds></limits></bidi>"
    );
    let asked = element(&bidi::request(10_000, 1800));
    assert!(bidi::is_request(&asked) && !bidi::is_request(&element(&bidi::feature())));
    let announced = stream_limits::Announced { bytes_max: Some(10_000), idle_seconds: Some(1800) };
    assert_eq!(stream_limits::Announced::of_bidi(&asked), announced);
    let nothing = stream_limits::Announced::default();
    assert_eq!(stream_limits::Announced::of_bidi(&element(&Tree::new(ns::BIDI, "bidi"))), nothing);
    assert_eq!(stream_limits::Announced::read(&Tree::new(ns::STREAM_LIMITS, "limits")), nothing);
    let bytes =
        |text: &str| Tree::new(ns::STREAM_LIMITS, "limits").child(Tree::new(ns::STREAM_LIMITS, "max-bytes").text(text));
    for wrong in ["", "-1", "x", "99999999999999999999"] {
        assert_eq!(stream_limits::Announced::read(&bytes(wrong)), nothing, "{wrong}");
    }
}

#[test]
fn who_opens_a_stream_hears_whether_it_is_managed() {
    use sm::Answered;
    assert_eq!(Answered::read(&element(&sm::enabled(None))), Some(Answered::Enabled));
    assert_eq!(Answered::read(&element(&sm::failed(Condition::UnexpectedRequest, None))), Some(Answered::Failed));
    assert_eq!(Answered::read(&element(&sm::request())), None);
    assert_eq!(
        sm::Said::read(&element(&sm::enable())),
        Some(Ok(sm::Said::Enable { resumable: sm::Resumable::No, max_s: None }))
    );
}
