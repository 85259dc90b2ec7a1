//! Where a value comes from: a file, a variable of the environment, or the command line, with its text for excerpts.

use std::fmt;
use std::path::{Path, PathBuf};

/// A text that values were read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    kind: SourceKind,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SourceKind {
    File(PathBuf),
    Environment(String),
    Flag,
}

impl Source {
    /// A configuration file.
    pub fn file(path: &Path, text: String) -> Self {
        Self { kind: SourceKind::File(path.to_owned()), text }
    }

    /// One variable, shown as `NAME=value`.
    pub(super) fn variable(name: &str, value: &str) -> Self {
        Self { kind: SourceKind::Environment(name.to_owned()), text: format!("{name}={value}") }
    }

    /// One value of the command line, shown as `key=value`.
    pub(super) fn flag(key: &str, value: &str) -> Self {
        Self { kind: SourceKind::Flag, text: format!("{key}={value}") }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.kind {
            SourceKind::File(path) => Some(path),
            _ => None,
        }
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(byte)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// The line a byte is in, without its line break, and the bytes at which it begins.
    pub(super) fn line_at(&self, byte: usize) -> (&str, usize) {
        let byte = self.floor(byte);
        let start = self.text[..byte].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[byte..].find('\n').map_or(self.text.len(), |at| byte + at);
        (self.text[start..end].trim_end_matches('\r'), start)
    }

    fn floor(&self, byte: usize) -> usize {
        self.text.floor_char_boundary(byte.min(self.text.len()))
    }

    /// The origin of a value at this byte.
    pub(super) fn origin(&self, byte: usize) -> Origin {
        match &self.kind {
            SourceKind::File(path) => Origin::File { path: path.clone(), line: self.position(byte).0 },
            SourceKind::Environment(name) => Origin::Environment(name.clone()),
            SourceKind::Flag => Origin::Flag,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SourceKind::File(path) => write!(f, "{}", path.display()),
            SourceKind::Environment(_) => f.write_str("environment"),
            SourceKind::Flag => f.write_str("command line"),
        }
    }
}

/// Which layer a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The declaration.
    Default,
    /// A preset of [`super::Inputs::presets`].
    Development,
    /// A file, with the line counted from 1.
    File {
        /// As it was named, or as it was found in `conf.d`.
        path: PathBuf,
        /// The line of the value.
        line: usize,
    },
    /// This variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Development => f.write_str("development mode"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::file(Path::new("x"), "a = 1\r\nü = \"ö\" # end".to_owned());
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(7), (2, 1));
        assert_eq!(source.position(source.text().find('#').unwrap()), (2, 9));
        assert_eq!(source.position(usize::MAX), (2, 14));
    }

    #[test]
    fn a_line_is_cut_at_its_breaks() {
        let source = Source::file(Path::new("x"), "a = 1\r\nb = 2\n".to_owned());
        assert_eq!(source.line_at(2), ("a = 1", 0));
        assert_eq!(source.line_at(8), ("b = 2", 7));
        assert_eq!(source.line_at(13), ("", 13));
    }
}
