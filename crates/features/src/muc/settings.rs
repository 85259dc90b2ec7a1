//! What administrators may say of rooms: where the service is, who may make rooms, how those begin and end, and how much there may be.
//! What a room of its own can be configured as is begun with by `rooms.defaults` (see `defaults`).

use std::time::Duration;

use metronome_host::options::{Frequency, Kind, Setting, Values};
use metronome_muc::{Creation, Limits};

use super::pace::Rule;

use super::defaults::DEFAULTS;
pub use super::defaults::{defaults, table};

/// Where the service of a domain is.
pub const PLACE: Setting = Setting::new(
    "rooms.service",
    Kind::Text,
    "\"rooms\"",
    "Where a domain has its rooms: a label that stands before the domain, as in `rooms.example.org`; a whole domain name, if there is a dot \
     in it; or `\"\"` for no rooms. Other servers find it by DNS like any domain.",
)
.per_host();

/// Who may make rooms.
pub(super) const CREATION: Setting = Setting::new(
    "rooms.creation",
    Kind::Choice(&["admins", "users", "everybody"]),
    "\"users\"",
    "Who may make rooms on the service of a domain by entering them: its administrators, the accounts of the domain as well, or everybody, \
     also those of other servers. Guests never may, unless `rooms.creation_by_guests` lets them.",
)
.per_host();

/// Whether guests may.
pub(super) const CREATION_BY_GUESTS: Setting = Setting::new(
    "rooms.creation_by_guests",
    Kind::Flag,
    "false",
    "Whether guests of the domain (ANONYMOUS) may make rooms where its accounts may. Such a room is over with its last occupant, or once \
     nobody is left who owns it.",
)
.per_host();

/// Whether new rooms wait for their configuration.
pub(super) const INSTANT: Setting = Setting::new(
    "rooms.instant",
    Kind::Flag,
    "false",
    "Whether others may enter a new room at once. Otherwise it is locked until whoever has made it has configured it, or has taken it as \
     it is.",
)
.per_host();

/// How long destroyed rooms point elsewhere.
pub(super) const REDIRECT: Setting = Setting::new(
    "rooms.redirect",
    Kind::Duration,
    "\"3 d\"",
    "How long whoever wants to enter a room that was destroyed in favour of another one is told where that is; nobody can make a room of \
     that name meanwhile. `\"0 s\"` for not at all.",
)
.per_host();

/// How long a name is reserved.
pub(super) const RESERVATION: Setting = Setting::new(
    "rooms.reservation",
    Kind::Duration,
    "\"3 min\"",
    "How long the name of a room that the service has made up for somebody is theirs alone (XEP-0307).",
)
.per_host()
.within(1000, 24 * 60 * 60 * 1000);

/// When rooms that nobody uses go.
pub(super) const EXPIRE: Setting = Setting::new(
    "rooms.expire",
    Kind::Duration,
    "\"0 s\"",
    "When a room in which nobody was for so long is destroyed, with its archive; `\"0 s\"` for never. It is looked at every hour.",
)
.per_host();

/// Which rooms stay.
pub(super) const EXPIRE_EXCEPT: Setting = Setting::new(
    "rooms.expire_except",
    Kind::List,
    "[]",
    "Names of rooms that stay although nobody uses them, without the domain, such as `[\"support\"]`.",
)
.per_host();

/// What becomes of rooms without owners.
pub(super) const ORPHANS: Setting = Setting::new(
    "rooms.orphans",
    Kind::Choice(&["destroy", "keep"]),
    "\"destroy\"",
    "What becomes of a room when the account of its last owner is deleted.",
)
.per_host();

/// Most rooms of a service.
pub(super) const ROOMS: Setting = Setting::new(
    "limits.rooms.rooms",
    Kind::Count { min: 1, max: 100_000_000 },
    "100000",
    "Most rooms of one service.",
)
.per_host();

/// Most rooms of one owner.
pub(super) const ROOMS_EACH: Setting = Setting::new(
    "limits.rooms.rooms_each",
    Kind::Count { min: 1, max: 1_000_000 },
    "100",
    "Most rooms that somebody may own and still make another one. Administrators may make any number.",
)
.per_host();

/// Most occupants.
pub(super) const OCCUPANTS: Setting = Setting::new(
    "limits.rooms.occupants",
    Kind::Count { min: 1, max: 1_000_000 },
    "10000",
    "Most occupants of one room, whatever its configuration says; a few of its owners and admins are let in beyond that.",
)
.per_host();

/// Most sessions of one occupant.
pub(super) const SESSIONS: Setting = Setting::new(
    "limits.rooms.sessions",
    Kind::Count { min: 1, max: 1000 },
    "20",
    "Most sessions of one account that share a nickname in a room.",
)
.per_host();

/// Most affiliations.
pub(super) const AFFILIATIONS: Setting = Setting::new(
    "limits.rooms.affiliations",
    Kind::Count { min: 10, max: 1_000_000 },
    "10000",
    "Most people that one room knows as members, admins, owners or outcasts.",
)
.per_host();

/// Largest message.
pub(super) const MESSAGE: Setting =
    Setting::new("limits.rooms.message", Kind::Bytes, "\"128 KiB\"", "Largest message to a room or to one of its occupants.")
        .per_host()
        .within(1024, 1 << 20);

/// Largest presence.
pub(super) const PRESENCE: Setting = Setting::new(
    "limits.rooms.presence",
    Kind::Bytes,
    "\"8 KiB\"",
    "Largest presence of an occupant; the room keeps one of each session and sends it to everybody who enters.",
)
.per_host()
.within(1024, 256 << 10);

