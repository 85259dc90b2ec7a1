//! Rooms from outside: what somebody does, as stanzas, and what everybody then gets.
#![allow(clippy::unwrap_used)]

mod archive;
mod avatar;
mod entering;
mod managing;
mod random;
mod speaking;
mod world;
