//! Filters in the words of pcap-filter(7), as the kernel runs them. tcpdump(8) translates them, where it is installed.

use super::MAX_SNAP;
use crate::command::{self, Command};
use std::fmt;
use std::time::Duration;

/// How long a translation may take: names in it are looked up.
const LIMIT: Duration = Duration::from_secs(20);

/// Which packets to see.
pub struct Filter(Vec<libc::sock_filter>);

/// Why words are no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// They can't be understood, or nobody is there who could.
    #[error(transparent)]
    Refused(#[from] command::Error),
    /// The answer can't be.
    #[error("tcpdump answered with something else than a filter")]
    Garbled,
}

impl Filter {
    /// Translates words.
    pub fn of(words: &str) -> Result<Self, FilterError> {
        let snap = MAX_SNAP.to_string();
        // -ddd: as numbers. What follows two hyphens is no option, whatever it is.
        let options = ["-ddd", "-y", "EN10MB", "-s", &snap, "--", words];
        let answer = Command::new("tcpdump").args(options).time_limit(LIMIT).output()?;
        Self::read(&answer.text()).ok_or(FilterError::Garbled)
    }

    /// Reads the number of instructions, and each on a line: its code, how far it jumps where it holds and where not, a value.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let count: usize = lines.next()?.trim().parse().ok()?;
        let instruction = |line: &str| {
            let mut numbers = line.split_whitespace();
            let all = libc::sock_filter {
                code: numbers.next()?.parse().ok()?,
                jt: numbers.next()?.parse().ok()?,
                jf: numbers.next()?.parse().ok()?,
                k: numbers.next()?.parse().ok()?,
            };
            numbers.next().is_none().then_some(all)
        };
        let all: Vec<_> = lines.map(instruction).collect::<Option<_>>()?;
        (all.len() == count && u16::try_from(count).is_ok()).then_some(Self(all))
    }

    /// As the kernel takes it, for as long as the filter lives.
    pub(super) fn program(&self) -> libc::sock_fprog {
        libc::sock_fprog {
            len: self.0.len().try_into().expect("it was looked at when it was read"),
            filter: self.0.as_ptr().cast_mut(),
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} instructions)", self.0.len())
    }
}
