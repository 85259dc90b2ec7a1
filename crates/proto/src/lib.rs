//! To be written.

pub mod jid;
