//! The configuration in forms and in the store.

use proptest::prelude::*;

use metronome_model::NodeKind;
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{DataForm, FORM_TYPE, Field, FormType};
use metronome_proto::payload::pubsub::{PubsubError, Reason};
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use super::*;
use crate::rows::Row;

const NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";

/// The 29 fields of section 16.4.4.
const REGISTERED: [&str; 29] = [
    "access_model",
    "body_xslt",
    "contact",
    "dataform_xslt",
    "deliver_notifications",
    "deliver_payloads",
    "description",
    "item_expire",
    "itemreply",
    "language",
    "max_items",
    "max_payload_size",
    "node_type",
    "notification_type",
    "notify_config",
    "notify_delete",
    "notify_retract",
    "notify_sub",
    "persist_items",
    "presence_based_delivery",
    "publish_model",
    "publish_node_full",
    "purge_offline",
    "roster_groups_allowed",
    "send_last_published_item",
    "subscribe",
    "tempsub",
    "title",
    "type",
];

const ALONE: Relations<'_> = Relations { kind: NodeKind::Leaf, collections: &[], children: &[] };

fn submit_form(fields: &[(&str, &[&str])]) -> DataForm {
    let field = |(var, values): &(&str, &[&str])| Field::untyped(*var).values(values.iter().copied());
    DataForm { fields: fields.iter().map(field).collect(), ..DataForm::new(FormType::Submit) }
}

fn submit(fields: &[(&str, &[&str])]) -> Result<Submitted, PubsubError> {
    Config::base().submit(&submit_form(fields), NodeKind::Leaf)
}

fn config(fields: &[(&str, &[&str])]) -> Config {
    submit(fields).unwrap().config
}

fn refused(var: &str, values: &[&str]) -> (Condition, Option<Reason>) {
    let error = submit(&[(var, values)]).map(|submitted| submitted.config).unwrap_err();
    (error.condition, error.reason)
}

/// A form as it arrives after it was sent.
fn sent(form: &DataForm) -> DataForm {
    DataForm::read(&Content::from_tree(&form.tree()).iter().next().unwrap()).unwrap()
}

#[test]
fn the_form_has_every_field_of_the_registry() {
    let form = Config::base().form(FormType::Form, ALONE);
    assert_eq!(form.form_type(), Some(NODE_CONFIG));
    for name in REGISTERED {
        assert!(form.get(&format!("pubsub#{name}")).is_some(), "{name}");
    }
    assert!(form.get("pubsub#children_max").is_none() && form.get("pubsub#children").is_none());
    let children = ["one".into(), "two".into()];
    let collection = Relations { kind: NodeKind::Collection, collections: &["above".into()], children: &children };
    let form = Config::base().form(FormType::Form, collection);
    for name in ["children", "children_max", "children_association_policy", "children_association_whitelist"] {
        assert!(form.get(&format!("pubsub#{name}")).is_some(), "{name}");
    }
    assert_eq!(form.get("pubsub#children").unwrap().values, ["one", "two"]);
    assert_eq!(form.value("pubsub#collection"), Some("above"));
    assert_eq!(form.value("pubsub#node_type"), Some("collection"));
    assert!(form.get("pubsub#max_items").is_none());
}

#[test]
fn a_form_offers_the_words_that_are_understood() {
    let form = Config::base().form(FormType::Form, ALONE);
    let offered = form.fields.iter().flat_map(|field| field.options.iter().map(move |option| (field, option)));
    for (field, option) in offered {
        let var = field.var.as_deref().unwrap();
        let submitted = submit(&[(var, &[&option.value])]);
        assert!(submitted.is_ok(), "{var} {}", option.value);
    }
    let told = Config::base().form(FormType::Result, ALONE);
    assert!(told.fields.iter().all(|field| field.options.is_empty()));
}

