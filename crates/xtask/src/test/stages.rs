//! The table of stages: what is run, in which order, and how long it may take on two cores.
//! A new kind of test is a new row here.

use std::time::Duration;

use super::Length;
use super::binaries::Kind;
use super::counts::{self, Counts};
use super::process::Output;

/// One row of the table.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Its share of the time. Longer gives a warning; three times as long, and at least ten minutes, ends it.
    pub(super) budget: Duration,
    pub(super) run: Run,
}

/// What a stage does.
pub(super) enum Run {
    /// Builds everything, once.
    Build,
    /// Runs the test binaries of one kind, with arguments for the harness and variables for the tests.
    Binaries { kind: Kind, arguments: &'static [&'static str], environment: &'static [(&'static str, &'static str)] },
    /// The examples in the documentation.
    DocTests,
    /// Every `interop/NN-name/run`.
    Interop,
    /// A program whose output a function judges.
    Script { program: &'static str, arguments: &'static [&'static str], judge: fn(&Output) -> Counts },
    /// Every target under `fuzz/`, for a while each.
    FuzzTargets { seconds_each: u64 },
    /// The ticked rows of FEATURES.md against what has passed.
    Features,
}

impl Stage {
    /// Whether later stages cannot do without it.
    pub(super) fn is_always_run(&self) -> bool {
        matches!(self.run, Run::Build) || self.name == TOOLS
    }

    /// After this long it is ended.
    pub(super) fn limit(&self) -> Duration {
        (self.budget * 3).max(Duration::from_secs(600))
    }
}

const TOOLS: &str = "tools";

const ARCHIVE_BENCH: &[&str] = &["run", "-p", "metronome-store", "--example", "archive_bench", "10000"];
const NODES_BENCH: &[&str] = &["run", "-p", "metronome-store", "--example", "nodes_bench", "10000"];

/// How many scenarios run at once: many of them wait for a clock, so there are more than cores.
const AT_ONCE: &str = "--test-threads=4";

/// The stages of `make test`, in order.
const SHORT: &[Stage] = &[
    Stage {
        name: TOOLS,
        about: "installs the programs that the tests call",
        budget: Duration::from_secs(180),
        run: Run::Script { program: "scripts/test-tools", arguments: &[], judge: counts::of_exit },
    },
    Stage {
        name: "build",
        about: "builds all tests and programs with one profile",
        budget: Duration::from_secs(500),
        run: Run::Build,
    },
    Stage {
        name: "unit",
        about: "tests beside the code",
        budget: Duration::from_secs(110),
        run: Run::Binaries { kind: Kind::Unit, arguments: &[], environment: &[] },
    },
    Stage {
        name: "scenarios",
        about: "tests over the public interface: streams, sessions, chat, hostile input",
        budget: Duration::from_secs(540),
        run: Run::Binaries { kind: Kind::Scenario, arguments: &[AT_ONCE], environment: &[] },
    },
    Stage { name: "doc", about: "examples in the documentation", budget: Duration::from_secs(90), run: Run::DocTests },
    Stage {
        name: "examples",
        about: "every example of the listed XEPs is shown by a scenario, or a line says why not",
        budget: Duration::from_secs(10),
        run: Run::Script { program: "cargo", arguments: &["xtask", "xep-examples"], judge: counts::of_exit },
    },
    Stage {
        name: "interop-clients",
        about: "real clients against the real server",
        budget: Duration::from_secs(540),
        run: Run::Interop,
    },
    Stage {
        name: "crash",
        about: "10 times SIGKILL while messages are sent: none lost, none doubled",
        budget: Duration::from_secs(120),
        run: Run::Script { program: "scripts/crash", arguments: &["10"], judge: counts::of_crash },
    },
];

/// What `make test-full` runs besides.
const LONG: &[Stage] = &[
    Stage {
        name: "hostile-2000",
        about: "the scenarios again, with 2000 hostile connections",
        budget: Duration::from_secs(600),
        run: Run::Binaries {
            kind: Kind::Scenario,
            arguments: &["hostile"],
            environment: &[("METRONOME_HOSTILE_CONNECTIONS", "2000")],
        },
    },
    Stage {
        name: "rooms-crash-200",
        about: "200 times SIGKILL while people talk in a room",
        budget: Duration::from_secs(300),
        run: Run::Binaries {
            kind: Kind::Scenario,
            arguments: &["what_anybody_heard_before_a_crash"],
            environment: &[("METRONOME_ROOM_KILLS", "200")],
        },
    },
    Stage {
        name: "interop-smack",
        about: "Smack's tests with every type of connection",
        budget: Duration::from_secs(600),
        run: Run::Script { program: "interop/40-smack/run", arguments: &["all"], judge: counts::of_last_line },
    },
    Stage {
        name: "interop-federation",
        about: "10,000 messages each way with Prosody and with ejabberd",
        budget: Duration::from_secs(420),
        run: Run::Script { program: "interop/50-federation/run", arguments: &["all"], judge: counts::of_last_line },
    },
    Stage {
        name: "network-cut",
        about: "the network between two servers is away for a minute: nothing lost, nobody else stalled (needs root)",
        budget: Duration::from_secs(150),
        run: Run::Script { program: "interop/50-federation/run", arguments: &["cut"], judge: counts::of_last_line },
    },
    Stage {
        name: "archive-bench",
        about: "the benchmark of an archive works, with few messages",
        budget: Duration::from_secs(120),
        run: Run::Script { program: "cargo", arguments: ARCHIVE_BENCH, judge: counts::of_exit },
    },
    Stage {
        name: "nodes-bench",
        about: "the benchmark of a node's items works, with few items",
        budget: Duration::from_secs(120),
        run: Run::Script { program: "cargo", arguments: NODES_BENCH, judge: counts::of_exit },
    },
    Stage {
        name: "crash-200",
        about: "200 times SIGKILL",
        budget: Duration::from_secs(1200),
        run: Run::Script { program: "scripts/crash", arguments: &["200"], judge: counts::of_crash },
    },
    Stage {
        name: "fuzz",
        about: "every fuzz target for 60 seconds",
        budget: Duration::from_secs(900),
        run: Run::FuzzTargets { seconds_each: 60 },
    },
];

/// The last row: it judges what the others left.
const LAST: &[Stage] = &[Stage {
    name: "features",
    about: "every ticked row of FEATURES.md has a test that passed just now",
    budget: Duration::from_secs(5),
    run: Run::Features,
}];

/// The whole of `make test` on two cores, from nothing.
const SHORT_TOTAL: Duration = Duration::from_secs(35 * 60);

/// The rows that are run for `length`, in order.
pub(super) fn of(length: Length) -> Vec<&'static Stage> {
    let long = if length == Length::Full { LONG } else { &[] };
    SHORT.iter().chain(long).chain(LAST).collect()
}

/// How long the whole run may take before it warns.
pub(super) fn total_budget(length: Length) -> Duration {
    match length {
        Length::Short => SHORT_TOTAL,
        Length::Full => of(length).iter().map(|stage| stage.budget).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fit_into_the_budget() {
        let shares: Duration = of(Length::Short).iter().map(|stage| stage.budget).sum();
        assert!(shares <= SHORT_TOTAL, "{shares:?}");
    }

    #[test]
    fn names_differ_and_the_build_comes_before_what_needs_it() {
        let names: Vec<&str> = of(Length::Full).iter().map(|stage| stage.name).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[at + 1..].contains(name), "{name}");
        }
        let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
        assert!(place("build") < place("unit"));
        assert_eq!(place("features"), names.len() - 1);
    }

    #[test]
    fn full_is_short_and_more() {
        assert!(of(Length::Full).len() > of(Length::Short).len());
    }
}
