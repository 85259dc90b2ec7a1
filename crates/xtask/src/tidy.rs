//! `cargo xtask tidy`: what must hold and no compiler checks, one file per subject.
//! Called by `make check`; each check takes the root folder and returns the problems it found.

mod dead_files;
mod doc_links;
mod features_md;
mod layers;
mod locks;
mod manifests;
mod pubsub_md;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::Result;

pub(crate) use features_md::{Proof, ticked};

use crate::{Verdict, generate, tree};

/// One thing that is not as it must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    place: String,
    what: String,
}

impl Problem {
    /// A problem at `place` (a file, with a line where there is one), told as a sentence.
    pub(crate) fn new(place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self { place: place.to_string(), what: what.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

type Check = fn(&Path) -> Result<Vec<Problem>>;

/// The checks in the order in which they run and report.
const CHECKS: &[(&str, Check)] = &[
    ("layers", layers::check),
    ("manifests", manifests::check),
    ("lock files", locks::check),
    ("dead files", dead_files::check),
    ("doc links", doc_links::check),
    ("features", features_md::check),
    ("publish-subscribe", pubsub_md::check),
    ("words", words::check),
    ("generated pages", generate::check),
];

/// Runs every check, prints what each found, and says at the end how many problems there are.
pub(crate) fn run() -> Result<Verdict> {
    let root = tree::root();
    let mut found = 0;
    for (name, check) in CHECKS {
        let problems = check(&root)?;
        for problem in &problems {
            println!("{name}: {problem}");
        }
        found += problems.len();
    }
    println!("tidy: {} checks, {found} problems", CHECKS.len());
    Ok(Verdict::of_count(found))
}
