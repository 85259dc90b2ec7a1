//! Options in forms and in the store.

use proptest::prelude::*;

use metronome_proto::payload::data_form::FORM_TYPE;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use super::*;

const REGISTERED: [&str; 8] = [
    "deliver",
    "digest",
    "digest_frequency",
    "expire",
    "include_body",
    "show-values",
    "subscription_type",
    "subscription_depth",
];

fn submit_to(kind: NodeKind, bodies: Bodies, fields: &[(&str, &[&str])]) -> Result<Options, PubsubError> {
    let field = |(var, values): &(&str, &[&str])| Field::untyped(*var).values(values.iter().copied());
    let form = DataForm { fields: fields.iter().map(field).collect(), ..DataForm::new(FormType::Submit) };
    Options::new(kind).submit(&form, kind, bodies)
}

fn submit(fields: &[(&str, &[&str])]) -> Result<Options, PubsubError> {
    submit_to(NodeKind::Collection, Bodies::Made, fields)
}

#[test]
fn the_form_has_every_field_of_the_registry() {
    let form = |kind, bodies| Options::new(kind).form(FormType::Form, kind, bodies);
    let whole = form(NodeKind::Collection, Bodies::Made);
    for name in REGISTERED {
        assert!(whole.get(&format!("pubsub#{name}")).is_some(), "{name}");
    }
    assert_eq!(whole.fields.len(), REGISTERED.len() + 1);
    let of_leaf = form(NodeKind::Leaf, Bodies::None);
    for name in ["include_body", "subscription_type", "subscription_depth"] {
        assert!(of_leaf.get(&format!("pubsub#{name}")).is_none(), "{name}");
    }
}

/// The form in the examples of section 6.3.5.
#[test]
fn the_form_of_the_examples_is_understood() {
    let options = submit(&[
        (FORM_TYPE, &["http://jabber.org/protocol/pubsub#subscribe_options"]),
        ("pubsub#deliver", &["1"]),
        ("pubsub#digest", &["0"]),
        ("pubsub#include_body", &["false"]),
        ("pubsub#show-values", &["chat", "online", "away", "chat"]),
    ]);
    let show_values = vec![Show::Chat, Show::Online, Show::Away];
    assert_eq!(options, Ok(Options { show_values, ..Options::new(NodeKind::Collection) }));
}

#[test]
fn leases_and_depths_are_understood() {
    let of = |name: &str, value: &str| submit(&[(&format!("pubsub#{name}"), &[value])]).unwrap();
    assert_eq!(of("expire", "2006-03-31T23:59:59Z").expire, Some(Expire::At(1_143_849_599_000)));
    assert_eq!(of("expire", "presence").expire, Some(Expire::Presence));
    assert_eq!(of("expire", "").expire, None);
    assert_eq!(of("subscription_depth", "0").subscription_depth, Depth::Levels(0));
    assert_eq!(of("subscription_depth", "all").subscription_depth, Depth::All);
    assert_eq!(of("subscription_type", "items").subscription_type, SubscriptionType::Items);
    assert_eq!(of("digest_frequency", "60000").digest_frequency_ms, 60_000);
    assert!(submit_to(NodeKind::Leaf, Bodies::None, &[("pubsub#subscription_depth", &["all"])]).is_ok());
}

#[test]
fn what_cannot_be_set_is_invalid() {
    for (name, values) in [
        ("deliver", &["yes"][..]),
        ("deliver", &[]),
        ("digest_frequency", &["0"]),
        ("digest_frequency", &["daily"]),
        ("digest_frequency", &["99999999999999"]),
        ("expire", &["tomorrow"]),
        ("expire", &["1969-12-31T23:59:59Z"]),
        ("show-values", &["chat", "busy"]),
        ("subscription_type", &["leaves"]),
        ("subscription_depth", &["-1"]),
        ("subscription_depth", &[""]),
    ] {
        let error = submit(&[(&format!("pubsub#{name}"), values)]).unwrap_err();
        let wrong = (error.condition, error.reason);
        assert_eq!(wrong, (Condition::BadRequest, Some(Reason::InvalidOptions)), "{name} {values:?}");
    }
    let other = submit(&[(FORM_TYPE, &["http://jabber.org/protocol/pubsub#node_config"])]);
    assert_eq!(other.unwrap_err().condition, Condition::BadRequest);
}

#[test]
fn a_text_is_sent_only_where_one_can_be_made() {
    let wants = |bodies, value: &str| submit_to(NodeKind::Leaf, bodies, &[("pubsub#include_body", &[value])]);
    assert!(wants(Bodies::Made, "1").unwrap().include_body);
    assert!(!wants(Bodies::None, "false").unwrap().include_body);
    assert_eq!(wants(Bodies::None, "true").unwrap_err().reason, Some(Reason::InvalidOptions));
}

#[test]
fn nobody_makes_a_subscription_public_by_a_form() {
    for var in ["public", "pubsub#public", "pubsub#", ""] {
        assert!(!submit(&[(var, &["1"])]).unwrap().public, "{var}");
    }
}

#[test]
fn options_that_cannot_be_read_send_nothing() {
    for bytes in [&b""[..], b"\x02", b"\x01\x01\x01\x05maybe", b"\x01\x06"] {
        assert!(!Options::decode(bytes, NodeKind::Leaf).deliver, "{bytes:?}");
    }
    assert_eq!(Options::decode(b"\x01\x63\x01\x01x", NodeKind::Leaf), Options::new(NodeKind::Leaf));
}

fn any_options() -> impl Strategy<Value = Options> {
    let expire = prop_oneof![
        Just(None),
        Just(Some(Expire::Presence)),
        (0..4_000_000_000_000u64).prop_map(|at_ms| Some(Expire::At(at_ms)))
    ];
    let shows = proptest::sample::subsequence(vec![Show::Away, Show::Chat, Show::Dnd, Show::Online, Show::Xa], 0..=5);
    let kind = proptest::sample::select(vec![SubscriptionType::Items, SubscriptionType::Nodes, SubscriptionType::All]);
    let depth = prop_oneof![Just(Depth::All), any::<u32>().prop_map(Depth::Levels)];
    let flags = proptest::array::uniform4(any::<bool>());
    (flags, expire, shows, kind, depth, 1000..u32::MAX).prop_map(
        |(
            [deliver, digest, include_body, public],
            expire,
            show_values,
            subscription_type,
            subscription_depth,
            every,
        )| {
            let digest_frequency_ms = every.into();
            Options {
                deliver,
                digest,
                digest_frequency_ms,
                expire,
                include_body,
                show_values,
                subscription_type,
                subscription_depth,
                public,
                digested_ms: digest_frequency_ms / 2,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_stored_is_read_back(options in any_options(), is_leaf in any::<bool>()) {
        let kind = if is_leaf { NodeKind::Leaf } else { NodeKind::Collection };
        prop_assert_eq!(Options::decode(&options.encode(kind), kind), options);
    }

    #[test]
    fn a_subscriber_who_sends_back_the_form_changes_nothing(options in any_options()) {
        let kind = NodeKind::Collection;
        let form = options.form(FormType::Form, kind, Bodies::Made);
        let sent = DataForm::read(&Content::from_tree(&form.tree()).iter().next().unwrap()).unwrap();
        let sent = DataForm { kind: FormType::Submit, ..sent };
        prop_assert_eq!(options.submit(&sent, kind, Bodies::Made), Ok(options));
    }
}
