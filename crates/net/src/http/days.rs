//! Days and months of the calendar, in UTC, as they stand in addresses and on pages.

use std::fmt;

use metronome_proto::payload::delay::{format_time, parse_time};

const DAY_MS: u64 = 86_400_000;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A day from 1970 to 9999. Written as `2026-11-23`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(u64);

/// A month: its first day. Written as `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(Day);

impl Day {
    /// The day of a Unix time in milliseconds.
    pub(super) fn of_ms(at_ms: u64) -> Day {
        Day(at_ms / DAY_MS)
    }

    /// Reads it as it is written.
    pub(super) fn parse(text: &str) -> Option<Day> {
        let at_ms = (text.len() == 10).then(|| parse_time(&format!("{text}T00:00:00Z"))).flatten()?;
        u64::try_from(at_ms).ok().map(Day::of_ms)
    }

    /// Reads it as older servers have written it: `20261123`.
    pub(super) fn parse_compact(text: &str) -> Option<Day> {
        let is_one = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| Day::parse(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]))).flatten()
    }

    /// From its first to its last millisecond.
    pub(super) fn times_ms(self) -> (u64, u64) {
        (self.0 * DAY_MS, self.0 * DAY_MS + DAY_MS - 1)
    }

    /// The month that it is in.
    pub(super) fn month(self) -> Month {
        let text = self.to_string();
        Month(Day(self.0 + 1 - text[8..].parse::<u64>().unwrap_or(1)))
    }

    /// Its number in the month.
    pub(super) fn number(self) -> u64 {
        self.0 + 1 - self.month().0.0
    }

    /// From 0 for Monday to 6.
    pub(super) fn weekday(self) -> usize {
        // The first of 1970 was a Thursday.
        ((self.0 + 3) % 7) as usize
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_time(i64::try_from(self.times_ms().0).unwrap_or(i64::MAX))[..10])
    }
}

impl Month {
    /// Reads it as it is written.
    pub(super) fn parse(text: &str) -> Option<Month> {
        (text.len() == 7).then(|| Day::parse(&format!("{text}-01")).map(Month)).flatten()
    }

    /// Its days.
    pub(super) fn days(self) -> impl Iterator<Item = Day> {
        (self.0.0..self.next().0.0).map(Day)
    }

    /// The one after it; the last of all is followed by itself.
    pub(super) fn next(self) -> Month {
        Day(self.0.0 + 31).month().max(self)
    }

    /// The one before it; the first of all comes after itself.
    pub(super) fn previous(self) -> Month {
        Day(self.0.0.saturating_sub(1)).month()
    }

    /// For people.
    pub(super) fn name(self) -> String {
        let text = self.0.to_string();
        let number: usize = text[5..7].parse().unwrap_or(1);
        format!("{} {}", MONTHS[(number - 1) % 12], &text[..4])
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string()[..7])
    }
}

/// The time of a day, as `12:34`.
pub(super) fn time_of(at_ms: u64) -> String {
    format_time(i64::try_from(at_ms).unwrap_or(i64::MAX))[11..16].to_owned()
}

/// A Unix time in milliseconds as header fields have it (RFC 9110 section 5.6.7).
pub(super) fn http_date(at_ms: u64) -> String {
    let day = Day::of_ms(at_ms);
    let month = &day.month().name()[..3];
    let text = format_time(i64::try_from(at_ms).unwrap_or(i64::MAX));
    format!("{}, {:02} {month} {} {} GMT", WEEKDAYS[day.weekday()], day.number(), &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_header_fields() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn days_are_read_as_they_are_written() {
        let day = Day::parse("2026-11-23").unwrap();
        assert_eq!((day.to_string().as_str(), day.number(), day.weekday()), ("2026-11-23", 23, 0));
        assert_eq!(Day::parse_compact("20261123"), Some(day));
        assert_eq!(Day::of_ms(day.times_ms().1), day);
        assert_eq!(day.month().name(), "November 2026");
        for no in
            ["2026-11-31", "2026-1-1", "1969-12-31", "26-11-23", "2026-11-23T", "..", "٢٠٢٦-11-23", "", "2026/11/23"]
        {
            assert_eq!(Day::parse(no), None, "{no}");
        }
        for no in ["2026112", "202611233", "2026-1-1", "20261301", "2026112x", "é61123x"] {
            assert_eq!(Day::parse_compact(no), None, "{no}");
        }
    }

    #[test]
    fn months_have_their_days_and_follow_each_other() {
        let month = Month::parse("2024-02").unwrap();
        assert_eq!(month.days().count(), 29);
        assert_eq!(month.next().to_string(), "2024-03");
        assert_eq!(Month::parse("2026-01").unwrap().previous().to_string(), "2025-12");
        assert_eq!(Month::parse("1970-01").unwrap().previous().to_string(), "1970-01");
        assert_eq!(Month::parse("2026-13"), None);
        assert_eq!(Month::parse("2026-11-23"), None);
        assert_eq!(time_of(Day::parse("2026-11-23").unwrap().times_ms().0 + 45_240_000), "12:34");
    }
}
