//! Words that no file of the project may hold: paths of the machine it was written on, and marks of work
//! that was left half done.

use std::path::Path;

use anyhow::Result;

use super::Problem;
use crate::tree;

/// The words and why they are not wanted. Each is written in two parts, so that this file does not hold it.
const WORDS: &[(&str, &str, &str)] = &[
    ("/wor", "k/", "a path of the author's machine"),
    ("../sha", "red", "a page outside of the project"),
    ("/ro", "ot/", "a path of the author's machine"),
    ("<<<<", "<<<", "a merge left unfinished"),
    ("FIX", "ME", "work left undone: write TODO(what) with a sentence, or do it"),
    ("To be writ", "ten.", "a file without contents"),
];

/// Reports every line that holds one of the words.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for path in tree::files_below(root)? {
        if path.file_name().is_some_and(|name| name == "Cargo.lock" || name == "package-lock.json") {
            continue;
        }
        let Some(text) = tree::text_of(&path)? else { continue };
        let shown = tree::shown(root, &path).to_string();
        problems.extend(unwanted(&text).into_iter().map(|(line, why)| Problem::new(format!("{shown}:{line}"), why)));
    }
    Ok(problems)
}

/// Numbers of the lines that hold an unwanted word, each with the word's reason.
fn unwanted(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (begin, end, why) in WORDS {
        let word = format!("{begin}{end}");
        if !text.contains(&word) {
            continue;
        }
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains(&word));
        found.extend(lines.map(|(at, _)| (at + 1, format!("holds `{word}`: {why}"))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_authors_machine_are_found() {
        let text = format!("fine\nsee {}{}main\n", "/wor", "k/");
        assert_eq!(unwanted(&text)[0].0, 2);
        assert!(unwanted("a workplace, rework/ed").is_empty());
    }

    #[test]
    fn this_file_holds_none_of_its_own_words() {
        assert_eq!(unwanted(include_str!("words.rs")), []);
    }
}
