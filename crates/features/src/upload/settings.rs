//! What administrators may say of uploads: where the service is, how much, of what kind, and for how long.

use std::time::Duration;

use metronome_host::options::{Kind, Setting, Unfit, Values};
use metronome_proto::payload::http_upload::Purpose;
use metronome_store::uploads::Entry;

use super::media;

/// Where the service of a domain is.
pub const PLACE: Setting = Setting::new(
    "upload.service",
    Kind::Text,
    "\"upload\"",
    "Where clients of a domain ask for uploads: a label that stands before the domain, as in `upload.example.org`; a whole domain name, if \
     there is a dot in it; or `\"\"` for none. Only clients of this server ask there, so it needs no DNS and no certificate; the files \
     themselves are under `web.url`.",
)
.per_host();

/// How large a file may be.
pub const SIZE: Setting =
    Setting::new("upload.size", Kind::Bytes, "\"100 MiB\"", "Largest file that may be uploaded.").within(1024, 1 << 40).per_host();

/// How much an account may have.
pub const QUOTA: Setting = Setting::new(
    "upload.quota",
    Kind::Bytes,
    "\"1 GiB\"",
    "What the files of one account may hold together. Whoever has reached it is told when there is room again.",
)
.per_host();

/// How long files stay.
pub const KEEP: Setting = Setting::new(
    "upload.keep",
    Kind::Duration,
    "\"60 d\"",
    "How long files stay that were sent in messages; `\"0 s\"` for ever. A shorter time counts for the files that are there as well.",
)
.per_host();

/// What may be uploaded.
pub const TYPES: Setting = Setting::new(
    "upload.types",
    Kind::List,
    "[]",
    "Media types that may be uploaded, such as `\"image/*\"` or `\"application/pdf\"`; all if there are none. Encrypted files are \
     `\"application/octet-stream\"`.",
)
.per_host();

/// How often.
pub const OFTEN: Setting = Setting::new(
    "upload.rate",
    Kind::Frequency,
    "\"60/min\"",
    "How many files one account may upload in such a time.",
)
.per_host();

/// What all may have.
pub const TOTAL: Setting = Setting::new(
    "upload.total",
    Kind::Bytes,
    "\"0 B\"",
    "What all files of this server may hold together; `\"0 B\"` for as much as the disk holds.",
);

/// What stays free.
pub const FREE: Setting = Setting::new(
    "upload.free",
    Kind::Bytes,
    "\"1 GiB\"",
    "What uploads leave free on the disk: whoever wants to upload more is asked to try later.",
);

/// How large a picture of somebody may be.
pub const PROFILE_SIZE: Setting = Setting::new(
    "upload.profile.size",
    Kind::Bytes,
    "\"5 MiB\"",
    "Largest file that may be uploaded to show oneself, such as an avatar.",
)
.within(1024, 1 << 40)
.per_host();

/// How much of that.
pub const PROFILE_QUOTA: Setting = Setting::new(
    "upload.profile.quota",
    Kind::Bytes,
    "\"20 MiB\"",
    "What the files of one account may hold together that were uploaded to show oneself; `\"0 B\"` for none.",
)
.per_host();

/// How long it stays.
pub const PROFILE_KEEP: Setting = Setting::new(
    "upload.profile.keep",
    Kind::Duration,
    "\"0 s\"",
    "How long files stay that were uploaded to show oneself; `\"0 s\"` for ever.",
)
.per_host();

/// What may stay for ever.
pub const PERMANENT_QUOTA: Setting = Setting::new(
    "upload.permanent.quota",
    Kind::Bytes,
    "\"100 MiB\"",
    "What the files of one account may hold together that were uploaded to stay, such as pictures of a blog; `\"0 B\"` for none.",
)
.per_host();

/// The settings of uploads.
pub const SETTINGS: &[Setting] = &[
    PLACE,
    SIZE,
    QUOTA,
    KEEP,
    TYPES,
    OFTEN,
    TOTAL,
    FREE,
    PROFILE_SIZE,
    PROFILE_QUOTA,
    PROFILE_KEEP,
    PERMANENT_QUOTA,
];

