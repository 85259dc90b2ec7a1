//! XEP-0203: Delayed Delivery, with the time format of XEP-0082.

use super::Malformed;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Tree};

/// When a stanza was first sent, and who kept it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Unix time in milliseconds.
    pub at_ms: i64,
    /// Who kept it.
    pub from: Option<Jid>,
    /// Why, for humans.
    pub reason: Option<String>,
}

impl Delay {
    /// Reads `<delay/>`.
    pub fn read(delay: &Child<'_>) -> Result<Delay, Malformed> {
        let stamp = delay.attr("stamp").ok_or(Malformed("a delay without a stamp"))?;
        let from = delay.attr("from").map(|from| Jid::parse(&from)).transpose();
        Ok(Delay {
            at_ms: parse_time(&stamp).ok_or(Malformed("a stamp that is not a time"))?,
            from: from.map_err(|_| Malformed("a delay whose from is not an address"))?,
            reason: Some(delay.text().into_owned()).filter(|reason| !reason.is_empty()),
        })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::DELAY, "delay")
            .attr_opt("from", self.from.as_ref().map(Jid::as_str))
            .attr("stamp", format_time(self.at_ms))
            .text(self.reason.as_deref().unwrap_or_default())
    }
}

const DAY_MS: i64 = 86_400_000;

/// Years that have four digits.
const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// XEP-0082 `DateTime` in UTC with milliseconds; times before 1970 or after 9999 become the nearest one between.
pub fn format_time(at_ms: i64) -> String {
    let at_ms = at_ms.clamp(0, TIME_MS_MAX);
    let (days, of_day) = (at_ms / DAY_MS, at_ms % DAY_MS);
    let (year, month, day) = date_of(days);
    let (hour, minute, second, ms) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Reads an XEP-0082 `DateTime`, with any offset and any number of decimals; Unix time in milliseconds.
pub fn parse_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let time = time.strip_prefix('T')?;
    let (clock, rest) = time.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let (ms, zone) = decimals(rest)?;
    let offset_min = zone_minutes(zone)?;
    let is_valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !is_valid || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let minutes = hour * 60 + minute - offset_min;
    Some(days_of(year, month, day) * DAY_MS + minutes * 60_000 + second * 1000 + ms)
}

/// Three numbers of fixed widths.
fn numbers(text: &str, between: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut number = |width: usize| {
        let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok()
    };
    let [first, second, third] = widths;
    let all = [number(first)?, number(second)?, number(third)?];
    parts.next().is_none().then_some(all)
}

/// `.123` as milliseconds, and what follows.
fn decimals(text: &str) -> Option<(i64, &str)> {
    let Some(fraction) = text.strip_prefix('.') else { return Some((0, text)) };
    let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = fraction.split_at(len);
    let ms = digits.bytes().chain(*b"000").take(3).fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    (len > 0).then_some((ms, rest))
}

/// `Z` or `+hh:mm` as minutes.
fn zone_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, clock) = match zone.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let [hour, minute, _] = numbers(&format!("{clock}:00"), ':', [2, 2, 2])?;
    (hour <= 14 && minute <= 59).then_some(sign * (hour * 60 + minute))
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day is the last.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// The reverse of [`days_of`], for days since 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(format_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_time(951_782_400_123), "2000-02-29T00:00:00.123Z");
        for at_ms in [0, 1, 951_782_400_123, 1_790_000_000_999, TIME_MS_MAX] {
            assert_eq!(parse_time(&format_time(at_ms)), Some(at_ms));
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_its_own() {
        for days in 0..146_097 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
    }

    #[test]
    fn offsets_and_decimals_are_understood_and_nonsense_is_not() {
        assert_eq!(parse_time("1969-07-21T02:56:15Z"), Some(-14_159_025_000));
        assert_eq!(parse_time("1969-07-20T21:56:15-05:00"), Some(-14_159_025_000));
        assert_eq!(parse_time("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(parse_time("1970-01-01T00:00:00.123456+00:00"), Some(123));
        for bad in
            ["", "1970", "1970-02-29T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z"]
        {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }
}
