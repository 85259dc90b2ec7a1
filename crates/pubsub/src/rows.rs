//! A table of fields for a value that stands in forms and in the store: each row says how a field is called, how it is shown, and how
//! it is read from text and written as text. Forms, stored bytes and preconditions are all derived from the same table.

use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FieldOption, FormType};
use metronome_proto::payload::{digits, truth};

/// What is in front of the names of the fields of XEP-0060.
const PREFIX: &str = "pubsub#";

/// The version of the stored bytes; it changes when older code would misread them, not when there is a new field.
const VERSION: u8 = 1;

/// One field of a `T`.
pub(crate) struct Row<T: 'static> {
    /// What it is called in the store; never given to another field.
    pub(crate) tag: u8,
    /// Its name, without the prefix if it has the usual one.
    pub(crate) name: &'static str,
    pub(crate) kind: FieldKind,
    pub(crate) label: &'static str,
    /// The values that can be chosen, and what they mean.
    pub(crate) choices: &'static [(&'static str, &'static str)],
    /// On which it is shown, and read from forms.
    pub(crate) on: On,
    pub(crate) get: fn(&T) -> Vec<String>,
    pub(crate) set: fn(&mut T, &[String]) -> Result<(), Unfit>,
}

/// Where a field has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    All,
    Leaves,
    Collections,
    /// Only in the store.
    Nothing,
}

/// A value that a field cannot have; which ones it can, for humans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) &'static str);

impl<T> Row<T> {
    /// Its whole name.
    pub(crate) fn var(&self) -> String {
        if self.has_own_name() { self.name.to_owned() } else { format!("{PREFIX}{}", self.name) }
    }

    /// Whether a form calls it this.
    fn is_called(&self, var: &str) -> bool {
        match var.strip_prefix(PREFIX) {
            Some(name) => name == self.name,
            None => var == self.name && self.has_own_name(),
        }
    }

    /// Fields of other documents have names with their namespaces, or say that nobody has registered them (XEP-0068 section 3.4).
    fn has_own_name(&self) -> bool {
        self.name.starts_with('{') || self.name.starts_with("x-")
    }

    /// The field as it is shown: in a form that is to be filled in with everything that helps to do so.
    pub(crate) fn field(&self, value: &T, form: FormType) -> Field {
        let mut field = Field::new(self.var(), self.kind).label(self.label).values((self.get)(value));
        if form == FormType::Form {
            let option =
                |&(value, label): &(&str, &str)| FieldOption { label: Some(label.into()), value: value.into() };
            field.options = self.choices.iter().map(option).collect();
        }
        field
    }
}

/// The row that a form calls by this name, among those that are shown.
pub(crate) fn row<T>(rows: &'static [Row<T>], var: &str) -> Option<&'static Row<T>> {
    rows.iter().find(|row| row.on != On::Nothing && row.is_called(var))
}

/// The fields of a form that are called in a table, each with its row; one that is there twice is unfit.
pub(crate) fn known<'a, T>(
    rows: &'static [Row<T>],
    form: &'a DataForm,
) -> Result<Vec<(&'static Row<T>, &'a Field)>, Unfit> {
    let mut known: Vec<(&Row<T>, &Field)> = Vec::new();
    for field in &form.fields {
        let Some(row) = field.var.as_deref().and_then(|var| row(rows, var)) else { continue };
        if known.iter().any(|(other, _)| other.tag == row.tag) {
            return Err(Unfit("the same field twice"));
        }
        known.push((row, field));
    }
    Ok(known)
}

/// The bytes that keep a value: the fields that differ from `base`, which is the same for ever.
pub(crate) fn encode<T>(rows: &[Row<T>], value: &T, base: &T) -> Box<[u8]> {
    let mut out = vec![VERSION];
    for row in rows {
        let values = (row.get)(value);
        if values == (row.get)(base) {
            continue;
        }
        out.push(row.tag);
        put_number(&mut out, values.len());
        for value in values {
            put_number(&mut out, value.len());
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.into()
}

/// Reads the bytes into `base`. Fields of a later version are passed over; what cannot be read at all is none.
pub(crate) fn decode<T>(rows: &[Row<T>], bytes: &[u8], mut base: T) -> Option<T> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    while let Some((tag, behind)) = rest.split_first() {
        rest = behind;
        let count = take_number(&mut rest)?;
        let mut values = Vec::new();
        for _ in 0..count {
            let len = take_number(&mut rest)?;
            let (value, behind) = rest.split_at_checked(len)?;
            values.push(std::str::from_utf8(value).ok()?.to_owned());
            rest = behind;
        }
        if let Some(row) = rows.iter().find(|row| row.tag == *tag) {
            (row.set)(&mut base, &values).ok()?;
        }
    }
    Some(base)
}

/// Seven bits in each byte, the lowest first; the last has no eighth bit.
fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(from: &mut &[u8]) -> Option<usize> {
    let mut number = 0usize;
    for shift in (0..28).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The only value of a field; none is like an empty one.
pub(crate) fn single(values: &[String]) -> Result<&str, Unfit> {
    match values {
        [] => Ok(""),
        [value] => Ok(value),
        _ => Err(Unfit("one value only")),
    }
}

pub(crate) fn flag(values: &[String]) -> Result<bool, Unfit> {
    truth(single(values)?).ok_or(Unfit("true or false"))
}

pub(crate) fn line(values: &[String], bytes_max: usize) -> Result<Box<str>, Unfit> {
    let line = single(values)?;
    if line.len() > bytes_max { Err(Unfit("a shorter text")) } else { Ok(line.into()) }
}

/// A number of at least `min`.
pub(crate) fn number(values: &[String], min: u32) -> Result<u32, Unfit> {
    let number = digits(single(values)?).ok_or(Unfit("a number"))?;
    let fits = u32::try_from(number).ok().filter(|number| *number >= min);
    fits.ok_or(Unfit("another number: this one is too small or too large"))
}

pub(crate) fn choice<T>(values: &[String], of: impl Fn(&str) -> Option<T>) -> Result<T, Unfit> {
    of(single(values)?).ok_or(Unfit("one of the values that can be chosen"))
}

/// Addresses, each once.
pub(crate) fn jids(values: &[String], max: usize) -> Result<Vec<Jid>, Unfit> {
    let mut jids = Vec::new();
    for value in values.iter().filter(|value| !value.is_empty()) {
        let jid = Jid::parse(value).map_err(|_| Unfit("addresses"))?;
        if !jids.contains(&jid) {
            jids.push(jid);
        }
    }
    if jids.len() > max { Err(Unfit("fewer addresses")) } else { Ok(jids) }
}

/// Names, each once.
pub(crate) fn names(values: &[String], max: usize, bytes_max: usize) -> Result<Vec<Box<str>>, Unfit> {
    let mut names: Vec<Box<str>> = Vec::new();
    for value in values {
        if value.len() > bytes_max {
            return Err(Unfit("shorter names"));
        }
        if !names.iter().any(|name| **name == **value) {
            names.push(value.as_str().into());
        }
    }
    if names.len() > max { Err(Unfit("fewer names")) } else { Ok(names) }
}

/// A truth value as it is written.
pub(crate) fn written_flag(flag: bool) -> Vec<String> {
    vec![if flag { "1" } else { "0" }.to_owned()]
}

/// A text as it is written; an empty one is none.
pub(crate) fn written_line(line: &str) -> Vec<String> {
    if line.is_empty() { Vec::new() } else { vec![line.to_owned()] }
}
