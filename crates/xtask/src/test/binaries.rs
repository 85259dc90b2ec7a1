//! Test binaries: built once by cargo for the whole workspace, then run one after another by us, so that each
//! has its time limit, its log and its crate's name.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::counts::{self, Counts};
use super::stages::Stage;
use super::{Session, process};

/// What a test binary was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Unit tests of a library or a binary: tests beside the code.
    Unit,
    /// A file of `tests/`: scenarios over the public interface.
    Scenario,
}

/// One test binary.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binary {
    /// The folder of its crate under `crates/`.
    folder: String,
    /// The crate's full path: tests run there, as under cargo.
    package: PathBuf,
    /// The name of the target: of the library, the binary, or the file of `tests/`.
    target: String,
    kind: Kind,
    is_main: bool,
    executable: PathBuf,
}

/// Builds every test binary and every program of the workspace, with one profile and one feature set.
pub(super) fn build(root: &Path, logs: &Path, limit: Duration) -> Result<Vec<Binary>> {
    let started = Instant::now();
    let tests = ["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"];
    let output = process::Run::new(root, "cargo", &tests).captured(&logs.join("build-tests.json"), limit)?;
    if !output.is_success() {
        bail!("the tests do not build");
    }
    let programs = ["build", "--workspace", "--bins"];
    let left = limit.saturating_sub(started.elapsed());
    if !process::Run::new(root, "cargo", &programs).captured(&logs.join("build-programs.log"), left)?.is_success() {
        bail!("the programs do not build");
    }
    output.text.lines().filter(|line| line.starts_with('{')).filter_map(|line| of_message(line).transpose()).collect()
}

/// The test binary that one of cargo's messages tells of, if it tells of one.
fn of_message(line: &str) -> Result<Option<Binary>> {
    let message: Value = serde_json::from_str(line).context("reading cargo's messages")?;
    let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
    let (Some(executable), true) = (message["executable"].as_str(), is_test) else { return Ok(None) };
    let manifest = PathBuf::from(message["manifest_path"].as_str().context("an artifact without a manifest")?);
    let package = manifest.parent().context("a manifest without a folder")?.to_path_buf();
    let folder = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let target = message["target"]["name"].as_str().unwrap_or_default().to_owned();
    let is_kind =
        |name: &str| message["target"]["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == name));
    let kind = if is_kind("test") { Kind::Scenario } else { Kind::Unit };
    let source = message["target"]["src_path"].as_str().unwrap_or_default();
    let is_main = source.ends_with("/src/lib.rs") || source.ends_with("/src/main.rs");
    Ok(Some(Binary { folder, package, target, kind, is_main, executable: executable.into() }))
}

/// Runs all binaries of `kind`, one after another. One that hangs gets the stage's budget, not the time of the others.
pub(super) fn run_all(
    session: &mut Session,
    kind: Kind,
    arguments: &[&str],
    environment: &[(&str, &str)],
    stage: &Stage,
) -> Result<Counts> {
    let started = Instant::now();
    let mut total = Counts::default();
    for binary in session.binaries.iter().filter(|binary| binary.kind == kind) {
        let left = stage.limit().saturating_sub(started.elapsed()).min(stage.budget);
        let (counts, mut passed) = run(binary, &session.logs, arguments, environment, left)?;
        total.add(counts);
        session.passed.append(&mut passed);
    }
    Ok(total)
}

fn run(
    binary: &Binary,
    logs: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    limit: Duration,
) -> Result<(Counts, Vec<String>)> {
    let started = Instant::now();
    let log = logs.join(format!("{}-{}.log", binary.folder, binary.target));
    let run = process::Run::new(&binary.package, &binary.executable.to_string_lossy(), arguments);
    let run = run.with("CARGO_MANIFEST_DIR", &binary.package.to_string_lossy());
    let run = environment.iter().fold(run, |run, (name, value)| run.with(name, value));
    let output = run.logged(&log, limit)?;
    let counts = counts::of_libtest(&output);
    println!("  {} {}: {counts} ({:.1} s)", binary.folder, binary.target, started.elapsed().as_secs_f64());
    if counts.is_bad() {
        eprintln!("{}", output.tail());
    }
    Ok((counts, counts::passed_names(&output).iter().map(|name| full_name(binary, name)).collect()))
}

/// A test's name as FEATURES.md writes it: `crate::path` for the crate's main target, `crate::target::path` for others.
fn full_name(binary: &Binary, name: &str) -> String {
    if binary.is_main {
        format!("{}::{name}", binary.folder)
    } else {
        format!("{}::{}::{name}", binary.folder, binary.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, source: &str) -> String {
        format!(
            "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/p/crates/net/Cargo.toml\",\
             \"target\":{{\"kind\":[\"{kind}\"],\"name\":\"login\",\"src_path\":\"{source}\"}},\
             \"profile\":{{\"test\":true}},\"executable\":\"/p/target/debug/deps/login-1\"}}"
        )
    }

    #[test]
    fn cargo_messages_tell_of_test_binaries() {
        let scenario = of_message(&message("test", "/p/crates/net/tests/login.rs")).unwrap().unwrap();
        assert_eq!((scenario.kind, scenario.folder.as_str()), (Kind::Scenario, "net"));
        assert_eq!(full_name(&scenario, "alice::logs_in"), "net::login::alice::logs_in");
        let unit = of_message(&message("lib", "/p/crates/net/src/lib.rs")).unwrap().unwrap();
        assert_eq!(unit.kind, Kind::Unit);
        assert_eq!(full_name(&unit, "tests::x"), "net::tests::x");
        assert_eq!(of_message("{\"reason\":\"build-finished\",\"success\":true}").unwrap(), None);
    }
}
