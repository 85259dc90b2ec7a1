//! The fields of one line, as the sinks that do not write text files need them.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};

/// Most bytes of one value; longer ones are cut, so that a line fits into a datagram.
const VALUE_BYTES_MAX: usize = 4096;
/// Most fields of a line besides its message.
const FIELDS_MAX: usize = 32;

/// What a line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) others: Vec<(&'static str, String)>,
}

impl Fields {
    pub(super) fn of(event: &tracing::Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    fn add(&mut self, field: &Field, mut value: String) {
        if value.len() > VALUE_BYTES_MAX {
            value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
            value.push('\u{2026}');
        }
        match field.name() {
            "message" => self.message = value,
            name if self.others.len() < FIELDS_MAX => self.others.push((name, value)),
            _ => {}
        }
    }

    /// All of them in one line. Nothing in it can begin another line or move a cursor.
    pub(super) fn line(&self) -> String {
        let mut line = String::with_capacity(self.message.len() + 32 * self.others.len());
        write_plain(&mut line, &self.message);
        for (name, value) in &self.others {
            let _ = write!(line, " {name}=");
            let bare = !value.is_empty() && !value.contains(|c: char| c.is_control() || " \"=\\".contains(c));
            if bare {
                line.push_str(value);
            } else {
                line.push('"');
                for part in value.split_inclusive(['"', '\\']) {
                    match part.strip_suffix(['"', '\\']) {
                        Some(before) => {
                            write_plain(&mut line, before);
                            line.push('\\');
                            line.push_str(&part[before.len()..]);
                        }
                        None => write_plain(&mut line, part),
                    }
                }
                line.push('"');
            }
        }
        line
    }
}

fn write_plain(line: &mut String, text: &str) {
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, others: &[(&'static str, &str)]) -> String {
        let others = others.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Fields { message: message.to_owned(), others }.line()
    }

    #[test]
    fn a_line_is_the_message_and_the_fields() {
        let fields = [("conn", "7"), ("why", "no room"), ("jid", ""), ("text", r#"a"b\"#)];
        assert_eq!(line("opened", &fields), r#"opened conn=7 why="no room" jid="" text="a\"b\\""#);
    }

    #[test]
    fn nothing_begins_another_line() {
        let text = line("a\r\nb", &[("jid", "x\n<34>1 forged"), ("why", "\u{1b}[2J")]);
        assert_eq!(text, "a\\r\\nb jid=\"x\\n<34>1 forged\" why=\"\\u{1b}[2J\"");
    }
}
