//! Logs: to the terminal for people, to a file, to the journal, to syslog; each with a level or a range of levels of its own.
//! Started once by the binary; levels change with a reload and by command, and files and sockets are opened again on SIGHUP.
//! What is written was made by the callers of `tracing`, who never give it bodies or secrets.

mod daemon;
mod fields;
mod file;
mod journal;
mod levels;
pub mod settings;
mod sinks;
mod syslog;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metronome_host::options::{Setting, Values};
use parking_lot::Mutex;
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use daemon::Daemon;
use file::LogFile;
use levels::{Limited, Range, Wanted, level_of};
pub use settings::{FILE, LEVEL, SETTINGS, TARGET};
use settings::{JOURNAL, LEVELS, SYSLOG};
use sinks::{Opened, Sink, Surroundings};

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
        /// What the system said. Not `#[source]`: the message has it.
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
        why: io::Error,
    },
    /// Syslog cannot be at such a place.
    #[error("log.syslog: `{0}` is neither the path of a socket nor like udp:192.0.2.1:514")]
    Place(String),
    /// Neither a level nor a range of levels.
    #[error(
        "{}: `{text}` is neither a level nor a range like debug..info; levels are error, warn, info, debug, trace",
        setting.key
    )]
    Levels {
        /// The setting.
        setting: &'static Setting,
        /// What it says.
        text: String,
    },
    /// Something else in this process has started logs already.
    #[error("logs have been started already")]
    Started,
}

impl LogError {
    /// Which setting is wrong; none where it is not the configuration.
    pub fn setting(&self) -> Option<&'static Setting> {
        match self {
            LogError::NoFile => Some(&TARGET),
            LogError::File { .. } => Some(&FILE),
            LogError::Daemon { name: "syslog", .. } | LogError::Place(_) => Some(&SYSLOG),
            LogError::Daemon { .. } => Some(&JOURNAL),
            LogError::Levels { setting, .. } => Some(setting),
            LogError::Started => None,
        }
    }

    /// What to do about it; empty if nothing helps.
    pub fn hint(&self) -> &'static str {
        match self {
            LogError::NoFile => "write file = \"/var/log/metronome.log\" beside it",
            LogError::File { .. } => {
                "its folder must be there, and the user the server runs as must be able to write to it"
            }
            LogError::Daemon { name: "syslog", .. } => "is the daemon running? log.syslog says where it listens",
            LogError::Daemon { .. } => "is the daemon running? log.journal says where it listens",
            LogError::Place(_) => "name the socket with its whole path",
            LogError::Levels { .. } => "write it like \"warn\" or \"debug..info\"",
            LogError::Started => "",
        }
    }
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
                let wrong = || LogError::Levels { setting, text: text.to_owned() };
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

    /// Lines that a daemon did not take, all together. Each is told to it once it takes lines again.
    pub fn lost_lines(&self) -> u64 {
        self.daemons.iter().map(|daemon| daemon.lost_ever()).sum()
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

fn build(values: &Values, surroundings: Surroundings) -> Result<(impl Subscriber + use<>, Logging), LogError> {
    let levels = Levels::read(values)?;
    let mut opened = Opened::default();
    let (mut sinks, mut layers) = (Vec::new(), Vec::new());
    for sink in sinks::sinks(values, surroundings) {
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

/// What of these values cannot be used; for `config check`. It connects to daemons, sends nothing and makes no file.
pub fn check(values: &Values) -> Result<(), LogError> {
    for sink in sinks::sinks(values, Surroundings::Terminal) {
        match sink {
            Sink::Terminal => {}
            Sink::File => drop(values.path(&FILE).ok_or(LogError::NoFile)?),
            Sink::Journal | Sink::Syslog => drop(Opened::default().open(sink, values)?),
        }
    }
    Levels::read(values).map(drop)
}

/// What of these values changes nothing, by setting: for targets that are not among those that are logged to.
pub fn without_effect(values: &Values) -> Vec<&'static Setting> {
    let named = |words: &[&str]| values.list(&TARGET).iter().any(|target| words.contains(&target.as_str()));
    // In the order of `LEVELS`. Where `auto` leads is known once the server is started.
    let logged_to = [named(&["terminal", "auto"]), named(&["journal", "auto"]), named(&["file"]), named(&["syslog"])];
    let mut idle: Vec<_> = LEVELS
        .iter()
        .zip(logged_to)
        .filter(|(setting, logged_to)| !logged_to && !values.text(setting).is_empty())
        .map(|(setting, _)| setting)
        .collect();
    if !named(&["file"]) && values.path(&FILE).is_some() {
        idle.push(&FILE);
    }
    idle
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::sinks::sinks;
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
        assert!(std::error::Error::source(&wrong).is_none(), "it would be told twice");
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
        let told = wrong(&values.with("log.target", "[\"syslog\"]").with("log.syslog", "\"/nonexistent/log\""));
        assert!(told.starts_with("cannot reach syslog at /nonexistent/log: "), "{told}");
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
