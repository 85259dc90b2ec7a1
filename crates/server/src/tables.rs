//! Every setting and every command of the server, collected from the parts that declare them.

use std::sync::OnceLock;

use metronome_host::command::Command;
use metronome_host::options::{Kind, Setting};

use crate::config::{self, Tables};
use crate::logging;

/// Where everything that must survive a restart lies.
pub const DATA: Setting = Setting::new(
    "server.data",
    Kind::Path,
    "\"/var/lib/metronome\"",
    "The folder of the database and of everything else that must survive a restart.",
)
.at_restart();

/// What keeps it.
pub const BACKEND: Setting = Setting::new(
    "storage.backend",
    Kind::Choice(&["sqlite", "memory"]),
    "\"sqlite\"",
    "What keeps accounts and messages: `sqlite` in one file in the data folder, or `memory`, for tests only, which forgets \
     everything when the server stops.",
)
.at_restart();

const OWN: &[Setting] = &[DATA, BACKEND];

/// All settings, in the order of the reference page: those of the parts, then those of the features that declare some.
pub fn settings() -> Tables {
    static ALL: OnceLock<Vec<&'static [Setting]>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = vec![config::SETTINGS, OWN];
        all.extend(metronome_net::SETTINGS);
        all.extend([metronome_host::hosts::SETTINGS, metronome_host::groups::SETTINGS]);
        all.push(metronome_route::timers::SETTINGS);
        all.push(metronome_host::remotes::SETTINGS);
        for feature in metronome_features::ALL {
            // Some declare what is read below them, so that the list of features tells who uses it.
            let listed = |setting: &Setting| all.iter().copied().flatten().any(|other| other.key == setting.key);
            if feature.settings.first().is_some_and(|first| !listed(first)) {
                all.push(feature.settings);
            }
        }
        all.push(logging::SETTINGS);
        all
    })
}

/// All commands, by the features that declare them.
pub fn commands() -> &'static [&'static [Command]] {
    static ALL: OnceLock<Vec<&'static [Command]>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| metronome_features::ALL.iter().map(|feature| feature.commands).collect())
}
