//! What was sent on streams since it was noted in the store last (XEP-0198): a few bytes for each stored message, appended to a file before
//! the message is written to its socket. It survives the end of the process, however sudden; after that of the machine clients may
//! get again what was sent in the last second.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use metronome_model::{Noted, StreamNumber};
use parking_lot::Mutex;

/// With more bytes than this a new file is begun.
const BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of one line.
const LINE: usize = 24;

/// One stored message on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The stream.
    pub stream: StreamNumber,
    /// How many stanzas it was sent with this one, modulo 2^32.
    pub sent: u32,
    /// The row of its owner's archive.
    pub id: u64,
}

/// The file.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    bytes: u64,
}

impl Journal {
    /// Opens the journal in a folder, and reads what the last process has left there, oldest first.
    pub fn open(folder: &Path) -> io::Result<(Journal, Vec<Line>)> {
        let mut lines = read(&earlier(folder))?;
        lines.extend(read(&current(folder))?);
        let file = append_to(&current(folder))?;
        let bytes = file.metadata()?.len();
        // A line that was cut off must not shift those behind it.
        file.set_len(bytes - bytes % LINE as u64)?;
        Ok((Journal { folder: folder.to_owned(), state: Mutex::new(State { file, bytes }) }, lines))
    }

    /// Appends lines, before what they tell of is written. If that fails their clients may get these messages once more.
    pub fn append(&self, lines: &[Line]) {
        let mut bytes = Vec::with_capacity(lines.len() * LINE);
        for Line { stream, sent, id } in lines {
            bytes.extend_from_slice(&stream.0.to_le_bytes());
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.extend_from_slice(&sent.to_le_bytes());
            bytes.extend_from_slice(&check(*stream, *id, *sent).to_le_bytes());
        }
        let mut state = self.state.lock();
        state.bytes += bytes.len() as u64;
        if let Err(error) = state.file.write_all(&bytes) {
            tracing::warn!(%error, "what was sent on streams could not be noted");
        }
    }

    /// Begins a new file if this one has grown long; true if so. What was appended before must then be noted in the store, and
    /// [`Journal::forget_earlier`] be called once that is durable.
    pub fn turn(&self) -> io::Result<bool> {
        let mut state = self.state.lock();
        if state.bytes < BYTES_MAX || earlier(&self.folder).exists() {
            return Ok(false);
        }
        std::fs::rename(current(&self.folder), earlier(&self.folder))?;
        *state = State { file: append_to(&current(&self.folder))?, bytes: 0 };
        Ok(true)
    }

    /// What the earlier file tells is in the store.
    pub fn forget_earlier(&self) -> io::Result<()> {
        std::fs::remove_file(earlier(&self.folder))
    }
}

/// Brings what is stored of streams up to what was sent on them.
pub fn apply(lines: &[Line], stream: StreamNumber, noted: &mut Noted) {
    for line in lines.iter().filter(|line| line.stream == stream) {
        let more = line.sent.wrapping_sub(noted.sent);
        if more == 0 || more > u32::MAX / 2 {
            continue;
        }
        for (behind, _) in &mut noted.unacked {
            *behind = behind.saturating_add(more);
        }
        noted.unacked.push((0, line.id));
        noted.sent = line.sent;
        noted.handed = noted.handed.max(line.id);
    }
}

fn current(folder: &Path) -> PathBuf {
    folder.join("streams.journal")
}

fn earlier(folder: &Path) -> PathBuf {
    folder.join("streams.journal.earlier")
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn read(path: &Path) -> io::Result<Vec<Line>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(bytes.chunks_exact(LINE).map_while(line_of).collect())
}

/// None for one that was damaged: what follows cannot be believed either.
fn line_of(bytes: &[u8]) -> Option<Line> {
    let word = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let half = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let line = Line { stream: StreamNumber(word(0)?), id: word(8)?, sent: half(16)? };
    (half(20)? == check(line.stream, line.id, line.sent)).then_some(line)
}

/// Tells a line from what a lost page may leave, such as zeros.
fn check(stream: StreamNumber, id: u64, sent: u32) -> u32 {
    let mixed = (stream.0 ^ id.rotate_left(21) ^ u64::from(sent).rotate_left(42)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as u32 ^ 0x4d65_7472
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: u64, sent: u32, id: u64) -> Line {
        Line { stream: StreamNumber(stream), sent, id }
    }

    #[test]
    fn lines_come_back_in_their_order_up_to_the_first_that_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, none) = Journal::open(folder.path()).unwrap();
        assert_eq!(none, []);
        journal.append(&[line(1, 5, 10), line(2, u32::MAX, 11)]);
        journal.append(&[line(1, 6, 12)]);
        drop(journal);
        let file = current(folder.path());
        let bytes = std::fs::read(&file).unwrap();
        // The last line was cut off.
        std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        let (journal, lines) = Journal::open(folder.path()).unwrap();
        assert_eq!(lines, [line(1, 5, 10), line(2, u32::MAX, 11)]);
        journal.append(&[line(3, 0, 1)]);
        drop(journal);
        let (_, lines) = Journal::open(folder.path()).unwrap();
        assert_eq!(lines.last(), Some(&line(3, 0, 1)));
        std::fs::write(&file, [0; 3 * LINE]).unwrap();
        assert_eq!(Journal::open(folder.path()).unwrap().1, []);
    }

    #[test]
    fn a_long_journal_begins_anew_and_the_earlier_part_stays_until_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        assert!(!journal.turn().unwrap());
        let many: Vec<Line> = (0..BYTES_MAX / LINE as u64 + 1).map(|id| line(1, id as u32, id)).collect();
        journal.append(&many);
        assert!(journal.turn().unwrap());
        journal.append(&[line(2, 1, 1)]);
        assert!(!journal.turn().unwrap());
        let (_, lines) = Journal::open(folder.path()).unwrap();
        assert_eq!((lines.len(), lines.last()), (many.len() + 1, Some(&line(2, 1, 1))));
        journal.forget_earlier().unwrap();
        assert_eq!(Journal::open(folder.path()).unwrap().1, [line(2, 1, 1)]);
    }

    #[test]
    fn what_was_sent_after_it_was_noted_is_known() {
        let mut noted = Noted { sent: 5, unacked: vec![(3, 7)], handed: 7, ..Noted::default() };
        let lines = [line(1, 4, 6), line(1, 6, 9), line(2, 9, 99), line(1, 9, 10), line(1, 8, 8)];
        apply(&lines, StreamNumber(1), &mut noted);
        assert_eq!((noted.sent, &*noted.unacked, noted.handed), (9, &[(7, 7), (3, 9), (0, 10)][..], 10));
        let mut noted = Noted { sent: u32::MAX, ..Noted::default() };
        apply(&[line(1, 0, 3)], StreamNumber(1), &mut noted);
        assert_eq!((noted.sent, &*noted.unacked), (0, &[(0, 3)][..]));
    }
}
