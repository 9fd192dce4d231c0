//! Sizes in bytes, as people write them (`512M`, `1.5G`) and as they like to read them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes. Suffixes are powers of 1024: `K`, `M`, `G`, `T`, with or without `B` or `iB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A text that is no size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no size: write a number with K, M, G or T behind it, such as 512M")]
pub struct SizeError(String);

const UNITS: [(&str, u64); 5] =
    [("", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

impl FromStr for Bytes {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let wrong = || SizeError(text.chars().take(40).collect());
        let upper = text.trim().to_ascii_uppercase();
        let short = upper.strip_suffix("IB").or_else(|| upper.strip_suffix('B')).unwrap_or(&upper);
        let digits = short.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor =
            UNITS.iter().find(|(unit, _)| *unit == &short[digits.len()..]).ok_or_else(wrong)?.1;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
        let part = u128::from(factor) * fraction.parse::<u128>().map_err(|_| wrong())? / scale;
        let total = u128::from(whole) * u128::from(factor) + part;
        u64::try_from(total).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Bytes {
    /// `512M` where it is exact, else one decimal: `1.4G`. What is printed can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS.iter().rev().find(|(_, n)| self.0 >= *n).unwrap_or(&UNITS[0]);
        let text = if self.0.is_multiple_of(*factor) {
            format!("{}{unit}", self.0 / factor)
        } else {
            let tenths = u128::from(self.0) * 10 / u128::from(*factor);
            format!("{}.{}{unit}", tenths / 10, tenths % 10)
        };
        f.pad(&text)
    }
}

crate::serde_by_text!(Bytes);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("1K", 1024),
            ("512M", 512 << 20),
            ("1g", 1 << 30),
            ("1GiB", 1 << 30),
            ("1.5G", 3 << 29),
            ("2TB", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "G", "-1", "1X", "1.G", "1.2.3", "99999999999T", "1e3", "0x10"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn as_people_read_them() {
        assert_eq!(Bytes(512 << 20).to_string(), "512M");
        assert_eq!(Bytes(1_500_000_000).to_string(), "1.3G");
        assert_eq!(Bytes(0).to_string(), "0");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_near(n in any::<u64>()) {
            let back: Bytes = Bytes(n).to_string().parse().unwrap();
            prop_assert!(back.0 <= n && n - back.0 <= n / 10 + 1);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            drop(text.parse::<Bytes>());
        }
    }
}
