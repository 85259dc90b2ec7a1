//! The places that lines go to, opened by their settings.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use metronome_host::options::Values;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, Layered};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use super::LogError;
use super::daemon::{Address, Daemon};
use super::file::LogFile;
use super::journal::Journal;
use super::levels::Wanted;
use super::settings::{FACILITY, FILE, FORMAT, JOURNAL, SYSLOG, TARGET};
use super::syslog::Syslog;

/// Where lines may go, in the order of `settings::LEVELS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    Terminal,
    Journal,
    File,
    Syslog,
}

/// Where `auto` leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surroundings {
    Journal,
    Terminal,
}

impl Surroundings {
    /// systemd tells a service which stream leads to its journal. What a service starts inherits the variable with other
    /// streams, a terminal for example, so the stream is compared.
    pub(super) fn of_process() -> Self {
        let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return Self::Terminal };
        match rustix::fs::fstat(io::stdout()) {
            Ok(stream) if journal == format!("{}:{}", stream.st_dev, stream.st_ino) => Self::Journal,
            _ => Self::Terminal,
        }
    }
}

/// The sinks of a configuration, each once, in the order in which they are named.
pub(super) fn sinks(values: &Values, surroundings: Surroundings) -> Vec<Sink> {
    let mut sinks = Vec::new();
    for word in values.list(&TARGET) {
        let sink = match (word.as_str(), surroundings) {
            ("file", _) => Sink::File,
            ("syslog", _) => Sink::Syslog,
            ("journal", _) | ("auto", Surroundings::Journal) => Sink::Journal,
            _ => Sink::Terminal,
        };
        if !sinks.contains(&sink) {
            sinks.push(sink);
        }
    }
    sinks
}

pub(super) type Writes = Box<dyn Layer<Filtered> + Send + Sync>;

/// What a sink is laid over.
type Filtered = Layered<reload::Layer<Wanted, Registry>, Registry>;

/// What was opened for the sinks and may have to be opened again.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) file: Option<Arc<LogFile>>,
    pub(super) daemons: Vec<Arc<Daemon>>,
}

impl Opened {
    pub(super) fn open(&mut self, sink: Sink, values: &Values) -> Result<Writes, LogError> {
        let format = if values.text(&FORMAT) == "json" { Format::Json } else { Format::Text };
        match sink {
            Sink::Terminal => Ok(lines(format, io::stdout, Colours::on_terminal())),
            Sink::File => {
                let file = open_file(values.path(&FILE).ok_or(LogError::NoFile)?)?;
                self.file = Some(file.clone());
                Ok(lines(format, file, Colours::Never))
            }
            Sink::Journal => {
                let path = values.path(&JOURNAL).unwrap_or(Path::new(""));
                let failed = |why| LogError::Daemon { name: "the journal", place: path.display().to_string(), why };
                let journal = Journal::open(path).map_err(failed)?;
                self.daemons.push(journal.0.clone());
                Ok(Box::new(journal))
            }
            Sink::Syslog => {
                let place = values.text(&SYSLOG);
                let address = Address::read(place).ok_or_else(|| LogError::Place(place.to_owned()))?;
                let failed = |why| LogError::Daemon { name: "syslog", place: place.to_owned(), why };
                let syslog = Syslog::open(address, values.text(&FACILITY)).map_err(failed)?;
                self.daemons.push(syslog.daemon.clone());
                Ok(Box::new(syslog))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    Never,
    Always,
}

impl Colours {
    fn on_terminal() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if wanted && io::stdout().is_terminal() { Self::Always } else { Self::Never }
    }
}

fn lines<W>(format: Format, writer: W, colours: Colours) -> Writes
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours == Colours::Always);
    match format {
        Format::Json => Box::new(lines.json().flatten_event(true).with_current_span(true).with_span_list(false)),
        Format::Text => Box::new(lines),
    }
}

fn open_file(path: &Path) -> Result<Arc<LogFile>, LogError> {
    LogFile::open(path).map(Arc::new).map_err(|why| LogError::File { path: path.to_owned(), why })
}
