//! docs/pubsub.md tells the truth: every test that it names exists, every row has one, and every announced feature of publish-subscribe and
//! every field of a node's configuration has a row.

use std::path::Path;

use anyhow::Result;

use super::Problem;
use super::features_md::test_exists;
use crate::tree;

const PAGE: &str = "docs/pubsub.md";
const ANNOUNCED: &str = "crates/features/src/pubsub/announced.rs";
const FIELDS: &str = "crates/pubsub/src/config/fields.rs";

/// What most features begin with; the page leaves it away.
const PREFIX: &str = "http://jabber.org/protocol/pubsub#";

/// The words that stand before names of tests, and where those tests are.
const KINDS: &[(&str, &[&str])] = &[
    ("engine", &["pubsub", "engine"]),
    ("scenario", &["testkit", "pubsub"]),
    ("scenarios", &["testkit", "pubsub"]),
    ("access", &["pubsub", "access", "tests"]),
    ("unit", &["pubsub"]),
];

/// The lists of what is announced, and the column of the page that says whether it is there.
const LISTS: &[(&str, usize)] = &[("SERVICE", 1), ("ACCOUNT", 2)];

/// Reports tests that do not exist, and what has no row or no test.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let page = tree::text_of(&root.join(PAGE))?.unwrap_or_default();
    let mut problems = Vec::new();
    for named in tests(&page) {
        let is_test = match &named.path {
            Some(path) => test_exists(root, path)?,
            None => false,
        };
        if !is_test {
            problems.push(at(named.line, format!("there is no test {}", named.name)));
        }
    }
    let rows = rows(&page);
    problems.extend(rows.iter().filter(|row| tests(&row.text).is_empty()).map(|row| at(row.line, "names no test")));
    let announced = tree::text_of(&root.join(ANNOUNCED))?.unwrap_or_default();
    problems.extend(LISTS.iter().flat_map(|(list, column)| unproved(&rows, &announced, list, *column)));
    let fields = tree::text_of(&root.join(FIELDS))?.unwrap_or_default();
    let without = field_names(&fields).into_iter().filter(|name| !rows.iter().any(|row| row.is_about(name)));
    problems.extend(without.map(|name| Problem::new(PAGE, format!("there is no row for the field {name}"))));
    Ok(problems)
}

fn at(line: usize, what: impl std::fmt::Display) -> Problem {
    Problem::new(format!("{PAGE}:{line}"), what)
}

/// A test as the page names it, and its path; none if no word says which kind it is.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    line: usize,
    name: String,
    path: Option<Vec<String>>,
}

/// The tests that a text names: between backticks, behind a word for the kind, or in a list with others of it.
fn tests(text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let (mut kind, mut line) = (None, 1);
    for (number, part) in text.split('`').enumerate() {
        let is_code = number % 2 == 1;
        if is_code {
            let is_name = !part.is_empty()
                && part.bytes().all(|byte| byte == b'_' || byte == b':' || byte.is_ascii_alphanumeric());
            if is_name && (kind.is_some() || part.contains("::")) {
                let path =
                    |folder: &[&str]| folder.iter().copied().chain(part.split("::")).map(str::to_owned).collect();
                found.push(Named { line, name: part.to_owned(), path: kind.map(path) });
            }
        } else if !is_between(part) {
            let last = part.split_whitespace().last().unwrap_or_default().trim_start_matches('(');
            kind = KINDS.iter().find(|(word, _)| *word == last).map(|(_, folder)| *folder);
        }
        line += part.matches('\n').count();
    }
    found
}

/// What stands between the names of a list.
fn is_between(text: &str) -> bool {
    text.split_whitespace().all(|word| [",", "and", "or"].contains(&word))
}

/// A row of a table.
struct Row<'a> {
    line: usize,
    text: String,
    cells: Vec<&'a str>,
}

impl Row<'_> {
    /// Whether its first cell has this word.
    fn is_about(&self, word: &str) -> bool {
        self.cells[0].split([' ', ',', ';', '`', '(', ')']).any(|part| part == word)
    }
}

