//! Streams that their clients may resume (XEP-0198), as they are stored so that they outlive the server.

use crate::AccountId;

/// The number of a stored stream; never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamNumber(pub u64);

/// A stream that may be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumable {
    /// Its number.
    pub number: StreamNumber,
    /// Whose session it is.
    pub owner: AccountId,
    /// The owner's `auth_epoch` when its client logged in: with another one it is not resumed.
    pub auth_epoch: u32,
    /// SHA-256 of the name by which the client resumes it.
    pub token: [u8; 32],
    /// The resource of its full JID.
    pub resource: Box<str>,
    /// The mechanism that its client logged in with.
    pub mechanism: Box<str>,
    /// When it was bound, Unix time in milliseconds.
    pub since_ms: u64,
    /// For how many seconds it waits for its client.
    pub max_s: u32,
    /// What changes while it lives.
    pub noted: Noted,
    /// How many stanzas of the client are stored or need not be, modulo 2^32. Set by [`Handled::UpTo`] alone.
    pub handled: u32,
    /// Stanzas beyond that which are stored as well. Set by [`Handled::Only`] alone.
    pub marks: Vec<u32>,
}

/// What is noted of a stream every now and then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// When it was noted, Unix time in milliseconds.
    pub at_ms: u64,
    /// The XML of its presence, none while it is not available.
    pub presence: Option<Box<[u8]>>,
    /// What the client has switched on, bit by bit, in the words of the server that wrote it.
    pub switches: u32,
    /// How many stanzas it was sent, modulo 2^32.
    pub sent: u32,
    /// Rows of the archive that it was sent and has not acknowledged: how many stanzas were sent behind each by then, and its id.
    /// Oldest first.
    pub unacked: Vec<(u32, u64)>,
    /// The highest id of the archive that it was given, or passed over for it.
    pub handed: u64,
}

/// That stanzas of a client were handled (XEP-0198), stored together with what they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// All up to this number, modulo 2^32.
    UpTo(StreamNumber, u32),
    /// This one, while one before it is not.
    Only(StreamNumber, u32),
}
