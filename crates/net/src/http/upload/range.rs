//! Which part of a file is asked for (RFC 9110 section 14): one range of bytes. Several at once are answered with the whole file.

/// What of a file is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// From the first byte to the last, both included.
    Range(u64, u64),
    /// There is nothing where it was asked for.
    Outside,
}

impl Part {
    /// Reads `Range` for a file of this size. What is malformed, in another unit or several at once counts as not asked.
    pub(super) fn asked(range: &str, size: u64) -> Part {
        let Some(spec) = range.trim().strip_prefix("bytes=") else { return Part::Whole };
        let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
        let number = |text: &str| match text.is_empty() {
            true => Some(None),
            false if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(text.parse().unwrap_or(u64::MAX))),
            false => None,
        };
        match (number(first), number(last)) {
            (Some(Some(first)), Some(last)) if last.is_none_or(|last| first <= last) => {
                let last = last.unwrap_or(u64::MAX).min(size.saturating_sub(1));
                if first < size { Part::Range(first, last) } else { Part::Outside }
            }
            (Some(None), Some(Some(0))) => Part::Outside,
            (Some(None), Some(Some(count))) => Part::Range(size.saturating_sub(count), size.saturating_sub(1)),
            _ => Part::Whole,
        }
    }

    /// How many bytes that is of a file of this size.
    pub(super) fn len(self, size: u64) -> u64 {
        match self {
            Part::Whole => size,
            Part::Range(first, last) => last - first + 1,
            Part::Outside => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_of_bytes_within_the_file() {
        for (asked, part) in [
            ("bytes=0-0", Part::Range(0, 0)),
            ("bytes=0-", Part::Range(0, 99)),
            ("bytes=10-19", Part::Range(10, 19)),
            ("bytes=90-200", Part::Range(90, 99)),
            ("bytes=-5", Part::Range(95, 99)),
            ("bytes=-500", Part::Range(0, 99)),
            ("bytes=100-", Part::Outside),
            ("bytes=99999999999999999999-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(Part::asked(asked, 100), part, "{asked}");
        }
        assert_eq!((Part::Range(10, 19).len(100), Part::Whole.len(100), Part::Outside.len(100)), (10, 100, 0));
    }
}
