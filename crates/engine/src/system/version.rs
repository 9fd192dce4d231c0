//! Which Volt this is.

use crate::Engine;

/// The version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of Volt.
    pub version: &'static str,
    /// Of the API.
    pub api: &'static str,
}

impl Engine {
    /// Tells which Volt this is.
    #[must_use]
    pub fn system_version(&self) -> Version {
        Version { version: env!("CARGO_PKG_VERSION"), api: "v1" }
    }
}
