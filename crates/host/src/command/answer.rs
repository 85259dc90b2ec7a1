//! What a command answers, as people read it and as JSON.
//! Made by commands, rendered by the control socket; the same cells give both, so they cannot disagree.

use std::time::Duration;

use serde_json::{Map, Value};

use super::findings::{self, Finding, Level};
use crate::options::{write_bytes, write_duration};

/// The result of a command that did what it was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A sentence or a longer text, such as "alice@example.org added".
    Text(String),
    /// Names with their values, such as the state of the server. In JSON an object.
    Facts(Vec<(&'static str, Cell)>),
    /// Rows of equal columns, such as a list of accounts. In JSON a list of objects.
    Table {
        /// The names above the columns; in JSON the keys. Lower case, `_` between words.
        columns: &'static [&'static str],
        /// The rows, each as long as `columns`.
        rows: Vec<Vec<Cell>>,
    },
    /// What a check has found. In JSON a list of objects.
    Findings(Vec<Finding>),
}

impl Answer {
    /// A sentence.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The answer for a terminal, without a line break at its end.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Facts(facts) => {
                let lines = facts.iter().map(|(name, cell)| vec![name.replace('_', " "), cell.to_text()]);
                align(&lines.collect::<Vec<_>>())
            }
            Self::Findings(found) => findings::to_text(found),
            Self::Table { rows, .. } if rows.is_empty() => "none".to_owned(),
            Self::Table { columns, rows } => {
                let head = columns.iter().map(|column| column.replace('_', " ").to_uppercase()).collect();
                let body = rows.iter().map(|row| row.iter().map(Cell::to_text).collect());
                align(&std::iter::once(head).chain(body).collect::<Vec<_>>())
            }
        }
    }

    /// The exit code of the command line: 1 where a check has found a problem.
    pub fn exit(&self) -> u8 {
        let is_problem = |finding: &Finding| finding.level == Level::Problem;
        match self {
            Self::Findings(found) => u8::from(found.iter().any(is_problem)),
            _ => 0,
        }
    }

    /// The answer for programs: sizes in bytes, time spans in seconds.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Findings(found) => findings::to_json(found),
            Self::Facts(facts) => Value::Object(object(facts.iter().map(|(name, cell)| (*name, cell)))),
            Self::Table { columns, rows } => {
                let rows = rows.iter().map(|row| Value::Object(object(columns.iter().copied().zip(row))));
                Value::Array(rows.collect())
            }
        }
    }
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words, such as an address.
    Text(String),
    /// A number.
    Count(u64),
    /// Yes or no.
    Flag(bool),
    /// A size in bytes.
    Bytes(u64),
    /// A time span, shown to the second.
    Span(Duration),
    /// Not known, or not there.
    None,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// For people, without anything that would move the cursor of a terminal or could not stand in XML.
    pub fn to_text(&self) -> String {
        match self {
            // Nothing that a client chose (a resource, say) may move the cursor of the administrator's terminal.
            Self::Text(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
            Self::Count(count) => count.to_string(),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Bytes(bytes) => rounded_bytes(*bytes),
            Self::Span(span) => rounded_span(*span),
            Self::None => "-".to_owned(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Count(count) | Self::Bytes(count) => Value::from(*count),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Span(span) => Value::from(span.as_secs()),
            Self::None => Value::Null,
        }
    }
}

fn object<'a>(cells: impl Iterator<Item = (&'a str, &'a Cell)>) -> Map<String, Value> {
    cells.map(|(name, cell)| (name.to_owned(), cell.to_json())).collect()
}

/// Columns of equal width with two spaces between them, none after the last.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Three digits at most: `11.4 MiB`.
fn rounded_bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = None;
    for name in units {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = Some(name);
    }
    match unit {
        Some(unit) if tenths < 1000 => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        Some(unit) => format!("{} {unit}", tenths / 10),
        None => write_bytes(bytes),
    }
}

/// The two largest units: `3 d 4 h`, `12 min 5 s`.
fn rounded_span(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let seconds = span.as_secs();
    let Some(first) = UNITS.iter().position(|(scale, _)| seconds >= *scale) else {
        return write_duration(Duration::ZERO);
    };
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (scale, unit) in UNITS.iter().skip(first).take(2) {
        if rest / scale > 0 {
            parts.push(format!("{} {unit}", rest / scale));
        }
        rest %= scale;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Answer {
        let row = |jid: &str, admin, bytes| vec![Cell::text(jid), Cell::Flag(admin), Cell::Bytes(bytes)];
        Answer::Table {
            columns: &["jid", "admin", "kept_bytes"],
            rows: vec![row("alice@example.org", true, 0), row("bo@example.org", false, 12_000_000)],
        }
    }

    #[test]
    fn a_table_is_aligned_for_people() {
        let text =
            "JID                ADMIN  KEPT BYTES\nalice@example.org  yes    0 B\nbo@example.org     no     11.4 MiB";
        assert_eq!(table().to_text(), text);
    }

    #[test]
    fn a_table_is_a_list_of_objects_for_programs() {
        let json = r#"[{"jid":"alice@example.org","admin":true,"kept_bytes":0},{"jid":"bo@example.org","admin":false,"kept_bytes":12000000}]"#;
        assert_eq!(table().to_json(), serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn facts_are_an_object_with_spans_in_seconds() {
        let facts = Answer::Facts(vec![("up", Cell::Span(Duration::from_secs(93_784))), ("since", Cell::None)]);
        assert_eq!(facts.to_text(), "up     1 d 2 h\nsince  -");
        assert_eq!(facts.to_json(), serde_json::from_str::<Value>(r#"{"up":93784,"since":null}"#).unwrap());
    }

    #[test]
    fn an_empty_table_says_so() {
        let empty = Answer::Table { columns: &["jid"], rows: vec![] };
        assert_eq!(empty.to_text(), "none");
        assert_eq!(empty.to_json().to_string(), "[]");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(Cell::text("a\u{1b}[2Jb").to_text(), "a\u{fffd}[2Jb");
    }

    #[test]
    fn sizes_and_spans_are_rounded_for_people() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (150 << 10, "150 KiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(Cell::Bytes(bytes).to_text(), text);
        }
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3605, "1 h"), (725, "12 min 5 s")] {
            assert_eq!(Cell::Span(Duration::from_secs(seconds)).to_text(), text);
        }
    }
}
