//! Whether an account has room for one more file, and when it will have.

use metronome_host::options::Values;
use metronome_proto::payload::http_upload::Purpose;
use metronome_store::uploads::{Entry, Usage};

use super::settings::{self, ends_ms, is_same_quota};

/// Most files of one account, however small.
pub(super) const FILES_MAX: usize = 10_000;

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// What there is, slots that were given included.
    pub used: Usage,
    /// What there may be, in bytes.
    pub quota: u64,
    /// When there is room, if files go by themselves until then: Unix time in milliseconds.
    pub again_ms: Option<u64>,
}

/// Whether a file of this size and purpose fits beside the files of an account and what its slots hold.
pub(super) fn judge(
    values: &Values,
    files: &[Entry],
    held: &[(Purpose, u64)],
    wanted: (Purpose, u64),
    now_ms: u64,
) -> Result<(), Full> {
    let (purpose, size) = wanted;
    let quota = settings::limits(values, purpose).quota;
    let is_there = |entry: &&Entry| ends_ms(values, entry).is_none_or(|ends_ms| ends_ms > now_ms);
    let there: Vec<&Entry> = files.iter().filter(is_there).collect();
    let counted: Vec<&Entry> = there.iter().copied().filter(|entry| is_same_quota(entry.purpose, purpose)).collect();
    let held_bytes = held.iter().filter(|(of, _)| is_same_quota(*of, purpose)).map(|(_, bytes)| bytes).sum::<u64>();
    let bytes = Usage::of(counted.iter().copied()).bytes.saturating_add(held_bytes);
    let used = Usage { files: (there.len() + held.len()) as u64, bytes };
    let excess = bytes.saturating_add(size).saturating_sub(quota);
    if there.len() + held.len() >= FILES_MAX {
        let again_ms = there.iter().filter_map(|entry| ends_ms(values, entry)).min();
        return Err(Full { used, quota, again_ms });
    }
    if excess == 0 { Ok(()) } else { Err(Full { used, quota, again_ms: freed_ms(values, &counted, excess) }) }
}

/// When files that end have given back so many bytes.
fn freed_ms(values: &Values, files: &[&Entry], bytes: u64) -> Option<u64> {
    let mut ends: Vec<(u64, u64)> =
        files.iter().filter_map(|entry| Some((ends_ms(values, entry)?, entry.size))).collect();
    ends.sort_unstable();
    let mut freed = 0;
    let enough = ends.into_iter().find(|(_, size)| {
        freed += size;
        freed >= bytes
    });
    enough.map(|(ends_ms, _)| ends_ms)
}

#[cfg(test)]
mod tests {
    use metronome_store::uploads::UploadId;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn values() -> Values {
        Values::defaults(&[settings::SETTINGS])
            .with("upload.quota", "\"10 MiB\"")
            .with("upload.keep", "\"100 s\"")
            .with("upload.profile.quota", "\"1 MiB\"")
    }

    fn file(created_s: u64, mib: u64) -> Entry {
        Entry { id: UploadId([0; 16]), purpose: Purpose::Message, size: mib * MIB, created_ms: created_s * 1000 }
    }

    #[test]
    fn a_quota_is_reached_by_files_and_slots_together() {
        let files = [file(10, 4), file(20, 3)];
        let judge = |held: &[_], mib| judge(&values(), &files, held, (Purpose::Message, mib * MIB), 50_000);
        assert_eq!(judge(&[], 3), Ok(()));
        assert_eq!(judge(&[(Purpose::Ephemeral(0), 2 * MIB)], 1), Ok(()));
        let full = judge(&[(Purpose::Message, 2 * MIB)], 2).unwrap_err();
        assert_eq!(full.used, Usage { files: 3, bytes: 9 * MIB });
        assert_eq!((full.quota, full.again_ms), (10 * MIB, Some(110_000)), "when the first file goes");
        assert_eq!(judge(&[], 9).unwrap_err().again_ms, Some(120_000), "when both have gone");
        assert_eq!(judge(&[(Purpose::Message, 9 * MIB)], 9).unwrap_err().again_ms, None);
        assert_eq!(judge(&[(Purpose::Profile, 9 * MIB)], 3), Ok(()), "that has a quota of its own");
    }

    #[test]
    fn what_is_over_does_not_count() {
        let files = [file(10, 10)];
        let wanted = (Purpose::Message, MIB);
        assert_eq!(judge(&values(), &files, &[], wanted, 109_999).unwrap_err().again_ms, Some(110_000));
        assert_eq!(judge(&values(), &files, &[], wanted, 110_000), Ok(()));
    }

    #[test]
    fn there_are_only_so_many_files() {
        let files = vec![file(10, 0); FILES_MAX];
        let full = judge(&values(), &files, &[], (Purpose::Profile, 1), 50_000).unwrap_err();
        assert_eq!((full.used.files, full.again_ms), (FILES_MAX as u64, Some(110_000)));
    }
}
