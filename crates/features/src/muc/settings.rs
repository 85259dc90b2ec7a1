//! What administrators may say of rooms: where the service is, who may create them, and how much one may take.

use std::sync::OnceLock;

use metronome_host::options::{Kind, Setting, Values};
use metronome_muc::config::{Config, Table};
use metronome_muc::{Creation, Limits};

/// Where the service of a domain is.
pub const PLACE: Setting = Setting::new(
    "rooms.service",
    Kind::Text,
    "\"rooms\"",
    "Where a domain has its rooms: a label that stands before the domain, as in `rooms.example.org`; a whole domain name, if there is a dot in \
     it; or `\"\"` for none. Other servers find it by DNS like any domain.",
)
.per_host();

/// Who may create rooms.
pub const CREATION: Setting = Setting::new(
    "rooms.creation",
    Kind::Choice(&["admins", "users", "everybody"]),
    "\"users\"",
    "Who may create rooms: the administrators of the domain, the accounts of the domain as well, or everybody, also those of other servers.",
)
.per_host();

/// Whether new rooms wait for their configuration.
pub const LOCKED: Setting = Setting::new(
    "rooms.locked",
    Kind::Flag,
    "true",
    "Whether nobody else may enter a new room until whoever created it has configured it, or has taken it as it is.",
)
.per_host();

/// Most occupants.
pub const OCCUPANTS: Setting = Setting::new(
    "limits.rooms.occupants",
    Kind::Count { min: 1, max: 1_000_000 },
    "10000",
    "Most occupants of one room. Some admins and owners are let in beyond that.",
)
.per_host();

/// The settings of rooms.
pub const SETTINGS: &[Setting] = &[PLACE, CREATION, LOCKED, OCCUPANTS, super::avatar::SIZE];

/// The bounds of a room.
pub fn limits(values: &Values) -> Limits {
    Limits { occupants_max: values.count(&OCCUPANTS), ..Limits::default() }
}

/// How a room is configured until its owner says something else.
pub fn defaults(_values: &Values) -> Config {
    Config::default()
}

/// The fields of the configuration.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::default)
}

/// Whether new rooms wait for their configuration.
pub fn creation(values: &Values) -> Creation {
    if values.flag(&LOCKED) { Creation::Locked } else { Creation::Instant }
}
