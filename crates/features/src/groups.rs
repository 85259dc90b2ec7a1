//! Shared groups: people who see each other because the operator says so. `metronome_host::groups` reads them, rosters show them.

use metronome_host::feature::Feature;

/// See the module.
pub static FEATURE: Feature = Feature { name: "groups", settings: metronome_host::groups::SETTINGS, ..Feature::NONE };
