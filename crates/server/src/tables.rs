//! Every setting and every command of the server, collected from the parts that declare them.

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

/// All settings, in the order of the reference page.
pub const SETTINGS: Tables = &[
    config::SETTINGS,
    OWN,
    metronome_net::SETTINGS[0],
    metronome_net::SETTINGS[1],
    metronome_net::SETTINGS[2],
    metronome_net::SETTINGS[3],
    metronome_net::SETTINGS[4],
    metronome_host::hosts::SETTINGS,
    metronome_route::timers::SETTINGS,
    logging::SETTINGS,
];

/// All commands, by the features that declare them.
pub fn commands() -> &'static [&'static [Command]] {
    static ALL: std::sync::OnceLock<Vec<&'static [Command]>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| metronome_features::ALL.iter().map(|feature| feature.commands).collect())
}
