//! Linux capabilities: their names, and the set that a container begins with.

use std::fmt;
use std::str::FromStr;

/// One capability, such as `NET_BIND_SERVICE` (`capabilities(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(u8);

/// A word that is no capability.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no capability: write a name of capabilities(7), such as NET_RAW, or ALL")]
pub struct CapabilityError(String);

/// In the order of their numbers in `linux/capability.h`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What an app container begins with, inside its user namespace.
const APP: [&str; 10] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "SETFCAP",
    "NET_BIND_SERVICE",
];

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let wrong = || CapabilityError(text.chars().take(40).collect());
        let number = NAMES.iter().position(|name| *name == short).ok_or_else(wrong)?;
        u8::try_from(number).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(NAMES[usize::from(self.0)])
    }
}

crate::serde_by_text!(Capability);

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapSet(u64);

impl CapSet {
    /// Every capability that Volt knows.
    #[must_use]
    pub fn all() -> Self {
        Self((1 << NAMES.len()) - 1)
    }

    /// What an app container begins with.
    #[must_use]
    pub fn app_default() -> Self {
        APP.iter().filter_map(|name| name.parse().ok()).fold(Self::default(), Self::with)
    }

    /// The set with `cap` in it.
    #[must_use]
    pub fn with(self, cap: Capability) -> Self {
        Self(self.0 | 1 << cap.0)
    }

    /// The set without `cap`.
    #[must_use]
    pub fn without(self, cap: Capability) -> Self {
        Self(self.0 & !(1 << cap.0))
    }

    /// The app default, changed by `--cap-drop` and then `--cap-add`; the word `ALL` stands for all.
    ///
    /// # Errors
    /// When a word is no capability.
    pub fn changed(add: &[String], drop: &[String]) -> Result<Self, CapabilityError> {
        let mut set = Self::app_default();
        for word in drop {
            set = if word.eq_ignore_ascii_case("all") {
                Self::default()
            } else {
                set.without(word.parse()?)
            };
        }
        for word in add {
            set = if word.eq_ignore_ascii_case("all") {
                Self::all()
            } else {
                set.with(word.parse()?)
            };
        }
        Ok(set)
    }

    /// Bit n is capability n, as in `/proc/PID/status`.
    #[must_use]
    pub fn mask(self) -> u64 {
        self.0
    }

    /// The capabilities in it, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        (0..64_u8)
            .filter(move |n| usize::from(*n) < NAMES.len() && self.0 >> n & 1 == 1)
            .map(Capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        for (name, number) in [
            ("CHOWN", 0),
            ("NET_BIND_SERVICE", 10),
            ("SYS_ADMIN", 21),
            ("SETFCAP", 31),
            ("BPF", 39),
        ] {
            assert_eq!(CapSet::default().with(name.parse().unwrap()).mask(), 1 << number);
        }
    }

    #[test]
    fn the_default_and_its_changes() {
        assert_eq!(CapSet::app_default().iter().count(), 10);
        let none = CapSet::changed(&[], &["all".into()]).unwrap();
        assert_eq!(none.mask(), 0);
        let raw = CapSet::changed(&["cap_net_raw".into()], &["ALL".into()]).unwrap();
        assert_eq!(raw.iter().map(|c| c.to_string()).collect::<Vec<_>>(), ["NET_RAW"]);
        assert!(CapSet::changed(&["SUPER".into()], &[]).is_err());
    }
}
