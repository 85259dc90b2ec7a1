//! The pages that the server prints about itself: written by `cargo xtask generate`, compared by `tidy`.
//! The binary answers `metronome --print-docs SUBJECT`; the pages are committed so that they can be read anywhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::tidy::Problem;
use crate::{Verdict, tree};

/// One page and the subject to ask the server for.
struct Page {
    path: &'static str,
    subject: &'static str,
}

/// The generated pages.
const PAGES: &[Page] = &[
    Page { path: "docs/xeps.md", subject: "xeps" },
    Page { path: "docs/options.md", subject: "options" },
    Page { path: "docs/commands.md", subject: "commands" },
    Page { path: "docs/metrics.md", subject: "metrics" },
];

/// Writes every page that differs from what the server prints.
pub(crate) fn write_all() -> Result<Verdict> {
    let root = tree::root();
    for page in PAGES {
        let fresh = printed_by_server(&root, page)?;
        if !is_fresh(&root, page, &fresh) {
            fs::write(root.join(page.path), fresh).with_context(|| format!("writing {}", page.path))?;
            println!("wrote {}", page.path);
        }
    }
    Ok(Verdict::Good)
}

/// Reports every page that is not what the server prints now.
pub(crate) fn check(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for page in PAGES {
        if !is_fresh(root, page, &printed_by_server(root, page)?) {
            problems.push(Problem::new(page.path, "differs from the code: run `cargo xtask generate`"));
        }
    }
    Ok(problems)
}

fn is_fresh(root: &Path, page: &Page, fresh: &str) -> bool {
    fs::read_to_string(root.join(page.path)).is_ok_and(|written| written == fresh)
}

fn printed_by_server(root: &Path, page: &Page) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--package", "metronome-server", "--bin", "metronome", "--"])
        .args(["--print-docs", page.subject])
        .current_dir(root)
        .output()
        .context("running cargo")?;
    if !output.status.success() {
        bail!("printing {} failed: {}", page.subject, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("the page is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_fresh_only_when_it_is_equal() {
        let folder = std::env::temp_dir().join(format!("xtask-generate-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let page = Page { path: "page.md", subject: "page" };
        assert!(!is_fresh(&folder, &page, "text"), "an absent page is not fresh");
        fs::write(folder.join("page.md"), "text").unwrap();
        assert!(is_fresh(&folder, &page, "text"));
        assert!(!is_fresh(&folder, &page, "other"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
