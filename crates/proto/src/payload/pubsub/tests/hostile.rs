//! Requests that nobody sends by mistake.

use super::*;

fn payload(item: &str) -> Result<String, PubsubError> {
    payload_within("", item)
}

/// The payload of a published item, with declarations on the element around it.
fn payload_within(around: &str, item: &str) -> Result<String, PubsubError> {
    match request(IqType::Set, &format!("<publish {around} node='n'>{item}</publish>"))? {
        Request::Publish { items, .. } => {
            let payload = items[0].payload.clone().unwrap();
            Ok(String::from_utf8(payload.bytes.to_vec()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payload_keeps_every_byte() {
    for exact in [
        "<e xmlns='urn:e'/>",
        "<e  xmlns = \"urn:e\"\ta='&#9;&apos;x' ></e >",
        "<e xmlns='urn:e'><![CDATA[<&]]>&#x41;&gt;\r\n<x:y xmlns:x='urn:y' x:z='1'/></e>",
        "<p:e xmlns:p='urn:e'><p:f/></p:e>",
        "<e xmlns=''/>",
    ] {
        assert_eq!(payload(&format!("<item> \n{exact}\t</item>")).unwrap(), exact);
    }
}

#[test]
fn a_payload_brings_along_what_was_declared_around_it() {
    let item = "<item xmlns:q='urn:q2' xmlns:unused='urn:u'><p:e><q:f/></p:e></item>";
    assert_eq!(
        payload_within("xmlns:p='urn:p' xmlns:q='urn:q'", item).unwrap(),
        "<p:e xmlns:q='urn:q2' xmlns:p='urn:p'><q:f/></p:e>"
    );
    // Without a namespace of its own it is in that of the request, and stays there in a notification.
    assert_eq!(payload("<item><e/></item>").unwrap(), "<e xmlns='http://jabber.org/protocol/pubsub'/>");
    assert_eq!(
        payload_within("xmlns:p='urn:p'", "<item><p:e><f/></p:e></item>").unwrap(),
        "<p:e xmlns='http://jabber.org/protocol/pubsub' xmlns:p='urn:p'><f/></p:e>"
    );
}

#[test]
fn declarations_around_many_items_are_not_multiplied_without_bound() {
    let long = format!("xmlns:p='urn:{}'", "x".repeat(1000));
    assert!(payload_within(&long, "<item><p:e/></item>").is_ok());
    let many: String = (0..8).map(|at| format!("xmlns:p{at}='urn:{at}{}' ", "x".repeat(1000))).collect();
    let used: String = (0..8).map(|at| format!("<p{at}:e/>")).collect();
    let item = format!("<item><e xmlns='urn:e'>{used}</e></item>");
    assert_eq!(payload_within(&many, &item).unwrap_err().reason, Some(Reason::InvalidPayload));
}

#[test]
fn an_item_has_one_payload_and_no_text() {
    for item in [
        "<item><a xmlns='urn:a'/><b xmlns='urn:b'/></item>",
        "<item>text</item>",
        "<item><a xmlns='urn:a'/>text</item>",
        "<item>\u{a0}<a xmlns='urn:a'/></item>",
    ] {
        let read = request(IqType::Set, &format!("<publish node='n'>{item}</publish>"));
        assert_eq!(refused(read), (Condition::BadRequest, Some(Reason::InvalidPayload)), "{item}");
    }
}

#[test]
fn who_publishes_is_not_asked_of_the_item() {
    let read = request(IqType::Set, "<publish node='n'><item id='1' publisher='ceo@example.org'/></publish>").unwrap();
    assert!(!written(&read).contains("ceo"));
}

#[test]
fn names_are_of_any_unicode_and_of_some_length() {
    for name in ["a\u{1F980}", "\u{202e}x", "e\u{301}", "é", "a b", "'<&>\"", "x\u{85}y", "\u{FFFD}"] {
        let ids = vec![Box::from(name)];
        let retract = Request::Retract { node: name.into(), ids, notice: RetractNotice::Wanted };
        let content = Content::parse(written(&retract).as_bytes()).unwrap();
        assert_eq!(Request::read(IqType::Set, &content.iter().next().unwrap()), Ok(retract));
    }
    let of_len = |len: usize| request(IqType::Get, &format!("<items node='{}'/>", "x".repeat(len)));
    assert!(of_len(NAME_BYTES_MAX).is_ok());
    assert_eq!(of_len(NAME_BYTES_MAX + 1).unwrap_err().condition, Condition::BadRequest);
}

#[test]
fn lists_have_bounds() {
    let item = "<item id='1'><e xmlns='urn:e'/></item>";
    let publish = |count: usize| request(IqType::Set, &format!("<publish node='n'>{}</publish>", item.repeat(count)));
    assert!(publish(PUBLISHED_MAX).is_ok());
    assert_eq!(refused(publish(PUBLISHED_MAX + 1)), (Condition::NotAllowed, Some(Reason::MaxItemsExceeded)));
    let many = |count: usize| (0..count).map(|id| format!("<item id='{id}'/>")).collect::<String>();
    let retract = |count: usize| request(IqType::Set, &format!("<retract node='n'>{}</retract>", many(count)));
    assert!(retract(NAMED_MAX).is_ok());
    assert!(retract(NAMED_MAX + 1).is_err());
    let jids = |count: usize| (0..count).map(|id| format!("<affiliation jid='{id}@a'/>")).collect::<String>();
    let affiliations =
        |count: usize| owner(IqType::Set, &format!("<affiliations node='n'>{}</affiliations>", jids(count)));
    assert!(affiliations(NAMED_MAX).is_ok());
    assert!(affiliations(NAMED_MAX + 1).is_err());
}

#[test]
fn an_item_that_is_asked_for_many_times_is_asked_for_once() {
    let Ok(Request::Items(items)) =
        request(IqType::Get, &format!("<items node='n'>{}</items>", "<item id='1'/>".repeat(2000)))
    else {
        panic!("not read");
    };
    assert_eq!(items.ids, [Box::from("1")]);
}

#[test]
fn numbers_are_numbers_and_huge_ones_are_the_largest() {
    let max = |max: &str| match request(IqType::Get, &format!("<items node='n' max_items='{max}'/>")) {
        Ok(Request::Items(items)) => items.max,
        _ => None,
    };
    assert_eq!(max("1"), Some(1));
    assert_eq!(max("99999999999999999999999999"), Some(u64::MAX));
    for wrong in ["0", "", "-1", "1.5", "x", "１", "+1", " 1"] {
        assert_eq!(max(wrong), None, "{wrong}");
    }
    let bad = |inside: &str| request(IqType::Get, &format!("<items node='n'/>{inside}")).unwrap_err().condition;
    assert_eq!(bad("<set xmlns='http://jabber.org/protocol/rsm'><max>x</max></set>"), Condition::BadRequest);
    assert_eq!(bad("<order xmlns='urn:xmpp:order-by:1'/>"), Condition::BadRequest);
    assert_eq!(bad("<order xmlns='urn:xmpp:order-by:1' by='creation' desc='maybe'/>"), Condition::BadRequest);
    assert_eq!(bad("<order xmlns='urn:xmpp:order-by:1' by='{urn:x}size'/>"), Condition::FeatureNotImplemented);
    assert!(request(IqType::Set, "<retract node='n' notify='yes'><item id='1'/></retract>").is_err());
}

#[test]
fn affiliations_are_those_of_bare_addresses_each_once() {
    let read = |inside: &str| owner(IqType::Set, &format!("<affiliations node='n'>{inside}</affiliations>"));
    let Ok(OwnerRequest::SetAffiliations { changes, .. }) = read("<affiliation jid='A@b/c' affiliation='owner'/>")
    else {
        panic!("not read");
    };
    assert_eq!(changes, [AffiliationChange { jid: jid("a@b"), affiliation: Change::Set(Affiliation::Owner) }]);
    for wrong in [
        "<affiliation jid='a@b' affiliation='owner'/><affiliation jid='a@b/c' affiliation='none'/>",
        "<affiliation jid='a@b' affiliation='admin'/>",
        "<affiliation jid='a@b' affiliation=''/>",
        "<affiliation jid='a@b' affiliation='Owner'/>",
        "<affiliation affiliation='owner'/>",
        "<affiliation jid='@' affiliation='owner'/>",
    ] {
        assert_eq!(read(wrong).unwrap_err().condition, Condition::BadRequest, "{wrong}");
    }
}

#[test]
fn a_subscription_is_changed_once() {
    let read = |inside: &str| owner(IqType::Set, &format!("<subscriptions node='n'>{inside}</subscriptions>"));
    let of = |subid: &str| format!("<subscription jid='a@b' subscription='none' subid='{subid}'/>");
    assert!(read(&[of("1"), of("2")].concat()).is_ok());
    for wrong in [[of("1"), of("1")].concat(), "<subscription jid='a@b' subscription='both'/>".to_owned()] {
        assert_eq!(read(&wrong).unwrap_err().condition, Condition::BadRequest, "{wrong}");
    }
}

#[test]
fn a_redirection_leads_somewhere() {
    let read = |uri: &str| owner(IqType::Set, &format!("<delete node='n'><redirect uri='{uri}'/></delete>"));
    assert!(read("https://example.org").is_ok());
    assert!(read("").is_err());
    assert!(read(&"x".repeat(8193)).is_err());
}
