//! One value of a setting, read from TOML or from plain words (environment, command line) and written back as TOML.
//! Called by the configuration loader and by `Values`; what cannot be read says why, what to write instead, and where.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metronome_proto::jid::prepare_domain;
use toml::Spanned;
use toml::de::DeValue;

use crate::network::{Network, NetworkError};

use super::units::{self, Frequency, UnitError, write_bytes, write_duration};
use super::{Kind, Setting};

/// A value that fits its setting's [`Kind`]. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// [`Kind::Flag`].
    Flag(bool),
    /// [`Kind::Count`].
    Count(u64),
    /// [`Kind::Text`], [`Kind::Choice`], [`Kind::Domain`].
    Text(Arc<str>),
    /// [`Kind::List`], [`Kind::Choices`], [`Kind::Domains`].
    List(Arc<[String]>),
    /// [`Kind::Bytes`].
    Bytes(u64),
    /// [`Kind::Rate`], in bytes per second.
    Rate(u64),
    /// [`Kind::Frequency`].
    Frequency(Frequency),
    /// [`Kind::Duration`].
    Duration(Duration),
    /// [`Kind::Addresses`].
    Addresses(Arc<[SocketAddr]>),
    /// [`Kind::Networks`].
    Networks(Arc<[Network]>),
    /// [`Kind::Path`]; empty for none.
    Path(Arc<Path>),
}

/// Why a value does not fit its setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, in one clause that names what was found.
    pub message: String,
    /// What to write instead.
    pub hint: String,
    /// The bytes of the source that are wrong; the whole value, or one entry of a list.
    pub span: Range<usize>,
}

impl Value {
    /// Reads the value of a setting from TOML.
    pub fn read(setting: &Setting, source: &Spanned<DeValue<'_>>) -> Result<Self, Wrong> {
        let wrong = |message: String, hint: String| Wrong { message, hint, span: source.span() };
        let mistyped =
            || wrong(format!("expected {}, found {}", expected(setting.kind), found(source)), setting.example());
        match (setting.kind, source.get_ref()) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Self::Flag(*flag)),
            (Kind::Count { min, max }, DeValue::Integer(number)) => {
                read_count(number.as_str(), number.radix(), min, max).map_err(|(message, hint)| wrong(message, hint))
            }
            (kind, DeValue::Array(entries)) if is_list(kind) => {
                let entries: Result<Vec<_>, Wrong> = entries.iter().map(|entry| read_entry(setting, entry)).collect();
                read_list(setting, &entries?)
            }
            (Kind::Flag | Kind::Count { .. }, _) => Err(mistyped()),
            (kind, _) if is_list(kind) => Err(mistyped()),
            (_, DeValue::String(text)) => read_string(setting, text).map_err(|(message, hint)| wrong(message, hint)),
            _ => Err(mistyped()),
        }
    }

    /// Reads a value written without TOML's quotes, as in the environment and on the command line.
    ///
    /// Lists are separated by commas, or written as in TOML with brackets. Spans count from the start of `words`.
    pub fn read_plain(setting: &Setting, words: &str) -> Result<Self, Wrong> {
        let whole = 0..words.len();
        let wrong = |(message, hint)| Wrong { message, hint, span: whole.clone() };
        match setting.kind {
            Kind::Flag => match words {
                "true" | "yes" | "1" => Ok(Self::Flag(true)),
                "false" | "no" | "0" => Ok(Self::Flag(false)),
                _ => Err(wrong((format!("expected `true` or `false`, found `{words}`"), setting.example()))),
            },
            Kind::Count { min, max } => read_count(words, 10, min, max).map_err(wrong),
            kind if is_list(kind) && words.trim_start().starts_with('[') => {
                let source =
                    DeValue::parse(words).map_err(|error| wrong((error.message().to_owned(), setting.example())))?;
                Self::read(setting, &source)
            }
            kind if is_list(kind) => {
                let entries = words.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                let entries: Vec<_> = entries.map(|entry| (entry.to_owned(), whole.clone())).collect();
                read_list(setting, &entries)
            }
            _ => read_string(setting, words).map_err(wrong),
        }
    }

    /// The value as it would be written in TOML.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Text(text) => quote(text),
            Self::List(entries) => list(entries.iter().map(|entry| quote(entry))),
            Self::Bytes(bytes) => quote(&write_bytes(*bytes)),
            Self::Rate(bytes) => quote(&format!("{}/s", write_bytes(*bytes))),
            Self::Frequency(frequency) => quote(&frequency.to_string()),
            Self::Duration(span) => quote(&write_duration(*span)),
            Self::Addresses(addresses) => list(addresses.iter().map(|address| quote(&address.to_string()))),
            Self::Networks(networks) => list(networks.iter().map(|network| quote(&network.to_string()))),
            Self::Path(path) => quote(&path.to_string_lossy()),
        }
    }
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

