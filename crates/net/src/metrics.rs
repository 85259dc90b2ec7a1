//! What the server tells whoever watches it, in the text format of OpenMetrics 1.0. Every metric is one entry of [`TABLE`]: its name, type, unit and
//! help, and how it is read. The page about them is made from that table, and the dashboard and the alerts beside it are compared with it.
//! A label has only values of the server's own, or names that its administrator has chosen.

mod process;
pub(crate) mod reading;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use table::TABLE;
pub(crate) use text::{Format, write};

use reading::Reading;
use text::Samples;

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name; samples of some types have a suffix besides, see [`Metric::samples`].
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The unit, which the name ends with; none where things are counted.
    pub unit: Option<&'static str>,
    /// The names of its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence; labels and their values included.
    pub help: &'static str,
    read: fn(&Reading, &mut Samples<'_>),
}

/// Types of OpenMetrics (section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows while the server runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in classes.
    Histogram,
    /// Is 1; what it says stands in its labels.
    Info,
}

impl Kind {
    /// As the format has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }
}

impl Metric {
    /// The names that its samples have, and by which one asks for them.
    pub fn samples(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
            Kind::Info => &["_info"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }
}
