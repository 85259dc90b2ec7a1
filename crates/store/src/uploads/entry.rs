//! The id of a file, and the entry that an account's folder has of it: all that is asked of many files at once stands in its name.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use metronome_proto::payload::http_upload::Purpose;

/// What a file is found by: random, never made of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(pub [u8; 16]);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

/// Text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("32 digits from 0 to f")]
pub struct NoUploadId;

impl FromStr for UploadId {
    type Err = NoUploadId;

    fn from_str(text: &str) -> Result<UploadId, NoUploadId> {
        from_hex(text).map(UploadId).ok_or(NoUploadId)
    }
}

/// What is known of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which file.
    pub id: UploadId,
    /// What it is for.
    pub purpose: Purpose,
    /// Its bytes.
    pub size: u64,
    /// When its slot was given: Unix time in milliseconds.
    pub created_ms: u64,
}

impl Entry {
    /// Reads the name of an entry; none if it is not one.
    pub fn parse(name: &str) -> Option<Entry> {
        let mut parts = name.split('-');
        let id = parts.next()?.parse().ok()?;
        let purpose = match parts.next()? {
            "message" => Purpose::Message,
            "profile" => Purpose::Profile,
            "permanent" => Purpose::Permanent,
            until => Purpose::Ephemeral(until.strip_prefix("until.")?.parse().ok()?),
        };
        let size = parts.next()?.parse().ok()?;
        let created_ms = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Entry { id, purpose, size, created_ms })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { id, purpose, size, created_ms } = self;
        match purpose {
            Purpose::Ephemeral(until_ms) => write!(f, "{id}-until.{until_ms}-{size}-{created_ms}"),
            purpose => write!(f, "{id}-{}-{size}-{created_ms}", purpose.as_str()),
        }
    }
}

pub(super) fn to_hex(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(32);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Only what [`to_hex`] writes: there is one name for each file.
pub(super) fn from_hex(text: &str) -> Option<[u8; 16]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = UploadId([0xa0; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let upper = id.to_string().to_uppercase();
        let wrong = [
            "",
            "a0",
            &upper,
            "../../../../../../../etc/passwd0",
            "+0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0",
            "ä0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
        ];
        for text in wrong {
            assert_eq!(text.parse::<UploadId>(), Err(NoUploadId), "{text}");
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for purpose in [Purpose::Message, Purpose::Profile, Purpose::Ephemeral(99), Purpose::Permanent] {
            let entry = Entry { id: UploadId([7; 16]), purpose, size: 4711, created_ms: 1_700_000_000_000 };
            assert_eq!(Entry::parse(&entry.to_string()), Some(entry));
        }
        for wrong in
            ["", "x", "07070707070707070707070707070707-message-1", "07070707070707070707070707070707-story-1-2"]
        {
            assert_eq!(Entry::parse(wrong), None, "{wrong}");
        }
    }
}
