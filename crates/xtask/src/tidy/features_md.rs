//! FEATURES.md tells the truth: all rows are there, and a ticked row names a test that exists.
//! That the test also passes is shown by the `features` stage of `cargo xtask test`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Problem;
use super::dead_files::file_of;
use crate::source::{self, Body};
use crate::tree;

const PAGE: &str = "FEATURES.md";

/// A letter of rows, and how many there are: rows are numbered from 1 without gaps.
const PARTS: &[(char, usize)] = &[('A', 180), ('S', 25), ('B', 30)];

/// The macro that makes a test per backend from each function that it lists, and the modules it puts them into.
const PER_BACKEND: (&str, &[&str]) = ("over_each_backend", &["memory", "sqlite"]);

/// One row of the page.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    id: String,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    Ticked(Vec<Proof>),
}

/// What shows that a ticked row works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A test function: the crate's folder, then the modules down to the function.
    Test(Vec<String>),
    /// A folder of `interop/` whose `run` passes.
    Interop(String),
}

/// Reports rows that are missing, doubled or malformed, and proofs that do not exist.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let text = tree::text_of(&root.join(PAGE))?.unwrap_or_default();
    let (rows, mut problems) = parse(&text);
    problems.extend(missing(&rows));
    for row in &rows {
        let State::Ticked(proofs) = &row.state else { continue };
        if proofs.is_empty() {
            problems.push(at(row.line, format!("{} is ticked without a test", row.id)));
        }
        for proof in proofs {
            if let Some(what) = wrong(root, proof)? {
                problems.push(at(row.line, format!("{}: {what}", row.id)));
            }
        }
    }
    Ok(problems)
}

/// The ticked rows' ids, each with its proofs.
pub(crate) fn ticked(root: &Path) -> Result<Vec<(String, Vec<Proof>)>> {
    let text = tree::text_of(&root.join(PAGE))?.unwrap_or_default();
    let rows = parse(&text).0.into_iter();
    Ok(rows
        .filter_map(|row| match row.state {
            State::Ticked(proofs) => Some((row.id, proofs)),
            State::Open => None,
        })
        .collect())
}

fn at(line: usize, what: impl std::fmt::Display) -> Problem {
    Problem::new(format!("{PAGE}:{line}"), what)
}

/// The rows of the page, and the lines that look like rows but are not.
fn parse(text: &str) -> (Vec<Row>, Vec<Problem>) {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    let mut in_example = false;
    for (number, line) in text.lines().enumerate() {
        in_example ^= line.starts_with("```");
        if in_example || !line.starts_with("- [") {
            continue;
        }
        match row(number + 1, line) {
            Some(row) => rows.push(row),
            None => {
                problems.push(at(number + 1, "is not `- [ ] A001 title` or `- [x] A001 title — crate::path::test`"))
            }
        }
    }
    (rows, problems)
}

fn row(line_number: usize, line: &str) -> Option<Row> {
    let (is_ticked, rest) = match (line.strip_prefix("- [x] "), line.strip_prefix("- [ ] ")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return None,
    };
    let (id, rest) = rest.split_once(' ')?;
    let digits = id.get(1..)?;
    if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (title, proofs) = rest.split_once(" — ").unwrap_or((rest, ""));
    if title.trim().is_empty() {
        return None;
    }
    let named = proofs.split(',').map(str::trim).filter(|proof| !proof.is_empty());
    let state = if is_ticked { State::Ticked(named.map(proof).collect()) } else { State::Open };
    Some(Row { line: line_number, id: id.to_owned(), state })
}

fn proof(text: &str) -> Proof {
    let bare = text.trim_matches('`');
    match bare.strip_prefix("interop/") {
        Some(folder) => Proof::Interop(folder.to_owned()),
        None => {
            let mut parts: Vec<String> = bare.split("::").map(str::to_owned).collect();
            parts[0] = parts[0].trim_start_matches("metronome_").trim_start_matches("metronome-").to_owned();
            Proof::Test(parts)
        }
    }
}

/// Reports ids that are not there exactly once.
fn missing(rows: &[Row]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (letter, count) in PARTS {
        for number in 1..=*count {
            let id = format!("{letter}{number:03}");
            let found = rows.iter().filter(|row| row.id == id).count();
            if found != 1 {
                problems.push(Problem::new(PAGE, format!("{id} is there {found} times, not once")));
            }
        }
        let known = |id: &str| id[1..].parse().is_ok_and(|number: usize| (1..=*count).contains(&number));
        let unknown = rows.iter().filter(|row| row.id.starts_with(*letter) && !known(&row.id));
        problems.extend(unknown.map(|row| at(row.line, format!("{} is not a row of this page", row.id))));
    }
    problems
}

/// What is wrong with a proof, if anything.
fn wrong(root: &Path, proof: &Proof) -> Result<Option<String>> {
    match proof {
        Proof::Interop(folder) => {
            let run = root.join("interop").join(folder).join("run");
            Ok((!run.is_file()).then(|| format!("there is no interop/{folder}/run")))
        }
        Proof::Test(parts) => {
            let found = test_exists(root, parts)?;
            Ok((!found).then(|| format!("there is no test {}", parts.join("::"))))
        }
    }
}

