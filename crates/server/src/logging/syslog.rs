//! Syslog, RFC 5424: each line is a datagram to the daemon of this machine, or over UDP (RFC 5426) to another one.

use std::io;
use std::sync::Arc;

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer};

use super::daemon::{Address, Daemon};
use super::fields::Fields;

/// Longest message in bytes; daemons take that much, and cut or drop what is longer (section 6.1).
const MESSAGE_BYTES_MAX: usize = 8192;

/// The facilities that a server may have (section 6.2.1), by the names that other programs use.
pub(super) const FACILITIES: &[&str] =
    &["user", "mail", "daemon", "auth", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

/// The number of a facility; that of `daemon` for a word that is none.
fn facility_of(word: &str) -> u8 {
    match word {
        "user" => 1,
        "mail" => 2,
        "auth" => 4,
        _ => word.strip_prefix("local").and_then(|digit| digit.parse::<u8>().ok()).map_or(3, |digit| 16 + digit),
    }
}

/// A syslog daemon as a sink.
pub(super) struct Syslog {
    pub(super) daemon: Arc<Daemon>,
    facility: u8,
    /// `HOSTNAME APP-NAME PROCID` of the header.
    sender: String,
}

impl Syslog {
    pub(super) fn open(to: Address, facility: &str) -> io::Result<Self> {
        let node = rustix::system::uname();
        let name = printable(&node.nodename().to_string_lossy(), 255);
        let sender = format!("{name} metronome {}", std::process::id());
        Ok(Self { daemon: Arc::new(Daemon::open(to)?), facility: facility_of(facility), sender })
    }

    /// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG` (section 6).
    fn message(&self, metadata: &Metadata<'_>, fields: &Fields) -> Vec<u8> {
        let severity = match *metadata.level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        let mut time = String::with_capacity(32);
        let told = SystemTime.format_time(&mut Writer::new(&mut time));
        let time = if told.is_ok() { &*time } else { "-" };
        let part = printable(metadata.target(), 32);
        let priority = self.facility * 8 + severity;
        let mut message = format!("<{priority}>1 {time} {} {part} - {}", self.sender, fields.line());
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.into_bytes()
    }
}

/// A field of the header: printable ASCII without spaces, `-` if nothing is left.
fn printable(text: &str, length_max: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(length_max).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

impl<S: Subscriber> Layer<S> for Syslog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let message = self.message(event.metadata(), &Fields::of(event));
        let about_lost = |count| {
            let message = format!("{count} lines of the log were lost: syslog did not take them");
            self.message(event.metadata(), &Fields { message, others: Vec::new() })
        };
        self.daemon.send(&message, about_lost);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::daemon::tests::{listen, received};

    #[test]
    fn a_line_is_a_message_of_rfc_5424() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let socket = listen(&path);
        let syslog = Syslog::open(Address::Path(path), "local3").unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(syslog), || {
            tracing::error!(target: "metronome_net", conn = 7, why = "two\nlines", "opened");
            tracing::debug!(target: "metronome_net", "{}", "x".repeat(20_000));
        });
        let text = String::from_utf8(received(&socket).unwrap()).unwrap();
        let fields: Vec<&str> = text.splitn(8, ' ').collect();
        let [version, time, host, app, process, part, data, message] = fields[..] else { panic!("{text}") };
        assert_eq!(version, "<155>1", "local3 is 19, an error is 3");
        assert!(time.len() >= 20 && time.as_bytes()[10] == b'T' && time.ends_with('Z'), "{time}");
        assert!(!host.is_empty());
        assert_eq!((app, process, part, data), ("metronome", &*std::process::id().to_string(), "metronome_net", "-"));
        assert_eq!(message, "opened conn=7 why=\"two\\nlines\"");
        let long = received(&socket).unwrap();
        assert!(long.starts_with(b"<159>1 ") && long.len() <= MESSAGE_BYTES_MAX, "{}", long.len());
    }

    #[test]
    fn facilities_have_their_numbers() {
        let numbers: Vec<u8> = FACILITIES.iter().map(|word| facility_of(word)).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 16, 17, 18, 19, 20, 21, 22, 23]);
    }
}
