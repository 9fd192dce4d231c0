//! Interfaces, addresses, routes and rates, by netlink: bridges, and veth pairs from a bridge into a network namespace.
//!
//! Messages that belong together are sent in one piece, which the kernel works off one after the other: to connect a namespace takes
//! three calls, no program. A socket stays in the namespace that it was made in.

mod addresses;
mod bridge;
mod gate;
mod link;
mod rate;
mod routes;
mod socket;
mod tap;
#[cfg(test)]
mod tests;
mod veth;
mod watch;

pub use addresses::Address;
pub use bridge::Bridge;
pub use link::{Counters, Link};
pub use routes::Route;
pub use socket::Netlink;
pub(crate) use socket::undisturbed;
pub use tap::Tap;
pub use veth::{Inside, Veth};
pub use watch::{News, Watch};

use std::io;

/// Why the kernel did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}")]
pub struct Error {
    /// What was tried, in plain words.
    pub what: String,
    /// What the kernel said.
    pub source: io::Error,
}

impl Error {
    fn new(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { what: what.into(), source: source.into() }
    }

    /// Whether there is one already.
    pub fn is_there_already(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether there is none.
    pub fn is_not_there(&self) -> bool {
        matches!(self.source.raw_os_error(), Some(libc::ENODEV | libc::ENOENT | libc::ESRCH))
    }
}

/// A result of this module.
pub type Result<T> = std::result::Result<T, Error>;
