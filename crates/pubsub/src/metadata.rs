//! What everybody who may see a node is told of it (XEP-0060 sections 5.4 and 16.4.3): the form in the answer to `disco#info`, and its
//! relations alone for XEP-0499.

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FormType};
use metronome_proto::payload::delay::format_time;

use crate::config::{Config, FIELDS};
use crate::rows::Row;

/// Most owners, and most publishers, that are told.
pub const PEOPLE_MAX: usize = 100;

/// Fields of the configuration that everybody is told.
const CONFIGURED: &[&str] = &[
    "type",
    "title",
    "description",
    "language",
    "contact",
    "access_model",
    "publish_model",
    "max_items",
    LINK,
    PARENT,
];

const LINK: &str = "{urn:xmpp:pubsub-relationships:0}link";
const PARENT: &str = "{urn:xmpp:pubsub-relationships:0}parent";

/// A node as others see it.
#[derive(Clone, Copy, Debug)]
pub struct MetaData<'a> {
    /// How it is configured.
    pub config: &'a Config,
    /// Who made it; nobody, where that is nobody's business.
    pub creator: Option<&'a Jid>,
    /// When: Unix time in milliseconds.
    pub created_ms: u64,
    /// Its owners.
    pub owners: &'a [Jid],
    /// Those who may publish by their affiliation.
    pub publishers: &'a [Jid],
    /// How many subscriptions there are.
    pub subscribers: u64,
}

impl MetaData<'_> {
    /// The form. What is empty is left out.
    pub fn form(&self) -> DataForm {
        let jids = |jids: &[Jid]| jids.iter().take(PEOPLE_MAX).map(Jid::to_string).collect::<Vec<_>>();
        let created = format_time(i64::try_from(self.created_ms).unwrap_or(i64::MAX));
        let field = |name: &str, kind, label: &str| Field::new(format!("pubsub#{name}"), kind).label(label);
        let automatic = [
            field("creator", FieldKind::JidSingle, "Who made the node").values(self.creator.map(Jid::to_string)),
            field("creation_date", FieldKind::TextSingle, "When the node was made").value(created),
            field("owner", FieldKind::JidMulti, "Its owners").values(jids(self.owners)),
            field("publisher", FieldKind::JidMulti, "Its publishers").values(jids(self.publishers)),
            field("num_subscribers", FieldKind::TextSingle, "How many subscribers it has")
                .value(self.subscribers.to_string()),
        ];
        let configured = FIELDS.iter().filter(|row| CONFIGURED.contains(&row.name)).map(|row| self.configured(row));
        of_fields(configured.chain(automatic))
    }

    /// The form with its relations alone (XEP-0499 section 3.1), which may be none.
    pub fn relations(&self) -> DataForm {
        let rows = FIELDS.iter().filter(|row| [LINK, PARENT].contains(&row.name));
        of_fields(rows.map(|row| self.configured(row)))
    }

    fn configured(&self, row: &Row<Config>) -> Field {
        row.field(self.config, FormType::Result)
    }
}

fn of_fields(fields: impl Iterator<Item = Field>) -> DataForm {
    let fields = fields.filter(|field| !field.values.is_empty());
    let fields = [Field::hidden_form_type(ns::PUBSUB_META_DATA)].into_iter().chain(fields);
    DataForm { fields: fields.collect(), ..DataForm::new(FormType::Result) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Amount;

    #[test]
    fn everybody_is_told_the_fields_of_the_registry() {
        let [hamlet, bard] = ["hamlet@denmark.lit", "bard@shakespeare.lit"].map(|jid| Jid::parse(jid).unwrap());
        let config = Config {
            title: "Princely Musings (Atom)".into(),
            description: "Updates for Hamlet's weblog.".into(),
            r#type: "http://www.w3.org/2005/Atom".into(),
            language: "en".into(),
            contact: vec![bard],
            max_items: Amount::Count(120),
            link: Some("above".into()),
            ..Config::base()
        };
        let owners = [hamlet.clone()];
        let about = MetaData {
            config: &config,
            creator: Some(&hamlet),
            created_ms: 1_059_519_370_000,
            owners: &owners,
            publishers: &owners,
            subscribers: 1066,
        };
        let form = about.form();
        assert_eq!((form.kind, form.form_type()), (FormType::Result, Some(ns::PUBSUB_META_DATA)));
        for (name, value) in [
            ("contact", "bard@shakespeare.lit"),
            ("creation_date", "2003-07-29T22:56:10.000Z"),
            ("creator", "hamlet@denmark.lit"),
            ("description", "Updates for Hamlet's weblog."),
            ("language", "en"),
            ("access_model", "open"),
            ("publish_model", "publishers"),
            ("num_subscribers", "1066"),
            ("owner", "hamlet@denmark.lit"),
            ("publisher", "hamlet@denmark.lit"),
            ("title", "Princely Musings (Atom)"),
            ("type", "http://www.w3.org/2005/Atom"),
            ("max_items", "120"),
        ] {
            assert_eq!(form.value(&format!("pubsub#{name}")), Some(value), "{name}");
        }
        // What only owners may see is not among it.
        assert_eq!(form.fields.len(), 15);
        assert_eq!(form.value(LINK), Some("above"));
        let relations = about.relations();
        assert_eq!(relations.fields.len(), 2);
        assert_eq!(relations.value(LINK), Some("above"));
    }

    #[test]
    fn many_people_are_told_in_part() {
        let people: Vec<Jid> = (0..200).map(|number| Jid::parse(&format!("{number}@b")).unwrap()).collect();
        let config = Config::base();
        let about = MetaData {
            config: &config,
            creator: None,
            created_ms: 0,
            owners: &people,
            publishers: &[],
            subscribers: 0,
        };
        let form = about.form();
        assert_eq!(form.get("pubsub#owner").unwrap().values.len(), PEOPLE_MAX);
        assert!(form.get("pubsub#creator").is_none() && form.get("pubsub#publisher").is_none());
    }
}