/// The rows of all tables, without their heads.
fn rows(page: &str) -> Vec<Row<'_>> {
    let lines: Vec<&str> = page.lines().collect();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|---"));
    let found = lines.iter().enumerate().filter(|(at, line)| line.starts_with("| ") && !is_head(*at));
    let row = |(at, line): (usize, &&'_ str)| Row { line: at + 1, text: (*line).to_owned(), cells: Vec::new() };
    found
        .map(|(at, line)| Row { cells: line.trim_matches(['|', ' ']).split(" | ").collect(), ..row((at, line)) })
        .collect()
}

/// The announced features of one list that no row proves by a scenario.
fn unproved(rows: &[Row<'_>], announced: &str, list: &str, column: usize) -> Vec<Problem> {
    let Some((_, behind)) = announced.split_once(&format!("const {list}:")) else {
        return vec![Problem::new(ANNOUNCED, format!("there is no list {list}"))];
    };
    let body = behind.split("];").next().unwrap_or_default();
    let mut problems = Vec::new();
    for feature in body.split('"').skip(1).step_by(2) {
        let name = feature.strip_prefix(PREFIX).unwrap_or(feature);
        let is_proved = |row: &&Row<'_>| {
            let is_there = row.cells.get(column).is_some_and(|cell| *cell != "–");
            row.is_about(name) && is_there && row.text.contains("scenario `")
        };
        if !rows.iter().any(|row| is_proved(&row)) {
            problems.push(Problem::new(
                PAGE,
                format!("{feature} is announced ({list}) and no row proves it by a scenario"),
            ));
        }
    }
    problems
}

/// The names of the fields that clients see.
fn field_names(fields: &str) -> Vec<&str> {
    let named = |line: &'_ str| -> Option<usize> {
        let line_start = line.trim_start();
        if line_start.starts_with("name: \"") {
            return line.find('"');
        }
        let (_, behind) = line.split_once("!(")?;
        let is_row = behind.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(" \"");
        (is_row && behind.starts_with(|c: char| c.is_ascii_digit())).then(|| line.find('"')).flatten()
    };
    let names = fields.lines().filter_map(|line| line[named(line)? + 1..].split('"').next());
    // Those of XEP-0496 are not in the form, and where a node has gone is nobody's to set.
    names.filter(|name| !name.starts_with('{') && *name != "moved").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_named_behind_their_kind() {
        let found = super::tests("| `x` | engine `a::b`, `a::c`; scenario `d::e` and\n`d::f` | `lost::name`");
        let paths: Vec<_> = found.iter().map(|named| named.path.as_ref().map(|path| path.join("::"))).collect();
        let named = |path: &str| Some(path.to_owned());
        assert_eq!(
            paths,
            [
                named("pubsub::engine::a::b"),
                named("pubsub::engine::a::c"),
                named("testkit::pubsub::d::e"),
                named("testkit::pubsub::d::f"),
                None
            ]
        );
        assert_eq!((found[0].line, found[3].line), (1, 2));
    }

    #[test]
    fn what_is_announced_has_a_row_with_a_scenario() {
        let page = "| Feature | S | P | Test |\n|---|---|---|---|\n| a, `urn:b` | ✓ | – | scenario `x::y` |\n| c | ✓ | ✓ | engine `x::z` |\n";
        let rows = rows(page);
        assert_eq!(rows.len(), 2);
        let list = "const SERVICE: &[&str] = &[\n\"http://jabber.org/protocol/pubsub#a\",\n\"urn:b\",\n\"http://jabber.org/protocol/pubsub#c\",\n];";
        assert_eq!(unproved(&rows, list, "SERVICE", 1).len(), 1);
        assert_eq!(unproved(&rows, list, "SERVICE", 2).len(), 3);
        assert_eq!(unproved(&rows, list, "ACCOUNT", 2).len(), 1);
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let source = "text!(1 \"title\" title, X, \"A name\"),\n        name: \"language\",\nnode!(32 \"{urn:x}link\" link, \"y\"),\n    name: $name,\n name: \"moved\",";
        assert_eq!(field_names(source), ["title", "language"]);
    }
}
