//! Rooms from outside: what somebody does, as stanzas, and what everybody then gets.
#![allow(clippy::unwrap_used)]

mod archive;
mod asks;
mod avatar;
mod entering;
mod hats;
mod hostile;
mod large;
mod managing;
mod matrix;
mod random;
mod registering;
mod service;
mod speaking;
mod versions;
mod world;
