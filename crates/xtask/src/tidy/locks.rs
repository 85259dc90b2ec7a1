//! Lock files: they are committed, and name no source but the public registry of their language, so that a
//! clone builds anywhere and never from somebody's mirror.

use std::path::Path;

use anyhow::Result;

use super::Problem;
use crate::tree;

/// A lock file's name, what begins a line that names a source, and the only source it may name.
const SOURCES: &[(&str, &str, &str)] = &[
    ("Cargo.lock", "source = \"", "registry+https://github.com/rust-lang/crates.io-index"),
    ("package-lock.json", "\"resolved\": \"", "https://registry.npmjs.org/"),
];

/// Reports lines of lock files with another source, and a missing `Cargo.lock`.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if !root.join("Cargo.lock").is_file() {
        problems.push(Problem::new("Cargo.lock", "is missing"));
    }
    for path in tree::files_below(root)? {
        let Some(rule) = SOURCES.iter().find(|(name, _, _)| path.file_name().is_some_and(|own| own == *name)) else {
            continue;
        };
        let text = tree::text_of(&path)?.unwrap_or_default();
        let shown = tree::shown(root, &path).to_string();
        problems.extend(
            foreign(&text, rule.1, rule.2)
                .into_iter()
                .map(|line| Problem::new(format!("{shown}:{line}"), "names a source that is not the public registry")),
        );
    }
    Ok(problems)
}

/// Numbers of the lines that name a source not beginning with `allowed`.
fn foreign(text: &str, key: &str, allowed: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| line.trim_start().strip_prefix(key).is_some_and(|source| !source.starts_with(allowed)))
        .map(|(at, _)| at + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_registry_is_allowed() {
        let (_, key, allowed) = SOURCES[0];
        assert!(foreign(&format!("name = \"a\"\n{key}{allowed}\"\n"), key, allowed).is_empty());
        assert_eq!(
            foreign(&format!("name = \"a\"\n{key}registry+https://mirror.example/index\"\n"), key, allowed),
            [2]
        );
    }
}
