//! Layers: which workspace crate may use which, and which may not do input and output at all.
//! The table is the one of docs/ARCHITECTURE.md; `cargo metadata` says what the manifests really do.

use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use super::Problem;

/// A crate's folder and the complete list of workspace crates that it may use.
pub(super) const LAYERS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("model", &["proto"]),
    ("sasl", &[]),
    ("store", &["proto", "model"]),
    ("host", &["proto", "model", "sasl", "store"]),
    ("pubsub", &["proto", "model"]),
    ("muc", &["proto", "model"]),
    ("features", &["proto", "model", "sasl", "store", "host", "pubsub", "muc"]),
    ("route", &["proto", "model", "sasl", "store", "host", "pubsub", "muc", "features"]),
    ("net", &["proto", "model", "sasl", "store", "host", "pubsub", "muc", "features", "route"]),
    ("server", &["proto", "model", "sasl", "store", "host", "pubsub", "muc", "features", "route", "net"]),
    ("testkit", &["proto", "model", "sasl", "store", "host", "pubsub", "muc", "features", "route", "net", "server"]),
    ("loadgen", &["proto", "sasl"]),
    ("xtask", &[]),
];

/// Any crate may use this one in its tests.
const TEST_CRATE: &str = "testkit";

/// Crates that are pure functions of their arguments: no runtime, no sockets.
const PURE: &[&str] = &["proto", "model", "sasl", "muc", "pubsub"];
const RUNTIMES: &[&str] = &["tokio", "tokio-util", "mio", "async-std", "smol"];

/// What a dependency is for, as far as the layers are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Shipped,
    Tests,
}

/// Reports every dependency that the table does not allow.
pub(super) fn check(root: &Path) -> Result<Vec<Problem>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("running cargo metadata")?;
    Ok(metadata.packages.iter().flat_map(of_package).collect())
}

fn of_package(package: &Package) -> Vec<Problem> {
    let place = format!("package {}", package.name);
    let Some(folder) = package.manifest_path.parent().and_then(|folder| folder.file_name()) else {
        return vec![Problem::new(place, "has no folder")];
    };
    if package.name.as_str() != format!("metronome-{folder}") {
        return vec![Problem::new(place, format!("must be called metronome-{folder}, after its folder"))];
    }
    let edges = package.dependencies.iter().map(|dependency| {
        let purpose = if dependency.kind == DependencyKind::Development { Use::Tests } else { Use::Shipped };
        (dependency.name.as_str(), purpose)
    });
    edges.filter_map(|(used, purpose)| refuse(folder, used, purpose)).map(|why| Problem::new(&place, why)).collect()
}

/// Why the crate in `folder` may not use the package `used`, if it may not.
fn refuse(folder: &str, used: &str, purpose: Use) -> Option<String> {
    if PURE.contains(&folder) && RUNTIMES.contains(&used) && purpose == Use::Shipped {
        return Some(format!("does no input or output, so it may not use {used}"));
    }
    let target = used.strip_prefix("metronome-")?;
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
        return Some("is not in the table of layers".into());
    };
    let in_tests = purpose == Use::Tests && target == TEST_CRATE;
    (!allowed.contains(&target) && !in_tests).then(|| format!("may not use {used}: its layer is below"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    #[test]
    fn upward_edges_are_refused() {
        assert!(refuse("store", "metronome-host", Use::Shipped).is_some());
        assert!(refuse("loadgen", "metronome-server", Use::Shipped).is_some());
        assert!(refuse("sasl", "metronome-proto", Use::Shipped).is_some());
    }

    #[test]
    fn edges_of_the_table_are_allowed() {
        assert_eq!(refuse("host", "metronome-store", Use::Shipped), None);
        assert_eq!(refuse("store", "rusqlite", Use::Shipped), None);
    }

    #[test]
    fn testkit_is_for_tests_only() {
        assert_eq!(refuse("server", "metronome-testkit", Use::Tests), None);
        assert!(refuse("server", "metronome-testkit", Use::Shipped).is_some());
    }

    #[test]
    fn pure_crates_have_no_runtime() {
        assert!(refuse("proto", "tokio", Use::Shipped).is_some());
        assert_eq!(refuse("store", "tokio", Use::Shipped), None);
    }

    #[test]
    fn the_table_has_no_cycle() {
        for (at, (name, allowed)) in LAYERS.iter().enumerate() {
            for used in *allowed {
                let below = LAYERS[..at].iter().any(|(earlier, _)| earlier == used);
                assert!(below, "{name} uses {used}, which the table does not list before it");
            }
        }
    }

    #[test]
    fn a_crate_outside_the_table_is_a_problem() {
        assert!(refuse("novel", "metronome-proto", Use::Shipped).is_some());
        assert!(check(&tree::root()).is_ok());
    }
}
