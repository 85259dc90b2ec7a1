//! Which fields a service has: its own and those that other crates add, with the form they make and what a filled-in form may say.

use metronome_proto::ns;
use metronome_proto::payload::data_form::{self, DataForm, FieldKind, FormType};
use metronome_proto::payload::truth;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;

use super::field::{Field, Shape};
use super::{Config, fields};
use crate::limits::Limits;

/// The fields of the rooms of a service.
#[derive(Clone, Debug)]
pub struct Table {
    fields: Vec<Field>,
}

/// A form that may not be submitted, and why; the answer is `not-acceptable` (section 10.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacceptable(pub String);

impl From<Unacceptable> for StanzaError {
    fn from(refused: Unacceptable) -> StanzaError {
        StanzaError::new(Condition::NotAcceptable).with_text(refused.0)
    }
}

impl Default for Table {
    /// The fields that every service has.
    fn default() -> Table {
        Table { fields: fields::ALL.to_vec() }
    }
}

/// What other servers have that let in those who solve a riddle (XEP-0158). Whoever relies on that must hear that nobody is kept out by it.
const RIDDLES: [&str; 2] = ["captcha_protected", "muc#roomconfig_captcha_protected"];

impl Table {
    /// Adds a field of another crate, behind the others; one of the same name takes the place of the known one.
    #[must_use]
    pub fn with(mut self, field: Field) -> Table {
        match self.fields.iter_mut().find(|known| known.var == field.var) {
            Some(known) => *known = field,
            None => self.fields.push(field),
        }
        self
    }

    /// The fields, in the order in which a form shows them.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The form in which an owner changes a configuration.
    pub fn form(&self, config: &Config) -> DataForm {
        let form = DataForm::new(FormType::Form)
            .titled("Configuration of the room")
            .field(data_form::Field::hidden_form_type(ns::MUC_ROOMCONFIG));
        self.fields.iter().fold(form, |form, field| form.field(field.form_field(config)))
    }

    /// The configuration after a form: what it does not say stays as it was, fields that nobody knows are passed over.
    pub fn submit(&self, config: &Config, form: &DataForm, limits: &Limits) -> Result<Config, Unacceptable> {
        let asks_for = |var: &str| form.get(var).and_then(|given| truth(given.values.first()?)) == Some(true);
        if RIDDLES.iter().any(|var| asks_for(var)) {
            return Err(Unacceptable("there are no riddles (CAPTCHA) for those who enter rooms here".into()));
        }
        let mut after = config.clone();
        for field in &self.fields {
            let Some(given) = form.get(field.var) else { continue };
            let values = field.read(&given.values).ok_or_else(|| field.unacceptable())?;
            after.set(field, values);
        }
        for refuse in self.fields.iter().filter_map(|field| field.refuse) {
            refuse(&after, limits).map_err(|why| Unacceptable(why.into()))?;
        }
        Ok(after)
    }
}

impl Field {
    /// As it stands in a form.
    fn form_field(&self, config: &Config) -> data_form::Field {
        let (kind, options) = match self.shape {
            Shape::Flag => (FieldKind::Boolean, &[][..]),
            Shape::Line(_) | Shape::Number(_) => (FieldKind::TextSingle, &[][..]),
            Shape::Secret(_) => (FieldKind::TextPrivate, &[][..]),
            Shape::One(options) => (FieldKind::ListSingle, options),
            Shape::Some(options) => (FieldKind::ListMulti, options),
        };
        let field = data_form::Field::new(self.var, kind).label(self.label).values(config.list(self));
        options.iter().fold(field, |field, (value, label)| field.option(*label, *value))
    }

