//! What a check has found: a line for each thing, with what mends it, and a sum at the end.

use serde_json::{Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It does not work.
    Problem,
    /// It works, and not as well as it could.
    Warning,
    /// It is right.
    Good,
}

impl Level {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Problem => "problem",
            Level::Warning => "warning",
            Level::Good => "good",
        }
    }

    fn mark(self) -> char {
        match self {
            Level::Problem => '\u{2717}',
            Level::Warning => '!',
            Level::Good => '\u{2713}',
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was checked, in one word.
    pub area: &'static str,
    /// What was found, in a few words that begin with what it is about.
    pub what: String,
    /// The record, command or line of the configuration that mends it; empty where nothing is to be mended.
    pub mend: String,
}

impl Finding {
    /// Something is right.
    pub fn good(area: &'static str, what: impl Into<String>) -> Finding {
        Finding { level: Level::Good, area, what: what.into(), mend: String::new() }
    }

    /// Something could be better.
    pub fn warning(area: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, area, what: what.into(), mend: mend.into() }
    }

    /// Something does not work.
    pub fn problem(area: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { level: Level::Problem, area, what: what.into(), mend: mend.into() }
    }
}

/// Aligned lines, the worst first, and their sum.
pub(super) fn to_text(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.level);
    let area = sorted.iter().map(|finding| finding.area.len()).max().unwrap_or(0);
    let mended = sorted.iter().filter(|finding| !finding.mend.is_empty());
    let what = mended.map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let line = |finding: &&Finding| {
        let Finding { level, area: of, what: found, mend } = finding;
        let line = match mend.is_empty() {
            true => format!("{} {of:area$}  {found}", level.mark()),
            false => format!("{} {of:area$}  {found:what$}  \u{2192} {mend}", level.mark()),
        };
        line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>()
    };
    let mut lines: Vec<String> = sorted.iter().map(line).collect();
    lines.push(sum(findings));
    lines.join("\n")
}

fn sum(findings: &[Finding]) -> String {
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let named = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {one}s")),
    };
    let passed = match count(Level::Good) {
        1 => "1 check passed".to_owned(),
        good => format!("{good} checks passed"),
    };
    let parts = [named(count(Level::Problem), "problem"), named(count(Level::Warning), "warning"), Some(passed)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A list of objects.
pub(super) fn to_json(findings: &[Finding]) -> Value {
    let object = |finding: &Finding| json!({ "level": finding.level.as_str(), "area": finding.area, "finding": finding.what, "mend": finding.mend });
    findings.iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_with_what_mends_it() {
        let findings = [
            Finding::good("dns", "a.example: one"),
            Finding::warning("certs", "a.example: 5 days left", "renew it"),
            Finding::problem("dns", "b.example: no address", "b.example. 3600 IN A 192.0.2.1\u{1b}"),
            Finding::good("ports", "all"),
        ];
        let expected = "\u{2717} dns    b.example: no address   \u{2192} b.example. 3600 IN A 192.0.2.1\u{fffd}\n\
                        ! certs  a.example: 5 days left  \u{2192} renew it\n\
                        \u{2713} dns    a.example: one\n\
                        \u{2713} ports  all\n\
                        1 problem, 1 warning, 2 checks passed";
        assert_eq!(to_text(&findings), expected);
        assert_eq!(to_json(&findings)[2]["mend"], "b.example. 3600 IN A 192.0.2.1\u{1b}");
    }

    #[test]
    fn a_sum_counts_in_words() {
        assert_eq!(to_text(&[]), "0 checks passed");
        assert_eq!(sum(&[Finding::good("dns", "one")]), "1 check passed");
        let problem = Finding::problem("dns", "no", "do");
        assert_eq!(sum(&[problem.clone(), problem]), "2 problems, 0 checks passed");
    }
}
