//! What an administrator may set about logs.

use metronome_host::options::{Kind, Setting};

use super::syslog::FACILITIES;

/// How much is logged.
pub const LEVEL: Setting = Setting::new(
    "log.level",
    Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
    "\"info\"",
    "How much is logged, wherever nothing else is said below. Libraries log one level less, and nothing below warnings unless this \
     is debug or trace.",
);

/// The form of each line.
pub const FORMAT: Setting = Setting::new(
    "log.format",
    Kind::Choice(&["text", "json"]),
    "\"text\"",
    "The form of each line on the terminal and in a file. The journal and syslog have their own.",
)
.at_restart();

/// Where logs go.
pub const TARGET: Setting = Setting::new(
    "log.target",
    Kind::Choices(&["auto", "terminal", "journal", "file", "syslog"]),
    "[\"auto\"]",
    "Where logs go, to one place or to several. `auto` is the journal where systemd started the server, and the terminal (standard \
     output) elsewhere.",
)
.at_restart();

/// The file, if logs go to one.
pub const FILE: Setting = Setting::new(
    "log.file",
    Kind::Path,
    "\"\"",
    "The file for the target `file`. Lines are appended; it is opened again on SIGHUP and by `metronomectl log reopen`, after a \
     rotation.",
)
.at_restart();

/// Where syslog listens.
pub const SYSLOG: Setting = Setting::new(
    "log.syslog",
    Kind::Text,
    "\"/dev/log\"",
    "Where the target `syslog` listens: a socket of this machine, or `udp:192.0.2.1:514`. Messages have the form of RFC 5424.",
)
.at_restart();

/// What syslog sorts our lines under.
pub const FACILITY: Setting = Setting::new(
    "log.syslog_facility",
    Kind::Choice(FACILITIES),
    "\"daemon\"",
    "What syslog sorts the server's messages under.",
)
.at_restart();

/// Where the journal listens.
pub const JOURNAL: Setting = Setting::new(
    "log.journal",
    Kind::Path,
    "\"/run/systemd/journal/socket\"",
    "The socket of the journal; one with a namespace of its own has another.",
)
.at_restart();

const LEVELS_DOC: [&str; 4] = [
    "What the terminal gets: a level, or two as in `\"debug..info\"` for these and those between; `\"\"` is `log.level`.",
    "What the journal gets, in the same form.",
    "What the file gets, in the same form.",
    "What syslog gets, in the same form.",
];

/// The levels of each sink, in the order of `Sink`.
pub(super) const LEVELS: [Setting; 4] = [
    Setting::new("log.levels.terminal", Kind::Text, "\"\"", LEVELS_DOC[0]),
    Setting::new("log.levels.journal", Kind::Text, "\"\"", LEVELS_DOC[1]),
    Setting::new("log.levels.file", Kind::Text, "\"\"", LEVELS_DOC[2]),
    Setting::new("log.levels.syslog", Kind::Text, "\"\"", LEVELS_DOC[3]),
];

/// The table of the settings above.
pub const SETTINGS: &[Setting] =
    &[LEVEL, FORMAT, TARGET, FILE, SYSLOG, FACILITY, JOURNAL, LEVELS[0], LEVELS[1], LEVELS[2], LEVELS[3]];
