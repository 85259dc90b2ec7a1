//! Logs: to the terminal for people, to a file, or to the journal; as JSON on request.
//! Started once by the binary; the level changes with a reload, and a file is opened again on SIGHUP so that it can be rotated.
//! What is written was made by the callers of `tracing`, who never give it bodies or secrets.

mod file;
mod filter;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metronome_host::options::{Kind, Setting, Values};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use file::LogFile;
use filter::Levels;

/// How much is logged.
pub const LEVEL: Setting = Setting::new(
    "log.level",
    Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
    "\"info\"",
    "How much is logged. Libraries log one level less, and nothing below warnings unless this is debug or trace.",
);

/// The form of each line.
pub const FORMAT: Setting = Setting::new(
    "log.format",
    Kind::Choice(&["text", "json"]),
    "\"text\"",
    "The form of each line on the terminal and in a file. The journal has its own.",
)
.at_restart();

/// Where logs go.
pub const TARGET: Setting = Setting::new(
    "log.target",
    Kind::Choice(&["auto", "terminal", "journal", "file"]),
    "\"auto\"",
    "Where logs go. `auto` is the journal where systemd started the server, and the terminal (standard output) elsewhere.",
)
.at_restart();

/// The file, if logs go to one.
pub const FILE: Setting = Setting::new(
    "log.file",
    Kind::Path,
    "\"\"",
    "The file for `target = \"file\"`. Lines are appended; it is opened again on SIGHUP, after a rotation.",
)
.at_restart();

/// The table of the settings above.
pub const SETTINGS: &[Setting] = &[LEVEL, FORMAT, TARGET, FILE];

/// Why logs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `target = "file"` without a file.
    #[error("log.target is \"file\" and log.file is not set")]
    NoFile,
    /// The file cannot be opened.
    #[error("cannot open the log file {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// There is no journal to write to.
    #[error("cannot reach the journal: {0}")]
    Journal(#[source] io::Error),
    /// Something else in this process has started logs already.
    #[error("logs have been started already")]
    Started,
}

/// The running log: keeps what a reload and a rotation need.
pub struct Logging {
    level: reload::Handle<Levels, Registry>,
    file: Option<Arc<LogFile>>,
}

impl Logging {
    /// Starts logging for the whole process.
    pub fn start(values: &Values) -> Result<Self, LogError> {
        let (subscriber, logging) = build(values, Surroundings::of_process())?;
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
        Ok(logging)
    }

    /// Takes the level of a new configuration.
    pub fn set_level(&self, values: &Values) {
        // It fails only when the subscriber is gone, and then there is nothing to set.
        let _ = self.level.reload(Levels::new(values.text(&LEVEL)));
    }

    /// Opens the log file again, after something moved it away. If that fails, lines go on to the old one.
    pub fn reopen(&self) -> Result<(), LogError> {
        let Some(file) = &self.file else { return Ok(()) };
        file.reopen().map_err(|why| LogError::File { path: file.path().to_owned(), why })
    }
}

/// Where `auto` leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surroundings {
    Journal,
    Terminal,
}

impl Surroundings {
    /// systemd tells a service which stream leads to its journal. What a service starts inherits the variable with other
    /// streams, a terminal for example, so the stream is compared.
    fn of_process() -> Self {
        let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return Self::Terminal };
        match rustix::fs::fstat(io::stdout()) {
            Ok(stream) if journal == format!("{}:{}", stream.st_dev, stream.st_ino) => Self::Journal,
            _ => Self::Terminal,
        }
    }
}

type Sink = Box<dyn Layer<Levelled> + Send + Sync>;

fn build(values: &Values, surroundings: Surroundings) -> Result<(impl Subscriber + use<>, Logging), LogError> {
    let format = if values.text(&FORMAT) == "json" { Format::Json } else { Format::Text };
    let terminal = || lines(format, io::stdout, Colours::on_terminal());
    let mut file = None;
    let sink: Sink = match (values.text(&TARGET), surroundings) {
        ("file", _) => {
            let opened = open_file(values.path(&FILE).ok_or(LogError::NoFile)?)?;
            file = Some(opened.clone());
            lines(format, opened, Colours::Never)
        }
        ("journal", _) => journal().map_err(LogError::Journal)?,
        // Standard output leads to the journal too, only without fields.
        ("auto", Surroundings::Journal) => journal().unwrap_or_else(|_| terminal()),
        _ => terminal(),
    };
    let (levels, level) = reload::Layer::new(Levels::new(values.text(&LEVEL)));
    Ok((tracing_subscriber::registry().with(levels).with(sink), Logging { level, file }))
}

