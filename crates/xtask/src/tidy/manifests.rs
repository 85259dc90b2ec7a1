//! Manifests: every crate takes the workspace's lints, version and dependencies, so there is one feature set
//! and `unsafe` is forbidden everywhere.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Problem;
use crate::tree;

/// Reports crates that leave the workspace's lints or declare dependencies of their own.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let workspace = fs::read_to_string(root.join("Cargo.toml")).context("reading Cargo.toml")?;
    if !section(&workspace, "workspace.lints.rust").any(|(_, line)| line == "unsafe_code = \"forbid\"") {
        problems.push(Problem::new("Cargo.toml", "[workspace.lints.rust] must hold `unsafe_code = \"forbid\"`"));
    }
    for folder in tree::crate_folders(root)? {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let shown = tree::shown(root, &path).to_string();
        problems
            .extend(of_manifest(&text).into_iter().map(|(line, what)| Problem::new(format!("{shown}:{line}"), what)));
    }
    Ok(problems)
}

/// Line numbers and problems of one crate's manifest.
fn of_manifest(text: &str) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    if !section(text, "lints").any(|(_, line)| line == "workspace = true") {
        problems.push((1, "needs `[lints] workspace = true`".to_owned()));
    }
    for name in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (number, line) in section(text, name) {
            let bare = line.split('#').next().unwrap_or(line).trim();
            if !bare.is_empty() && !bare.ends_with(".workspace = true") {
                problems
                    .push((number, format!("`{bare}`: declare it in the workspace and write `name.workspace = true`")));
            }
        }
    }
    problems
}

/// The lines of a table of a manifest, numbered from 1, without comments and blank lines.
fn section<'a>(text: &'a str, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let header = format!("[{name}]");
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == header;
            return None;
        }
        (inside && !line.is_empty() && !line.starts_with('#')).then_some((at + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_the_lints_is_a_problem() {
        assert_eq!(of_manifest("[package]\nname = \"x\"\n").len(), 1);
        assert_eq!(of_manifest("[lints]\nworkspace = true\n").len(), 0);
    }

    #[test]
    fn own_versions_and_features_are_problems() {
        let lints = "[lints]\nworkspace = true\n";
        assert_eq!(of_manifest(&format!("{lints}[dependencies]\nbytes.workspace = true # why\n")).len(), 0);
        assert_eq!(of_manifest(&format!("{lints}[dependencies]\nbytes = \"1\"\n")).len(), 1);
        let extra = "[dev-dependencies]\ntokio = { workspace = true, features = [\"full\"] }\n";
        assert_eq!(of_manifest(&format!("{lints}{extra}"))[0].0, 4);
    }
}
