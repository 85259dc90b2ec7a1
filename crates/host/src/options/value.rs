//! One value of a setting, read from TOML or from plain words (environment, command line) and written back as TOML.
//! Called by the configuration loader and by `Values`; what cannot be read says why, what to write instead, and where.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

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
            || wrong(format!("expected {}, found {}", expected(setting.kind), found(source)), example(setting));
        match (setting.kind, source.get_ref()) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Self::Flag(*flag)),
            (Kind::Count { min, max }, DeValue::Integer(number)) => {
                read_count(number.as_str(), number.radix(), min, max).map_err(|(message, hint)| wrong(message, hint))
            }
            (Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses, DeValue::Array(entries)) => {
                let entries: Result<Vec<_>, Wrong> = entries.iter().map(|entry| read_entry(setting, entry)).collect();
                read_list(setting, &entries?)
            }
            (Kind::Flag | Kind::Count { .. }, _) => Err(mistyped()),
            (Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses, _) => Err(mistyped()),
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
                _ => Err(wrong((format!("expected `true` or `false`, found `{words}`"), example(setting)))),
            },
            Kind::Count { min, max } => read_count(words, 10, min, max).map_err(wrong),
            Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses if words.trim_start().starts_with('[') => {
                let source =
                    DeValue::parse(words).map_err(|error| wrong((error.message().to_owned(), example(setting))))?;
                Self::read(setting, &source)
            }
            Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses => {
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

/// A kind's name in "expected ..., found ...".
fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "`true` or `false`",
        Kind::Count { .. } => "a whole number",
        Kind::Text | Kind::Choice(_) | Kind::Domain | Kind::Path => "a string",
        Kind::Choices(_) | Kind::List | Kind::Domains | Kind::Addresses => "a list of strings",
        Kind::Bytes => "a size in quotes",
        Kind::Rate => "a flow in quotes",
        Kind::Frequency => "a frequency in quotes",
        Kind::Duration => "a time in quotes",
    }
}

/// A hint that shows the right form, with the default where there is one.
fn example(setting: &Setting) -> String {
    let form = match setting.kind {
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
        Kind::Path => "\"/path/to/file\"",
    };
    let shown = if matches!(setting.default, "" | "[]" | "\"\"") { form } else { setting.default };
    format!("write it like {} = {shown}", setting.key.rsplit('.').next().unwrap_or(setting.key))
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
        Kind::Domain => read_domain(text).map(|()| Value::Text(text.into())),
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

/// The plain mistakes only: whether a name is a valid domain of a JID is decided where the host is made.
fn read_domain(text: &str) -> Result<(), Unplaced> {
    let hint = || "write a domain name like \"example.org\"".to_owned();
    if text.is_empty() {
        return Err(("the domain is empty".to_owned(), hint()));
    }
    match text.chars().find(|c| c.is_whitespace() || matches!(c, '@' | '/' | ':' | '*' | '"' | '<' | '>' | '&' | '\''))
    {
        Some(c) => Err((format!("`{text}` is not a domain name: it contains `{c}`"), hint())),
        None => Ok(()),
    }
}

fn read_entry(setting: &Setting, entry: &Spanned<DeValue<'_>>) -> Result<(String, Range<usize>), Wrong> {
    match entry.get_ref() {
        DeValue::String(text) => Ok((text.to_string(), entry.span())),
        _ => Err(Wrong {
            message: format!("expected a string in the list, found {}", found(entry)),
            hint: example(setting),
            span: entry.span(),
        }),
    }
}

fn read_list(setting: &Setting, entries: &[(String, Range<usize>)]) -> Result<Value, Wrong> {
    for (index, (entry, span)) in entries.iter().enumerate() {
        let wrong = |(message, hint)| Wrong { message, hint, span: span.clone() };
        match setting.kind {
            Kind::Choices(choices) => read_choice(entry, choices).map_err(wrong)?,
            Kind::Domains => read_domain(entry).map_err(wrong)?,
            _ => {}
        }
        if entries[..index].iter().any(|(earlier, _)| earlier == entry) {
            return Err(wrong((format!("`{entry}` is in the list twice"), "remove one of them".to_owned())));
        }
    }
    if setting.kind != Kind::Addresses {
        return Ok(Value::List(entries.iter().map(|(entry, _)| entry.clone()).collect()));
    }
    let addresses: Result<Vec<_>, Wrong> = entries.iter().map(|(entry, span)| read_address(entry, span)).collect();
    Ok(Value::Addresses(addresses?.into()))
}

fn read_address(entry: &str, span: &Range<usize>) -> Result<SocketAddr, Wrong> {
    entry.parse().map_err(|_| Wrong {
        message: format!("`{entry}` is not an address with a port"),
        hint: "write it like \"127.0.0.1:5222\", or \"[::]:5222\" for every address".to_owned(),
        span: span.clone(),
    })
}
