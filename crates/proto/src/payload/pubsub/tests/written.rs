//! Answers and events, as the examples of the documents show them.

use super::*;
use crate::payload::data_form::{DataForm, Field, FormType};
use crate::payload::rsm::Given;
use crate::xml::Tree;

fn event(event: &Event) -> String {
    let xml = String::from_utf8(event.to_vec()).unwrap();
    let inside = xml.strip_prefix("<event xmlns='http://jabber.org/protocol/pubsub#event'>").unwrap();
    inside.strip_suffix("</event>").unwrap().to_owned()
}

fn entry(id: &str, payload: &str) -> Entry {
    Entry { payload: Some(payload.as_bytes().into()), ..Entry::of_id(id) }
}

fn entry_of(state: Option<SubscriptionState>) -> SubscriptionEntry {
    SubscriptionEntry { node: Some("n".into()), jid: jid("a@b/c"), subid: Some("1".into()), state }
}

fn xml(tree: &Tree) -> String {
    let xml = String::from_utf8(tree.to_vec(ns::PUBSUB)).unwrap();
    xml.strip_prefix("<pubsub>").unwrap().strip_suffix("</pubsub>").unwrap().to_owned()
}

#[test]
fn events_tell_what_happened_to_a_node() {
    let item = Entry { publisher: Some(jid("portia@m.lit/x")), ..entry("i<", "<e xmlns='urn:e'>&amp;</e>") };
    let items = vec![item, Entry::of_id("2")];
    assert_eq!(
        event(&Event::Items { node: "n".into(), items }),
        "<items node='n'><item id='i&lt;' publisher='portia@m.lit/x'><e xmlns='urn:e'>&amp;</e></item><item id='2'/></items>"
    );
    assert_eq!(event(&Event::Items { node: "n".into(), items: Vec::new() }), "<items node='n'/>");
    assert_eq!(
        event(&Event::Retracted { node: "n".into(), ids: vec!["1".into()] }),
        "<items node='n'><retract id='1'/></items>"
    );
    assert_eq!(event(&Event::Purged { node: "n".into() }), "<purge node='n'/>");
    let deleted =
        |redirect: Option<&str>| event(&Event::Deleted { node: "n".into(), redirect: redirect.map(Box::from) });
    assert_eq!(deleted(None), "<delete node='n'/>");
    assert_eq!(deleted(Some("xmpp:a?x&y")), "<delete node='n'><redirect uri='xmpp:a?x&amp;y'/></delete>");
    let form = DataForm::new(FormType::Result).field(Field::untyped("a").value("b"));
    let x = "<x xmlns='jabber:x:data' type='result'><field var='a'><value>b</value></field></x>";
    let configured = |form| event(&Event::Configured { node: "n".into(), form });
    assert_eq!(configured(None), "<configuration node='n'/>");
    assert_eq!(configured(Some(form.clone())), format!("<configuration node='n'>{x}</configuration>"));
    assert_eq!(event(&Event::Created { node: "n".into() }), "<create node='n'/>");
    assert_eq!(
        event(&Event::Associated { node: "c".into(), child: "n".into(), about: Some(form) }),
        format!("<collection node='c'><associate node='n'>{x}</associate></collection>")
    );
    assert_eq!(
        event(&Event::Dissociated { node: "c".into(), child: "n".into() }),
        "<collection node='c'><dissociate node='n'/></collection>"
    );
    let subscription = |state, expiry_ms| event(&Event::Subscription(Subscribed { entry: entry_of(state), expiry_ms }));
    assert_eq!(subscription(None, None), "<subscription node='n' jid='a@b/c' subid='1' subscription='none'/>");
    assert_eq!(
        subscription(Some(SubscriptionState::Subscribed), Some(1_141_171_199_000)),
        "<subscription node='n' jid='a@b/c' subid='1' subscription='subscribed' expiry='2006-02-28T23:59:59.000Z'/>"
    );
}

