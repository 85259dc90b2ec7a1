//! The journal of systemd, by its native protocol: each line is a datagram of fields, which `journalctl` can select by.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::daemon::{Address, Daemon};
use super::fields::Fields;

/// Written before the names of our own fields, so that none is taken for one of the journal's.
const PREFIX: &str = "METRONOME_";

/// The journal as a sink.
pub(super) struct Journal(pub(super) Arc<Daemon>);

impl Journal {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Daemon::open(Address::Path(path.to_owned())).map(|daemon| Self(Arc::new(daemon)))
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let entry = entry(event.metadata(), &Fields::of(event));
        let about_lost = |count| {
            let message = format!("{count} lines of the log were lost: the journal did not take them");
            self::entry(event.metadata(), &Fields { message, others: Vec::new() })
        };
        self.0.send(&entry, about_lost);
    }
}

fn entry(metadata: &Metadata<'_>, fields: &Fields) -> Vec<u8> {
    let mut entry = Vec::with_capacity(512);
    // The levels of syslog (RFC 5424 section 6.2.1); trace and debug are one there.
    let priority = match *metadata.level() {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    };
    put(&mut entry, "PRIORITY", priority);
    put(&mut entry, "SYSLOG_IDENTIFIER", "metronome");
    put(&mut entry, "MESSAGE", &fields.line());
    put(&mut entry, "TARGET", metadata.target());
    if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
        put(&mut entry, "CODE_FILE", file);
        put(&mut entry, "CODE_LINE", &line.to_string());
    }
    for (name, value) in &fields.others {
        let name: String = name.chars().filter(char::is_ascii).map(|c| if c == '.' { '_' } else { c }).collect();
        put(&mut entry, &format!("{PREFIX}{}", name.to_ascii_uppercase()), value);
    }
    entry
}

/// A field whose value may be anything: its length stands before it.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::logging::daemon::tests::{listen, received};

    fn read(mut entry: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        while !entry.is_empty() {
            let name_end = entry.iter().position(|&byte| byte == b'\n').unwrap();
            let (name, rest) = (&entry[..name_end], &entry[name_end + 1..]);
            let (length, rest) = rest.split_first_chunk::<8>().unwrap();
            let length = u64::from_le_bytes(*length) as usize;
            assert_eq!(rest[length], b'\n');
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            fields.insert(text(name), text(&rest[..length]));
            entry = &rest[length + 1..];
        }
        fields
    }

    #[test]
    fn a_line_is_an_entry_with_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let socket = listen(&folder.path().join("journal"));
        let journal = Journal::open(&folder.path().join("journal")).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(journal), || {
            tracing::warn!(target: "metronome_net", conn = 7, jid = "a@b\nPRIORITY=0", "opened");
        });
        let entry = read(&received(&socket).unwrap());
        for (name, value) in [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "metronome"),
            ("TARGET", "metronome_net"),
            ("METRONOME_CONN", "7"),
            ("METRONOME_JID", "a@b\nPRIORITY=0"),
            ("MESSAGE", "opened conn=7 jid=\"a@b\\nPRIORITY=0\""),
        ] {
            assert_eq!(entry.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(received(&socket).is_none());
    }
}
