//! One file: every key of its tables is looked up among the settings and its value read.
//! Called by `layers` for each file; goes on after a mistake, so that one run names them all.

use std::sync::Arc;

use metronome_host::options::{Scope, Setting, Value};
use metronome_proto::jid::prepare_domain;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Tables;
use super::problem::{Code, Place, Problem};
use super::source::Source;
use super::suggest::nearest;
use super::syntax::syntax_problem;

/// The section whose entries are domains with overrides.
const HOST: &str = "host";

/// One value that was given.
pub(super) struct Given {
    /// The domain it is for; empty for the whole server.
    pub(super) host: String,
    pub(super) setting: &'static Setting,
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What a source gave: values, the domains of its `[host]` sections, and mistakes.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) given: Vec<Given>,
    pub(super) hosts: Vec<(String, Place)>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a TOML text.
pub(super) fn read(tables: Tables, source: &Arc<Source>) -> Reading {
    let mut reader = Reader { tables, source, host: String::new(), reading: Reading::default() };
    match DeTable::parse(source.text()) {
        Ok(root) => reader.section("", root.get_ref()),
        Err(error) => {
            reader.reading.problems.push(syntax_problem(source, &error));
        }
    }
    reader.reading.problems.sort_by_key(|problem| problem.place.as_ref().map_or(0, |place| place.span.start));
    reader.reading
}

struct Reader<'s> {
    tables: Tables,
    source: &'s Arc<Source>,
    /// The domain whose overrides are being read; empty outside of `[host]`.
    host: String,
    reading: Reading,
}

impl Reader<'_> {
    /// Reads a table; `section` is its dotted name without the host, empty for the whole file.
    fn section(&mut self, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let full = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            if section.is_empty() && self.host.is_empty() && name == HOST {
                self.hosts(value);
            } else if let Some(setting) = self.settings().find(|setting| setting.key == full) {
                self.value(setting, key, value);
            } else if self.settings().any(|setting| is_within(setting.key, &full)) {
                self.subsection(&full, value);
            } else {
                self.unknown(section, key, value);
            }
        }
    }

    fn subsection(&mut self, full: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.section(full, table),
            _ => self.problem(
                value.span(),
                Code::WrongValue,
                format!("`{full}` is a section and not a value"),
                format!("write {} on a line of its own, and its keys below", self.bracketed(full)),
            ),
        }
    }

    fn hosts(&mut self, hosts: &Spanned<DeValue<'_>>) {
        let hint =
            || "write [host.\"example.net\"] on a line of its own, and what differs for that domain below".to_owned();
        let DeValue::Table(hosts) = hosts.get_ref() else {
            return self.problem(
                hosts.span(),
                Code::WrongValue,
                "`host` is a section and not a value".to_owned(),
                hint(),
            );
        };
        for (name, overrides) in hosts {
            let DeValue::Table(table) = overrides.get_ref() else {
                let message = format!("`host.{}` is a section and not a value", name.get_ref());
                self.problem(overrides.span(), Code::WrongValue, message, hint());
                continue;
            };
            match prepare_domain(name.get_ref()) {
                Ok(domain) => {
                    self.host = domain.into_owned();
                    self.reading.hosts.push((self.host.clone(), self.place(name.span())));
                    self.section("", table);
                    self.host.clear();
                }
                Err(why) => {
                    let message = format!("`{}` is not a domain name: {why}", name.get_ref());
                    self.problem(name.span(), Code::WrongValue, message, hint());
                }
            }
        }
    }

    fn value(
        &mut self,
        setting: &'static Setting,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        if !self.host.is_empty() && setting.scope == Scope::Server {
            let message = format!("`{}` can be set for the whole server only", setting.key);
            let hint = match setting.key.rsplit_once('.') {
                Some((section, _)) => format!("write it in [{section}]"),
                None => "write it above every [section]".to_owned(),
            };
            return self.problem(key.span(), Code::WrongPlace, message, hint);
        }
        match Value::read(setting, value) {
            Ok(read) => {
                let place = self.place(value.span());
                self.reading.given.push(Given { host: self.host.clone(), setting, value: read, place });
            }
            Err(wrong) => {
                self.problem(wrong.span, Code::WrongValue, format!("`{}`: {}", setting.key, wrong.message), wrong.hint)
            }
        }
    }

    fn unknown(&mut self, section: &str, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let name: &str = key.get_ref();
        let is_section = matches!(value.get_ref(), DeValue::Table(_));
        let (what, place) = if is_section { ("section", String::new()) } else { ("key", self.in_section(section)) };
        let shown = if is_section { self.bracketed(&join(section, name)) } else { format!("`{name}`") };
        let hint = self.meant(section, name);
        self.problem(key.span(), Code::UnknownKey, format!("unknown {what} {shown}{place}"), hint);
    }

    /// The known name that was probably meant: a neighbour, or the same name elsewhere.
    fn meant(&self, section: &str, name: &str) -> String {
        let neighbours = self.settings().filter_map(|setting| below(setting.key, section));
        if let Some(neighbour) = nearest(name, neighbours.map(|rest| rest.split('.').next().unwrap_or(rest))) {
            let full = join(section, neighbour);
            let is_key = self.settings().any(|setting| setting.key == full);
            let shown = if is_key { format!("`{neighbour}`") } else { self.bracketed(&full) };
            return format!("did you mean {shown}?");
        }
        let elsewhere = self.settings().find(|setting| setting.key.rsplit('.').next() == Some(name));
        match elsewhere.map(|setting| setting.key.rsplit_once('.')) {
            Some(Some((home, key))) => format!("did you mean `{key}` in {}?", self.bracketed(home)),
            Some(None) => format!("`{name}` belongs above the first [section]"),
            None => "`metronomectl config show --effective` lists every key".to_owned(),
        }
    }

    /// The settings that may stand here.
    fn settings(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        self.tables.iter().copied().flatten()
    }

    /// A section as its heading is written, with the host.
    fn bracketed(&self, section: &str) -> String {
        if self.host.is_empty() { format!("[{section}]") } else { format!("[host.\"{}\".{section}]", self.host) }
    }

    fn in_section(&self, section: &str) -> String {
        match (section.is_empty(), self.host.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!(" in [host.\"{}\"]", self.host),
            (false, _) => format!(" in {}", self.bracketed(section)),
        }
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { source: self.source.clone(), span }
    }

    fn problem(&mut self, span: std::ops::Range<usize>, code: Code, message: String, hint: String) {
        self.reading.problems.push(Problem::at(self.source, span, code, message, hint));
    }
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The part of `key` below `section`; the whole key for the empty section.
fn below<'k>(key: &'k str, section: &str) -> Option<&'k str> {
    if section.is_empty() { Some(key) } else { key.strip_prefix(section)?.strip_prefix('.') }
}

/// Whether `section` is one of the sections that `key` is in.
fn is_within(key: &str, section: &str) -> bool {
    below(key, section).is_some()
}
