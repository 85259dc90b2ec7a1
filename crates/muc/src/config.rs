//! The configuration of a room (sections 10.1.3 and 15.5.3): values of fields. Which fields there are is said by a [`Table`], which
//! other crates may extend; a room keeps only what differs from a field's default, in the field's own words.

mod field;
mod fields;
mod table;

use std::collections::BTreeMap;

pub use field::{Field, Refusal, Shape, Shown};
pub use fields::*;
pub use table::{Table, Unacceptable};

/// What an owner has chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<Box<str>, Vec<Box<str>>>,
}

impl Config {
    /// Whether a field with yes or no says yes.
    pub fn is_on(&self, field: &Field) -> bool {
        matches!(self.text(field), "1" | "true")
    }

    /// The value of a field, or the first of several; empty if there is none.
    pub fn text(&self, field: &Field) -> &str {
        match self.values.get(field.var) {
            Some(values) => values.first().map_or("", |value| value),
            None => field.default.first().copied().unwrap_or(""),
        }
    }

    /// The value of a field with a number; 0 if it has none, or is without bounds.
    pub fn number(&self, field: &Field) -> u64 {
        self.text(field).parse().unwrap_or(0)
    }

    /// All values of a field.
    pub fn list(&self, field: &Field) -> Vec<&str> {
        match self.values.get(field.var) {
            Some(values) => values.iter().map(|value| &**value).collect(),
            None => field.default.to_vec(),
        }
    }

    /// Sets the values of a field, unchecked.
    pub(crate) fn set(&mut self, field: &Field, values: Vec<Box<str>>) {
        let is_default =
            values.len() == field.default.len() && values.iter().zip(field.default).all(|(a, b)| **a == **b);
        if is_default {
            self.values.remove(field.var);
        } else {
            self.values.insert(field.var.into(), values);
        }
    }

    /// The same with another value of a field: for those who make defaults of options. Unchecked.
    #[must_use]
    pub fn with(mut self, field: &Field, value: &str) -> Config {
        self.set(field, vec![value.into()]);
        self
    }

    /// As it is stored: names and values, each behind its length.
    pub fn encode(&self) -> Box<[u8]> {
        let mut out = Vec::new();
        for (var, values) in &self.values {
            write(&mut out, var);
            out.extend_from_slice(&(values.len() as u32).to_be_bytes());
            values.iter().for_each(|value| write(&mut out, value));
        }
        out.into()
    }

    /// Reads what was stored; what cannot be read ends it.
    pub fn decode(mut bytes: &[u8]) -> Config {
        let mut config = Config::default();
        while let Some((var, values)) = entry(&mut bytes) {
            config.values.insert(var, values);
        }
        config
    }
}

fn write(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn entry(bytes: &mut &[u8]) -> Option<(Box<str>, Vec<Box<str>>)> {
    let var = text(bytes)?;
    let count = length(bytes)?;
    let values = (0..count).map(|_| text(bytes)).collect::<Option<_>>()?;
    Some((var, values))
}

fn text(bytes: &mut &[u8]) -> Option<Box<str>> {
    let len = length(bytes)?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    std::str::from_utf8(text).ok().map(Box::from)
}

fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*len) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_as_it_was_stored_and_keeps_only_what_differs() {
        let mut config = Config::default().with(&NAME, "Coven").with(&MODERATED, "1");
        config.set(&PRESENCE_BROADCAST, vec!["moderator".into(), "visitor".into()]);
        assert_eq!(Config::decode(&config.encode()), config);
        assert!(config.clone().with(&MODERATED, "0").encode().len() < config.encode().len());
        assert_eq!(Config::decode(b"nonsense"), Config::default());
        assert!(Config::default().encode().is_empty());
    }
}
