//! Logs: to the terminal for people, to a file, to the journal, to syslog; each with a level or a range of levels of its own.
//! Started once by the binary; levels change with a reload and by command, and files and sockets are opened again on SIGHUP.
//! What is written was made by the callers of `tracing`, who never give it bodies or secrets.

mod daemon;
mod fields;
mod file;
mod journal;
mod levels;
mod syslog;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use metronome_host::options::{Kind, Setting, Values};
use parking_lot::Mutex;
use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use daemon::{Address, Daemon};
use file::LogFile;
use journal::Journal;
use levels::{Limited, Range, Wanted, level_of};
use syslog::Syslog;

/// How much is logged.
pub const LEVEL: Setting = Setting::new(
    "log.level",
    Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
    "\"info\"",
    "How much is logged, wherever nothing else is said below. Libraries log one level less, and nothing below warnings unless this \
     is debug or trace.",
);

/// The form of each line.
pub const FORMAT: Setting = Setting::new(
    "log.format",
    Kind::Choice(&["text", "json"]),
    "\"text\"",
    "The form of each line on the terminal and in a file. The journal and syslog have their own.",
)
.at_restart();

/// Where logs go.
pub const TARGET: Setting = Setting::new(
    "log.target",
    Kind::Choices(&["auto", "terminal", "journal", "file", "syslog"]),
    "[\"auto\"]",
    "Where logs go, to one place or to several. `auto` is the journal where systemd started the server, and the terminal (standard \
     output) elsewhere.",
)
.at_restart();

/// The file, if logs go to one.
pub const FILE: Setting = Setting::new(
    "log.file",
    Kind::Path,
    "\"\"",
    "The file for the target `file`. Lines are appended; it is opened again on SIGHUP and by `metronomectl log reopen`, after a \
     rotation.",
)
.at_restart();

/// Where syslog listens.
pub const SYSLOG: Setting = Setting::new(
    "log.syslog",
    Kind::Text,
    "\"/dev/log\"",
    "Where the target `syslog` listens: a socket of this machine, or `udp:192.0.2.1:514`. Messages have the form of RFC 5424.",
)
.at_restart();

/// What syslog sorts our lines under.
pub const FACILITY: Setting = Setting::new(
    "log.syslog_facility",
    Kind::Choice(syslog::FACILITIES),
    "\"daemon\"",
    "What syslog sorts the server's messages under.",
)
.at_restart();

/// Where the journal listens.
pub const JOURNAL: Setting = Setting::new(
    "log.journal",
    Kind::Path,
    "\"/run/systemd/journal/socket\"",
    "The socket of the journal; one with a namespace of its own has another.",
)
.at_restart();

const LEVELS_DOC: [&str; 4] = [
    "What the terminal gets: a level, or two as in `\"debug..info\"` for these and those between; `\"\"` is `log.level`.",
    "What the journal gets, in the same form.",
    "What the file gets, in the same form.",
    "What syslog gets, in the same form.",
];

/// The levels of each sink, in the order of [`Sink`].
const LEVELS: [Setting; 4] = [
    Setting::new("log.levels.terminal", Kind::Text, "\"\"", LEVELS_DOC[0]),
    Setting::new("log.levels.journal", Kind::Text, "\"\"", LEVELS_DOC[1]),
    Setting::new("log.levels.file", Kind::Text, "\"\"", LEVELS_DOC[2]),
    Setting::new("log.levels.syslog", Kind::Text, "\"\"", LEVELS_DOC[3]),
];

/// The table of the settings above.
pub const SETTINGS: &[Setting] = &[
    LEVEL, FORMAT, TARGET, FILE, SYSLOG, FACILITY, JOURNAL, LEVELS[0], LEVELS[1], LEVELS[2], LEVELS[3],
];

/// Why logs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The target `file` without a file.
    #[error("logs go to a file, and log.file does not name one")]
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
    /// There is no journal or no syslog to write to.
    #[error("cannot reach {name} at {place}: {why}")]
    Daemon {
        /// Which.
        name: &'static str,
        /// Where it was looked for.
        place: String,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// Syslog cannot be at such a place.
    #[error("log.syslog: `{0}` is neither the path of a socket nor like udp:192.0.2.1:514")]
    Place(String),
    /// Neither a level nor a range of levels.
    #[error("{key}: `{text}` is neither a level nor a range like debug..info; levels are error, warn, info, debug, trace")]
    Levels {
        /// The setting.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// Something else in this process has started logs already.
    #[error("logs have been started already")]
    Started,
}

/// The running log: keeps what a reload and a rotation need.
pub struct Logging {
    filter: reload::Handle<Wanted, Registry>,
    ranges: Arc<ArcSwap<Arc<[Range]>>>,
    sinks: Vec<Sink>,
    levels: Mutex<Levels>,
    file: Option<Arc<LogFile>>,
    daemons: Vec<Arc<Daemon>>,
}

/// The levels of a configuration, judged and ready to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Where a sink says nothing else.
    level: Level,
    /// By sink.
    own: [Option<Range>; 4],
}

