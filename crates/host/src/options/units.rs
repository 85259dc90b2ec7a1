//! Sizes, time spans, flows and frequencies as administrators write them: a number and a unit.
//! Used by `value.rs` for reading and by everything that shows a value; a number without a unit is refused, since nobody can
//! tell later what was meant.

use std::time::Duration;

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Units of size, largest first: written names (the first is the one we print) and bytes.
const SIZES: &[(&[&str], u64)] =
    &[(&["TiB"], 1 << 40), (&["GiB"], 1 << 30), (&["MiB"], 1 << 20), (&["KiB"], 1 << 10), (&["B", "bytes", "byte"], 1)];

/// Units of time, largest first: written names (the first is the one we print) and milliseconds.
const SPANS: &[(&[&str], u64)] = &[
    (&["y", "year", "years"], 365 * DAY_MS),
    (&["w", "week", "weeks"], 7 * DAY_MS),
    (&["d", "day", "days"], DAY_MS),
    (&["h", "hour", "hours"], HOUR_MS),
    (&["min", "minute", "minutes"], MINUTE_MS),
    (&["s", "second", "seconds"], SECOND_MS),
    (&["ms", "millisecond", "milliseconds"], 1),
];

/// So many events in so much time, such as 10 failed logins per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequency {
    /// How many.
    pub times: u32,
    /// In which span: one second, minute, hour or day.
    pub per: Duration,
}

impl Frequency {
    /// The name of the unit it is counted in, as written after the slash.
    fn unit(self) -> &'static str {
        let per_ms = u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX);
        SPANS.iter().find(|(_, ms)| *ms == per_ms).map_or("s", |(names, _)| names[0])
    }
}

impl std::fmt::Display for Frequency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.times, self.unit())
    }
}

/// Why a number with a unit could not be read: `problem` in a few words, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitError {
    /// What is wrong, such as "the unit `KB` is not known".
    pub problem: String,
    /// What would be right, such as "write `KiB` (1024 bytes)".
    pub hint: String,
}

impl UnitError {
    fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }
}

/// Reads a size such as `256 KiB` into bytes.
pub(super) fn read_bytes(text: &str) -> Result<u64, UnitError> {
    read_scaled(text, SIZES, "a size like `256 KiB` (B, KiB, MiB, GiB, TiB)", wrong_size_unit)
}

/// Reads a time span such as `30 s`, exact to the millisecond.
pub fn read_duration(text: &str) -> Result<Duration, UnitError> {
    read_scaled(text, SPANS, "a time like `30 s` (ms, s, min, h, d, w, y)", wrong_span_unit).map(Duration::from_millis)
}

/// Reads a flow such as `64 KiB/s` into bytes per second.
pub(super) fn read_rate(text: &str) -> Result<u64, UnitError> {
    let size =
        text.strip_suffix("/s").ok_or_else(|| UnitError::new("no `/s` at the end", "write a flow like `64 KiB/s`"))?;
    read_scaled(size, SIZES, "a flow like `64 KiB/s`", wrong_size_unit)
}

/// Reads a frequency such as `10/min`.
pub(super) fn read_frequency(text: &str) -> Result<Frequency, UnitError> {
    let form =
        || UnitError::new("not a number of times per unit", "write a frequency like `10/min` (per s, min, h, d)");
    let (times, unit) = text.split_once('/').ok_or_else(form)?;
    let times = times.trim_end().parse().map_err(|_| form())?;
    let ms = match unit.trim_start() {
        "s" => SECOND_MS,
        "min" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return Err(form()),
    };
    Ok(Frequency { times, per: Duration::from_millis(ms) })
}

/// Writes a size with the largest unit that divides it: `256 KiB`, `1000 B`.
pub fn write_bytes(bytes: u64) -> String {
    write_scaled(bytes, SIZES, "0 B")
}

/// Writes a time span with the largest unit that divides it: `90 s`, `1 y`. Parts of a millisecond are dropped.
pub fn write_duration(span: Duration) -> String {
    write_scaled(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), SPANS, "0 s")
}

