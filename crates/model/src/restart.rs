//! Restart policies: systemd's, with the words that fingers know.

use std::fmt;
use std::str::FromStr;

/// When a workload that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// When it failed, at most so many times in a row (no number: always).
    OnFailure(Option<u32>),
    /// Whenever it ended, and at every boot.
    Always,
    /// Whenever it ended, and at boot unless it had been stopped.
    UnlessStopped,
}

/// A text that is no restart policy.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no restart policy: write no, on-failure, on-failure:N, always or unless-stopped")]
pub struct RestartError(String);

impl FromStr for Restart {
    type Err = RestartError;

    fn from_str(text: &str) -> Result<Self, RestartError> {
        match text {
            "" | "no" => Ok(Self::No),
            "on-failure" => Ok(Self::OnFailure(None)),
            "always" => Ok(Self::Always),
            "unless-stopped" => Ok(Self::UnlessStopped),
            _ => text
                .strip_prefix("on-failure:")
                .and_then(|n| n.parse().ok())
                .filter(|n| *n > 0)
                .map(|n| Self::OnFailure(Some(n)))
                .ok_or_else(|| RestartError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::OnFailure(None) => f.write_str("on-failure"),
            Self::OnFailure(Some(n)) => write!(f, "on-failure:{n}"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
        }
    }
}

impl Restart {
    /// Whether the workload is to come up at boot once it was started.
    #[must_use]
    pub fn at_boot(self) -> bool {
        self != Self::No
    }
}

crate::serde_by_text!(Restart);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for text in ["no", "on-failure", "on-failure:3", "always", "unless-stopped"] {
            assert_eq!(text.parse::<Restart>().unwrap().to_string(), text);
        }
        for bad in ["yes", "on-failure:", "on-failure:0", "on-failure:x", "Always"] {
            assert!(bad.parse::<Restart>().is_err(), "{bad:?} was taken");
        }
    }
}
