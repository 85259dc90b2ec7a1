//! The configuration as a form: shown to owners, told to subscribers, and read from what owners submit.

use metronome_model::NodeKind;
use metronome_proto::ns;
use metronome_proto::payload::Malformed;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FormType};
use metronome_proto::payload::pubsub::{NAME_BYTES_MAX, NAMED_MAX, PubsubError, Reason};
use metronome_proto::stanza::error::Condition;

use super::fields::FIELDS;
use super::{Config, is_for};
use crate::rows::{self, Unfit, choice, names};

pub(crate) const NODE_TYPE: &str = "pubsub#node_type";
const COLLECTION: &str = "pubsub#collection";
const CHILDREN: &str = "pubsub#children";

/// What a form says of a node besides its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relations<'a> {
    /// What it holds.
    pub kind: NodeKind,
    /// The collections that it stands in; none is the root.
    pub collections: &'a [Box<str>],
    /// The nodes that stand in it.
    pub children: &'a [Box<str>],
}

/// What a form asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The configuration with what the form changes.
    pub config: Config,
    /// The kind of node that it names.
    pub kind: Option<NodeKind>,
    /// The collections that it is to stand in, an empty name for the root; if anything is said about them.
    pub collections: Option<Vec<Box<str>>>,
    /// The nodes that are to stand in it, if anything is said about them.
    pub children: Option<Vec<Box<str>>>,
}

impl Config {
    /// The form: all that can be set and chosen, for owners; or what is set, for everybody.
    pub fn form(&self, form: FormType, around: Relations<'_>) -> DataForm {
        let rows = FIELDS.iter().filter(|row| is_for(row.on, around.kind));
        let fields = [Field::hidden_form_type(ns::PUBSUB_NODE_CONFIG)].into_iter();
        let fields = fields.chain(around.fields(form)).chain(rows.map(|row| row.field(self, form)));
        DataForm { fields: fields.collect(), ..DataForm::new(form) }
    }

    /// What a submitted form makes of it, for a node of this kind or of the kind that the form names. Fields that are not in the form
    /// stay as they are (XEP-0004 section 3.5), and what is not understood, or has no meaning for such a node, is passed over.
    pub fn submit(&self, form: &DataForm, kind: NodeKind) -> Result<Submitted, PubsubError> {
        check_type(form, ns::PUBSUB_NODE_CONFIG)?;
        let named =
            form.get(NODE_TYPE).map(|field| choice(&field.values, NodeKind::of).map_err(refused)).transpose()?;
        let nodes = |var: &str| form.get(var).map(|field| names(&field.values, NAMED_MAX, NAME_BYTES_MAX)).transpose();
        let mut config = self.clone();
        for (row, field) in rows::known(FIELDS, form).map_err(refused)? {
            if is_for(row.on, named.unwrap_or(kind)) {
                (row.set)(&mut config, &field.values).map_err(|unfit| refused_field(row.name, unfit))?;
            }
        }
        Ok(Submitted {
            config,
            kind: named,
            collections: nodes(COLLECTION).map_err(refused)?,
            children: nodes(CHILDREN).map_err(refused)?,
        })
    }
}

impl Relations<'_> {
    fn fields(&self, form: FormType) -> Vec<Field> {
        let named = |names: &[Box<str>]| names.iter().map(|name| String::from(&**name)).collect::<Vec<_>>();
        let mut kind =
            Field::new(NODE_TYPE, FieldKind::ListSingle).label("What the node holds").value(self.kind.as_str());
        if form == FormType::Form {
            kind = kind.option("Items", NodeKind::Leaf.as_str()).option("Other nodes", NodeKind::Collection.as_str());
        }
        let collections = Field::new(COLLECTION, FieldKind::TextMulti).label("The collections that the node stands in");
        let mut fields = vec![kind, collections.values(named(self.collections))];
        if self.kind == NodeKind::Collection {
            let children = Field::new(CHILDREN, FieldKind::TextMulti).label("The nodes that stand in this collection");
            fields.push(children.values(named(self.children)));
        }
        fields
    }
}

/// Refuses a form that was not filled in, or is about something else. One that does not say what it is about is about this.
pub(crate) fn check_type(form: &DataForm, ns: &str) -> Result<(), PubsubError> {
    match form.form_type() {
        _ if form.kind != FormType::Submit => Err(Malformed("a form that is not filled in").into()),
        Some(other) if other != ns => Err(Malformed("a form about something else").into()),
        _ => Ok(()),
    }
}

/// A field of the configuration that cannot be set like this.
pub(crate) fn refused_field(name: &str, unfit: Unfit) -> PubsubError {
    if name == "access_model" { Reason::UnsupportedAccessModel.error().with_text(unfit.0) } else { refused(unfit) }
}

/// A configuration that cannot be (section 8.2.5.2).
fn refused(unfit: Unfit) -> PubsubError {
    PubsubError::new(Condition::NotAcceptable).with_text(unfit.0)
}
