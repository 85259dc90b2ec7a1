//! The files of the project as the checks see them: the root, its crates, and every text file below it.
//! Called by `tidy` and `generate`; reads the disk, keeps nothing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders that hold what was built or fetched, not what was written.
const SKIPPED: &[&str] = &["target", ".git", "node_modules", "corpus", "artifacts", "metronome-dev"];

/// The folder of the workspace's `Cargo.toml`, two above this crate's.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("xtask lies in crates/xtask").to_path_buf()
}

/// Every file below `folder`, sorted, without what was built or fetched. An absent folder has none.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
            let path = entry?.path();
            let skipped = path.file_name().is_some_and(|name| SKIPPED.iter().any(|skip| name == *skip));
            if path.is_symlink() || skipped {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Every `.rs` file below `folder`, sorted.
pub(crate) fn rust_files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(files_below(folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).collect())
}

/// The folders of `crates/` that hold a manifest, sorted.
pub(crate) fn crate_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let crates = root.join("crates");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&crates).with_context(|| format!("reading {}", crates.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// The text of `path`, or nothing where there is no such file or it is not UTF-8.
pub(crate) fn text_of(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// `path` as seen from `root`, for messages.
pub(crate) fn shown<'a>(root: &Path, path: &'a Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_holds_the_workspace_manifest() {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn own_crate_is_among_the_crates_and_files() {
        let folders = crate_folders(&root()).unwrap();
        let own = folders.iter().find(|folder| folder.ends_with("xtask")).unwrap();
        assert!(rust_files_below(&own.join("src")).unwrap().iter().any(|path| path.ends_with("src/tree.rs")));
    }

    #[test]
    fn absent_folder_has_no_files() {
        assert!(files_below(Path::new("/nonexistent-folder")).unwrap().is_empty());
    }
}