/// Whether a value of this kind is a list.
fn is_list(kind: Kind) -> bool {
    matches!(kind, Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses | Kind::Networks)
}

/// A kind's name in "expected ..., found ...".
fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "`true` or `false`",
        Kind::Count { .. } => "a whole number",
        Kind::Text | Kind::Choice(_) | Kind::Domain | Kind::Path => "a string",
        Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses | Kind::Networks => "a list of strings",
        Kind::Bytes => "a size in quotes",
        Kind::Rate => "a flow in quotes",
        Kind::Frequency => "a frequency in quotes",
        Kind::Duration => "a time in quotes",
    }
}

impl Setting {
    /// A hint that shows the right form: "write it like stanza = "256 KiB"".
    pub fn example(&self) -> String {
        let name = self.key.rsplit('.').next().unwrap_or(self.key);
        match self.kind {
            // Whoever has found another word for one of the two means that one, whatever the default is.
            Kind::Flag => format!("write {name} = true or {name} = false"),
            _ => format!("write it like {name} = {}", self.form()),
        }
    }

    /// A value that could be written: the default where that tells anything.
    pub fn form(&self) -> &'static str {
        if !matches!(self.default, "" | "[]" | "\"\"") {
            return self.default;
        }
        match self.kind {
            Kind::Flag => "true",
            Kind::Count { .. } => "10",
            Kind::Text | Kind::Choice(_) => "\"text\"",
            Kind::Choices(_) | Kind::List => "[\"one\", \"two\"]",
            Kind::Domain => "\"example.org\"",
            Kind::Domains => "[\"example.org\"]",
            Kind::Bytes => "\"256 KiB\"",
            Kind::Rate => "\"64 KiB/s\"",
            Kind::Frequency => "\"10/min\"",
            Kind::Duration => "\"30 s\"",
            Kind::Addresses => "[\"127.0.0.1:5222\", \"[::1]:5222\"]",
            Kind::Networks => "[\"192.0.2.0/24\", \"2001:db8::/32\"]",
            Kind::Path => "\"/path/to/file\"",
        }
    }
}

/// What was written, in "expected ..., found ...".
fn found(source: &Spanned<DeValue<'_>>) -> &'static str {
    match source.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A message and a hint, before it is known where they belong.
type Unplaced = (String, String);

fn read_count(digits: &str, radix: u32, min: u64, max: u64) -> Result<Value, Unplaced> {
    let range = || format!("write a whole number from {min} to {max}");
    let digits = digits.replace('_', "");
    match i128::from_str_radix(&digits, radix) {
        Ok(number) => match u64::try_from(number) {
            Ok(count) if (min..=max).contains(&count) => Ok(Value::Count(count)),
            _ => Err((format!("{number} is out of range"), range())),
        },
        Err(_) => Err((format!("`{digits}` is not a whole number"), range())),
    }
}

fn read_string(setting: &Setting, text: &str) -> Result<Value, Unplaced> {
    let unit =
        |wrong: UnitError| (format!("`{text}` is not {}: {}", measured(setting.kind), wrong.problem), wrong.hint);
    match setting.kind {
        Kind::Choice(choices) => read_choice(text, choices).map(|()| Value::Text(text.into())),
        Kind::Domain => read_domain(text).map(|domain| Value::Text(domain.into())),
        Kind::Bytes => {
            let bytes = units::read_bytes(text).map_err(unit)?;
            refuse_out_of_range(setting, bytes, text, write_bytes)?;
            Ok(Value::Bytes(bytes))
        }
        Kind::Rate => {
            let bytes = units::read_rate(text).map_err(unit)?;
            refuse_out_of_range(setting, bytes, text, |bytes| format!("{}/s", write_bytes(bytes)))?;
            Ok(Value::Rate(bytes))
        }
        Kind::Frequency => units::read_frequency(text).map(Value::Frequency).map_err(unit),
        Kind::Duration => {
            let span = units::read_duration(text).map_err(unit)?;
            let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            refuse_out_of_range(setting, span_ms, text, |ms| write_duration(Duration::from_millis(ms)))?;
            Ok(Value::Duration(span))
        }
        Kind::Path => Ok(Value::Path(PathBuf::from(text).into())),
        _ => Ok(Value::Text(text.into())),
    }
}

fn measured(kind: Kind) -> &'static str {
    match kind {
        Kind::Bytes => "a size",
        Kind::Rate => "a flow",
        Kind::Frequency => "a frequency",
        _ => "a time",
    }
}

fn refuse_out_of_range(setting: &Setting, amount: u64, text: &str, write: fn(u64) -> String) -> Result<(), Unplaced> {
    match setting.range {
        Some((min, max)) if !(min..=max).contains(&amount) => {
            Err((format!("`{text}` is out of range"), format!("write a value from {} to {}", write(min), write(max))))
        }
        _ => Ok(()),
    }
}

fn read_choice(text: &str, choices: &[&str]) -> Result<(), Unplaced> {
    if choices.contains(&text) {
        return Ok(());
    }
    let likely = likely_choice(text, choices);
    let all = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
    let hint = likely.map_or_else(|| format!("write one of {all}"), |choice| format!("did you mean `{choice}`?"));
    Err((format!("`{text}` is not one of the choices"), hint))
}

/// The choice that differs only in case, or that one is the beginning of the other; enough for short words.
fn likely_choice<'a>(text: &str, choices: &[&'a str]) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    let alike = |choice: &&&str| {
        let choice = choice.to_ascii_lowercase();
        !text.is_empty() && (choice.starts_with(&text) || text.starts_with(&choice))
    };
    choices.iter().find(|choice| choice.eq_ignore_ascii_case(&text)).or_else(|| choices.iter().find(alike)).copied()
}

