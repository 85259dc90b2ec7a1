//! The head of a file: whose it is, what it is called and what it is, in lines that people can read, filled up to a fixed length.

use std::fs::File;
use std::io::{self, Read};

use metronome_model::AccountId;

use super::entry::{self, Entry, UploadId};

/// Bytes in front of those that were uploaded.
pub const HEAD_BYTES: u64 = 4096;

/// The first line.
const MARK: &str = "metronome upload 1";

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Whose it is.
    pub owner: AccountId,
    /// Which it is, how large, how old and what for.
    pub entry: Entry,
    /// Its media type, such as `image/jpeg`.
    pub media_type: Box<str>,
    /// What its owner called it; no line breaks.
    pub name: Box<str>,
}

impl About {
    /// The head; an error where a name or type is too long for it or has lines of its own.
    pub(super) fn write(&self) -> io::Result<Vec<u8>> {
        let About { owner, entry, media_type, name } = self;
        let lines = [MARK, &entry.to_string(), &entry::to_hex(owner.as_bytes()), media_type, name];
        let head = lines.join("\n");
        if head.len() >= HEAD_BYTES as usize || head.lines().count() != lines.len() || head.contains(['\0', '\r']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name that cannot be stored"));
        }
        let mut bytes = head.into_bytes();
        bytes.push(b'\n');
        bytes.resize(HEAD_BYTES as usize, 0);
        Ok(bytes)
    }

    /// Reads the head of the file of this id.
    pub(super) fn read(id: UploadId, file: &mut File) -> io::Result<About> {
        let mut bytes = [0; HEAD_BYTES as usize];
        file.read_exact(&mut bytes)?;
        About::parse(&bytes)
            .filter(|about| about.entry.id == id)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not a file of this server"))
    }

    fn parse(bytes: &[u8]) -> Option<About> {
        let head = std::str::from_utf8(bytes).ok()?.trim_end_matches('\0');
        let mut lines = head.lines();
        (lines.next()? == MARK).then_some(())?;
        let entry = Entry::parse(lines.next()?)?;
        let owner = AccountId::from_bytes(entry::from_hex(lines.next()?)?);
        let (media_type, name) = (lines.next()?.into(), lines.next()?.into());
        Some(About { owner, entry, media_type, name })
    }
}
