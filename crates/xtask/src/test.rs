//! `cargo xtask test`: runs every stage within its budget and counts what passed, failed and was skipped.
//! Called by `make test` and `make test-full`. The last line is the verdict: `N passed, N failed, N skipped`;
//! anything skipped counts as wrong, because a test that does not run proves nothing.

mod binaries;
mod counts;
mod features;
mod process;
mod stages;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{Verdict, tree};
use binaries::Binary;
use counts::Counts;
use stages::{Run, Stage};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// What fits into the budget of `make test`.
    Short,
    /// The same and the long runs.
    Full,
}

/// What a run of the stages knows and leaves for later ones.
struct Session {
    root: PathBuf,
    logs: PathBuf,
    binaries: Vec<Binary>,
    /// Passed tests as `crate::target?::path`, and passed interop folders as `interop/NN-name`.
    passed: Vec<String>,
}

/// Runs the stages of `length`, or only those named, and prints the result of each.
pub(crate) fn run(length: Length, only: &[&str]) -> Result<Verdict> {
    let stages = stages::of(length);
    if let Some(unknown) = only.iter().find(|name| !stages.iter().any(|stage| stage.name == **name)) {
        bail!("there is no stage `{unknown}`: `cargo xtask stages` lists them");
    }
    let root = tree::root();
    let logs = root.join("target/test-logs");
    fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
    let mut session = Session { root, logs, binaries: Vec::new(), passed: Vec::new() };
    let started = Instant::now();
    let mut total = Counts::default();
    for stage in stages.iter().filter(|stage| only.is_empty() || stage.is_always_run() || only.contains(&stage.name)) {
        let counts = run_stage(&mut session, stage);
        total.add(counts);
        if counts.is_bad() && stage.is_always_run() {
            eprintln!("the rest needs stage `{}`, so nothing else was run", stage.name);
            break;
        }
    }
    warn_if_over("everything", started.elapsed(), stages::total_budget(length));
    println!("{total}");
    Ok(if total.is_bad() { Verdict::Bad } else { Verdict::Good })
}

/// Prints the stages of a full run.
pub(crate) fn list() -> Result<Verdict> {
    for stage in stages::of(Length::Full) {
        println!("{:<18} {:>5} s  {}", stage.name, stage.budget.as_secs(), stage.about);
    }
    Ok(Verdict::Good)
}

fn run_stage(session: &mut Session, stage: &Stage) -> Counts {
    println!("stage {}: {}", stage.name, stage.about);
    let started = Instant::now();
    let counts = outcome(session, stage).unwrap_or_else(|error| {
        eprintln!("{}: {error:#}", stage.name);
        Counts::ONE_FAILED
    });
    let took = started.elapsed();
    let Counts { passed, failed, skipped } = counts;
    println!("STAGE {} {passed} {failed} {skipped} {:.1}", stage.name, took.as_secs_f64());
    warn_if_over(stage.name, took, stage.budget);
    counts
}

fn outcome(session: &mut Session, stage: &Stage) -> Result<Counts> {
    match &stage.run {
        Run::Build => {
            session.binaries = binaries::build(&session.root, &session.logs, stage.limit())?;
            Ok(Counts::ONE_PASSED)
        }
        Run::Binaries { kind, arguments, environment } => {
            binaries::run_all(session, *kind, arguments, environment, stage)
        }
        Run::DocTests => {
            let run = process::Run::new(&session.root, "cargo", &["test", "--workspace", "--doc"]);
            let output = run.logged(&session.logs.join("doc.log"), stage.limit())?;
            Ok(counts::of_libtest(&output))
        }
        Run::Interop => interop(session, stage),
        Run::Script { program, arguments, judge } => {
            let run = process::Run::new(&session.root, program, arguments);
            let output = run.logged(&session.logs.join(format!("{}.log", stage.name)), stage.limit())?;
            let counts = judge(&output);
            if counts.is_bad() {
                eprintln!("{}", output.tail());
            }
            Ok(counts)
        }
        Run::FuzzTargets { seconds_each } => fuzz(session, stage, *seconds_each),
        Run::Features => features::check(&session.root, &session.passed),
    }
}

/// Runs every `interop/NN-name/run` and believes the last line of each.
fn interop(session: &mut Session, stage: &Stage) -> Result<Counts> {
    let mut total = Counts::default();
    for name in interop_folders(&session.root)? {
        let started = Instant::now();
        let program = session.root.join("interop").join(&name).join("run");
        let run = process::Run::new(&session.root, &program.to_string_lossy(), &[]);
        let output = run.logged(&session.logs.join(format!("interop-{name}.log")), stage.limit())?;
        let counts = counts::of_last_line(&output);
        println!("  interop/{name}: {counts} ({:.1} s)", started.elapsed().as_secs_f64());
        if counts.is_bad() {
            eprintln!("{}", output.tail());
        } else {
            session.passed.push(format!("interop/{name}"));
        }
        total.add(counts);
    }
    Ok(total)
}

/// The folders `NN-name` of `interop/`, sorted.
fn interop_folders(root: &std::path::Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("interop")).context("reading interop/")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Runs each fuzz target for a while; a target passes when it finds nothing.
fn fuzz(session: &Session, stage: &Stage, seconds_each: u64) -> Result<Counts> {
    let targets = tree::rust_files_below(&session.root.join("fuzz/fuzz_targets"))?;
    let mut total = Counts::default();
    for path in targets {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let seconds = seconds_each.to_string();
        let run = process::Run::new(&session.root, "scripts/fuzz", &[&name, &seconds]);
        let output = run.logged(&session.logs.join(format!("fuzz-{name}.log")), stage.limit())?;
        let counts = counts::of_exit(&output);
        println!("  fuzz {name}: {counts}");
        if counts.is_bad() {
            eprintln!("{}", output.tail());
        }
        total.add(counts);
    }
    Ok(total)
}

fn warn_if_over(name: &str, took: Duration, budget: Duration) {
    if took > budget {
        println!("WARNING {name} took {:.0} s, its share is {} s", took.as_secs_f64(), budget.as_secs());
    }
}
