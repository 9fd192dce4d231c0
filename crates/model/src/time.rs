//! Spans of time and points in it, as people write them: `90s`, `10m`, `2h30m`, `2026-01-02T03:04:05Z`.

use std::time::Duration;

/// A text that is no span of time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no span of time: write 90s, 10m, 2h30m or 7d")]
pub struct SpanError(String);

/// The units of a span, in nanoseconds, the largest first.
const UNITS: [(&str, u64); 8] = [
    ("w", 604_800_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Parses a span: numbers, whole or with a fraction, with `ns`, `us`, `ms`, `s`, `m`, `h`, `d` or `w` behind them, or a bare
/// number of seconds.
///
/// # Errors
/// When the text is none.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let wrong = || SpanError(text.chars().take(40).collect());
    if !text.is_empty() && text.len() < 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| wrong());
    }
    let (mut total, mut rest) = (Duration::ZERO, text.trim());
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits =
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, behind) = rest.split_at(digits);
        let length =
            behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, behind) = behind.split_at(length);
        let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        total = part(number, unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = behind;
    }
    Ok(total)
}

/// So many of a unit of so many nanoseconds.
fn part(number: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) || fraction.len() > 9 {
        return None;
    }
    let whole = Duration::from_nanos(unit).checked_mul(whole.parse().ok()?)?;
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let rest = u128::from(unit) * fraction.parse::<u128>().ok()? / u128::from(scale);
    whole.checked_add(Duration::from_nanos(u64::try_from(rest).ok()?))
}

/// A span as [`parse_span`] reads it, such as `1m30s`: not a nanosecond is lost.
#[must_use]
pub fn span_text(span: Duration) -> String {
    let mut rest = span.as_nanos();
    let mut text = String::new();
    for (unit, size) in UNITS.iter().filter(|(unit, _)| *unit != "w") {
        let count = rest / u128::from(*size);
        if count > 0 {
            text += &format!("{count}{unit}");
            rest %= u128::from(*size);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// What a table shows of a span: the largest unit that fits, such as `3 minutes`.
#[must_use]
pub fn human_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("day", 86_400), ("hour", 3600), ("minute", 60)];
    let (unit, n) = units
        .iter()
        .find(|(_, size)| seconds >= *size)
        .map_or(("second", seconds), |(unit, size)| (unit, seconds / size));
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

/// A point in time as the user wrote it: RFC 3339, `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS` on this host's clock, or a span back from
/// `now` (`10m`).
///
/// # Errors
/// When it is none of them.
pub fn parse_point(text: &str, now: jiff::Timestamp) -> Result<jiff::Timestamp, SpanError> {
    if let Ok(point) = text.parse::<jiff::Timestamp>() {
        return Ok(point);
    }
    let wrong = || SpanError(text.chars().take(40).collect());
    if let Some(point) = on_the_clock(text) {
        return Ok(point);
    }
    let back = parse_span(text.strip_suffix(" ago").unwrap_or(text))?;
    now.checked_sub(back).map_err(|_| wrong())
}

/// A date, with a time of day or without, as this host's clock has it; nothing where the text is none.
#[must_use]
pub fn on_the_clock(text: &str) -> Option<jiff::Timestamp> {
    let point = text.parse::<jiff::civil::DateTime>().ok()?;
    Some(point.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("10m", 600),
            ("2h30m", 9000),
            ("7d", 604_800),
            ("1.5m", 90),
            ("0.5h30s", 1830),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "m", "10", "-1s", "1y", "1 h", "99999999999w", "1.2.3s", ".s", "1.s"]
            .iter()
            .filter(|t| **t != "10")
        {
            assert!(parse_span(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(human_span(Duration::from_secs(61)), "1 minute");
        assert_eq!(human_span(Duration::from_secs(7200)), "2 hours");
    }

    #[test]
    fn points() {
        let now: jiff::Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(parse_point("1h", now).unwrap().to_string(), "2026-01-01T23:00:00Z");
        for (text, point) in [
            ("2025-12-31", "2025-12-31 00:00:00"),
            ("2025-12-31 23:05", "2025-12-31 23:05:00"),
            ("2025-12-31T23:05:06", "2025-12-31 23:05:06"),
        ] {
            let found = parse_point(text, now).unwrap().to_zoned(jiff::tz::TimeZone::system());
            assert_eq!(found.strftime("%F %T").to_string(), point);
        }
        assert!(parse_point("yesterday-ish", now).is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(nanoseconds in 0_u64..1 << 60) {
            let span = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(parse_span(&span_text(span)), Ok(span));
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            drop(parse_span(&text));
        }
    }
}
