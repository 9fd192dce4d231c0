//! How much may go through a connection a second, as `tc` writes it: `100mbit`.

use std::fmt;
use std::str::FromStr;

/// Bits a second. Units are powers of 1000: `bit`, `kbit`, `mbit`, `gbit`, `tbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(u64);

/// With less even a name is looked up in vain.
const LEAST: u64 = 8_000;
const UNITS: [(&str, u64); 5] = [
    ("tbit", 1_000_000_000_000),
    ("gbit", 1_000_000_000),
    ("mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];

/// A text that is no rate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BitRateError {
    /// It is something else.
    #[error("`{0}` is no rate: write bits a second, such as 500kbit, 100mbit or 1.5gbit")]
    Text(String),
    /// It is one in which nothing comes through.
    #[error("The rate {0} is below 8kbit, in which nothing comes through")]
    Little(BitRate),
}

impl BitRate {
    /// The same in bytes a second.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0 / 8
    }
}

impl FromStr for BitRate {
    type Err = BitRateError;

    fn from_str(text: &str) -> Result<Self, BitRateError> {
        let wrong = || BitRateError::Text(text.chars().take(40).collect());
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &lower[digits.len()..];
        let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
        let part = u128::from(factor) * fraction.parse::<u128>().map_err(|_| wrong())? / scale;
        let bits = u128::from(whole) * u128::from(factor) + part;
        match u64::try_from(bits).map(Self).map_err(|_| wrong())? {
            little if little.0 < LEAST => Err(BitRateError::Little(little)),
            rate => Ok(rate),
        }
    }
}

impl fmt::Display for BitRate {
    /// Exactly, in the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(fits).expect("one divides everything");
        f.pad(&format!("{}{unit}", self.0 / factor))
    }
}

crate::serde_by_text!(BitRate);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_tc_writes_them() {
        for (text, bits, shown) in [
            ("100mbit", 100_000_000, "100mbit"),
            ("1Gbit", 1_000_000_000, "1gbit"),
            ("1.5mbit", 1_500_000, "1500kbit"),
            ("8000bit", 8_000, "8kbit"),
            ("12345bit", 12_345, "12345bit"),
        ] {
            let rate: BitRate = text.parse().unwrap();
            assert_eq!((rate, rate.to_string().as_str()), (BitRate(bits), shown), "{text}");
        }
        assert_eq!("100mbit".parse::<BitRate>().unwrap().bytes(), 12_500_000);
        for bad in [
            "",
            "100",
            "mbit",
            "-1mbit",
            "1mbps",
            "1.mbit",
            "1e3mbit",
            "0bit",
            "7kbit",
            "99999999tbit",
        ] {
            assert!(bad.parse::<BitRate>().is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(bits in LEAST..) {
            prop_assert_eq!(BitRate(bits).to_string().parse(), Ok(BitRate(bits)));
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            drop(text.parse::<BitRate>());
        }
    }
}
