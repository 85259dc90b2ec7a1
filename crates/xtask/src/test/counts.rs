//! How many tests passed, failed and were skipped, and how each kind of output says so.

use std::fmt;
use std::ops::AddAssign;

use super::process::Output;

/// Tests by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Counts {
    pub(super) const ONE_PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(super) const ONE_FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    pub(super) fn add(&mut self, other: Self) {
        self.passed.add_assign(other.passed);
        self.failed.add_assign(other.failed);
        self.skipped.add_assign(other.skipped);
    }

    /// Whether something failed or was skipped.
    pub(super) fn is_bad(self) -> bool {
        self.failed > 0 || self.skipped > 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The sum of the `test result:` lines of Rust's test harness. A run that ends badly without a failed test
/// (a crash, a time-out, no summary at all) counts as one failure.
pub(super) fn of_libtest(output: &Output) -> Counts {
    let mut counts = Counts::default();
    let mut summaries = 0;
    for line in output.text.lines() {
        let Some((_, rest)) = line.split_once("test result: ") else { continue };
        summaries += 1;
        for part in rest.split([';', '.']) {
            match number_before(part) {
                Some((number, "passed")) => counts.passed += number,
                Some((number, "failed")) => counts.failed += number,
                Some((number, "ignored")) => counts.skipped += number,
                _ => {}
            }
        }
    }
    if counts.failed == 0 && (!output.is_success() || summaries == 0) {
        counts.failed = 1;
    }
    counts
}

/// Full paths of the tests that passed, from the harness's `test path ... ok` lines.
pub(super) fn passed_names(output: &Output) -> Vec<String> {
    let lines = output.text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"));
    lines.map(|name| name.trim_end_matches(" - should panic").to_owned()).collect()
}

/// What the last line says: `N passed, N failed, N skipped`. Anything else is one failure, and so is a bad exit
/// code where the line tells of none.
pub(super) fn of_last_line(output: &Output) -> Counts {
    let last = output.text.lines().rev().find(|line| !line.trim().is_empty());
    let Some(mut counts) = last.and_then(parse_line) else { return Counts::ONE_FAILED };
    if counts == Counts::default() || (!output.is_success() && counts.failed == 0) {
        counts.failed += 1;
    }
    counts
}

fn parse_line(line: &str) -> Option<Counts> {
    let mut parts = line.trim().split(", ");
    let mut next =
        |word: &str| number_before(parts.next()?).filter(|(_, found)| *found == word).map(|(number, _)| number);
    let counts = Counts { passed: next("passed")?, failed: next("failed")?, skipped: next("skipped")? };
    parts.next().is_none().then_some(counts)
}

/// `"12 passed"` as `(12, "passed")`.
fn number_before(part: &str) -> Option<(u64, &str)> {
    let (number, word) = part.trim().split_once(' ')?;
    Some((number.parse().ok()?, word))
}

/// One test: passed when the exit code is 0.
pub(super) fn of_exit(output: &Output) -> Counts {
    if output.is_success() { Counts::ONE_PASSED } else { Counts::ONE_FAILED }
}

/// One test: passed when the load generator's JSON object has `lost`, `duplicated` and `archive_duplicates` 0, something was
/// acknowledged and a stream was resumed. It is its last line of output; the server's own messages may come after it in the log.
pub(super) fn of_crash(output: &Output) -> Counts {
    let is_report = |line: &&str| line.starts_with('{') && line.contains("\"kills\"");
    let Some(report) = output.text.lines().rev().find(is_report) else { return Counts::ONE_FAILED };
    println!("  crash: {report}");
    let Ok(report) = serde_json::from_str::<serde_json::Value>(report) else { return Counts::ONE_FAILED };
    let figure = |name: &str| report.get(name).and_then(serde_json::Value::as_u64);
    let clean = ["lost", "duplicated", "archive_duplicates"].iter().all(|name| figure(name) == Some(0));
    let real = ["acked", "kills", "resumed"].iter().all(|name| figure(name).is_some_and(|count| count > 0));
    if output.is_success() && clean && real { Counts::ONE_PASSED } else { Counts::ONE_FAILED }
}

#[cfg(test)]
mod tests {
    use super::super::process::End;
    use super::*;

    fn output(text: &str, end: End) -> Output {
        Output { text: text.to_owned(), end }
    }

    #[test]
    fn libtest_summaries_are_added() {
        let text = "test a ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.5s\n\
                    test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(of_libtest(&output(text, End::Failure)), Counts { passed: 5, failed: 4, skipped: 1 });
    }

    #[test]
    fn a_crash_without_a_summary_is_a_failure() {
        assert_eq!(of_libtest(&output("", End::Failure)), Counts::ONE_FAILED);
        assert_eq!(of_libtest(&output("", End::Success)), Counts::ONE_FAILED);
        let ok = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(of_libtest(&output(ok, End::TimedOut)), Counts { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn names_of_passed_tests_are_kept() {
        let text = "test a::b ... ok\ntest c - should panic ... ok\ntest d ... FAILED\ntest e ... ignored\n";
        assert_eq!(passed_names(&output(text, End::Failure)), ["a::b", "c"]);
    }

    #[test]
    fn the_last_line_must_be_a_verdict() {
        let good = output("x\n3 passed, 0 failed, 0 skipped\n", End::Success);
        assert_eq!(of_last_line(&good), Counts { passed: 3, failed: 0, skipped: 0 });
        let bad_exit = output("3 passed, 0 failed, 0 skipped\n", End::Failure);
        assert_eq!(of_last_line(&bad_exit).failed, 1);
        for text in ["", "3 passed, 0 failed", "all good", "3 passed, 0 failed, 0 skipped, 1 odd"] {
            assert_eq!(of_last_line(&output(text, End::Success)), Counts::ONE_FAILED, "{text}");
        }
        assert!(
            of_last_line(&output("0 passed, 0 failed, 0 skipped", End::Success)).is_bad(),
            "nothing run is a failure"
        );
    }

    #[test]
    fn a_crash_report_must_lose_nothing() {
        let report = |lost: u64| {
            format!(
                "{{\"kills\":10,\"sent\":9,\"acked\":9,\"received\":9,\"duplicated\":0,\"lost\":{lost},\
                 \"resumed\":3,\"failed_resumes\":0,\"archive_duplicates\":0,\"wire_duplicates\":2}}\n"
            )
        };
        assert_eq!(of_crash(&output(&report(0), End::Success)), Counts::ONE_PASSED);
        assert_eq!(of_crash(&output(&format!("{}stopped\n", report(0)), End::Success)), Counts::ONE_PASSED);
        assert_eq!(of_crash(&output(&report(1), End::Success)), Counts::ONE_FAILED);
        assert_eq!(of_crash(&output(&report(0), End::Failure)), Counts::ONE_FAILED);
        assert_eq!(of_crash(&output("{}", End::Success)), Counts::ONE_FAILED);
        assert_eq!(of_crash(&output("text", End::Success)), Counts::ONE_FAILED);
    }

    #[test]
    fn skipped_tests_are_bad() {
        assert!(Counts { passed: 1, failed: 0, skipped: 1 }.is_bad());
        assert!(!Counts::ONE_PASSED.is_bad());
    }
}
