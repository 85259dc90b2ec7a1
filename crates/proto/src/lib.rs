//! What is on the wire, as plain values: XML, JIDs, stanzas and payloads (RFC 6120, RFC 6121, RFC 7622).
//! No I/O, no clock, no tables: everything here is a function of its arguments, so it can be fuzzed and tested alone.
//! A routed stanza is not a tree: it is a head and the bytes of its children with an index of their names.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod conditions;
pub mod jid;
pub mod ns;
pub mod payload;
pub mod stanza;
pub mod stream;
pub mod subscription;
pub mod xml;