/// The domain as it is compared: prepared as the domain part of a JID (RFC 7622 section 3.2).
fn read_domain(text: &str) -> Result<String, Unplaced> {
    match prepare_domain(text) {
        Ok(domain) => Ok(domain.into_owned()),
        Err(why) => Err((format!("`{text}` is not a domain name: {why}"), "write one like \"example.org\"".to_owned())),
    }
}

fn read_entry(setting: &Setting, entry: &Spanned<DeValue<'_>>) -> Result<(String, Range<usize>), Wrong> {
    match entry.get_ref() {
        DeValue::String(text) => Ok((text.to_string(), entry.span())),
        _ => Err(Wrong {
            message: format!("expected a string in the list, found {}", found(entry)),
            hint: setting.example(),
            span: entry.span(),
        }),
    }
}

fn read_list(setting: &Setting, entries: &[(String, Range<usize>)]) -> Result<Value, Wrong> {
    let mut read = Vec::with_capacity(entries.len());
    for (entry, span) in entries {
        let wrong = |(message, hint)| Wrong { message, hint, span: span.clone() };
        let entry = match setting.kind {
            Kind::Choices(choices) => read_choice(entry, choices).map(|()| entry.clone()).map_err(wrong)?,
            Kind::Domains => read_domain(entry).map_err(wrong)?,
            _ => entry.clone(),
        };
        if read.contains(&entry) {
            return Err(wrong((format!("`{entry}` is in the list twice"), "remove one of them".to_owned())));
        }
        read.push(entry);
    }
    match setting.kind {
        Kind::Addresses => {
            let addresses: Result<_, _> = entries.iter().map(|(entry, span)| read_address(entry, span)).collect();
            addresses.map(Value::Addresses)
        }
        Kind::Networks => {
            let networks: Result<_, _> = entries.iter().map(|(entry, span)| read_network(entry, span)).collect();
            networks.map(Value::Networks)
        }
        _ => Ok(Value::List(read.into())),
    }
}

fn read_network(entry: &str, span: &Range<usize>) -> Result<Network, Wrong> {
    entry.parse().map_err(|why: NetworkError| Wrong {
        message: format!("`{entry}` is not a network: {why}"),
        hint: "write it like \"192.0.2.0/24\" or \"2001:db8::/32\", or a single address".to_owned(),
        span: span.clone(),
    })
}

