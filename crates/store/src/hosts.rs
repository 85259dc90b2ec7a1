//! Domains that were added, or switched off, while the server ran.

use metronome_model::StoredHost;

use crate::{Reading, StoreError};

/// Reads what is stored of domains.
pub trait StoredHosts: Send + Sync {
    /// All of them, in byte order of their names.
    fn hosts(&self) -> Reading<Vec<StoredHost>>;
}

/// Changes what is stored of domains, inside the writer's open transaction.
pub trait HostWrites {
    /// Sets or replaces a domain's row.
    fn set_host(&mut self, host: &StoredHost) -> Result<(), StoreError>;

    /// Removes a domain's row; nothing happens if there is none.
    fn forget_host(&mut self, name: &str) -> Result<(), StoreError>;
}
