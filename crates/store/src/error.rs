//! Why a store could not be opened, read or written, in sentences an operator can act on.

use std::path::PathBuf;

use metronome_model::Unavailable;

/// A failure of the store itself; what a record may be refused for is an `Outcome`, not an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing can be written until there is room again; reading goes on.
    #[error("no space is left for {}: {detail}. Free some space on that disk; the server goes on by itself", file.display())]
    DiskFull {
        /// The database file.
        file: PathBuf,
        /// What the database said.
        detail: String,
    },
    /// The disk or the operating system refused an operation.
    #[error("{} cannot be used: {detail}", file.display())]
    Disk {
        /// The file.
        file: PathBuf,
        /// What the database or the operating system said.
        detail: String,
    },
    /// The file is not, or not any more, a sound database.
    #[error("{} is damaged: {detail}. Stop the server, keep a copy of the file and those beside it, then restore a \
             backup or try the `.recover` command of the sqlite3 shell", file.display())]
    Damaged {
        /// The database file.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A database of another program.
    #[error("{} is a database, but not one of this server; choose another path", file.display())]
    Foreign {
        /// The database file.
        file: PathBuf,
    },
    /// Written by a newer version of this server, which may have changed what the data mean.
    #[error("{} has schema version {found}, this server knows versions up to {known}: install a newer server or \
             restore the backup made before the upgrade", file.display())]
    Newer {
        /// The database file.
        file: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Two servers on one file would give the same ids twice.
    #[error("{} is in use by another running server", file.display())]
    InUse {
        /// The database file.
        file: PathBuf,
    },
    /// The store is closed, or too many reads wait already.
    #[error("the store does not take this request: {detail}")]
    Refused {
        /// Which of the two.
        detail: &'static str,
    },
}

impl StoreError {
    /// The reason as a record's outcome carries it.
    pub fn reason(&self) -> Unavailable {
        match self {
            StoreError::DiskFull { .. } => Unavailable::DiskFull,
            StoreError::Damaged { .. } | StoreError::Foreign { .. } | StoreError::Newer { .. } => Unavailable::Corrupt,
            StoreError::Disk { .. } | StoreError::InUse { .. } => Unavailable::Disk,
            StoreError::Refused { .. } => Unavailable::Stopping,
        }
    }
}
