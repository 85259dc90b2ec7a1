//! Which lines are written: ours at the configured level, those of libraries more sparingly.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::level_of;

/// The level of our own parts and that of libraries. Replaced as a whole when the level changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    ours: LevelFilter,
    libraries: LevelFilter,
}

impl Levels {
    /// The levels for a word of `log.level`.
    pub(super) fn new(word: &str) -> Self {
        let ours = level_of(word);
        // A TLS library's "debug" is a line for each handshake step, and its lines may quote what it parsed.
        let libraries = match ours {
            LevelFilter::TRACE => LevelFilter::DEBUG,
            LevelFilter::DEBUG => LevelFilter::INFO,
            LevelFilter::INFO => LevelFilter::WARN,
            other => other,
        };
        Self { ours, libraries }
    }

    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let limit = if metadata.target().starts_with("metronome") { self.ours } else { self.libraries };
        *metadata.level() <= limit
    }
}

impl<S: Subscriber> Layer<S> for Levels {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.ours.max(self.libraries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quieter_than_our_own_parts() {
        let levels = |word| {
            let levels = Levels::new(word);
            (levels.ours, levels.libraries)
        };
        assert_eq!(levels("error"), (LevelFilter::ERROR, LevelFilter::ERROR));
        assert_eq!(levels("info"), (LevelFilter::INFO, LevelFilter::WARN));
        assert_eq!(levels("trace"), (LevelFilter::TRACE, LevelFilter::DEBUG));
    }
}
