//! A mistake in the configuration, and how it is shown: what is wrong, where, the line with a mark under it, and what to write.
//! Made by everything in `config`; shown by `metronome`, `metronomectl config check` and the log of a failed reload.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use super::source::Source;

/// Most problems that are shown at once; a file of another program would give one for each line.
const SHOWN_MAX: usize = 20;
/// Most characters of a line in an excerpt; a longer one is cut around the mark.
const EXCERPT_CHARS_MAX: usize = 100;

/// The kinds of mistakes. Their numbers are stable, so that pages and people can refer to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// E0010: a file cannot be read.
    Unreadable,
    /// E0011: a file is not TOML.
    Syntax,
    /// E0012: a key or section that nothing reads.
    UnknownKey,
    /// E0013: a value of the wrong type, with a bad unit, or out of range.
    WrongValue,
    /// E0014: a key that has no default is not given.
    Missing,
    /// E0015: a server-wide key under `[host]`, or a host that is not served.
    WrongPlace,
    /// E0016: values that do not fit each other, or not this machine.
    Unfit,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "E0010",
            Self::Syntax => "E0011",
            Self::UnknownKey => "E0012",
            Self::WrongValue => "E0013",
            Self::Missing => "E0014",
            Self::WrongPlace => "E0015",
            Self::Unfit => "E0016",
        })
    }
}

/// What a problem is about: some bytes of a source.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(super) source: Arc<Source>,
    pub(super) span: Range<usize>,
}

/// One mistake. Its `Display` is the message with the excerpt, without a line break at the end.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which kind.
    pub code: Code,
    /// What is wrong, in one clause.
    pub message: String,
    /// What to write or to do; empty if there is nothing to say.
    pub hint: String,
    pub(crate) place: Option<Place>,
}

impl Problem {
    /// A problem that no text can be shown for.
    pub fn without_place(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), place: None }
    }

    pub(super) fn at(
        source: &Arc<Source>,
        span: Range<usize>,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let place = Some(Place { source: source.clone(), span });
        Self { code, message: message.into(), hint: hint.into(), place }
    }

    /// For programs: code, message, hint, and file, line and column where known.
    pub fn to_json(&self) -> Value {
        let mut object = json!({ "code": self.code.to_string(), "message": self.message, "hint": self.hint });
        if let Some(Place { source, span }) = &self.place {
            object["source"] = json!(source.to_string());
            if source.path().is_some() {
                let (line, column) = source.position(span.start);
                object["line"] = json!(line);
                object["column"] = json!(column);
            }
        }
        object
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        match &self.place {
            Some(place) => write_excerpt(f, place, &self.hint),
            None if self.hint.is_empty() => Ok(()),
            None => write!(f, "\n  = {}", self.hint),
        }
    }
}

/// The place, the line, and the mark with the hint behind it. The bar stands behind the widest line number, two at least.
fn write_excerpt(f: &mut fmt::Formatter<'_>, place: &Place, hint: &str) -> fmt::Result {
    let Place { source, span } = place;
    let (line, column) = source.position(span.start);
    let number = if source.path().is_some() { line.to_string() } else { String::new() };
    let width = number.len().max(2);
    let (text, before, marked) = excerpt(source, span);
    let position = if source.path().is_some() { format!(":{line}:{column}") } else { String::new() };
    write!(f, "\n{:width$}┌ {source}{position}", "")?;
    write!(f, "\n{number:>width$}│ {text}")?;
    let mark = format!("\n{:width$}│ {:before$}{} {hint}", "", "", "^".repeat(marked));
    f.write_str(mark.trim_end())
}

/// The shown line, the characters before the mark, and the length of the mark.
fn excerpt(source: &Source, span: &Range<usize>) -> (String, usize, usize) {
    let (line, start) = source.line_at(span.start);
    let clean = |part: &str| part.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<Vec<_>>();
    let from = line.floor_char_boundary((span.start - start).min(line.len()));
    let to = line.floor_char_boundary(span.end.saturating_sub(start).clamp(from, line.len()));
    let (chars, mut before, mut marked) =
        (clean(line), clean(&line[..from]).len(), clean(&line[from..to]).len().max(1));
    if chars.len() <= EXCERPT_CHARS_MAX {
        return (chars.into_iter().collect(), before, marked);
    }
    let first = before.saturating_sub(EXCERPT_CHARS_MAX / 2);
    let last = (first + EXCERPT_CHARS_MAX).min(chars.len());
    before -= first;
    marked = marked.min(EXCERPT_CHARS_MAX - before);
    (chars[first..last].iter().collect(), before, marked)
}

/// All mistakes that were found, at least one.
#[derive(Debug, Clone)]
pub struct Problems {
    problems: Vec<Problem>,
    /// What becomes of the server, such as "the server keeps running with the configuration of 14:02:11"; may be empty.
    note: String,
}

impl Problems {
    /// Problems without a note; `None` if there are none.
    pub fn from(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self { problems, note: String::new() })
    }

    /// Adds what becomes of the server, shown once below the problems.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The problems in the order of their sources.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// One line for a log: the first problem, where it is, and how many more there are.
    pub fn summary(&self) -> String {
        let Some(first) = self.problems.first() else { return String::new() };
        let place = first.place.as_ref().map_or_else(String::new, |Place { source, span }| match source.path() {
            Some(path) => {
                let (line, column) = source.position(span.start);
                format!("{}:{line}:{column}: ", path.display())
            }
            None => format!("{source}: "),
        });
        let more = match self.problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let hint = if first.hint.is_empty() { String::new() } else { format!("; {}", first.hint) };
        format!("{place}{}{hint}{more}", first.message)
    }

    /// For programs: a list of [`Problem::to_json`].
    pub fn to_json(&self) -> Value {
        self.problems.iter().map(Problem::to_json).collect()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(SHOWN_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{problem}")?;
        }
        if self.problems.len() > SHOWN_MAX {
            write!(f, "\n\nand {} more", self.problems.len() - SHOWN_MAX)?;
        }
        if !self.note.is_empty() {
            write!(f, "\n  = {}", self.note)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