/// What holds for files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub size: u64,
    /// Most bytes of one account.
    pub quota: u64,
    /// How long files stay; none for ever.
    pub keep_ms: Option<u64>,
}

/// What holds for files of this purpose.
pub fn limits(values: &Values, purpose: Purpose) -> Limits {
    let (size, quota, keep) = match purpose {
        Purpose::Message | Purpose::Ephemeral(_) => (&SIZE, &QUOTA, values.duration(&KEEP)),
        Purpose::Profile => (&PROFILE_SIZE, &PROFILE_QUOTA, values.duration(&PROFILE_KEEP)),
        Purpose::Permanent => (&SIZE, &PERMANENT_QUOTA, Duration::ZERO),
    };
    let (quota, keep_ms) = (values.bytes(quota), keep.as_millis() as u64);
    Limits { size: values.bytes(size).min(quota), quota, keep_ms: Some(keep_ms).filter(|keep_ms| *keep_ms > 0) }
}

/// Whether two purposes share a quota.
pub fn is_same_quota(one: Purpose, other: Purpose) -> bool {
    let group = |purpose| match purpose {
        Purpose::Message | Purpose::Ephemeral(_) => 0,
        Purpose::Profile => 1,
        Purpose::Permanent => 2,
    };
    group(one) == group(other)
}

/// When a file is over: Unix time in milliseconds, none if it stays. Whoever asked for an end gets at most that.
pub fn ends_ms(values: &Values, entry: &Entry) -> Option<u64> {
    let kept = limits(values, entry.purpose).keep_ms.map(|keep_ms| entry.created_ms.saturating_add(keep_ms));
    match entry.purpose {
        Purpose::Ephemeral(until_ms) => Some(kept.map_or(until_ms, |kept| kept.min(until_ms))),
        _ => kept,
    }
}

/// Refuses types that are none.
pub(super) fn check(values: &Values) -> Result<(), Unfit> {
    let wrong = values.list(&TYPES).iter().find(|pattern| media::essence(pattern).is_none());
    wrong.map_or(Ok(()), |wrong| {
        Err(Unfit {
            setting: &TYPES,
            message: format!("`{wrong}` is not a media type"),
            hint: "write it like \"image/png\", or \"image/*\" for all of a kind",
        })
    })
}

#[cfg(test)]
mod tests {
    use metronome_store::uploads::UploadId;

    use super::*;

    fn entry(purpose: Purpose) -> Entry {
        Entry { id: UploadId([0; 16]), purpose, size: 1, created_ms: 1000 }
    }

    #[test]
    fn files_end_when_their_owner_or_the_server_says_so() {
        let values = Values::defaults(&[SETTINGS]).with("upload.keep", "\"10 s\"");
        assert_eq!(ends_ms(&values, &entry(Purpose::Message)), Some(11_000));
        assert_eq!(ends_ms(&values, &entry(Purpose::Ephemeral(5000))), Some(5000));
        assert_eq!(ends_ms(&values, &entry(Purpose::Ephemeral(50_000))), Some(11_000));
        assert_eq!(ends_ms(&values, &entry(Purpose::Profile)), None);
        assert_eq!(ends_ms(&values, &entry(Purpose::Permanent)), None);
        let values = values.with("upload.keep", "\"0 s\"");
        assert_eq!(ends_ms(&values, &entry(Purpose::Message)), None);
        assert_eq!(ends_ms(&values, &entry(Purpose::Ephemeral(5000))), Some(5000));
    }

    #[test]
    fn no_file_is_larger_than_its_quota() {
        let values = Values::defaults(&[SETTINGS]).with("upload.quota", "\"2 MiB\"");
        assert_eq!(limits(&values, Purpose::Message).size, 2 << 20);
        assert_eq!(limits(&values, Purpose::Profile).size, 5 << 20);
    }

    #[test]
    fn a_type_that_is_none_is_not_put_into_force() {
        let values = Values::defaults(&[SETTINGS]);
        assert!(check(&values.with("upload.types", r#"["image/*", "text/plain"]"#)).is_ok());
        assert_eq!(check(&values.with("upload.types", r#"["png"]"#)).unwrap_err().message, "`png` is not a media type");
    }
}
