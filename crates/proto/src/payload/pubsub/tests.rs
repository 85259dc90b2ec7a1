//! The elements of publish-subscribe, read and written; property tests are in their own file.

mod hostile;
mod property;
mod written;

use super::*;
use crate::ns;
use crate::stanza::StanzaError;
use crate::stanza::error::Condition;
use crate::stanza::iq::IqType;
use crate::xml::Content;

fn content(xml: &str) -> Content {
    Content::parse(xml.as_bytes()).unwrap()
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn request(kind: IqType, inside: &str) -> Result<Request, PubsubError> {
    let xml = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{inside}</pubsub>");
    Request::read(kind, &content(&xml).iter().next().unwrap())
}

fn owner(kind: IqType, inside: &str) -> Result<OwnerRequest, PubsubError> {
    let xml = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{inside}</pubsub>");
    OwnerRequest::read(kind, &content(&xml).iter().next().unwrap())
}

/// The condition and the reason of a refusal.
fn refused<T: std::fmt::Debug>(read: Result<T, PubsubError>) -> (Condition, Option<Reason>) {
    let error = read.unwrap_err();
    (error.condition, error.reason)
}

fn written(request: &Request) -> String {
    String::from_utf8(request.to_vec()).unwrap()
}

#[test]
fn every_request_is_written_as_it_was_read() {
    let form = "<x xmlns='jabber:x:data' type='submit'><field var='a'><value>b</value></field></x>";
    let subscription = "node='n' jid='francisco@denmark.lit'";
    for (kind, inside) in [
        (IqType::Set, "<create/>".to_owned()),
        (IqType::Set, format!("<create node='princely_musings'/><configure>{form}</configure>")),
        (IqType::Set, format!("<subscribe {subscription}/><options>{form}</options>")),
        (IqType::Set, format!("<subscribe {subscription}><public xmlns='urn:xmpp:pps:0'/></subscribe>")),
        (IqType::Set, "<unsubscribe jid='francisco@denmark.lit/x' subid='ba4'/>".to_owned()),
        (IqType::Get, format!("<options {subscription} subid='1'/>")),
        (IqType::Set, format!("<options {subscription}>{form}</options>")),
        (IqType::Get, "<default/>".to_owned()),
        (IqType::Get, "<default node='n'/>".to_owned()),
        (IqType::Get, "<items node='n'/>".to_owned()),
        (IqType::Get, "<items node='n' max_items='2' subid='7'/>".to_owned()),
        (IqType::Get, "<items node='n'><item id='1'/><item id='2'/></items>".to_owned()),
        (
            IqType::Get,
            "<items node='n'/><order xmlns='urn:xmpp:order-by:1' by='creation' desc='true'/>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>D</after></set>"
                .to_owned(),
        ),
        (IqType::Set, "<publish node='n'></publish>".to_owned()),
        (IqType::Set, "<publish node='n'><item/></publish>".to_owned()),
        (
            IqType::Set,
            format!(
                "<publish node='n'><item id='i'><e xmlns='urn:e' a=\"1\"> <b/>\n</e></item><item><f xmlns='urn:f'/></item></publish>\
                 <publish-options>{form}</publish-options>"
            ),
        ),
        (IqType::Set, "<retract node='n'><item id='1'/></retract>".to_owned()),
        (IqType::Set, "<retract node='n' notify='true'><item id='1'/><item id='2'/></retract>".to_owned()),
        (IqType::Set, "<retract node='n' notify='false'><item id='1'/></retract>".to_owned()),
        (IqType::Get, "<subscriptions/>".to_owned()),
        (IqType::Get, "<subscriptions node='n'/>".to_owned()),
        (IqType::Get, "<affiliations node='n'/>".to_owned()),
    ] {
        let read = request(kind, &inside).unwrap();
        assert_eq!(written(&read), format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{inside}</pubsub>"));
        assert_eq!(read.kind(), kind, "{inside}");
    }
}

#[test]
fn every_request_of_an_owner_is_written_as_it_was_read() {
    let form = "<x xmlns='jabber:x:data' type='cancel'/>";
    for (kind, inside) in [
        (IqType::Get, "<configure node='n'/>".to_owned()),
        (IqType::Set, format!("<configure node='n'>{form}</configure>")),
        (IqType::Get, "<default type='leaf'/>".to_owned()),
        (IqType::Get, "<default type='collection'/>".to_owned()),
        (IqType::Set, "<delete node='n'/>".to_owned()),
        (IqType::Set, "<delete node='n'><redirect uri='xmpp:hamlet@denmark.lit?;node=blog'/></delete>".to_owned()),
        (IqType::Set, "<purge node='n'/>".to_owned()),
        (IqType::Set, "<collection node='c'><associate node='n'/></collection>".to_owned()),
        (IqType::Set, "<collection node='c'><dissociate node='n'/></collection>".to_owned()),
        (IqType::Get, "<subscriptions node='n'/>".to_owned()),
        (
            IqType::Set,
            "<subscriptions node='n'><subscription jid='a@b' subscription='none'/>\
             <subscription jid='a@b/c' subscription='subscribed' subid='1'/><subscription jid='a@b/c'/></subscriptions>"
                .to_owned(),
        ),
        (IqType::Get, "<affiliations node='n'/>".to_owned()),
        (
            IqType::Set,
            "<affiliations node='n'><affiliation jid='a@b' affiliation='publish-only'/>\
             <affiliation jid='c@d' affiliation='none'/><affiliation jid='e@f'/></affiliations>"
                .to_owned(),
        ),
    ] {
        let read = owner(kind, &inside).unwrap();
        let xml = String::from_utf8(read.tree().to_vec(ns::CLIENT)).unwrap();
        assert_eq!(xml, format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{inside}</pubsub>"));
        assert_eq!(read.kind(), kind, "{inside}");
    }
}

#[test]
fn the_configuration_of_a_new_node_is_that_of_a_leaf_unless_another_kind_is_asked_for() {
    let kind = |inside: &str| match owner(IqType::Get, inside) {
        Ok(OwnerRequest::DefaultConfiguration { kind }) => Some(kind),
        _ => None,
    };
    assert_eq!(kind("<default/>"), Some(NodeKind::Leaf));
    assert_eq!(kind("<default type='collection'/>"), Some(NodeKind::Collection));
    assert_eq!(kind("<default type='tree'/>"), None);
}

#[test]
fn what_must_be_named_is_asked_for() {
    use Condition::BadRequest;
    let wants = |reason: Reason| (BadRequest, Some(reason));
    assert_eq!(refused(request(IqType::Set, "<publish/>")), wants(Reason::NodeidRequired));
    assert_eq!(refused(request(IqType::Set, "<publish node=''/>")), wants(Reason::NodeidRequired));
    assert_eq!(refused(request(IqType::Set, "<retract><item id='1'/></retract>")), wants(Reason::NodeidRequired));
    assert_eq!(refused(request(IqType::Set, "<retract node='n'/>")), wants(Reason::ItemRequired));
    assert_eq!(refused(request(IqType::Set, "<retract node='n'><item/></retract>")), wants(Reason::ItemRequired));
    assert_eq!(refused(request(IqType::Get, "<items node='n'><item/></items>")), wants(Reason::ItemRequired));
    assert_eq!(refused(request(IqType::Get, "<options node='n'/>")), wants(Reason::JidRequired));
    assert_eq!(refused(request(IqType::Set, "<subscribe node='n'/>")), wants(Reason::JidRequired));
    assert_eq!(refused(request(IqType::Set, "<subscribe node='n' jid='@'/>")), wants(Reason::InvalidJid));
    for verb in ["configure", "subscriptions", "affiliations"] {
        assert_eq!(refused(owner(IqType::Get, &format!("<{verb}/>"))), wants(Reason::NodeidRequired));
    }
    for verb in ["purge", "delete"] {
        assert_eq!(refused(owner(IqType::Set, &format!("<{verb} node=''/>"))), wants(Reason::NodeidRequired));
    }
}

#[test]
fn a_form_belongs_to_the_verb_before_it() {
    let form = "<x xmlns='jabber:x:data' type='submit'/>";
    for inside in [
        format!("<configure>{form}</configure><create node='n'/>"),
        format!("<create node='n'/><configure node='n'>{form}</configure>"),
        format!("<create node='n'/><options>{form}</options>"),
        format!("<subscribe node='n' jid='a@b'/><options node='n'>{form}</options>"),
        format!("<subscribe node='n' jid='a@b'/><options jid='a@b'>{form}</options>"),
        format!("<options>{form}</options><subscribe node='n' jid='a@b'/>"),
        "<publish node='n'/><publish-options/>".to_owned(),
        "<publish node='n'/><publish node='m'/>".to_owned(),
        "<create node='n'/><configure/><configure/>".to_owned(),
    ] {
        assert_eq!(request(IqType::Set, &inside).unwrap_err().condition, Condition::BadRequest, "{inside}");
    }
    let twice = "<items node='n'/><items node='m'/>";
    assert_eq!(request(IqType::Get, twice).unwrap_err().condition, Condition::BadRequest);
    // What is of another namespace says nothing here.
    assert!(request(IqType::Get, "<x xmlns='urn:x'/><items node='n'/><y xmlns='urn:y'/>").is_ok());
    assert!(matches!(request(IqType::Set, "<create/><configure/>"), Ok(Request::Create { config: None, .. })));
}

#[test]
fn a_verb_has_its_kind_of_iq() {
    for (kind, inside) in [
        (IqType::Get, "<publish node='n'/>"),
        (IqType::Get, "<create/>"),
        (IqType::Get, "<subscribe jid='a@b'/>"),
        (IqType::Set, "<items node='n'/>"),
        (IqType::Set, "<default/>"),
        (IqType::Get, "<foo/>"),
        (IqType::Set, "<configure node='n'/>"),
        (IqType::Set, ""),
    ] {
        assert_eq!(request(kind, inside).unwrap_err().condition, Condition::BadRequest, "{inside}");
    }
    for (kind, inside) in [
        (IqType::Get, "<purge node='n'/>"),
        (IqType::Set, "<default/>"),
        (IqType::Get, ""),
        (IqType::Set, "<collection node='c'/>"),
        (IqType::Set, "<collection node='c'><associate/></collection>"),
        (IqType::Set, "<collection node='c'><adopt node='n'/></collection>"),
        (IqType::Set, "<collection node='c'><associate node='n'/><associate node='m'/></collection>"),
    ] {
        assert_eq!(owner(kind, inside).unwrap_err().condition, Condition::BadRequest, "{inside}");
    }
}

#[test]
fn errors_are_those_of_the_document() {
    let xml = |error: PubsubError| String::from_utf8(StanzaError::from(error).tree().to_vec(ns::CLIENT)).unwrap();
    let beside =
        |condition: &str, own: &str| format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{own}</error>");
    for (reason, kind, condition, own) in [
        (Reason::InvalidJid, "modify", "bad-request", "invalid-jid"),
        (Reason::PresenceSubscriptionRequired, "auth", "not-authorized", "presence-subscription-required"),
        (Reason::NotInRosterGroup, "auth", "not-authorized", "not-in-roster-group"),
        (Reason::ClosedNode, "cancel", "not-allowed", "closed-node"),
        (Reason::PendingSubscription, "auth", "not-authorized", "pending-subscription"),
        (Reason::TooManySubscriptions, "wait", "policy-violation", "too-many-subscriptions"),
        (Reason::SubidRequired, "modify", "bad-request", "subid-required"),
        (Reason::NotSubscribed, "cancel", "unexpected-request", "not-subscribed"),
        (Reason::InvalidSubid, "modify", "not-acceptable", "invalid-subid"),
        (Reason::InvalidOptions, "modify", "bad-request", "invalid-options"),
        (Reason::NodeFull, "cancel", "conflict", "node-full"),
        (Reason::PayloadTooBig, "modify", "not-acceptable", "payload-too-big"),
        (Reason::ItemForbidden, "modify", "bad-request", "item-forbidden"),
        (Reason::UnsupportedAccessModel, "modify", "not-acceptable", "unsupported-access-model"),
        (Reason::PreconditionNotMet, "cancel", "conflict", "precondition-not-met"),
    ] {
        let own = format!("<{own} xmlns='http://jabber.org/protocol/pubsub#errors'/>");
        assert_eq!(xml(reason.error()), format!("<error type='{kind}'>{}", beside(condition, &own)));
    }
    let unsupported = "<unsupported xmlns='http://jabber.org/protocol/pubsub#errors' feature='retrieve-items'/>";
    assert_eq!(
        xml(Reason::Unsupported("retrieve-items").into()),
        format!("<error type='cancel'>{}", beside("feature-not-implemented", unsupported))
    );
    let failed = "<precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/>\
                  <compare-and-publish-failed xmlns='urn:xmpp:pubsub:cap:0' cap-id='2'/>";
    assert_eq!(
        xml(Reason::CompareFailed(Some("2".into())).into()),
        format!("<error type='modify'>{}", beside("conflict", failed))
    );
    let not_subscribed = Reason::NotSubscribed.beside(Condition::NotAuthorized);
    assert!(xml(not_subscribed).starts_with("<error type='auth'><not-authorized"));
    let moved = PubsubError::new(Condition::Gone).with_new_address("xmpp:x?;node=y");
    assert!(xml(moved).contains(">xmpp:x?;node=y</gone>"));
}

#[test]
fn a_listing_says_which_nodes_are_wanted() {
    let read = |inside: &str| {
        let xml = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{inside}</query>");
        Listing::read(&content(&xml).iter().next().unwrap())
    };
    let filter = |fields: &str| {
        read(&format!(
            "<filter xmlns='urn:xmpp:pubsub-filter:0'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' \
             type='hidden'><value>urn:xmpp:pubsub-filter:0</value></field>{fields}</x></filter>"
        ))
        .map(|listing| listing.filter)
    };
    assert_eq!(read(""), Ok(Listing::default()));
    let types = "<value>urn:xmpp:microblog:0</value><value/>";
    let included = filter(&format!("<field type='list-multi' var='included-types'>{types}</field>")).unwrap().unwrap();
    let excluded = filter(&format!("<field type='list-multi' var='excluded-types'>{types}</field>")).unwrap().unwrap();
    for (kind, is_named) in [("urn:xmpp:microblog:0", true), ("", true), ("urn:x", false)] {
        assert_eq!((included.admits(kind), excluded.admits(kind)), (is_named, !is_named), "{kind}");
    }
    assert!(filter("<field var='included-types'/><field var='excluded-types'/>").is_err());
    assert_eq!(filter(""), Ok(None));
    let extended = |fields: &str| {
        read(&format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:pubsub-ext-disco:0</value></field>\
             {fields}</x><set xmlns='http://jabber.org/protocol/rsm'><max>3</max></set>"
        ))
    };
    let all = extended("").unwrap();
    let relatives = Relatives { kinds: Kinds::All, linked: false, full_metadata: false, depth: 0 };
    assert_eq!((all.relatives, all.set.max), (Some(relatives), Some(3)));
    let some = extended(
        "<field var='type'><value>nodes</value></field><field var='linked_nodes'><value>true</value></field>\
         <field var='full_metadata'><value>1</value></field><field var='depth'><value>99999999999</value></field>",
    );
    let relatives = Relatives { kinds: Kinds::Nodes, linked: true, full_metadata: true, depth: u32::MAX };
    assert_eq!(some.unwrap().relatives, Some(relatives));
    for wrong in [("depth", "-1"), ("depth", ""), ("linked_nodes", "yes"), ("type", "leaves")] {
        assert!(
            extended(&format!("<field var='{}'><value>{}</value></field>", wrong.0, wrong.1)).is_err(),
            "{wrong:?}"
        );
    }
}
