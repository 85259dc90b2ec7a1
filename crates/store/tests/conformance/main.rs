//! What every backend must do, told once and run over each of them; then what only a file can do wrong.
#![allow(clippy::unwrap_used)]

/// Makes a test per backend from each function.
macro_rules! over_each_backend {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $name() { super::$name(&mut crate::world::World::memory()); })*
        }
        mod sqlite {
            $(#[test] fn $name() { super::$name(&mut crate::world::World::sqlite()); })*
        }
        mod split {
            $(#[test] fn $name() { super::$name(&mut crate::world::World::split()); })*
        }
        mod guests {
            $(#[test] fn $name() { super::$name(&mut crate::world::World::guests()); })*
        }
    };
}

mod accounts;
mod archive;
mod documents;
mod faults;
mod file;
mod forget;
mod hosts;
mod node_items;
mod nodes;
mod nodes_random;
mod outbox;
mod random;
mod rooms;
mod rooms_random;
mod rosters;
mod search;
mod seen;
mod split;
mod world;
mod writer;
