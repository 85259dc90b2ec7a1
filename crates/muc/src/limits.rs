//! How much a room may take. All are options of the service; what goes beyond is refused and changes nothing.

/// The bounds of one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most occupants of a room whose configuration says nothing, and of any room.
    pub occupants_max: u64,
    /// So many admins and owners are let in beyond the most (section 7.2.8).
    pub extra_occupants: u64,
    /// Most nicknames of one account in one room.
    pub occupants_each_max: usize,
    /// Most sessions of one occupant.
    pub sessions_each_max: usize,
    /// Longest nickname, in bytes.
    pub nick_bytes_max: usize,
    /// Largest content of a message, in bytes.
    pub message_bytes_max: usize,
    /// Largest content of a presence, in bytes; each occupant's is kept.
    pub presence_bytes_max: usize,
    /// Largest content of a subject, in bytes.
    pub subject_bytes_max: usize,
    /// Longest reason of whatever has one, in bytes.
    pub reason_bytes_max: usize,
    /// Most rows of affiliations.
    pub affiliations_max: usize,
    /// Most items in one request of an admin.
    pub items_max: usize,
    /// Most people invited by one message.
    pub invitees_max: usize,
    /// Most messages of the past that somebody gets who enters.
    pub history_max: u64,
    /// Least time between two requests for voice of one occupant, in milliseconds.
    pub voice_every_ms: u64,
}

impl Default for Limits {
    /// Bounds for a server with a few thousand accounts.
    fn default() -> Limits {
        Limits {
            occupants_max: 10_000,
            extra_occupants: 10,
            occupants_each_max: 10,
            sessions_each_max: 20,
            nick_bytes_max: 256,
            message_bytes_max: 128 << 10,
            presence_bytes_max: 8 << 10,
            subject_bytes_max: 4 << 10,
            reason_bytes_max: 1024,
            affiliations_max: 10_000,
            items_max: 100,
            invitees_max: 20,
            history_max: 100,
            voice_every_ms: 60_000,
        }
    }
}