/// Whether `crate::module::..::function` is a test of that crate, in its sources or in its `tests/`.
pub(super) fn test_exists(root: &Path, parts: &[String]) -> Result<bool> {
    let [folder, modules @ .., function] = parts else { return Ok(false) };
    let base = root.join("crates").join(folder);
    let sources = base.join("src");
    for (children, file) in starts(&sources, &["lib.rs", "main.rs"]) {
        if let Some(file) = follow(children, file, modules)?
            && file_has_test(&file, function)?
        {
            return Ok(true);
        }
    }
    let Some((target, modules)) = modules.split_first() else { return Ok(false) };
    for (start, children) in target_roots(&base, target) {
        if let Some(file) = follow(children.clone(), start.clone(), modules)?
            && file_has_test(&file, function)?
        {
            return Ok(true);
        }
        if let Some((backend, modules)) = modules.split_last()
            && PER_BACKEND.1.contains(&backend.as_str())
            && let Some(file) = follow(children, start, modules)?
            && source::is_listed(&code_of(&file)?, PER_BACKEND.0, function)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn starts(folder: &Path, names: &[&str]) -> Vec<(PathBuf, PathBuf)> {
    names.iter().map(|name| (folder.to_path_buf(), folder.join(name))).filter(|(_, file)| file.is_file()).collect()
}

/// The files that can be the root of an integration test or of a binary called `target`, with their children's folder.
fn target_roots(base: &Path, target: &str) -> Vec<(PathBuf, PathBuf)> {
    let mut roots = Vec::new();
    for folder in [base.join("tests"), base.join("src/bin")] {
        roots.push((folder.join(format!("{target}.rs")), folder.clone()));
        roots.push((folder.join(target).join("main.rs"), folder.join(target)));
    }
    roots.retain(|(file, _)| file.is_file());
    roots
}

/// The file that holds the last of `modules`, starting at `file`.
fn follow(children: PathBuf, file: PathBuf, modules: &[String]) -> Result<Option<PathBuf>> {
    let Some((name, rest)) = modules.split_first() else { return Ok(Some(file)) };
    let text = tree::text_of(&file)?.unwrap_or_default();
    let Some(module) = source::modules(&source::code_only(&text)).into_iter().find(|module| module.name == *name)
    else {
        return Ok(None);
    };
    if module.body == Body::Here {
        return follow(children.join(name), file, rest);
    }
    let folder = module.inside.iter().fold(children, |folder, name| folder.join(name));
    match file_of(&file, &text, &folder, name) {
        Some((children, file)) => follow(children, file, rest),
        None => Ok(None),
    }
}

fn file_has_test(file: &Path, function: &str) -> Result<bool> {
    Ok(source::has_test(&code_of(file)?, function))
}

fn code_of(file: &Path) -> Result<String> {
    Ok(source::code_only(&tree::text_of(file)?.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_their_proofs() {
        let text = "- [ ] A001 one\n- [x] A002 two — proto::xml::tests::works, interop/10-x\nprose\n```\n- [x] A001 shown\n```\n- [y] A003 odd\n- [x] B1 short\n";
        let (rows, problems) = parse(text);
        assert_eq!(rows[0], Row { line: 1, id: "A001".into(), state: State::Open });
        let path = ["proto", "xml", "tests", "works"].map(str::to_owned).to_vec();
        assert_eq!(rows[1].state, State::Ticked(vec![Proof::Test(path), Proof::Interop("10-x".into())]));
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn missing_and_doubled_rows_are_problems() {
        let ids = (1..=180).map(|number| format!("A{number:03}"));
        let others =
            (1..=25).map(|number| format!("S{number:03}")).chain((1..=30).map(|number| format!("B{number:03}")));
        let row = |id: String| Row { line: 1, id, state: State::Open };
        let mut rows: Vec<Row> = ids.chain(others).map(row).collect();
        assert_eq!(missing(&rows), []);
        rows[0].id = "A002".into();
        rows[5].id = "B031".into();
        assert_eq!(missing(&rows).len(), 4);
    }

    #[test]
    fn a_proof_must_exist() {
        let root = tree::root();
        let exists = |path: &str| match proof(path) {
            Proof::Test(parts) => test_exists(&root, &parts).unwrap(),
            Proof::Interop(_) => unreachable!(),
        };
        assert!(exists("xtask::tidy::features_md::tests::a_proof_must_exist"));
        assert!(exists("metronome_xtask::source::tests::items_are_found_by_name"));
        assert!(exists("store::conformance::accounts::sqlite::an_account_is_found_by_name_and_id"));
        assert!(!exists("store::conformance::accounts::sqlite::account"), "a function that no list names is no test");
        assert!(!exists("xtask::tidy::features_md::tests::absent"));
        assert!(!exists("xtask::tidy::features_md::tests"), "a module is no test");
        assert!(!exists("xtask::tidy::features_md::check"), "a function without #[test] is no test");
        assert!(wrong(&root, &Proof::Interop("99-absent".into())).unwrap().is_some());
    }
}
