//! Dead files: every `.rs` file of a crate is reached from one of its roots through `mod` items.
//! A file that nothing declares is not compiled, and so not true.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::Problem;
use crate::source::{self, Body};
use crate::tree;

/// Reports files below `crates/*/src` and `crates/*/tests` that no root reaches.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for folder in tree::crate_folders(root)? {
        for part in ["src", "tests", "benches", "examples"] {
            let files = tree::rust_files_below(&folder.join(part))?;
            let reached = reached_from(roots(&folder, part, &files))?;
            let dead = files.iter().filter(|path| !reached.contains(*path));
            problems.extend(dead.map(|path| Problem::new(tree::shown(root, path), "is declared by no `mod` item")));
        }
    }
    Ok(problems)
}

/// The files of `part` that cargo compiles by themselves.
fn roots(folder: &Path, part: &str, files: &[PathBuf]) -> Vec<PathBuf> {
    let base = folder.join(part);
    let is_root = |path: &PathBuf| {
        let Ok(inner) = path.strip_prefix(&base) else { return false };
        let depth = inner.components().count();
        if part == "src" {
            let bin = inner.starts_with("bin") && (depth == 2 || (depth == 3 && inner.ends_with("main.rs")));
            return inner == Path::new("lib.rs") || inner == Path::new("main.rs") || bin;
        }
        depth == 1 || (depth == 2 && inner.ends_with("main.rs"))
    };
    files.iter().filter(|path| is_root(path)).cloned().collect()
}

/// Every file that `roots` declare, and those that these declare, and so on.
fn reached_from(roots: Vec<PathBuf>) -> Result<BTreeSet<PathBuf>> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<(PathBuf, PathBuf)> = roots.into_iter().map(|path| (parent_of(&path), path)).collect();
    while let Some((children, path)) = next.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let text = tree::text_of(&path)?.unwrap_or_default();
        for module in source::modules(&source::code_only(&text)) {
            if module.body == Body::Elsewhere {
                let folder = module.inside.iter().fold(children.clone(), |folder, name| folder.join(name));
                next.extend(file_of(&path, &text, &folder, &module.name));
            }
        }
    }
    Ok(reached)
}

fn parent_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The file of the module `name` that `declaring` (whose text is `text`) declares, after the folder of that module's own
/// children. `folder` is where such a file lies unless a `#[path]` says otherwise.
pub(super) fn file_of(declaring: &Path, text: &str, folder: &Path, name: &str) -> Option<(PathBuf, PathBuf)> {
    if let Some(named) = source::path_attribute(text, name) {
        let path = without_dots(&parent_of(declaring).join(named));
        return path.is_file().then(|| (parent_of(&path), path));
    }
    let beside = folder.join(format!("{name}.rs"));
    let inside = folder.join(name).join("mod.rs");
    let path = [beside, inside].into_iter().find(|path| path.is_file())?;
    Some((folder.join(name), path))
}

/// `a/b/../c` as `a/c`.
fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("xtask-dead-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn an_undeclared_file_is_dead() {
        let root = project(
            "undeclared",
            &[
                ("crates/a/Cargo.toml", ""),
                ("crates/a/src/lib.rs", "mod used; // mod unused;\nmod outer { mod inner; }"),
                ("crates/a/src/used.rs", "mod below;"),
                ("crates/a/src/used/below.rs", ""),
                ("crates/a/src/outer/inner.rs", ""),
                ("crates/a/src/unused.rs", ""),
                ("crates/a/src/bin/tool.rs", ""),
                ("crates/a/tests/whole.rs", "mod part;\n#[path = \"whole/../elsewhere/named.rs\"]\nmod named;"),
                ("crates/a/tests/elsewhere/named.rs", ""),
                ("crates/a/tests/part/mod.rs", ""),
            ],
        );
        let problems = check(&root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(problems, [Problem::new("crates/a/src/unused.rs", "is declared by no `mod` item")]);
    }
}
