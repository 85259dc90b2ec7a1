//! Preconditions, met and not.

use proptest::prelude::*;

use metronome_proto::payload::data_form::{Field, FormType};
use metronome_proto::stanza::error::Condition;

use super::*;
use crate::config::{AccessModel, Amount};

const TYPE: (&str, &[&str]) = ("FORM_TYPE", &["http://jabber.org/protocol/pubsub#publish-options"]);

fn form(fields: &[(&str, &[&str])]) -> DataForm {
    let field = |(var, values): &(&str, &[&str])| Field::untyped(*var).values(values.iter().copied());
    DataForm { fields: fields.iter().map(field).collect(), ..DataForm::new(FormType::Submit) }
}

fn read(fields: &[(&str, &[&str])]) -> Result<Preconditions, PubsubError> {
    Preconditions::read(&form(&[&[TYPE], fields].concat()))
}

fn refused(fields: &[(&str, &[&str])]) -> (Condition, Option<Reason>) {
    let error = read(fields).map(|_| ()).unwrap_err();
    (error.condition, error.reason)
}

const NOT_MET: (Condition, Option<Reason>) = (Condition::Conflict, Some(Reason::PreconditionNotMet));

#[test]
fn a_precondition_is_met_by_value_and_not_by_spelling() {
    let wanted = read(&[
        ("pubsub#persist_items", &["true"]),
        ("pubsub#access_model", &["whitelist"]),
        ("pubsub#max_items", &["max"]),
        ("pubsub#contact", &["B@example.org", "a@example.org"]),
        ("pubsub#node_type", &["leaf"]),
    ])
    .unwrap();
    let contact = ["a@example.org", "b@example.org"].map(|jid| metronome_proto::jid::Jid::parse(jid).unwrap()).to_vec();
    let met = Config { access_model: AccessModel::Whitelist, contact, ..Config::base() };
    assert_eq!(wanted.check(&met), Ok(()));
    for unmet in [
        Config { access_model: AccessModel::Open, ..met.clone() },
        Config { persist_items: false, ..met.clone() },
        Config { max_items: Amount::Count(1), ..met.clone() },
        Config { contact: Vec::new(), ..met.clone() },
    ] {
        let error = wanted.check(&unmet).unwrap_err();
        assert_eq!((error.condition, error.reason), NOT_MET);
    }
    // What is not said does not matter.
    assert_eq!(wanted.check(&Config { title: "t".into(), ..met }), Ok(()));
    assert_eq!(Preconditions::default().check(&Config::base()), Ok(()));
}

#[test]
fn a_node_made_by_publishing_is_configured_so() {
    let wanted = read(&[("pubsub#access_model", &["presence"]), ("pubsub#title", &["t"])]).unwrap();
    let default = Config { notify_retract: true, title: "default".into(), ..Config::base() };
    let made = wanted.apply(default.clone());
    assert_eq!(made, Config { access_model: AccessModel::Presence, title: "t".into(), ..default });
    assert_eq!(wanted.check(&made), Ok(()));
}

#[test]
fn a_precondition_that_is_not_known_cannot_be_met() {
    for var in ["pubsub#colour", "access_model", "x-own", "pubsub#children_max", "pubsub#collection", ""] {
        assert_eq!(refused(&[(var, &["1"])]), NOT_MET, "{var}");
    }
    assert_eq!(refused(&[("pubsub#node_type", &["collection"])]), NOT_MET);
    assert_eq!(read(&[]).map(|read| read.previous.is_none()), Ok(true));
    let nameless = DataForm { fields: vec![Field { var: None, ..Field::untyped("") }], ..form(&[]) };
    assert!(Preconditions::read(&nameless).is_err());
}

#[test]
fn a_value_that_cannot_be_is_not_acceptable() {
    assert_eq!(refused(&[("pubsub#persist_items", &["perhaps"])]), (Condition::NotAcceptable, None));
    assert_eq!(refused(&[("pubsub#title", &["a"]), ("pubsub#title", &["b"])]), (Condition::NotAcceptable, None));
    let unsupported = (Condition::NotAcceptable, Some(Reason::UnsupportedAccessModel));
    assert_eq!(refused(&[("pubsub#access_model", &["secret"])]), unsupported);
}

#[test]
fn the_form_says_what_it_is() {
    for other in [vec![], vec![("FORM_TYPE", &["http://jabber.org/protocol/pubsub#node_config"][..])]] {
        let error = Preconditions::read(&form(&other)).map(|_| ()).unwrap_err();
        assert_eq!(error.condition, Condition::BadRequest);
    }
}

#[test]
fn the_item_that_must_be_the_latest_is_named_by_its_value() {
    let previous = |values: &[&str]| read(&[("pubsub#prev_item_cap_value", values)]).map(|read| read.previous);
    assert_eq!(previous(&["1"]), Ok(Some("1".into())));
    assert_eq!(previous(&[]), Ok(Some("".into())));
    assert!(previous(&["1", "2"]).is_err());
    assert!(previous(&["x".repeat(COMPARED_BYTES_MAX + 1).as_str()]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_field_of_a_configuration_is_a_precondition_that_it_meets(config in crate::config::tests::any_config()) {
        let rows = FIELDS.iter().filter(|row| is_for(row.on, NodeKind::Leaf));
        let mut fields: Vec<_> = rows.map(|row| row.field(&config, FormType::Submit)).collect();
        fields.push(Field::untyped(TYPE.0).value(TYPE.1[0]));
        // An empty text is what is wanted as well, and of these there must be some.
        fields.retain(|field| !field.values.is_empty());
        let wanted = Preconditions::read(&DataForm { fields, ..DataForm::new(FormType::Submit) }).unwrap();
        prop_assert_eq!(wanted.check(&config), Ok(()));
        let made = wanted.apply(Config::base());
        prop_assert_eq!(wanted.check(&made), Ok(()));
    }
}
