//! What became of a record.

use std::fmt;

use smallvec::SmallVec;

/// The writer's answer to one record. Everything but `Done` means that nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is durable.
    Done {
        /// The ids given to the record's `Append`s and `Enqueue`s, in their order.
        ids: SmallVec<[u64; 2]>,
    },
    /// An account or a node that the record names does not exist, or not any more.
    Gone,
    /// An archive has no room for another unseen row, or a node for another item.
    Full,
    /// The name or id of a new account is in use, or the name of a new node.
    Conflict,
    /// Another node owns what the record names; never from a store that belongs to one node.
    Fenced,
    /// The store cannot write now. The same record may be submitted again later.
    Unavailable(Unavailable),
}

impl Outcome {
    /// Whether the record is durable.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done { .. })
    }
}

/// Why the store could not write. For logs and metrics; what a remote may read says only that it was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// No space left where the store lies, or its own size limit is reached.
    DiskFull,
    /// The disk or the connection to the database reported an error.
    Disk,
    /// The store's own structure is damaged.
    Corrupt,
    /// The server is stopping.
    Stopping,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unavailable::DiskFull => "the disk is full",
            Unavailable::Disk => "the disk reported an error",
            Unavailable::Corrupt => "the store is damaged",
            Unavailable::Stopping => "the server is stopping",
        })
    }
}
