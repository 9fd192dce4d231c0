//! How a container stands against what else the host runs, besides its limits: where it runs, what is kept for it, how soon it comes back,
//! and how early the kernel ends it.

use crate::size::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// More CPUs than Linux knows of.
const MAX_CPUS: u16 = 8192;

/// How a container stands. What is not said is systemd's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standing {
    /// Memory that others get only when there is no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_low: Option<Bytes>,
    /// The CPUs that it may run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<CpuSet>,
    /// How early the kernel ends it when memory is short, from -1000 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adjust: Option<i16>,
    /// How many milliseconds are waited before it is started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_delay: Option<u64>,
}

/// CPUs by their numbers: `0-3,7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuSet(String);

/// A text that names no CPUs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` names no CPUs: write numbers and ranges of them, such as 0-3,7")]
pub struct CpuSetError(String);

/// A number that the kernel doesn't take.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} is not within -1000 and 1000")]
pub struct OomScoreError(i16);

impl Standing {
    /// Checks what no parser of a single value can.
    ///
    /// # Errors
    /// When the kernel would refuse it.
    pub fn validate(&self) -> Result<(), OomScoreError> {
        match self.oom_score_adjust {
            Some(score) if !(-1000..=1000).contains(&score) => Err(OomScoreError(score)),
            _ => Ok(()),
        }
    }

    /// What its unit says of it, line by line.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let low = self.memory_low.map(|low| format!("MemoryLow={}", low.0));
        let cpus = self.cpus.as_ref().map(|cpus| format!("AllowedCPUs={cpus}"));
        let score = self.oom_score_adjust.map(|score| format!("OOMScoreAdjust={score}"));
        let delay = self.restart_delay.map(|delay| format!("RestartSec={delay}ms"));
        [low, cpus, score, delay].into_iter().flatten()
    }
}

impl FromStr for CpuSet {
    type Err = CpuSetError;

    fn from_str(text: &str) -> Result<Self, CpuSetError> {
        let number = |text: &str| text.parse().ok().filter(|n: &u16| *n < MAX_CPUS);
        let is_range = |part: &str| match part.split_once('-') {
            Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from <= to),
            None => number(part).is_some(),
        };
        let text: String = text.chars().filter(|c| *c != ' ').collect();
        if text.split(',').all(is_range) {
            return Ok(Self(text));
        }
        Err(CpuSetError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

crate::serde_by_text!(CpuSet);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_numbers_and_ranges() {
        for (text, shown) in [("0", "0"), ("0-3,7", "0-3,7"), ("1, 2", "1,2")] {
            assert_eq!(text.parse::<CpuSet>().unwrap().to_string(), shown);
        }
        for text in ["", "a", "3-1", "0-", "1,,2", "9000", "0\nExecStart=x", "-1"] {
            assert!(text.parse::<CpuSet>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn lines_of_the_unit() {
        let standing = Standing {
            memory_low: Some(Bytes(1 << 20)),
            cpus: Some("0-1".parse().unwrap()),
            oom_score_adjust: Some(-5),
            restart_delay: Some(1500),
        };
        assert_eq!(
            standing.lines().collect::<Vec<_>>(),
            ["MemoryLow=1048576", "AllowedCPUs=0-1", "OOMScoreAdjust=-5", "RestartSec=1500ms"]
        );
        assert_eq!(standing.validate(), Ok(()));
        assert_eq!(Standing::default().lines().next(), None);
        let wild = Standing { oom_score_adjust: Some(1001), ..Standing::default() };
        assert_eq!(wild.validate(), Err(OomScoreError(1001)));
    }
}
