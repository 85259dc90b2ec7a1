//! Doc links: the pages that explain the code by naming it (`folder/file.rs::item`) name what exists.
//! A reader who follows a name must find it; a rename that forgets the page fails here.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Problem;
use crate::{source, tree};

/// The pages whose names are checked.
const PAGES: &[&str] = &["docs/ARCHITECTURE.md", "docs/life-of-a-stanza.md", "CONTRIBUTING.md"];

/// Reports names of files and items that do not exist.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let files = tree::rust_files_below(&root.join("crates"))?;
    let mut problems = Vec::new();
    for page in PAGES {
        let Some(text) = tree::text_of(&root.join(page))? else { continue };
        for (at, line) in text.lines().enumerate() {
            for name in names(line) {
                let what = wrong(root, &files, &name)?;
                problems.extend(what.map(|what| Problem::new(format!("{page}:{}", at + 1), what)));
            }
        }
    }
    Ok(problems)
}

/// One name of a file, with the items named after it.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    file: String,
    items: Vec<String>,
}

/// The names of Rust files in a line, such as `route/message.rs::admit_sent` or `net/tls.rs`.
fn names(line: &str) -> Vec<Name> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = line[from..].find(".rs") {
        let end = from + offset + 3;
        let start = line[..end].rfind(|c: char| !is_path_char(c)).map_or(0, |at| at + 1);
        from = end;
        let whole = !line[end..].starts_with(is_word_char) && !line[..start].ends_with('}');
        if whole && end - start > 3 {
            found.push(Name { file: line[start..end].to_owned(), items: items_after(&line[end..]) });
        }
    }
    found
}

fn is_path_char(c: char) -> bool {
    is_word_char(c) || matches!(c, '/' | '.' | '-')
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The parts of `::one::two` at the beginning of `rest`.
fn items_after(rest: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = rest;
    while let Some(after) = rest.strip_prefix("::") {
        let end = after.find(|c: char| !is_word_char(c)).unwrap_or(after.len());
        if end == 0 {
            break;
        }
        items.push(after[..end].to_owned());
        rest = &after[end..];
    }
    items
}

/// What is wrong with `name`, if anything. A file alone is checked only where it is named with its crate.
fn wrong(root: &Path, files: &[PathBuf], name: &Name) -> Result<Option<String>> {
    if name.items.is_empty() && !name.file.contains('/') {
        return Ok(None);
    }
    let candidates = candidates(root, files, &name.file);
    if candidates.is_empty() {
        return Ok(Some(format!("there is no file {}", name.file)));
    }
    for path in candidates {
        let code = source::code_only(&tree::text_of(path)?.unwrap_or_default());
        if name.items.iter().all(|item| source::declares(&code, item)) {
            return Ok(None);
        }
    }
    Ok(Some(format!("{} declares no {}", name.file, name.items.join("::"))))
}

/// The files that `named` can mean: a path from the root, from `crates/`, or `crate/path` without `src`.
fn candidates<'a>(root: &Path, files: &'a [PathBuf], named: &str) -> Vec<&'a PathBuf> {
    let (first, rest) = named.split_once('/').unwrap_or(("", named));
    let exact =
        [root.join(named), root.join("crates").join(named), root.join("crates").join(first).join("src").join(rest)];
    files.iter().filter(|path| exact.contains(path) || (first.is_empty() && path.ends_with(rest))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_prose() {
        let found =
            names("| 2 | `route/lib.rs::from_client` | then `host/session.rs`; `a.rs::T::f`, not .rs or x.rst |");
        let shown: Vec<String> = found.iter().map(|name| format!("{} {}", name.file, name.items.join("::"))).collect();
        assert_eq!(shown, ["route/lib.rs from_client", "host/session.rs ", "a.rs T::f"]);
    }

    #[test]
    fn existing_files_and_items_pass() {
        let root = tree::root();
        let files = tree::rust_files_below(&root.join("crates")).unwrap();
        for good in
            ["xtask/tidy.rs::run", "tidy/doc_links.rs::check", "crates/xtask/src/source.rs::code_only", "tree.rs::root"]
        {
            let name = names(good).remove(0);
            let outcome = wrong(&root, &files, &name).unwrap();
            assert_eq!(outcome.is_some(), good.starts_with("tidy/"), "{good}: {outcome:?}");
        }
    }

    #[test]
    fn missing_files_and_items_are_problems() {
        let root = tree::root();
        let files = tree::rust_files_below(&root.join("crates")).unwrap();
        for bad in ["xtask/tidy.rs::walk", "xtask/absent.rs", "absent.rs::run"] {
            assert!(wrong(&root, &files, &names(bad)[0]).unwrap().is_some(), "{bad}");
        }
    }
}