/// Largest subject.
pub(super) const SUBJECT: Setting =
    Setting::new("limits.rooms.subject", Kind::Bytes, "\"4 KiB\"", "Largest subject of a room.")
        .per_host()
        .within(256, 64 << 10);

/// Most messages of the past.
pub(super) const HISTORY: Setting = Setting::new(
    "limits.rooms.history",
    Kind::Count { min: 0, max: 1000 },
    "100",
    "Most messages of the past that somebody gets who enters, whatever a room's configuration says.",
)
.per_host();

/// Most people in one invitation.
pub(super) const INVITATIONS: Setting = Setting::new(
    "limits.rooms.invitations",
    Kind::Count { min: 1, max: 100 },
    "20",
    "Most people that one message to a room may invite.",
)
.per_host();

/// Least time between requests for voice.
pub(super) const VOICE: Setting = Setting::new(
    "limits.rooms.voice",
    Kind::Duration,
    "\"1 min\"",
    "Least time between two requests for voice of one visitor; a room may ask for more.",
)
.per_host();

/// How fast somebody may write.
pub(super) const MESSAGES: Setting = Setting::new(
    "limits.rooms.messages",
    Kind::Frequency,
    "\"600/min\"",
    "How many messages one account may send in one room; who goes beyond it hears that, and nobody else hears the message. Moderators, and \
     admins and owners of the room, may send any number.",
)
.per_host();

/// When who writes too fast has to go.
pub(super) const REFUSED: Setting = Setting::new(
    "limits.rooms.refused",
    Kind::Count { min: 0, max: 1_000_000 },
    "60",
    "After so many refused messages within the span of `limits.rooms.messages` their sender is removed from the room; 0 for never.",
)
.per_host();

/// How fast presence is told.
pub(super) const UPDATES: Setting = Setting::new(
    "limits.rooms.updates",
    Kind::Frequency,
    "\"60/min\"",
    "How many changes of its presence a client shows to a room at once. None is refused: of further ones the newest is shown when the span is \
     over. Changes of the nickname count as well, and are refused beyond it.",
)
.per_host();

/// How fast somebody may enter.
pub(super) const ENTRIES: Setting = Setting::new(
    "limits.rooms.entries",
    Kind::Frequency,
    "\"1000/min\"",
    "How many rooms of a service one account may enter, or try to.",
)
.per_host();

/// How many names may be asked for.
pub(super) const NAMES: Setting = Setting::new(
    "limits.rooms.names",
    Kind::Frequency,
    "\"20/min\"",
    "How many names of rooms one account may have made up for it (XEP-0307).",
)
.per_host();

/// The settings of rooms.
pub const SETTINGS: &[Setting] = &[
    PLACE,
    CREATION,
    CREATION_BY_GUESTS,
    INSTANT,
    DEFAULTS,
    REDIRECT,
    RESERVATION,
    EXPIRE,
    EXPIRE_EXCEPT,
    ORPHANS,
    ROOMS,
    ROOMS_EACH,
    OCCUPANTS,
    SESSIONS,
    AFFILIATIONS,
    MESSAGE,
    PRESENCE,
    SUBJECT,
    HISTORY,
    INVITATIONS,
    VOICE,
    MESSAGES,
    REFUSED,
    UPDATES,
    ENTRIES,
    NAMES,
    super::avatar::SIZE,
    super::logs::SHOWN,
];

/// How much one room may take.
pub fn limits(values: &Values) -> Limits {
    Limits {
        occupants_max: values.count(&OCCUPANTS),
        sessions_each_max: values.count(&SESSIONS) as usize,
        message_bytes_max: values.bytes(&MESSAGE) as usize,
        presence_bytes_max: values.bytes(&PRESENCE) as usize,
        subject_bytes_max: values.bytes(&SUBJECT) as usize,
        affiliations_max: values.count(&AFFILIATIONS) as usize,
        invitees_max: values.count(&INVITATIONS) as usize,
        history_max: values.count(&HISTORY),
        voice_every_ms: ms(values.duration(&VOICE)),
        ..Limits::default()
    }
}

/// Whether new rooms wait for their configuration.
pub fn creation(values: &Values) -> Creation {
    if values.flag(&INSTANT) { Creation::Instant } else { Creation::Locked }
}

/// Whether rooms end that nobody owns any more.
pub fn ends_orphans(values: &Values) -> bool {
    values.text(&ORPHANS) == "destroy"
}

/// How fast somebody may write in one room.
pub fn pace(values: &Values) -> Rule {
    Rule { messages: values.frequency(&MESSAGES), refused_max: values.count(&REFUSED) }
}

/// How many changes of presence are shown at once.
pub fn updates(values: &Values) -> Frequency {
    values.frequency(&UPDATES)
}

/// How many rooms one account may enter.
pub fn entries(values: &Values) -> Frequency {
    values.frequency(&ENTRIES)
}

pub(super) fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_what_rooms_go_by() {
        let values = Values::defaults(&[SETTINGS]);
        assert_eq!(limits(&values), Limits::default(), "as the rooms themselves have it");
        let fewer = values.with("limits.rooms.occupants", "5").with("limits.rooms.subject", "\"1 KiB\"");
        assert_eq!((limits(&fewer).occupants_max, limits(&fewer).subject_bytes_max), (5, 1024));
        assert_eq!(creation(&values), Creation::Locked);
        assert_eq!(creation(&values.with("rooms.instant", "true")), Creation::Instant);
    }
}
