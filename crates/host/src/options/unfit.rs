//! Values that are of the right kind and still of no use, found by the part that reads them.

use super::Setting;

/// A setting whose value cannot be worked with.
#[derive(Debug, Clone)]
pub struct Unfit {
    /// The one that is wrong.
    pub setting: &'static Setting,
    /// What is wrong, with the entry, or the file and the line.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}
