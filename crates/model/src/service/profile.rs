//! The sandboxes that a service or task may have: a few with a name each, as directives of systemd.

use std::fmt;
use std::str::FromStr;

/// A sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Reads the system, writes its own folders, uses the network, has no capability.
    #[default]
    Standard,
    /// The same without any network and without code made at run time.
    Strict,
    /// The standard one that may listen at ports below 1024 too.
    Web,
    /// None: as whoever runs it.
    None,
}

/// A text that is no profile.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no profile: write standard, strict, web or none")]
pub struct ProfileError(String);

impl Profile {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Strict, Self::Web, Self::None];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Strict => "strict",
            Self::Web => "web",
            Self::None => "none",
        }
    }

    /// What it is for, in a few words.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Standard => "reads the system, writes its own folders, uses the network",
            Self::Strict => "the same without a network and without code made at run time",
            Self::Web => "standard, and listens at ports below 1024",
            Self::None => "no sandbox: all that its user may",
        }
    }

    /// Its directives for the section `[Service]`, one a line.
    #[must_use]
    pub fn directives(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::None => return vec!["NoNewPrivileges=yes"],
            Self::Standard => &[
                "CapabilityBoundingSet=",
                "AmbientCapabilities=",
                "PrivateUsers=yes",
                "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
            ],
            Self::Strict => &[
                "CapabilityBoundingSet=",
                "AmbientCapabilities=",
                "PrivateUsers=yes",
                "PrivateNetwork=yes",
                "RestrictAddressFamilies=AF_UNIX",
                "IPAddressDeny=any",
                "MemoryDenyWriteExecute=yes",
            ],
            // A user namespace of its own would have no rights over the host's ports.
            Self::Web => &[
                "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
                "AmbientCapabilities=CAP_NET_BIND_SERVICE",
                "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
            ],
        };
        COMMON.iter().chain(own).copied().collect()
    }
}

/// What all sandboxes have.
const COMMON: [&str; 22] = [
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
];

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == text)
            .ok_or_else(|| ProfileError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

crate::serde_by_text!(Profile);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("Strict".parse::<Profile>().is_err());
    }

    #[test]
    fn only_what_has_no_sandbox_has_capabilities_of_its_user() {
        for profile in Profile::ALL {
            let bounded =
                profile.directives().iter().any(|d| d.starts_with("CapabilityBoundingSet="));
            assert_eq!(bounded, profile != Profile::None, "{profile}");
        }
    }
}
