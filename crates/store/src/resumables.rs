//! Streams that their clients may resume (XEP-0198), so that sessions outlive the server: read once at its start.

use metronome_model::{Handled, Noted, Resumable, StreamNumber};

use crate::{Reading, StoreError};

/// Reads streams.
pub trait Resumables: Send + Sync {
    /// All streams whose owners exist, by their numbers.
    fn resumables(&self) -> Reading<Vec<Resumable>>;
}

/// Changes streams, inside the writer's open transaction and after its checks.
pub trait ResumableWrites {
    /// Stores a stream; what is handled of it stays as it is.
    fn set_resumable(&mut self, stream: &Resumable) -> Result<(), StoreError>;

    /// Notes what a stream has become; nothing happens if it is not stored.
    fn note_resumable(&mut self, number: StreamNumber, noted: &Noted) -> Result<(), StoreError>;

    /// Notes what is handled of a stream. Whoever forgets streams also forgets what is noted of others that are not stored.
    fn set_handled(&mut self, handled: Handled) -> Result<(), StoreError>;

    /// Forgets a stream and what is handled of it.
    fn forget_resumable(&mut self, number: StreamNumber) -> Result<(), StoreError>;
}
