//! A configuration as TOML, or as JSON, with the origin of each value on request.
//! What is shown can be read again, and gives the same values, but for secrets.

use metronome_host::options::{Scope, Setting, Shown, Value, Values};
use serde_json::json;

use super::Configuration;
use super::source::Origin;

/// Which values to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Those that were given.
    Given,
    /// All of them.
    Effective,
}

/// Whether to show where each value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// Not.
    Hidden,
    /// In a comment behind it.
    Shown,
}

impl Configuration {
    /// The configuration as TOML, with a line break at the end.
    pub fn show(&self, detail: Detail, origins: Origins) -> String {
        let mut lines = self.lines("", &self.values, detail, origins);
        for (host, values) in &self.hosts {
            lines.extend(self.lines(host, values, Detail::Given, origins));
        }
        lines.into_iter().map(|line| line + "\n").collect::<String>().trim_start().to_owned()
    }

    /// The same for programs: a list of keys with host, value and origin.
    pub fn show_json(&self, detail: Detail) -> serde_json::Value {
        let mut rows = self.rows("", &self.values, detail);
        for (host, values) in &self.hosts {
            rows.extend(self.rows(host, values, Detail::Given));
        }
        let object = |row: Row<'_>| {
            json!({
                "host": row.host, "key": row.setting.key, "value": row.text(), "origin": row.origin.to_string()
            })
        };
        rows.into_iter().map(object).collect()
    }

    fn rows<'a>(&'a self, host: &'a str, values: &'a Values, detail: Detail) -> Vec<Row<'a>> {
        let settings = self.tables.iter().copied().flatten();
        let settings = settings.filter(|setting| host.is_empty() || setting.scope == Scope::Host);
        let rows = settings.filter_map(|setting| {
            let origin = self.origins.get(&(host.to_owned(), setting.key)).cloned().unwrap_or(Origin::Default);
            Some(Row { host, setting, value: values.get(setting)?, origin })
        });
        rows.filter(|row| detail == Detail::Effective || row.origin != Origin::Default).collect()
    }

    fn lines(&self, host: &str, values: &Values, detail: Detail, origins: Origins) -> Vec<String> {
        let mut rows = self.rows(host, values, detail);
        // Sections in the order of their first key, and each of them once: what TOML asks for.
        let order: Vec<&str> = rows.iter().map(|row| section(row.setting)).collect();
        rows.sort_by_key(|row| {
            let name = section(row.setting);
            (!name.is_empty(), order.iter().position(|other| *other == name))
        });
        let mut lines = Vec::new();
        let mut shown: Option<&str> = host.is_empty().then_some("");
        for row in &rows {
            let name = section(row.setting);
            if shown != Some(name) {
                lines.extend([String::new(), heading(host, name)]);
                shown = Some(name);
            }
            let key = row.setting.key.rsplit('.').next().unwrap_or(row.setting.key);
            let comment = if origins == Origins::Shown { format!("  # {}", row.origin) } else { String::new() };
            lines.push(format!("{key} = {}{comment}", row.text()));
        }
        lines
    }
}

/// One value to show.
struct Row<'a> {
    host: &'a str,
    setting: &'static Setting,
    value: &'a Value,
    origin: Origin,
}

impl Row<'_> {
    fn text(&self) -> String {
        let is_empty = matches!(self.value, Value::Text(text) if text.is_empty());
        match self.setting.shown {
            Shown::No if !is_empty => "\"***\"".to_owned(),
            Shown::Yes | Shown::No => self.value.to_toml(),
        }
    }
}

pub(super) fn section(setting: &Setting) -> &'static str {
    setting.key.rsplit_once('.').map_or("", |(section, _)| section)
}

fn heading(host: &str, section: &str) -> String {
    match (host.is_empty(), section.is_empty()) {
        (true, _) => format!("[{section}]"),
        (false, true) => format!("[host.\"{host}\"]"),
        (false, false) => format!("[host.\"{host}\".{section}]"),
    }
}
