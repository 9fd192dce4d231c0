//! Numbers on the command line, with errors that say what is wanted.

use std::ops::RangeInclusive;

/// A parser of whole numbers in `range`.
pub(crate) fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| wanted(&range))
    }
}

/// A parser of seconds and the like: whole numbers from 0 on.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    whole(0..=u64::MAX)(text)
}

/// The same, not larger than systemd takes.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    whole(0..=u64::from(u32::MAX))(text)
}

fn wanted(range: &RangeInclusive<u64>) -> String {
    match (*range.start(), *range.end()) {
        (least, u64::MAX) => format!("write a whole number, {least} or more"),
        (least, most) => format!("write a whole number from {least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_said() {
        assert_eq!(count("7"), Ok(7));
        assert_eq!(count("-5").unwrap_err(), "write a whole number, 0 or more");
        let weight = whole::<u64>(1..=10_000);
        assert_eq!(weight("10000"), Ok(10_000));
        for bad in ["0", "-1", "10001", "1.5", "", "x"] {
            assert_eq!(weight(bad).unwrap_err(), "write a whole number from 1 to 10000", "{bad}");
        }
        assert!(seconds("4294967296").is_err());
    }
}
