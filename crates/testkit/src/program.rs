//! Finds the server's program beside the test that runs, and builds it where nobody has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of `metronome`, built with the same profile as the test. `METRONOME_PROGRAM` names another one.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("METRONOME_PROGRAM") {
        Some(path) => path.into(),
        None => beside_this_test(),
    })
}

/// Tests run from `target/<profile>/deps`, programs lie in `target/<profile>`.
fn beside_this_test() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("a test lies in a folder");
    let profile = deps.parent().expect("that folder lies in the one of the profile");
    let program = profile.join("metronome");
    if !program.is_file() {
        // Cargo locks the target folder, so that several tests may get here at once.
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--package", "metronome-server", "--bin", "metronome"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let status = cargo.current_dir(root).status().expect("cargo can be run");
        assert!(status.success(), "the server does not build");
    }
    program
}
