//! Whatever is read is the same after writing and reading it again.

use proptest::prelude::*;

use super::*;
use crate::payload::data_form::{DataForm, Field, FormType};
use crate::payload::rsm::Wanted;

fn text() -> impl Strategy<Value = String> {
    // What XML can carry, with what is awkward in it more often than by chance.
    let character = prop_oneof![
        any::<char>(),
        proptest::sample::select(vec!['<', '&', '\'', '"', '>', '\r', '\n', '\t', ' ', '\u{1F980}', '\u{FFFD}', ']']),
    ];
    let is_xml =
        |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    proptest::collection::vec(character.prop_filter("XML", is_xml), 1..12).prop_map(String::from_iter)
}

fn name() -> impl Strategy<Value = Box<str>> {
    text().prop_map(Box::from)
}

fn maybe(strategy: impl Strategy<Value = Box<str>>) -> impl Strategy<Value = Option<Box<str>>> {
    proptest::option::of(strategy)
}

fn address() -> impl Strategy<Value = Jid> {
    "[a-z]{1,8}@[a-z]{1,8}\\.example(/[a-zA-Z ]{0,5}[a-z])?".prop_map(|text| jid(&text))
}

fn form() -> impl Strategy<Value = DataForm> {
    let field =
        (text(), proptest::collection::vec(text(), 0..3)).prop_map(|(var, values)| Field::untyped(var).values(values));
    proptest::collection::vec(field, 0..4).prop_map(|fields| DataForm { fields, ..DataForm::new(FormType::Submit) })
}

fn payload() -> impl Strategy<Value = Payload> {
    (text(), text()).prop_map(|(ns, text)| {
        let tree =
            crate::xml::Tree::new(&ns, "e").child(crate::xml::Tree::new("urn:x", "y").attr("z", &text)).text(&text);
        let content = Content::from_tree(&tree);
        Payload::of(&content.iter().next().unwrap()).unwrap()
    })
}

fn items() -> impl Strategy<Value = Items> {
    let set = (proptest::option::of(any::<u64>()), proptest::option::of(text()), proptest::option::of(text()));
    let order = proptest::option::of((any::<bool>(), any::<bool>()).prop_map(|(creation, descending)| Order {
        by: if creation { By::Creation } else { By::Modification },
        descending,
    }));
    let ids = proptest::collection::hash_set(name(), 0..5).prop_map(Vec::from_iter);
    (maybe(name()), proptest::option::of(1u64..), maybe(name()), ids, set, order).prop_map(
        |(node, max, subid, ids, (page_max, after, before), order)| {
            let set = Wanted { max: page_max, after, before, index: page_max };
            Items { node, max, subid, ids, set, order }
        },
    )
}

fn any_request() -> impl Strategy<Value = Request> {
    let publication =
        (maybe(name()), proptest::option::of(payload())).prop_map(|(id, payload)| Publication { id, payload });
    let publications = proptest::collection::vec(publication, 0..4);
    let ids = proptest::collection::hash_set(name(), 1..5).prop_map(Vec::from_iter);
    let notice =
        proptest::sample::select(vec![RetractNotice::AsConfigured, RetractNotice::Wanted, RetractNotice::Unwanted]);
    let public = proptest::sample::select(vec![Public::No, Public::Yes]);
    let subscription = || {
        (maybe(name()), address(), maybe(name())).prop_map(|(node, jid, subid)| SubscriptionName { node, jid, subid })
    };
    prop_oneof![
        (maybe(name()), proptest::option::of(form())).prop_map(|(node, config)| Request::Create { node, config }),
        (maybe(name()), address(), proptest::option::of(form()), public)
            .prop_map(|(node, jid, options, public)| Request::Subscribe { node, jid, options, public }),
        subscription().prop_map(Request::Unsubscribe),
        subscription().prop_map(Request::Options),
        (subscription(), form()).prop_map(|(of, form)| Request::SetOptions { of, form }),
        maybe(name()).prop_map(|node| Request::DefaultOptions { node }),
        items().prop_map(Request::Items),
        (name(), publications, proptest::option::of(form())).prop_map(|(node, items, options)| Request::Publish {
            node,
            items,
            options
        }),
        (name(), ids, notice).prop_map(|(node, ids, notice)| Request::Retract { node, ids, notice }),
        maybe(name()).prop_map(|node| Request::Subscriptions { node }),
        maybe(name()).prop_map(|node| Request::Affiliations { node }),
    ]
}

fn change<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Change<T>> {
    prop_oneof![Just(Change::Keep), Just(Change::Remove), proptest::sample::select(all).prop_map(Change::Set)]
}

fn any_owner_request() -> impl Strategy<Value = OwnerRequest> {
    let affiliation = (address(), change(Affiliation::ALL.to_vec()))
        .prop_map(|(jid, affiliation)| AffiliationChange { jid: jid.bare(), affiliation });
    let subscription = (address(), maybe(name()), change(SubscriptionState::ALL.to_vec()))
        .prop_map(|(jid, subid, state)| SubscriptionChange { jid, subid, state });
    // One of each: more are judged by another test.
    let one_affiliation = proptest::collection::vec(affiliation, 0..2);
    let one_subscription = proptest::collection::vec(subscription, 0..2);
    let kind = proptest::sample::select(vec![NodeKind::Leaf, NodeKind::Collection]);
    prop_oneof![
        name().prop_map(|node| OwnerRequest::Configuration { node }),
        (name(), form()).prop_map(|(node, form)| OwnerRequest::Configure { node, form }),
        kind.prop_map(|kind| OwnerRequest::DefaultConfiguration { kind }),
        (name(), maybe(name())).prop_map(|(node, redirect)| OwnerRequest::Delete { node, redirect }),
        name().prop_map(|node| OwnerRequest::Purge { node }),
        name().prop_map(|node| OwnerRequest::Subscriptions { node }),
        (name(), one_subscription).prop_map(|(node, changes)| OwnerRequest::SetSubscriptions { node, changes }),
        name().prop_map(|node| OwnerRequest::Affiliations { node }),
        (name(), name()).prop_map(|(node, child)| OwnerRequest::Associate { node, child }),
        (name(), name()).prop_map(|(node, child)| OwnerRequest::Dissociate { node, child }),
        (name(), one_affiliation).prop_map(|(node, changes)| OwnerRequest::SetAffiliations { node, changes }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_read_as_it_was_written(request in any_request()) {
        let content = Content::parse(written(&request).as_bytes()).unwrap();
        prop_assert_eq!(Request::read(request.kind(), &content.iter().next().unwrap()), Ok(request));
    }

    #[test]
    fn a_request_of_an_owner_is_read_as_it_was_written(request in any_owner_request()) {
        let content = Content::from_tree(&request.tree());
        prop_assert_eq!(OwnerRequest::read(request.kind(), &content.iter().next().unwrap()), Ok(request));
    }

    #[test]
    fn a_payload_goes_out_as_it_came_in(payload in payload(), id in name()) {
        let entry = Entry { id, publisher: None, payload: Some(payload.bytes.clone()) };
        let content = Content::parse(&Event::Items { node: "n".into(), items: vec![entry] }.to_vec()).unwrap();
        let event = content.iter().next().unwrap();
        let item = event.children().next().unwrap().children().next().unwrap();
        let again = Payload::of(&item.children().next().unwrap()).unwrap();
        prop_assert_eq!(again, payload);
    }
}
