//! Values of the server itself, such as the secret behind the salts it shows for unknown users.

use crate::{Reading, StoreError};

/// Reads values of the server.
pub trait Meta: Send + Sync {
    /// The value with this name, `None` before it was first set.
    fn meta(&self, key: &'static str) -> Reading<Option<Box<[u8]>>>;
}

/// Changes values of the server, inside the writer's open transaction.
pub trait MetaWrites {
    /// Sets or replaces a value.
    fn set_meta(&mut self, key: &'static str, value: &[u8]) -> Result<(), StoreError>;
}