/// What a sink is laid over.
type Levelled = tracing_subscriber::layer::Layered<reload::Layer<Levels, Registry>, Registry>;

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

fn lines<W>(format: Format, writer: W, colours: Colours) -> Sink
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours == Colours::Always);
    match format {
        Format::Json => Box::new(lines.json().flatten_event(true).with_current_span(true).with_span_list(false)),
        Format::Text => Box::new(lines),
    }
}

fn journal() -> io::Result<Sink> {
    let journal = tracing_journald::layer()?;
    let journal = journal.with_syslog_identifier("metronome".to_owned());
    Ok(Box::new(journal.with_field_prefix(Some("METRONOME".to_owned()))))
}

fn open_file(path: &Path) -> Result<Arc<LogFile>, LogError> {
    LogFile::open(path).map(Arc::new).map_err(|why| LogError::File { path: path.to_owned(), why })
}

/// The level of a word that [`LEVEL`] allows.
fn level_of(word: &str) -> LevelFilter {
    word.parse().unwrap_or(LevelFilter::INFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(folder: &Path) -> Values {
        let path = toml::Value::String(folder.join("metronome.log").display().to_string()).to_string();
        Values::defaults(&[SETTINGS]).with("log.target", "\"file\"").with("log.file", &path)
    }

    fn written(folder: &Path, name: &str) -> String {
        std::fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn a_line_has_its_level_its_part_and_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let (subscriber, _logging) = build(&values(folder.path()), Surroundings::Journal).unwrap();
        tracing::subscriber::with_default(subscriber, || tracing::info!(target: "metronome_net", conn = 7, "opened"));
        let line = written(folder.path(), "metronome.log");
        assert!(line.ends_with("INFO metronome_net: opened conn=7\n"), "{line}");
        assert!(!line.contains('\u{1b}'), "no colours in a file");
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_beside_the_message() {
        let folder = tempfile::tempdir().unwrap();
        let values = values(folder.path()).with("log.format", "\"json\"");
        let (subscriber, _logging) = build(&values, Surroundings::Terminal).unwrap();
        tracing::subscriber::with_default(subscriber, || tracing::warn!(target: "metronome_net", conn = 7, "opened"));
        let line: serde_json::Value = serde_json::from_str(&written(folder.path(), "metronome.log")).unwrap();
        assert_eq!((&line["level"], &line["message"], &line["conn"]), (&"WARN".into(), &"opened".into(), &7.into()));
    }

    #[test]
    fn the_level_changes_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let values = values(folder.path());
        let (subscriber, logging) = build(&values, Surroundings::Terminal).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let line = |text| tracing::debug!(target: "metronome_net", text);
            line("before");
            logging.set_level(&values.with("log.level", "\"debug\""));
            line("after");
            logging.set_level(&values.with("log.level", "\"error\""));
            line("late");
        });
        let text = written(folder.path(), "metronome.log");
        assert!(text.contains("after") && !text.contains("before") && !text.contains("late"), "{text}");
    }

    #[test]
    fn a_rotated_file_is_left_when_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let (subscriber, logging) = build(&values(folder.path()), Surroundings::Terminal).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "metronome_net", "first");
            std::fs::rename(folder.path().join("metronome.log"), folder.path().join("old.log")).unwrap();
            tracing::info!(target: "metronome_net", "second");
            logging.reopen().unwrap();
            tracing::info!(target: "metronome_net", "third");
        });
        assert_eq!(written(folder.path(), "old.log").lines().count(), 2);
        assert!(written(folder.path(), "metronome.log").contains("third"));
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("metronome.log"), "earlier\n").unwrap();
        let (subscriber, _logging) = build(&values(folder.path()), Surroundings::Terminal).unwrap();
        tracing::subscriber::with_default(subscriber, || tracing::info!(target: "metronome_net", "now"));
        let text = written(folder.path(), "metronome.log");
        assert!(text.starts_with("earlier\n") && text.contains("now"), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_opened_or_is_not_named_is_an_error() {
        let values = Values::defaults(&[SETTINGS]).with("log.target", "\"file\"");
        assert!(matches!(build(&values, Surroundings::Terminal), Err(LogError::NoFile)));
        let values = values.with("log.file", "\"/nonexistent/metronome.log\"");
        let wrong = build(&values, Surroundings::Terminal).err().unwrap();
        let message = "cannot open the log file /nonexistent/metronome.log: No such file or directory (os error 2)";
        assert_eq!(wrong.to_string(), message);
    }
}
