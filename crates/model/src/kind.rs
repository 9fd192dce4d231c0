//! The kinds of error Volt knows, with their exit codes, names and HTTP statuses: one table for every layer.

use std::fmt;

/// What kind of failure this is: all that a program may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Anything not named below.
    General,
    /// Invalid arguments.
    Usage,
    /// The resource does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The caller may not do this.
    Permission,
    /// The daemon does not answer (client side only).
    Daemon,
    /// It took too long.
    Timeout,
    /// A peer could not be reached or answered wrongly.
    Network,
    /// The resource is in a state that forbids this.
    Conflict,
    /// Something Volt needs is not installed or not available on this host.
    Dependency,
    /// Not enough disk, memory or addresses.
    Resource,
    /// A file or value that the user wrote is wrong.
    InvalidConfig,
    /// A signal ended it.
    Interrupted,
}

/// kind, exit code, documented name, HTTP status (0: never sent), word on the wire.
const TABLE: [(ErrorKind, u8, &str, u16, &str); 13] = [
    (ErrorKind::General, 1, "ERR_GENERAL", 500, "general"),
    (ErrorKind::Usage, 2, "ERR_USAGE", 400, "usage"),
    (ErrorKind::NotFound, 3, "ERR_NOT_FOUND", 404, "not-found"),
    (ErrorKind::AlreadyExists, 4, "ERR_ALREADY_EXISTS", 409, "already-exists"),
    (ErrorKind::Permission, 5, "ERR_PERMISSION", 403, "permission"),
    (ErrorKind::Daemon, 6, "ERR_DAEMON", 0, "daemon"),
    (ErrorKind::Timeout, 7, "ERR_TIMEOUT", 504, "timeout"),
    (ErrorKind::Network, 8, "ERR_NETWORK", 502, "network"),
    (ErrorKind::Conflict, 9, "ERR_CONFLICT", 409, "conflict"),
    (ErrorKind::Dependency, 10, "ERR_DEPENDENCY", 424, "dependency"),
    (ErrorKind::Resource, 11, "ERR_RESOURCE", 507, "resource"),
    (ErrorKind::InvalidConfig, 12, "ERR_INVALID_CONFIG", 422, "invalid-config"),
    (ErrorKind::Interrupted, 13, "ERR_INTERRUPTED", 0, "interrupted"),
];

impl ErrorKind {
    /// Every kind, in the order of its exit code.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Self, u8, &'static str, u16, &'static str) {
        TABLE.iter().find(|row| row.0 == self).expect("every kind has its row")
    }

    /// The exit code of a command that failed so.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        self.row().1
    }

    /// The documented name, such as `ERR_NOT_FOUND`.
    #[must_use]
    pub fn code_name(self) -> &'static str {
        self.row().2
    }

    /// The HTTP status it is sent with; 500 for the kinds that no server sends.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self.row().3 {
            0 => 500,
            status => status,
        }
    }

    /// The word for it on the wire, such as `not-found`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().4
    }

    /// The kind that a word on the wire names; an unknown word is [`ErrorKind::General`].
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        TABLE.iter().find(|row| row.4 == word).map_or(Self::General, |row| row.0)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let codes: Vec<u8> = ErrorKind::all().map(ErrorKind::exit_code).collect();
        assert_eq!(codes, (1..=13).collect::<Vec<u8>>());
    }

    #[test]
    fn words_lead_back_to_their_kind() {
        for kind in ErrorKind::all() {
            assert_eq!(ErrorKind::from_word(kind.word()), kind);
        }
        assert_eq!(ErrorKind::from_word("nonsense"), ErrorKind::General);
    }
}
