//! Which lines are written where: each sink has a level or a range of levels, and libraries are quieter than our own parts.
//! One filter before all sinks lets through what any of them wants; each sink then takes its own part of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// From the most serious level to the finest one, both written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    gravest: Level,
    finest: Level,
}

impl Range {
    /// This level and everything that is more serious.
    pub(super) fn down_to(finest: Level) -> Self {
        Self { gravest: Level::ERROR, finest }
    }

    /// Reads `warn` (warnings and errors) or `debug..info` (these two alone, in either order); none if it is neither.
    pub(super) fn read(text: &str) -> Option<Self> {
        let level = |word: &str| ["error", "warn", "info", "debug", "trace"].contains(&word).then(|| level_of(word));
        match text.split_once("..") {
            None => level(text).map(Self::down_to),
            Some((one, other)) => {
                let (one, other) = (level(one.trim())?, level(other.trim())?);
                Some(Self { gravest: one.min(other), finest: one.max(other) })
            }
        }
    }

    fn allows(self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("metronome");
        let finest = if ours { self.finest } else { quieter(self.finest) };
        (self.gravest..=finest).contains(metadata.level())
    }
}

/// The level of a word that the settings allow.
pub(super) fn level_of(word: &str) -> Level {
    word.parse().unwrap_or(Level::INFO)
}

/// A TLS library's "debug" is a line for each handshake step, and its lines may quote what it parsed.
fn quieter(level: Level) -> Level {
    match level {
        Level::TRACE => Level::DEBUG,
        Level::DEBUG => Level::INFO,
        Level::INFO => Level::WARN,
        other => other,
    }
}

/// The filter before all sinks. Replaced as a whole when levels change, so that what nobody wants costs nothing.
#[derive(Debug, Clone)]
pub(super) struct Wanted(pub(super) Arc<[Range]>);

impl Wanted {
    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        self.0.iter().any(|range| range.allows(metadata))
    }
}

impl<S: Subscriber> Layer<S> for Wanted {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let finest = self.0.iter().map(|range| range.finest).max();
        Some(finest.map_or(LevelFilter::OFF, LevelFilter::from_level))
    }
}

/// A sink that takes the lines of its own range.
pub(super) struct Limited<L> {
    /// Which of the ranges is this sink's.
    pub(super) at: usize,
    /// The ranges of all sinks, as they are now.
    pub(super) ranges: Arc<ArcSwap<Arc<[Range]>>>,
    /// The sink.
    pub(super) sink: L,
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Limited<L> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if self.ranges.load().get(self.at).is_some_and(|range| range.allows(event.metadata())) {
            self.sink.on_event(event, context);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.sink.on_new_span(attributes, id, context);
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.sink.on_record(span, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.sink.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.sink.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.sink.on_close(id, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_it_and_all_that_is_more_serious_and_a_range_has_two_ends() {
        let range = |gravest, finest| Some(Range { gravest, finest });
        assert_eq!(Range::read("warn"), range(Level::ERROR, Level::WARN));
        assert_eq!(Range::read("trace"), range(Level::ERROR, Level::TRACE));
        assert_eq!(Range::read("debug..info"), range(Level::INFO, Level::DEBUG));
        assert_eq!(Range::read("info .. debug"), range(Level::INFO, Level::DEBUG));
        assert_eq!(Range::read("error..error"), range(Level::ERROR, Level::ERROR));
        for wrong in ["", "loud", "debug..", "..debug", "debug...info", "WARN", "1", "debug..info..warn"] {
            assert_eq!(Range::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn libraries_are_quieter_than_our_own_parts() {
        let quiet = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE].map(quieter);
        assert_eq!(quiet, [Level::ERROR, Level::WARN, Level::WARN, Level::INFO, Level::DEBUG]);
    }
}
