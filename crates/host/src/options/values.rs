//! The values of all settings at one moment: made by the configuration loader, or from the defaults in tests.
//! Immutable; a reload makes a new one. Look-ups are by name, so what runs per stanza reads its values once, into a struct of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use crate::network::Network;

use super::units::Frequency;
use super::{Setting, Value};

/// One value for every registered setting; clones share it.
#[derive(Debug, Clone)]
pub struct Values {
    entries: Arc<BTreeMap<&'static str, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    setting: &'static Setting,
    /// `None` until a required setting is given.
    value: Option<Value>,
}

impl Values {
    /// Every setting of these tables with its default; required ones have no value yet.
    ///
    /// Panics if a key is declared twice or a default does not fit its own kind: both are mistakes in the tables.
    pub fn defaults(tables: &[&'static [Setting]]) -> Self {
        let mut entries = BTreeMap::new();
        for setting in tables.iter().copied().flatten() {
            let value = (!setting.is_required()).then(|| read_literal(setting, setting.default));
            let earlier = entries.insert(setting.key, Entry { setting, value });
            assert!(earlier.is_none(), "the setting {} is declared once", setting.key);
        }
        Self { entries: Arc::new(entries) }
    }

    /// A copy with one value changed, written as in TOML; for tests. Panics if the key or the value is wrong.
    pub fn with(&self, key: &str, literal: &str) -> Self {
        let setting = self.setting(key).unwrap_or_else(|| panic!("{key} is a registered setting"));
        self.overlaid([(setting, read_literal(setting, literal))])
    }

    /// A copy in which these values replace the present ones. Settings that are not registered are ignored.
    pub fn overlaid<'a>(&self, changes: impl IntoIterator<Item = (&'a Setting, Value)>) -> Self {
        let mut entries = (*self.entries).clone();
        for (setting, value) in changes {
            if let Some(entry) = entries.get_mut(setting.key) {
                entry.value = Some(value);
            }
        }
        Self { entries: Arc::new(entries) }
    }

    /// The registered setting of this name.
    pub fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.entries.get(key).map(|entry| entry.setting)
    }

    /// Every registered setting in the order of its name, with its value if it has one.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, Option<&Value>)> {
        self.entries.values().map(|entry| (entry.setting, entry.value.as_ref()))
    }

    /// The value of a setting, whatever its kind; `None` if it is required and was not given, or is not registered.
    pub fn get(&self, setting: &Setting) -> Option<&Value> {
        self.entries.get(setting.key)?.value.as_ref()
    }

    fn value(&self, setting: &Setting) -> &Value {
        self.get(setting).unwrap_or_else(|| panic!("the setting {} is registered and has a value", setting.key))
    }

    /// A [`super::Kind::Flag`].
    pub fn flag(&self, setting: &Setting) -> bool {
        match self.value(setting) {
            Value::Flag(flag) => *flag,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Count`].
    pub fn count(&self, setting: &Setting) -> u64 {
        match self.value(setting) {
            Value::Count(count) => *count,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Text`], [`super::Kind::Choice`] or [`super::Kind::Domain`].
    pub fn text(&self, setting: &Setting) -> &str {
        match self.value(setting) {
            Value::Text(text) => text,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::List`], [`super::Kind::Choices`] or [`super::Kind::Domains`].
    pub fn list(&self, setting: &Setting) -> &[String] {
        match self.value(setting) {
            Value::List(entries) => entries,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Bytes`].
    pub fn bytes(&self, setting: &Setting) -> u64 {
        match self.value(setting) {
            Value::Bytes(bytes) => *bytes,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Rate`] in bytes per second.
    pub fn rate(&self, setting: &Setting) -> u64 {
        match self.value(setting) {
            Value::Rate(bytes) => *bytes,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Frequency`].
    pub fn frequency(&self, setting: &Setting) -> Frequency {
        match self.value(setting) {
            Value::Frequency(frequency) => *frequency,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Duration`].
    pub fn duration(&self, setting: &Setting) -> Duration {
        match self.value(setting) {
            Value::Duration(span) => *span,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Addresses`]; empty for none.
    pub fn addresses(&self, setting: &Setting) -> &[SocketAddr] {
        match self.value(setting) {
            Value::Addresses(addresses) => addresses,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Networks`]; empty for none.
    pub fn networks(&self, setting: &Setting) -> &[Network] {
        match self.value(setting) {
            Value::Networks(networks) => networks,
            other => mismatch(setting, other),
        }
    }

    /// A [`super::Kind::Path`]; `None` if it is empty.
    pub fn path(&self, setting: &Setting) -> Option<&Path> {
        match self.value(setting) {
            Value::Path(path) => Some(&**path).filter(|path| !path.as_os_str().is_empty()),
            other => mismatch(setting, other),
        }
    }
}

fn mismatch(setting: &Setting, value: &Value) -> ! {
    panic!(
        "the setting {} of kind {:?} is read by the getter of its kind, not that of {value:?}",
        setting.key, setting.kind
    )
}

fn read_literal(setting: &Setting, literal: &str) -> Value {
    let source = DeValue::parse(literal).unwrap_or_else(|error| panic!("{} is valid TOML: {error}", setting.key));
    Value::read(setting, &source).unwrap_or_else(|wrong| panic!("{} fits its kind: {}", setting.key, wrong.message))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    const DOMAIN: Setting = Setting::new("domain", Kind::Domain, "", "The domain.");
    const SESSIONS: Setting = Setting::new("limits.sessions", Kind::Count { min: 1, max: 100 }, "10", "Sessions.");
    const KEY: Setting = Setting::new("tls.key", Kind::Path, "\"\"", "The key.");
    const SETTINGS: &[Setting] = &[DOMAIN, SESSIONS, KEY];

    #[test]
    fn defaults_hold_until_something_else_is_given() {
        let values = Values::defaults(&[SETTINGS]);
        assert_eq!(values.count(&SESSIONS), 10);
        let changed = values.with("limits.sessions", "20");
        assert_eq!((values.count(&SESSIONS), changed.count(&SESSIONS)), (10, 20));
    }

    #[test]
    fn a_required_setting_has_no_value_until_it_is_given() {
        let values = Values::defaults(&[SETTINGS]);
        assert_eq!(values.get(&DOMAIN), None);
        assert_eq!(values.with("domain", "\"example.org\"").text(&DOMAIN), "example.org");
    }

    #[test]
    fn an_empty_path_is_none() {
        let values = Values::defaults(&[SETTINGS]);
        assert_eq!(values.path(&KEY), None);
        assert_eq!(values.with("tls.key", "\"/k\"").path(&KEY), Some(Path::new("/k")));
    }

    #[test]
    #[should_panic(expected = "the setting domain is registered and has a value")]
    fn reading_what_was_not_given_is_a_mistake_of_the_program() {
        Values::defaults(&[SETTINGS]).text(&DOMAIN);
    }

    #[test]
    #[should_panic(expected = "the setting tls.key is declared once")]
    fn a_key_declared_twice_is_a_mistake_of_the_tables() {
        Values::defaults(&[SETTINGS, &[KEY]]);
    }
}