impl Levels {
    fn read(values: &Values) -> Result<Self, LogError> {
        let mut own = [None; 4];
        for (own, setting) in own.iter_mut().zip(&LEVELS) {
            let text = values.text(setting);
            if !text.is_empty() {
                let wrong = || LogError::Levels { key: setting.key, text: text.to_owned() };
                *own = Some(Range::read(text).ok_or_else(wrong)?);
            }
        }
        Ok(Self { level: level_of(values.text(&LEVEL)), own })
    }

    fn of(&self, sink: Sink) -> Range {
        self.own[sink as usize].unwrap_or(Range::down_to(self.level))
    }

    fn ranges(&self, sinks: &[Sink]) -> Arc<[Range]> {
        sinks.iter().map(|sink| self.of(*sink)).collect()
    }
}

/// Where lines may go, in the order of [`LEVELS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Terminal,
    Journal,
    File,
    Syslog,
}

impl Logging {
    /// Starts logging for the whole process.
    pub fn start(values: &Values) -> Result<Self, LogError> {
        let (subscriber, logging) = build(values, Surroundings::of_process())?;
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
        Ok(logging)
    }

    /// Reads the levels of a configuration that is to come into force.
    pub fn judge(&self, values: &Values) -> Result<Levels, LogError> {
        Levels::read(values)
    }

    /// Takes other levels.
    pub fn set_levels(&self, levels: Levels) {
        *self.levels.lock() = levels;
        let ranges = levels.ranges(&self.sinks);
        self.ranges.store(Arc::new(ranges.clone()));
        // It fails only when the subscriber is gone, and then there is nothing to set.
        let _ = self.filter.reload(Wanted(ranges));
    }

    /// Takes another level, until the next [`Logging::set_levels`]; tells what that means.
    pub fn set_level_for_now(&self, level: &str) -> String {
        let levels = Levels { level: level_of(level), ..*self.levels.lock() };
        self.set_levels(levels);
        let deaf = self.sinks.iter().filter(|sink| levels.own[**sink as usize].is_some());
        let deaf: Vec<_> = deaf.map(|sink| LEVELS[*sink as usize].key).collect();
        let told = format!("log.level is {level} until the next reload or restart");
        if deaf.is_empty() { told } else { format!("{told}; {} is as it was", deaf.join(", ")) }
    }

