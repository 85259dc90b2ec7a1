//! The configuration that new rooms begin with, and the fields there are: those of the crate `muc`, and those that features add. A field
//! is named as in its form, or without what comes before the last `#` and `_`; its value is read as one that an owner has written.

use std::sync::OnceLock;

use metronome_host::options::{Kind, Setting, Unfit, Values};
use metronome_muc::Limits;
use metronome_muc::config::{Config, Field, MAX_USERS, Shape, Table};
use metronome_proto::payload::data_form::{DataForm, Field as FormField, FormType};

use super::{pace, settings};

/// What new rooms begin with.
pub const DEFAULTS: Setting = Setting::new(
    "rooms.defaults",
    Kind::List,
    "[]",
    "What the configuration of new rooms begins with where it differs from the usual, each as `\"field = value\"`, such as \
     `[\"persistentroom = true\", \"whois = anyone\"]`. Every field of a room's form can stand here, as it is named there or without what \
     comes before its own name; its owners may change it.",
)
.per_host();

/// Fields that features add to those of the crate `muc`; the form shows them behind those.
const ADDED: &[Field] = &[pace::PER_MINUTE];

/// The fields of every service.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let max_users = Field { refuse: Some(refuse_crowd), ..MAX_USERS };
        ADDED.iter().fold(Table::default().with(max_users), |table, field| table.with(*field))
    })
}

/// A room cannot promise more than its service has.
fn refuse_crowd(config: &Config, limits: &Limits) -> Result<(), &'static str> {
    let is_too_many = config.number(&MAX_USERS) > limits.occupants_max;
    if is_too_many { Err("this service does not let so many into one room") } else { Ok(()) }
}

/// What a new room begins with; entries that cannot be read were refused when the configuration was loaded.
pub fn defaults(values: &Values) -> Config {
    read(values).unwrap_or_default()
}

/// Finds entries that cannot be read.
pub(super) fn check(values: &Values) -> Result<(), Unfit> {
    read(values).map(|_| ()).map_err(|message| Unfit {
        setting: &DEFAULTS,
        message,
        hint: "write entries such as \"membersonly = true\"; docs/rooms.md lists the fields",
    })
}

fn read(values: &Values) -> Result<Config, String> {
    let mut form = DataForm::new(FormType::Submit);
    for entry in values.list(&DEFAULTS) {
        let Some((name, value)) = entry.split_once('=') else {
            return Err(format!("`{entry}` is not of the form `field = value`"));
        };
        let field = field(name.trim()).ok_or_else(|| format!("no room has a field `{}`", name.trim()))?;
        form = form.field(submitted(field, value.trim()));
    }
    let config = table().submit(&Config::default(), &form, &settings::limits(values));
    config.map_err(|unacceptable| unacceptable.0)
}

/// The field of this name, as it is in the form or in short.
pub(super) fn field(name: &str) -> Option<&'static Field> {
    table().fields().iter().find(|field| field.var == name || short(field.var) == name)
}

/// The name of a field without what many have in common.
pub(super) fn short(var: &'static str) -> &'static str {
    let name = var.rsplit_once('#').map_or(var, |(_, name)| name);
    name.strip_prefix("roomconfig_").unwrap_or(name)
}

/// A field of a form that somebody submits; several values stand in one line with spaces between them.
pub(super) fn submitted(field: &Field, value: &str) -> FormField {
    let given = FormField::untyped(field.var);
    match field.shape {
        Shape::Some(_) => given.values(value.split(' ').filter(|value| !value.is_empty())),
        _ => given.value(value),
    }
}

#[cfg(test)]
mod tests {
    use metronome_muc::config::{MEMBERS_ONLY, PRESENCE_BROADCAST, WHOIS};

    use super::*;

    fn values(defaults: &str) -> Values {
        Values::defaults(&[settings::SETTINGS]).with("rooms.defaults", defaults)
    }

    #[test]
    fn every_field_can_begin_as_something_else() {
        for field in table().fields() {
            let value = match field.shape {
                Shape::Flag => if field.default == ["1"] { "false" } else { "true" },
                Shape::Number(_) => "7",
                Shape::Line(_) | Shape::Secret(_) => "something",
                Shape::One(options) => options[options.len() - 1].0,
                Shape::Some(options) => options[0].0,
            };
            let also = if field.var.ends_with("passwordprotectedroom") { ", \"roomsecret = x\"" } else { "" };
            for name in [field.var, short(field.var)] {
                let config = read(&values(&format!("[\"{name} = {value}\"{also}]"))).unwrap();
                assert_ne!(config, Config::default(), "{name}");
            }
        }
    }

    #[test]
    fn no_short_name_stands_for_two_fields() {
        let mut names: Vec<_> = table().fields().iter().map(|field| short(field.var)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn several_fields_and_values_are_read() {
        let config = defaults(&values(
            "[\"membersonly = true\", \"whois=anyone\", \"presencebroadcast = moderator participant\"]",
        ));
        assert!(config.is_on(&MEMBERS_ONLY));
        assert_eq!(config.text(&WHOIS), "anyone");
        assert_eq!(config.list(&PRESENCE_BROADCAST), ["moderator", "participant"]);
    }

    #[test]
    fn what_cannot_be_a_default_is_found_before_it_counts() {
        for (wrong, why) in [
            ("[\"membersonly\"]", "`membersonly` is not of the form `field = value`"),
            ("[\"colour = red\"]", "no room has a field `colour`"),
            ("[\"membersonly = perhaps\"]", "muc#roomconfig_membersonly cannot have this value"),
            ("[\"passwordprotectedroom = true\"]", "a room with a password needs one"),
            ("[\"maxusers = 10001\"]", "this service does not let so many into one room"),
        ] {
            assert_eq!(check(&values(wrong)).unwrap_err().message, why);
        }
        assert!(check(&values("[]")).is_ok());
    }

    #[test]
    fn the_page_for_owners_has_every_field() {
        let page = include_str!("../../../../docs/rooms.md");
        for field in table().fields() {
            let name = short(field.var);
            assert!(page.contains(&format!("`{name}`")), "docs/rooms.md says nothing of {name}");
        }
    }
}
