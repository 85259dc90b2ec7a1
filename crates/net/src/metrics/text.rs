//! Metrics as text: OpenMetrics 1.0 (section 3), and the older format of Prometheus (0.0.4) for whoever asks for that.

use std::fmt::Write as _;

use metronome_store::durations::{BOUNDS_US, Counted};

use super::reading::Reading;
use super::{Kind, Metric, TABLE};

/// How they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics.
    OpenMetrics,
    /// What came before it.
    Plain,
}

impl Format {
    /// By what a request accepts; OpenMetrics unless it names only the other one.
    pub(crate) fn of(accepted: &str) -> Format {
        let accepted = accepted.to_ascii_lowercase();
        match accepted.contains("text/plain") && !accepted.contains("application/openmetrics-text") {
            true => Format::Plain,
            false => Format::OpenMetrics,
        }
    }

    /// The media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything of the table, as it is in `reading`.
pub(crate) fn write(reading: &Reading, format: Format) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for metric in TABLE {
        describe(&mut out, metric, format);
        (metric.read)(reading, &mut Samples { out: &mut out, metric });
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn describe(out: &mut String, metric: &Metric, format: Format) {
    let (name, kind) = match (format, metric.kind) {
        (Format::Plain, Kind::Counter) => (format!("{}_total", metric.name), "counter"),
        (Format::Plain, Kind::Info) => (format!("{}_info", metric.name), "gauge"),
        (_, kind) => (metric.name.to_owned(), kind.as_str()),
    };
    let _ = writeln!(out, "# TYPE {name} {kind}");
    if let (Format::OpenMetrics, Some(unit)) = (format, metric.unit) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    let _ = writeln!(out, "# HELP {name} {}", escaped(metric.help));
}

/// Takes the samples of one metric.
pub(super) struct Samples<'o> {
    out: &'o mut String,
    metric: &'static Metric,
}

impl Samples<'_> {
    /// The only one.
    pub(super) fn one(&mut self, value: impl Into<Value>) {
        self.of([], value);
    }

    /// One with these values of its labels, in their order.
    pub(super) fn of<const LABELS: usize>(&mut self, labels: [&str; LABELS], value: impl Into<Value>) {
        let suffix = match self.metric.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let names = self.metric.labels.iter().copied();
        self.line(suffix, names.zip(labels), value.into());
    }

    /// All of a histogram, in seconds.
    pub(super) fn durations(&mut self, counted: &Counted) {
        let mut sum = 0;
        for (class, count) in counted.classes.iter().enumerate() {
            sum += count;
            let bound = BOUNDS_US.get(class).map_or("+Inf".to_owned(), |us| format!("{:?}", *us as f64 / 1e6));
            self.line("_bucket", [("le", &*bound)].into_iter(), Value::Whole(sum));
        }
        self.line("_count", [].into_iter(), Value::Whole(sum));
        self.line("_sum", [].into_iter(), Value::Real(counted.sum_us as f64 / 1e6));
    }

    fn line<'l>(&mut self, suffix: &str, labels: impl Iterator<Item = (&'l str, &'l str)>, value: Value) {
        let _ = write!(self.out, "{}{suffix}", self.metric.name);
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        if !labels.is_empty() {
            let _ = write!(self.out, "{{{}}}", labels.join(","));
        }
        let _ = match value {
            Value::Whole(number) => writeln!(self.out, " {number}"),
            Value::Real(number) => writeln!(self.out, " {number}"),
        };
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Whole(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::Whole(number as u64)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Real(number)
    }
}
