//! The last stage: every ticked row of FEATURES.md is proved by a test that has just passed.

use std::path::Path;

use anyhow::Result;

use super::counts::Counts;
use crate::tidy::{self, Proof};

/// One count per proof of a ticked row: passed if it is among `passed`.
pub(super) fn check(root: &Path, passed: &[String]) -> Result<Counts> {
    let mut counts = Counts::default();
    for (id, proofs) in tidy::ticked(root)? {
        for proof in proofs {
            let name = match proof {
                Proof::Test(parts) => parts.join("::"),
                Proof::Interop(folder) => format!("interop/{folder}"),
            };
            if passed.contains(&name) {
                counts.add(Counts::ONE_PASSED);
            } else {
                eprintln!("FEATURES.md {id}: {name} has not passed");
                counts.add(Counts::ONE_FAILED);
            }
        }
    }
    Ok(counts)
}