    /// Opens the log file and the sockets again, after something moved them away. What cannot be opened goes on as it is.
    pub fn reopen(&self) -> Result<(), LogError> {
        for daemon in &self.daemons {
            // A daemon that is being restarted is found again with the next line.
            let _ = daemon.reopen();
        }
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

/// The sinks of a configuration, each once, in the order in which they are named.
fn sinks(values: &Values, surroundings: Surroundings) -> Vec<Sink> {
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

type Writes = Box<dyn Layer<Filtered> + Send + Sync>;

fn build(values: &Values, surroundings: Surroundings) -> Result<(impl Subscriber + use<>, Logging), LogError> {
    let levels = Levels::read(values)?;
    let mut opened = Opened { file: None, daemons: Vec::new() };
    let (mut sinks, mut layers) = (Vec::new(), Vec::new());
    for sink in self::sinks(values, surroundings) {
        let auto = sink == Sink::Journal && !values.list(&TARGET).iter().any(|word| word == "journal");
        match opened.open(sink, values) {
            Ok(layer) => {
                sinks.push(sink);
                layers.push(layer);
            }
            // Standard output leads to the journal too, only without fields.
            Err(_) if auto => {
                sinks.push(Sink::Terminal);
                layers.push(opened.open(Sink::Terminal, values)?);
            }
            Err(why) => return Err(why),
        }
    }
    let ranges = levels.ranges(&sinks);
    let (filter, handle) = reload::Layer::new(Wanted(ranges.clone()));
    let ranges = Arc::new(ArcSwap::from_pointee(ranges));
    let limited = layers.into_iter().enumerate().map(|(at, sink)| Limited { at, ranges: ranges.clone(), sink });
    let subscriber = tracing_subscriber::registry().with(filter).with(limited.collect::<Vec<_>>());
    let Opened { file, daemons } = opened;
    let logging = Logging { filter: handle, ranges, sinks, levels: Mutex::new(levels), file, daemons };
    Ok((subscriber, logging))
}

/// What a sink is laid over.
type Filtered = tracing_subscriber::layer::Layered<reload::Layer<Wanted, Registry>, Registry>;

/// What was opened for the sinks and may have to be opened again.
struct Opened {
    file: Option<Arc<LogFile>>,
    daemons: Vec<Arc<Daemon>>,
}

impl Opened {
    fn open(&mut self, sink: Sink, values: &Values) -> Result<Writes, LogError> {
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

/// What of these values cannot be used, without opening anything; for `config check`.
pub fn check(values: &Values) -> Result<(), LogError> {
    let targets = |word: &str| values.list(&TARGET).iter().any(|target| target == word);
    if targets("file") && values.path(&FILE).is_none() {
        return Err(LogError::NoFile);
    }
    if targets("syslog") && Address::read(values.text(&SYSLOG)).is_none() {
        return Err(LogError::Place(values.text(&SYSLOG).to_owned()));
    }
    Levels::read(values).map(drop)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn values(folder: &Path) -> Values {
        let path = toml::Value::String(folder.join("metronome.log").display().to_string()).to_string();
        Values::defaults(&[SETTINGS]).with("log.target", "[\"file\"]").with("log.file", &path)
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
            let set = |values: &Values| logging.set_levels(logging.judge(values).unwrap());
            set(&values.with("log.level", "\"debug\""));
            line("after");
            set(&values.with("log.level", "\"error\""));
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
        let values = Values::defaults(&[SETTINGS]).with("log.target", "[\"file\"]");
        assert!(matches!(build(&values, Surroundings::Terminal), Err(LogError::NoFile)));
        let values = values.with("log.file", "\"/nonexistent/metronome.log\"");
        let wrong = build(&values, Surroundings::Terminal).err().unwrap();
        let message = "cannot open the log file /nonexistent/metronome.log: No such file or directory (os error 2)";
        assert_eq!(wrong.to_string(), message);
    }

    #[test]
    fn each_sink_has_its_own_range() {
        let folder = tempfile::tempdir().unwrap();
        let (log, journal) = (folder.path().join("syslog"), folder.path().join("journal"));
        let (syslog, journald) = (daemon::tests::listen(&log), daemon::tests::listen(&journal));
        let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
        let values = values(folder.path())
            .with("log.target", "[\"file\", \"syslog\", \"journal\"]")
            .with("log.syslog", &quoted(&log))
            .with("log.journal", &quoted(&journal))
            .with("log.levels.syslog", "\"error..warn\"")
            .with("log.levels.journal", "\"debug..info\"");
        let (subscriber, logging) = build(&values, Surroundings::Terminal).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let all = || {
                tracing::error!(target: "metronome_net", "one");
                tracing::warn!(target: "metronome_net", "two");
                tracing::info!(target: "metronome_net", "three");
                tracing::debug!(target: "metronome_net", "four");
                tracing::trace!(target: "metronome_net", "five");
            };
            let count = |socket| std::iter::from_fn(|| daemon::tests::received(socket)).count();
            all();
            assert_eq!(written(folder.path(), "metronome.log").lines().count(), 3, "as log.level says");
            assert_eq!((count(&syslog), count(&journald)), (2, 2));
            let told = logging.set_level_for_now("trace");
            assert!(told.ends_with("; log.levels.syslog, log.levels.journal is as it was"), "{told}");
            all();
            assert_eq!(written(folder.path(), "metronome.log").lines().count(), 3 + 5);
            assert_eq!((count(&syslog), count(&journald)), (2, 2));
            logging.set_levels(logging.judge(&values.with("log.levels.file", "\"warn..warn\"")).unwrap());
            all();
            assert_eq!(written(folder.path(), "metronome.log").lines().count(), 3 + 5 + 1);
        });
    }

    #[test]
    fn a_target_is_opened_once_and_none_at_all_is_silence() {
        let values = Values::defaults(&[SETTINGS]).with("log.target", "[\"auto\", \"terminal\"]");
        assert_eq!(sinks(&values, Surroundings::Terminal), [Sink::Terminal]);
        assert_eq!(sinks(&values, Surroundings::Journal), [Sink::Journal, Sink::Terminal]);
        let (subscriber, _logging) = build(&values.with("log.target", "[]"), Surroundings::Terminal).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            assert!(!tracing::enabled!(target: "metronome_net", Level::ERROR));
        });
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key() {
        let values = Values::defaults(&[SETTINGS]);
        let wrong = |values: &Values| check(values).unwrap_err().to_string();
        let told = wrong(&values.with("log.levels.file", "\"loud\""));
        let expected = "log.levels.file: `loud` is neither a level nor a range like debug..info; levels are error, warn, info, debug, trace";
        assert_eq!(told, expected);
        let told = wrong(&values.with("log.target", "[\"syslog\"]").with("log.syslog", "\"example.org\""));
        assert_eq!(told, "log.syslog: `example.org` is neither the path of a socket nor like udp:192.0.2.1:514");
        let gone = values.with("log.target", "[\"journal\"]").with("log.journal", "\"/nonexistent/socket\"");
        let told = build(&gone, Surroundings::Terminal).err().unwrap().to_string();
        assert!(told.starts_with("cannot reach the journal at /nonexistent/socket: "), "{told}");
    }

    #[test]
    fn under_systemd_a_journal_that_is_not_there_leaves_standard_output() {
        let values = Values::defaults(&[SETTINGS]).with("log.journal", "\"/nonexistent/socket\"");
        let (_subscriber, logging) = build(&values, Surroundings::Journal).unwrap();
        assert_eq!(logging.sinks, [Sink::Terminal]);
    }
}