fn read_address(entry: &str, span: &Range<usize>) -> Result<SocketAddr, Wrong> {
    entry.parse().map_err(|_| Wrong {
        message: format!("`{entry}` is not an address with a port"),
        hint: "write it like \"127.0.0.1:5222\", or \"[::]:5222\" for every address".to_owned(),
        span: span.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(kind: Kind) -> Setting {
        Setting::new("part.key", kind, "", "A test.")
    }

    fn read(kind: Kind, literal: &str) -> Result<Value, Wrong> {
        Value::read(&setting(kind), &DeValue::parse(literal).unwrap())
    }

    /// Reads a wrong value and returns its message, its hint and what the span covers.
    fn wrong(setting: &Setting, literal: &str) -> (String, String, String) {
        let wrong = Value::read(setting, &DeValue::parse(literal).unwrap()).unwrap_err();
        (wrong.message, wrong.hint, literal[wrong.span].to_owned())
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        for (kind, literal) in [
            (Kind::Flag, "true"),
            (Kind::Count { min: 0, max: 9 }, "7"),
            (Kind::Text, r#""a \"quoted\" word""#),
            (Kind::Choice(&["one", "two"]), r#""two""#),
            (Kind::Choices(&["one", "two"]), r#"["two", "one"]"#),
            (Kind::List, r#"["a", "b"]"#),
            (Kind::Domain, r#""example.org""#),
            (Kind::Domains, r#"["example.org", "example.net"]"#),
            (Kind::Bytes, r#""256 KiB""#),
            (Kind::Rate, r#""64 KiB/s""#),
            (Kind::Frequency, r#""10/min""#),
            (Kind::Duration, r#""30 s""#),
            (Kind::Addresses, r#"["127.0.0.1:5222", "[::1]:5222"]"#),
            (Kind::Networks, r#"["192.0.2.0/24", "2001:db8::/32", "::1"]"#),
            (Kind::Path, r#""/var/lib/metronome""#),
        ] {
            let written = read(kind, literal).unwrap().to_toml();
            let again = read(kind, &written).unwrap();
            assert_eq!(read(kind, literal).unwrap(), again, "{literal} was written as {written}");
        }
    }

    #[test]
    fn a_wrong_type_names_what_was_found_and_shows_the_right_form() {
        let bytes = Setting::new("limits.c2s.stanza", Kind::Bytes, "\"256 KiB\"", "");
        let expected = ("expected a size in quotes, found a number", "write it like stanza = \"256 KiB\"", "262144");
        let (message, hint, span) = wrong(&bytes, "262144");
        assert_eq!((message.as_str(), hint.as_str(), span.as_str()), expected);
    }

    #[test]
    fn an_entry_of_a_list_is_marked_alone() {
        let (message, _, span) = wrong(&setting(Kind::Addresses), r#"["127.0.0.1:5222", "5222"]"#);
        assert_eq!((message.as_str(), span.as_str()), ("`5222` is not an address with a port", r#""5222""#));
        let (message, _, span) = wrong(&setting(Kind::Networks), r#"["192.0.2.0/24", "192.0.2.1/24"]"#);
        let expected = "`192.0.2.1/24` is not a network: the network with this address is 192.0.2.0/24";
        assert_eq!((message.as_str(), span.as_str()), (expected, r#""192.0.2.1/24""#));
        let (message, _, span) = wrong(&setting(Kind::List), r#"["a", 7]"#);
        assert_eq!((message.as_str(), span.as_str()), ("expected a string in the list, found a number", "7"));
        let (message, _, span) = wrong(&setting(Kind::Choices(&["a", "b"])), r#"["a", "c"]"#);
        assert_eq!((message.as_str(), span.as_str()), ("`c` is not one of the choices", r#""c""#));
    }

    #[test]
    fn a_domain_twice_is_refused_whatever_its_case() {
        let (message, _, span) = wrong(&setting(Kind::Domains), r#"["example.org", "Example.ORG"]"#);
        assert_eq!((message.as_str(), span.as_str()), ("`example.org` is in the list twice", r#""Example.ORG""#));
    }

    #[test]
    fn values_out_of_range_name_the_range() {
        let stanza = setting(Kind::Bytes).within(10_240, 1 << 20);
        assert_eq!(wrong(&stanza, r#""1 KiB""#).1, "write a value from 10 KiB to 1 MiB");
        let idle = setting(Kind::Duration).within(1000, 60_000);
        assert_eq!(wrong(&idle, r#""2 min""#).1, "write a value from 1 s to 1 min");
        let count = setting(Kind::Count { min: 1, max: 10 });
        assert_eq!(
            wrong(&count, "11"),
            ("11 is out of range".into(), "write a whole number from 1 to 10".into(), "11".into())
        );
        assert_eq!(wrong(&count, "-1").0, "-1 is out of range");
    }

    #[test]
    fn plain_words_need_no_quotes() {
        for (kind, words, literal) in [
            (Kind::Flag, "yes", "true"),
            (Kind::Count { min: 0, max: 9 }, "7", "7"),
            (Kind::Text, "some words", r#""some words""#),
            (Kind::List, "a, b", r#"["a", "b"]"#),
            (Kind::List, "", "[]"),
            (Kind::Addresses, "127.0.0.1:1", r#"["127.0.0.1:1"]"#),
            (Kind::Addresses, r#"["127.0.0.1:1"]"#, r#"["127.0.0.1:1"]"#),
            (Kind::Bytes, "8 KiB", r#""8 KiB""#),
        ] {
            assert_eq!(Value::read_plain(&setting(kind), words).unwrap(), read(kind, literal).unwrap(), "{words}");
        }
        assert_eq!(
            Value::read_plain(&setting(Kind::Flag), "on").unwrap_err().message,
            "expected `true` or `false`, found `on`"
        );
    }
}