/// The form in the examples of section 8.1.3 and 8.2.4.
#[test]
fn the_form_of_the_examples_is_understood() {
    let config = config(&[
        (FORM_TYPE, &[NODE_CONFIG]),
        ("pubsub#title", &["Princely Musings (Atom)"]),
        ("pubsub#deliver_notifications", &["1"]),
        ("pubsub#deliver_payloads", &["1"]),
        ("pubsub#persist_items", &["1"]),
        ("pubsub#max_items", &["10"]),
        ("pubsub#item_expire", &["604800"]),
        ("pubsub#access_model", &["roster"]),
        ("pubsub#roster_groups_allowed", &["friends", "servants", "friends"]),
        ("pubsub#publish_model", &["publishers"]),
        ("pubsub#purge_offline", &["0"]),
        ("pubsub#send_last_published_item", &["never"]),
        ("pubsub#presence_based_delivery", &["false"]),
        ("pubsub#notification_type", &["headline"]),
        ("pubsub#notify_config", &["0"]),
        ("pubsub#notify_delete", &["true"]),
        ("pubsub#notify_retract", &["0"]),
        ("pubsub#notify_sub", &["0"]),
        ("pubsub#max_payload_size", &["1028"]),
        ("pubsub#type", &["urn:example:e2ee:bundle"]),
        ("pubsub#body_xslt", &["http://jabxslt.jabberstudio.org/atom_body.xslt"]),
    ]);
    let expected = Config {
        title: "Princely Musings (Atom)".into(),
        max_items: Amount::Count(10),
        item_expire: Some(Amount::Count(604_800)),
        access_model: AccessModel::Roster,
        roster_groups_allowed: vec!["friends".into(), "servants".into()],
        send_last_published_item: SendLast::Never,
        notify_delete: true,
        max_payload_size: Some(1028),
        r#type: "urn:example:e2ee:bundle".into(),
        body_xslt: "http://jabxslt.jabberstudio.org/atom_body.xslt".into(),
        ..Config::base()
    };
    assert_eq!(config, expected);
}

#[test]
fn what_is_not_in_the_form_stays_and_what_is_empty_goes() {
    let before = Config { title: "t".into(), item_expire: Some(Amount::Max), notify_sub: true, ..Config::base() };
    let form = submit_form(&[("pubsub#description", &["d"])]);
    let after = before.submit(&form, NodeKind::Leaf).unwrap().config;
    assert_eq!(after, Config { description: "d".into(), ..before.clone() });
    let emptied = submit_form(&[("pubsub#title", &[]), ("pubsub#item_expire", &[""]), ("pubsub#contact", &[])]);
    let after = before.submit(&emptied, NodeKind::Leaf).unwrap().config;
    assert_eq!(after, Config { title: Box::default(), item_expire: None, ..before });
}

#[test]
fn a_value_of_the_wrong_kind_is_not_acceptable() {
    for (name, values) in [
        ("deliver_payloads", &["yes"][..]),
        ("deliver_payloads", &[]),
        ("deliver_payloads", &["1", "1"]),
        ("deliver_payloads", &["TRUE"]),
        ("publish_model", &["everyone"]),
        ("publish_model", &[""]),
        ("notification_type", &["chat"]),
        ("max_items", &["0"]),
        ("max_items", &["-1"]),
        ("max_items", &["1e3"]),
        ("max_items", &[""]),
        ("max_items", &["Max"]),
        ("max_items", &["99999999999999999999999999"]),
        ("item_expire", &["0"]),
        ("item_expire", &["tomorrow"]),
        ("max_payload_size", &["max"]),
        ("max_payload_size", &["0"]),
        ("contact", &["@"]),
        ("language", &["en\n"]),
        ("title", &["a", "b"]),
        ("node_type", &["tree"]),
        ("publish_node_full", &["explode"]),
    ] {
        let var = format!("pubsub#{name}");
        assert_eq!(refused(&var, values), (Condition::NotAcceptable, None), "{name} {values:?}");
    }
    let unsupported = (Condition::NotAcceptable, Some(Reason::UnsupportedAccessModel));
    assert_eq!(refused("pubsub#access_model", &["secret"]), unsupported);
}