type Units = &'static [(&'static [&'static str], u64)];

fn read_scaled(
    text: &str,
    units: Units,
    form: &str,
    wrong_unit: fn(&str) -> Option<&'static str>,
) -> Result<u64, UnitError> {
    let write = || format!("write {form}");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = (text[..digits].replace('_', ""), text[digits..].trim_start());
    if number.is_empty() {
        return Err(UnitError::new("does not begin with a whole number", write()));
    }
    if unit.is_empty() {
        return Err(UnitError::new("no unit", write()));
    }
    let Some((_, scale)) = units.iter().find(|(names, _)| names.contains(&unit)) else {
        let hint = wrong_unit(unit).map_or_else(write, |name| format!("did you mean `{name}`?"));
        return Err(UnitError::new(format!("the unit `{unit}` is not known"), hint));
    };
    let number: Option<u64> = number.parse().ok();
    number.and_then(|n| n.checked_mul(*scale)).ok_or_else(|| UnitError::new("too large a number", write()))
}

/// The unit that was probably meant; powers of 1000 are refused rather than guessed.
fn wrong_size_unit(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "b" => Some("B"),
        "k" | "kb" | "kib" => Some("KiB"),
        "m" | "mb" | "mib" => Some("MiB"),
        "g" | "gb" | "gib" => Some("GiB"),
        "t" | "tb" | "tib" => Some("TiB"),
        _ => None,
    }
}

fn wrong_span_unit(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "m" | "mins" => Some("min"),
        "sec" | "secs" => Some("s"),
        "hr" | "hrs" => Some("h"),
        "msec" | "msecs" => Some("ms"),
        "yr" | "yrs" => Some("y"),
        _ => None,
    }
}

fn write_scaled(amount: u64, units: Units, zero: &str) -> String {
    if amount == 0 {
        return zero.to_owned();
    }
    let divides = units.iter().find(|(_, scale)| amount.is_multiple_of(*scale));
    divides.map_or_else(|| zero.to_owned(), |(names, scale)| format!("{} {}", amount / scale, names[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        for (text, bytes) in
            [("0 B", 0), ("1 byte", 1), ("8KiB", 8192), ("256 KiB", 262_144), ("1_000 MiB", 1000 << 20)]
        {
            assert_eq!(read_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn powers_of_1000_are_refused_with_the_unit_that_was_meant() {
        let wrong = read_bytes("256 KB").unwrap_err();
        assert_eq!(wrong.problem, "the unit `KB` is not known");
        assert_eq!(wrong.hint, "did you mean `KiB`?");
    }

    #[test]
    fn a_number_without_a_unit_is_refused() {
        assert_eq!(read_bytes("256").unwrap_err().problem, "no unit");
        assert_eq!(read_duration("30").unwrap_err().hint, "write a time like `30 s` (ms, s, min, h, d, w, y)");
        assert_eq!(read_duration("s").unwrap_err().problem, "does not begin with a whole number");
        assert_eq!(read_duration("-3 s").unwrap_err().problem, "does not begin with a whole number");
    }

    #[test]
    fn numbers_beyond_64_bits_are_refused() {
        assert_eq!(read_bytes("99999999999999999999 B").unwrap_err().problem, "too large a number");
        assert_eq!(read_bytes("99999999999 TiB").unwrap_err().problem, "too large a number");
    }

    #[test]
    fn an_m_may_be_a_minute_or_a_month_and_is_refused() {
        assert_eq!(read_duration("5m").unwrap_err().hint, "did you mean `min`?");
        assert_eq!(read_duration("5 min"), Ok(Duration::from_secs(300)));
    }

    #[test]
    fn flows_are_per_second() {
        assert_eq!(read_rate("64 KiB/s"), Ok(65_536));
        assert_eq!(read_rate("64 KiB").unwrap_err().problem, "no `/s` at the end");
    }

    #[test]
    fn frequencies_are_written_as_they_are_read() {
        for text in ["10/min", "1/s", "5/h", "100/d"] {
            assert_eq!(read_frequency(text).unwrap().to_string(), text);
        }
        for text in ["10", "10/week", "-1/s", "/s"] {
            assert!(read_frequency(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_written_with_the_largest_unit_that_divides_them() {
        assert_eq!(write_bytes(262_144), "256 KiB");
        assert_eq!(write_bytes(1000), "1000 B");
        assert_eq!(write_bytes(0), "0 B");
        assert_eq!(write_duration(Duration::from_secs(90)), "90 s");
        assert_eq!(write_duration(Duration::from_secs(365 * 86_400)), "1 y");
    }
}