#[test]
fn subscriptions_are_told_with_what_is_known_of_their_options() {
    let of = |support, options: Option<&DataForm>| {
        xml(&reply::subscription(&entry_of(Some(SubscriptionState::Unconfigured)), support, options))
    };
    let start = "<subscription node='n' jid='a@b/c' subid='1' subscription='unconfigured'";
    assert_eq!(of(OptionsSupport::None, None), format!("{start}/>"));
    assert_eq!(of(OptionsSupport::Supported, None), format!("{start}><subscribe-options/></subscription>"));
    assert_eq!(
        of(OptionsSupport::Required, None),
        format!("{start}><subscribe-options><required/></subscribe-options></subscription>")
    );
    assert_eq!(
        of(OptionsSupport::None, Some(&DataForm::new(FormType::Result))),
        format!("{start}/><options><x xmlns='jabber:x:data' type='result'/></options>")
    );
    let all = [entry_of(Some(SubscriptionState::Subscribed)), entry_of(Some(SubscriptionState::Pending))];
    assert_eq!(
        xml(&reply::subscriptions(Some("n"), &all)),
        "<subscriptions node='n'><subscription node='n' jid='a@b/c' subid='1' subscription='subscribed'/>\
         <subscription node='n' jid='a@b/c' subid='1' subscription='pending'/></subscriptions>"
    );
    assert_eq!(xml(&reply::subscriptions(None, [])), "<subscriptions/>");
}

#[test]
fn affiliations_are_told_with_their_node_or_their_address() {
    assert_eq!(xml(&reply::affiliations(None, [])), "<affiliations/>");
    assert_eq!(
        xml(&reply::affiliations(None, [("node1", Affiliation::Owner), ("node2", Affiliation::PublishOnly)])),
        "<affiliations><affiliation node='node1' affiliation='owner'/>\
         <affiliation node='node2' affiliation='publish-only'/></affiliations>"
    );
    let (hamlet, polonius) = (jid("hamlet@denmark.lit"), jid("polonius@denmark.lit"));
    let all = [(&hamlet, Some(Affiliation::Owner)), (&polonius, None)];
    assert_eq!(
        String::from_utf8(reply::owner_affiliations("n", all).to_vec(ns::PUBSUB_OWNER)).unwrap(),
        "<pubsub><affiliations node='n'><affiliation jid='hamlet@denmark.lit' affiliation='owner'/>\
         <affiliation jid='polonius@denmark.lit' affiliation='none'/></affiliations></pubsub>"
    );
    assert_eq!(
        xml(&reply::affiliation_notice("n", &polonius, None)),
        "<affiliations node='n'><affiliation jid='polonius@denmark.lit' affiliation='none'/></affiliations>"
    );
}

#[test]
fn a_page_has_its_items_what_is_said_about_them_and_its_place() {
    let mut out = Vec::new();
    let about = compare_map([("1", "v&1"), ("2", "v2")]);
    let set = Given { ends: Some(("1".into(), "2".into())), index: Some(0), count: Some(19) };
    reply::write_page(&mut out, "n", &[entry("1", "<e xmlns='urn:e'/>"), Entry::of_id("2")], Some(&about), Some(&set));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'><item id='1'><e xmlns='urn:e'/></item><item id='2'/>\
         <cap-v-map xmlns='urn:xmpp:pubsub:cap:0'><cap-v-map-entry item-id='1' cap-value='v&amp;1'/>\
         <cap-v-map-entry item-id='2' cap-value='v2'/></cap-v-map></items><set xmlns='http://jabber.org/protocol/rsm'>\
         <first index='0'>1</first><last>2</last><count>19</count></set></pubsub>"
    );
    let mut out = Vec::new();
    let one = [Entry::of_id("1")];
    reply::write_pages(&mut out, [("a", &one[..], None), ("b", &[][..], None)], None);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='a'><item id='1'/></items><items node='b'/></pubsub>"
    );
}

#[test]
fn other_answers_name_what_was_made() {
    assert_eq!(xml(&reply::created("25e3")), "<create node='25e3'/>");
    assert_eq!(xml(&reply::published("n", ["ae8"])), "<publish node='n'><item id='ae8'/></publish>");
    let form = DataForm::new(FormType::Form);
    let x = "<x xmlns='jabber:x:data' type='form'/>";
    assert_eq!(
        xml(&reply::options(Some("n"), &jid("a@b"), Some("1"), &form)),
        format!("<options node='n' jid='a@b' subid='1'>{x}</options>")
    );
    assert_eq!(xml(&reply::default_options(None, &form)), format!("<default>{x}</default>"));
    let owner = |tree: Tree| String::from_utf8(tree.to_vec(ns::PUBSUB_OWNER)).unwrap();
    assert_eq!(
        owner(reply::configuration("n", &form)),
        format!("<pubsub><configure node='n'>{x}</configure></pubsub>")
    );
    assert_eq!(owner(reply::default_configuration(&form)), format!("<pubsub><default>{x}</default></pubsub>"));
    assert_eq!(
        owner(reply::owner_subscriptions("n", &[SubscriptionEntry { node: None, ..entry_of(None) }])),
        "<pubsub><subscriptions node='n'><subscription jid='a@b/c' subid='1' subscription='none'/></subscriptions></pubsub>"
    );
}
