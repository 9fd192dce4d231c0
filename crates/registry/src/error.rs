//! The registry's one error type.

use volt_model::kind::ErrorKind;

/// Why a registry did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has no such thing, or says so to those who may not see it.
    #[error("the registry {host} has no {what}")]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// It wants to know who is there, or refuses who is.
    #[error("the registry {host} does not give {what} to {}", if *anonymous { "the public" } else { "this account" })]
    Denied {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Whether nobody was named.
        anonymous: bool,
    },
    /// It can't be reached, or broke off again and again.
    #[error("the registry {host} can't be reached: {reason}")]
    Unreachable {
        /// The registry.
        host: String,
        /// What happened last.
        reason: String,
    },
    /// Nobody listens there, and nobody did before.
    #[error("nobody listens at the registry {host}")]
    Nobody {
        /// The registry.
        host: String,
    },
    /// It answered with a failure of its own.
    #[error("the registry {host} answered {status} for {what}{}", said(detail))]
    Refused {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// The status in numbers.
        status: u16,
        /// What it said of it; empty where nothing.
        detail: String,
    },
    /// What it sent is not what it should be.
    #[error("the registry {host} sent a wrong {what}: {reason}")]
    Wrong {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was to be sent could not be read.
    #[error("what is to be sent can't be read: {0}")]
    Unread(std::io::Error),
    /// This host has nothing left to ask it with.
    #[error("no registry can be asked now: {0}")]
    Unasked(std::io::Error),
    /// The caller no longer wants it.
    #[error("cancelled")]
    Cancelled,
    /// A name, digest or file of ours is wrong.
    #[error("{0}")]
    Invalid(String),
}

impl From<volt_model::registry::NoDigest> for Error {
    fn from(error: volt_model::registry::NoDigest) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// A result of the registry.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Denied { .. } => ErrorKind::Permission,
            Self::Unreachable { .. }
            | Self::Nobody { .. }
            | Self::Refused { .. }
            | Self::Wrong { .. } => ErrorKind::Network,
            Self::Unread(_) => ErrorKind::General,
            Self::Unasked(_) => ErrorKind::Resource,
            Self::Cancelled => ErrorKind::Interrupted,
            Self::Invalid(_) => ErrorKind::Usage,
        }
    }
}

fn said(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}