#[test]
fn huge_values_are_refused() {
    let long = |bytes: usize| "x".repeat(bytes);
    for (name, bytes) in [("title", LINE_BYTES_MAX), ("description", DESCRIPTION_BYTES_MAX), ("type", LINE_BYTES_MAX)] {
        let var = format!("pubsub#{name}");
        assert!(submit(&[(&var, &[&long(bytes)])]).is_ok(), "{name}");
        assert_eq!(refused(&var, &[&long(bytes + 1)]).0, Condition::NotAcceptable, "{name}");
    }
    let many: Vec<String> = (0..=LISTED_MAX).map(|number| format!("{number}@example.org")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(submit(&[("pubsub#contact", &many[1..])]).is_ok());
    assert_eq!(refused("pubsub#contact", &many).0, Condition::NotAcceptable);
    assert_eq!(refused("pubsub#roster_groups_allowed", &many).0, Condition::NotAcceptable);
}

#[test]
fn foreign_fields_are_passed_over_and_known_ones_stand_once() {
    let before = Config::base();
    for foreign in ["pubsub#colour", "title", "x-own", "", "pubsub#", "muc#roomconfig_roomname", "PUBSUB#title"] {
        assert_eq!(config(&[(foreign, &["x"])]), before, "{foreign}");
    }
    // Fields of collections say nothing about a leaf.
    assert_eq!(config(&[("pubsub#children_max", &["3"])]), before);
    let twice = submit(&[("pubsub#access_model", &["whitelist"]), ("pubsub#access_model", &["open"])]);
    assert_eq!(twice.map(|_| ()).unwrap_err().condition, Condition::NotAcceptable);
}

#[test]
fn a_form_of_another_kind_is_bad() {
    let bad = |form: &DataForm| Config::base().submit(form, NodeKind::Leaf).map(|_| ()).unwrap_err().condition;
    assert_eq!(
        bad(&submit_form(&[(FORM_TYPE, &["http://jabber.org/protocol/muc#roomconfig"])])),
        Condition::BadRequest
    );
    assert_eq!(bad(&DataForm { kind: FormType::Result, ..submit_form(&[]) }), Condition::BadRequest);
    assert!(submit(&[]).is_ok());
}

#[test]
fn relations_are_given_back_beside_the_configuration() {
    let submitted = submit(&[
        ("pubsub#node_type", &["collection"]),
        ("pubsub#children", &["Romeoance", "Julliennui", "Romeoance"]),
        ("pubsub#collection", &[""]),
        ("pubsub#children_max", &["2"]),
    ])
    .unwrap();
    assert_eq!(submitted.kind, Some(NodeKind::Collection));
    assert_eq!(submitted.children, Some(vec!["Romeoance".into(), "Julliennui".into()]));
    assert_eq!(submitted.collections, Some(vec![Box::from("")]));
    assert_eq!(submitted.config.children_max, Some(Amount::Count(2)));
    let nothing = submit(&[]).unwrap();
    assert_eq!((nothing.kind, nothing.collections, nothing.children), (None, None, None));
    assert_eq!(submit(&[("pubsub#children", &[])]).unwrap().children, Some(Vec::new()));
}

#[test]
fn the_base_takes_no_bytes_and_never_changes() {
    assert_eq!(*Config::base().encode(), [1]);
    // What is stored lacks what is as it is here: a change of one of these would change nodes that exist.
    let shown: Vec<String> =
        FIELDS.iter().map(|row| format!("{}={}", row.name, (row.get)(&Config::base()).join(","))).collect();
    assert_eq!(
        shown.join(" "),
        "title= description= type= language= contact= access_model=open roster_groups_allowed= publish_model=publishers \
         subscribe=1 tempsub=0 deliver_notifications=1 deliver_payloads=1 notify_config=0 notify_delete=0 notify_retract=0 \
         notify_sub=0 notification_type=headline presence_based_delivery=0 send_last_published_item=on_sub_and_presence \
         itemreply=none persist_items=1 max_items=max item_expire= publish_node_full=retract-oldest purge_offline=0 \
         max_payload_size= body_xslt= dataform_xslt= children_association_policy=owners children_association_whitelist= \
         children_max= {urn:xmpp:pubsub-relationships:0}link= {urn:xmpp:pubsub-relationships:0}parent= moved="
    );
    for (number, row) in FIELDS.iter().enumerate() {
        assert_eq!(usize::from(row.tag), number + 1, "{}", row.name);
    }
}

#[test]
fn fields_of_a_later_version_are_passed_over() {
    let config = Config { title: "t".into(), notify_sub: true, ..Config::base() };
    let mut bytes = config.encode().into_vec();
    bytes.extend_from_slice(b"\xfa\x02\x03abc\x00\xfb\x00");
    assert_eq!(Config::decode(&bytes), config);
}

#[test]
fn a_node_whose_configuration_cannot_be_read_is_closed() {
    let bytes = Config { access_model: AccessModel::Whitelist, title: "t".into(), ..Config::base() }.encode();
    let garbled: &[&[u8]] =
        &[b"", b"\x02", b"\x01\x06\x01\x06secret", b"\x01\x01", b"\x01\x01\xff\xff\xff\xff\xff", b"\x01\x01\x01\x09t"];
    for bytes in garbled.iter().copied().chain([&bytes[..bytes.len() - 1]]) {
        let read = Config::decode(bytes);
        assert_eq!((read.access_model, read.subscribe), (AccessModel::Whitelist, false), "{bytes:?}");
    }
}

fn of_row(row: &'static Row<Config>) -> BoxedStrategy<Vec<String>> {
    use metronome_proto::payload::data_form::FieldKind;
    let word = "[a-zA-Z0-9&<' \u{1F980}]{1,9}";
    let name = row.name;
    match row.kind {
        FieldKind::Boolean => any::<bool>().prop_map(|flag| vec![if flag { "1" } else { "0" }.to_owned()]).boxed(),
        FieldKind::ListSingle => {
            let words: Vec<_> = row.choices.iter().map(|(word, _)| vec![(*word).to_owned()]).collect();
            proptest::sample::select(words).boxed()
        }
        FieldKind::JidMulti => {
            proptest::collection::hash_set("[a-z]{1,6}@[a-z]{1,6}(/[a-z]{1,3})?", 0..4).prop_map(Vec::from_iter).boxed()
        }
        FieldKind::ListMulti => proptest::collection::hash_set(word, 0..4).prop_map(Vec::from_iter).boxed(),
        _ if name == "language" => "[a-zA-Z]{2}(-[a-zA-Z0-9]{2,8})?".prop_map(|tag| vec![tag]).boxed(),
        _ if name == "max_payload_size" => (1..u32::MAX).prop_map(|size| vec![size.to_string()]).boxed(),
        _ if ["max_items", "item_expire", "children_max"].contains(&name) => {
            prop_oneof![Just(vec!["max".to_owned()]), (1..u32::MAX).prop_map(|count| vec![count.to_string()])].boxed()
        }
        _ => word.prop_map(|text| vec![text]).boxed(),
    }
}

/// A configuration of which some fields differ from the base.
pub(crate) fn any_config() -> impl Strategy<Value = Config> {
    let fields: Vec<_> = FIELDS.iter().map(|row| proptest::option::weighted(0.4, of_row(row))).collect();
    fields.prop_map(|fields| {
        let mut config = Config::base();
        for (row, values) in FIELDS.iter().zip(fields) {
            if let Some(values) = values {
                (row.set)(&mut config, &values).unwrap();
            }
        }
        config
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_stored_is_read_back(config in any_config()) {
        prop_assert_eq!(Config::decode(&config.encode()), config);
    }

    #[test]
    fn an_owner_who_sends_back_the_form_changes_nothing(config in any_config(), is_leaf in any::<bool>()) {
        let kind = if is_leaf { NodeKind::Leaf } else { NodeKind::Collection };
        let around = Relations { kind, ..ALONE };
        let form = DataForm { kind: FormType::Submit, ..sent(&config.form(FormType::Form, around)) };
        let submitted = config.submit(&form, kind).unwrap();
        prop_assert_eq!(submitted.config, config);
        prop_assert_eq!(submitted.kind, Some(kind));
        prop_assert_eq!(submitted.collections, Some(Vec::new()));
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let read = Config::decode(&bytes);
        prop_assert_eq!(Config::decode(&read.encode()), read);
    }

    #[test]
    fn fields_of_any_content_are_read_or_refused(fields in proptest::collection::vec((0..FIELDS.len(), proptest::collection::vec(".{0,20}", 0..3)), 0..6)) {
        let fields = fields.into_iter().map(|(at, values)| Field::untyped(FIELDS[at].var()).values(values)).collect();
        let form = DataForm { fields, ..DataForm::new(FormType::Submit) };
        if let Ok(submitted) = Config::base().submit(&form, NodeKind::Leaf) {
            prop_assert_eq!(Config::decode(&submitted.config.encode()), submitted.config);
        }
    }
}

#[test]
fn memory_is_counted() {
    let jid = Jid::parse("a@b").unwrap();
    let config = Config { title: "x".repeat(1000).into(), contact: vec![jid], ..Config::base() };
    assert!(config.memory_usage() > 1000 && Config::base().memory_usage() == 0);
}
