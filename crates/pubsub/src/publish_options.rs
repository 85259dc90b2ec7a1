//! What a publication depends on (XEP-0060 section 7.1.5, XEP-0395): any field of the configuration with the value that it must have.
//! Where publishing makes the node, it is configured so.

#[cfg(test)]
mod tests;

use metronome_model::NodeKind;
use metronome_proto::ns;
use metronome_proto::payload::Malformed;
use metronome_proto::payload::data_form::{DataForm, FORM_TYPE};
use metronome_proto::payload::pubsub::{COMPARE_FIELD, PubsubError, Reason};

use crate::config::{Config, FIELDS, NODE_TYPE, is_for, refused_field};
use crate::rows::{self, Row, single};

/// Most bytes of the value of an item (XEP-0395).
const COMPARED_BYTES_MAX: usize = 256;

/// Everything that must be so.
#[derive(Clone, Default)]
pub struct Preconditions {
    /// Fields of the configuration, with a configuration that has what is wanted of them.
    wanted: Option<(Vec<&'static Row<Config>>, Box<Config>)>,
    /// XEP-0395: the value of the item that must be the latest; empty if there must be none.
    pub previous: Option<Box<str>>,
}

impl Preconditions {
    /// Reads the form. A field that nothing is known about cannot be met; one that has a value that it cannot have is `not-acceptable`.
    pub fn read(form: &DataForm) -> Result<Preconditions, PubsubError> {
        if form.form_type() != Some(ns::PUBSUB_PUBLISH_OPTIONS) {
            return Err(Malformed("preconditions in a form of another type").into());
        }
        let mut read = Preconditions::default();
        let (mut rows, mut config) = (Vec::new(), Config::base());
        for (row, field) in rows::known(FIELDS, form).map_err(|unfit| refused_field("", unfit))? {
            (row.set)(&mut config, &field.values).map_err(|unfit| refused_field(row.name, unfit))?;
            rows.push(row);
        }
        for field in &form.fields {
            match field.var.as_deref() {
                Some(FORM_TYPE) => {}
                Some(COMPARE_FIELD) => {
                    let value = single(&field.values).ok().filter(|value| value.len() <= COMPARED_BYTES_MAX);
                    read.previous = Some(value.ok_or(Reason::PreconditionNotMet.error())?.into());
                }
                // Only leaves are published to, whether anybody says so or not.
                Some(NODE_TYPE) if single(&field.values) == Ok(NodeKind::Leaf.as_str()) => {}
                Some(var) if rows::row(FIELDS, var).is_some_and(|row| is_for(row.on, NodeKind::Leaf)) => {}
                _ => return Err(Reason::PreconditionNotMet.error().with_text("a precondition that cannot be met")),
            }
        }
        read.wanted = (!rows.is_empty()).then(|| (rows, Box::new(config)));
        Ok(read)
    }

    /// Whether a node is configured so; values count, and not how they are written.
    pub fn check(&self, config: &Config) -> Result<(), PubsubError> {
        let Some((rows, wanted)) = &self.wanted else { return Ok(()) };
        let sorted = |mut values: Vec<String>| {
            values.sort_unstable();
            values
        };
        let is_met = |row: &&Row<Config>| sorted((row.get)(config)) == sorted((row.get)(wanted));
        if rows.iter().copied().all(|row| is_met(&row)) { Ok(()) } else { Err(Reason::PreconditionNotMet.into()) }
    }

    /// The configuration of a node that is made for the publication: the default in all other respects.
    #[must_use]
    pub fn apply(&self, mut config: Config) -> Config {
        if let Some((rows, wanted)) = &self.wanted {
            for row in rows {
                // What a row gives it takes.
                let taken = (row.set)(&mut config, &(row.get)(wanted));
                debug_assert!(taken.is_ok(), "{} does not take what it gives", row.name);
            }
        }
        config
    }
}
