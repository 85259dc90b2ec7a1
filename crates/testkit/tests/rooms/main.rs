//! Rooms (XEP-0045 and its family) as people use them.
#![allow(clippy::unwrap_used)]

mod glue;
