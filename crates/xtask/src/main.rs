//! `cargo xtask`: the project's own checks and its test runner, called by the Makefile.
//! `tidy` proves what the compiler cannot (layers, dead files, pages that name code), `test` runs every
//! stage with its budget, `generate` writes the pages that come from the code. Keeps nothing between runs
//! but logs under `target/test-logs`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod generate;
mod source;
mod test;
mod tidy;
mod tree;
mod xep_examples;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask tidy                       checks layers, files, pages and manifests
       cargo xtask test [--full] [STAGE ...]  runs the test stages (all of them if none is named)
       cargo xtask stages                     lists the stages with their budgets
       cargo xtask generate                   writes the pages that come from the code
       cargo xtask xep-examples [--from FOLDER] NUMBER ...
                                              every example of these XEPs has a scenario or a reason; the folder,
                                              or XEP_SOURCES, holds their sources (xep-0313.xml)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["test", "--full", only @ ..] => test::run(test::Length::Full, only),
        ["test", only @ ..] => test::run(test::Length::Short, only),
        ["stages"] => test::list(),
        ["generate"] => generate::write_all(),
        ["xep-examples", words @ ..] => xep_examples::run(words),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a command found: everything right, or something that it has already printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

impl Verdict {
    /// `Good` when nothing was found.
    fn of_count(found: usize) -> Self {
        if found == 0 { Self::Good } else { Self::Bad }
    }
}