    /// The values as they are kept, if they may stand in it.
    fn read(&self, given: &[String]) -> Option<Vec<Box<str>>> {
        let first = given.first().map_or("", |value| value.trim());
        let one = |value: &str| Some(vec![Box::from(value)]);
        match self.shape {
            Shape::Flag => one(if truth(first)? { "1" } else { "0" }),
            Shape::Line(bytes_max) | Shape::Secret(bytes_max) => {
                let whole = given.join("\n");
                if whole.len() <= bytes_max { one(&whole) } else { None }
            }
            Shape::Number(max) => match first {
                // Where nothing is no choice, it stands for 0.
                "" | "none" => one(if self.default == [""] { "" } else { "0" }),
                digits => one(&digits.parse::<u64>().ok().filter(|number| *number <= max)?.to_string()),
            },
            Shape::One(options) => one(options.iter().find(|(value, _)| *value == first)?.0),
            Shape::Some(options) => {
                let known = |value: &String| options.iter().any(|(option, _)| *option == *value);
                let chosen = options.iter().filter(|(option, _)| given.iter().any(|value| *option == *value));
                given.iter().all(known).then(|| chosen.map(|(option, _)| Box::from(*option)).collect())
            }
        }
    }

    fn unacceptable(&self) -> Unacceptable {
        Unacceptable(format!("{} cannot have this value", self.var))
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn submit(fields: &[(&str, &[&str])]) -> Result<Config, Unacceptable> {
        let form = fields.iter().fold(DataForm::new(FormType::Submit), |form, (var, values)| {
            form.field(data_form::Field::untyped(*var).values(values.iter().copied()))
        });
        Table::default().submit(&Config::default(), &form, &Limits::default())
    }

    #[test]
    fn a_form_can_be_sent_back_as_it_came() {
        let table = Table::default();
        for config in [Config::default(), Config::default().with(&MAX_USERS, "30").with(&WHOIS, "anyone")] {
            assert_eq!(table.submit(&config, &table.form(&config), &Limits::default()), Ok(config));
        }
    }

    #[test]
    fn wrong_types_are_not_acceptable() {
        for (field, value) in [
            (&MEMBERS_ONLY, "perhaps"),
            (&MAX_USERS, "-1"),
            (&MAX_USERS, "99999999999999999999999"),
            (&WHOIS, "none"),
            (&ALLOW_PM, ""),
            (&PRESENCE_BROADCAST, "king"),
            (&NAME, &"x".repeat(257)),
        ] {
            assert!(submit(&[(field.var, &[value])]).is_err(), "{} {value}", field.var);
        }
    }

    #[test]
    fn a_room_with_a_password_needs_one() {
        let (protected, secret) = (PASSWORD_PROTECTED.var, SECRET.var);
        assert!(submit(&[(protected, &["1"])]).is_err());
        assert!(submit(&[(protected, &["1"]), (secret, &[""])]).is_err());
        let config = submit(&[(protected, &["true"]), (secret, &["cauldronburn"])]).unwrap();
        assert!(config.is_on(&PASSWORD_PROTECTED));
        assert_eq!(config.text(&SECRET), "cauldronburn");
    }

    #[test]
    fn another_crate_may_add_a_field_and_refuse_what_stands_in_it() {
        const COLOUR: Field = Field {
            var: "urn:x#colour",
            label: "Colour",
            shape: Shape::Line(20),
            default: &["green"],
            shown: Shown::Nowhere,
            refuse: Some(|config, _| if config.text(&COLOUR) == "red" { Err("not red") } else { Ok(()) }),
        };
        let table = Table::default().with(COLOUR);
        let submit = |value: &str| {
            let form = DataForm::new(FormType::Submit).field(data_form::Field::untyped(COLOUR.var).value(value));
            table.submit(&Config::default(), &form, &Limits::default())
        };
        assert_eq!(submit("blue").unwrap().text(&COLOUR), "blue");
        assert_eq!(submit("red"), Err(Unacceptable("not red".into())));
    }

    #[test]
    fn no_field_has_the_name_of_another() {
        let fields = Table::default().fields;
        let mut names: Vec<_> = fields.iter().map(|field| field.var).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), fields.len());
    }
}
