//! What a scenario found out, as one JSON object on the last line of the output.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::window::Span;

/// The longest latency that is told apart.
const LATENCY_US_MAX: u64 = 600_000_000;

/// The result of `login`, `idle` and `chat`, and part of that of `presence`; what does not apply to a scenario is null.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) server: String,
    pub(crate) clients: usize,
    pub(crate) seconds: f64,
    /// Messages or presences that were received, or logins that were completed.
    pub(crate) messages: Option<u64>,
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) per_cpu_second: Option<f64>,
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) rss_bytes_per_session: Option<f64>,
    pub(crate) latency_ms: Option<Latency>,
}

impl Report {
    /// A scenario that counts: `count` messages or logins in `span`.
    pub(crate) fn of_rate(
        scenario: &'static str,
        server: String,
        clients: usize,
        span: Span,
        count: u64,
        latencies: &Latencies,
    ) -> Report {
        Report {
            scenario,
            server,
            clients,
            seconds: rounded(span.seconds),
            messages: Some(count),
            cpu_seconds: span.cpu_seconds.map(rounded),
            per_cpu_second: span.cpu_seconds.map(|cpu| rounded(count as f64 / cpu)),
            rss_bytes: span.rss_bytes,
            rss_bytes_per_session: None,
            latency_ms: latencies.summary(),
        }
    }
}

/// Milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

/// Latencies in microseconds, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// No latency yet.
    pub(crate) fn new() -> Latencies {
        Latencies(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("these bounds are valid"))
    }

    /// Notes one latency.
    pub(crate) fn record(&mut self, latency: std::time::Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX).max(1));
    }

    /// Those of all tasks of a run.
    pub(crate) fn together<'a>(all: impl IntoIterator<Item = &'a Latencies>) -> Latencies {
        let mut sum = Latencies::new();
        all.into_iter().for_each(|latencies| sum.add(latencies));
        sum
    }

    /// Takes over what another task noted.
    pub(crate) fn add(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// The figures for the report, or nothing if nothing was noted.
    pub(crate) fn summary(&self) -> Option<Latency> {
        let ms = |us: u64| us as f64 / 1000.0;
        (!self.0.is_empty()).then(|| Latency {
            p50: ms(self.0.value_at_quantile(0.5)),
            p99: ms(self.0.value_at_quantile(0.99)),
            max: ms(self.0.max()),
        })
    }
}

/// Prints `result` as the last line.
pub(crate) fn print(result: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}

/// Three digits after the point are enough for every figure.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
