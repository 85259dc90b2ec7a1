//! What surrounds the stanzas of a stream (RFC 6120 section 4): its header, its features, its errors.

pub mod error;
pub mod features;
pub mod header;
