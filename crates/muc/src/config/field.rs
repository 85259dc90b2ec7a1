//! One field of the form: its name, what may stand in it, and where else it shows.

use super::Config;
use crate::limits::Limits;

/// A field that an owner fills in.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the form `http://jabber.org/protocol/muc#roomconfig`.
    pub var: &'static str,
    /// Its name for humans.
    pub label: &'static str,
    /// What may stand in it.
    pub shape: Shape,
    /// What stands in it until somebody chooses, in the same words.
    pub default: &'static [&'static str],
    /// Where others see it.
    pub shown: Shown,
    /// Refuses a configuration, once all fields of a form are read, with words for the owner.
    pub refuse: Option<Refusal>,
}

/// Refuses a configuration, with words for the owner.
pub type Refusal = fn(&Config, &Limits) -> Result<(), &'static str>;

/// What may stand in a field.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Yes or no.
    Flag,
    /// A line of text of at most so many bytes.
    Line(usize),
    /// A line that is not shown while it is written.
    Secret(usize),
    /// A number up to this one; the empty value stands for 0, or for none.
    Number(u64),
    /// One of these, each with words for humans.
    One(&'static [(&'static str, &'static str)]),
    /// Some of these.
    Some(&'static [(&'static str, &'static str)]),
}

/// Where others than owners see a field.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// Nowhere.
    Nowhere,
    /// As one of two features of the room: if it says yes, and if it says no.
    Feature(&'static str, &'static str),
    /// In the form about the room, under this name.
    Info(&'static str),
}
