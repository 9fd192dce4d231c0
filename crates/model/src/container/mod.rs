//! A container: what was asked for ([`Spec`]), and what systemd is told of it ([`unit`]).

pub mod around;
pub mod proot;
pub mod standing;
pub mod unit;

pub use around::{Around, ExtraHost, HostAddress};
pub use standing::{CpuSet, Standing};

use crate::caps::CapSet;
use crate::health::Check;
use crate::ids::IdRange;
use crate::image::ImageRef;
use crate::limits::Limits;
use crate::mount::{Bind, Tmpfs};
use crate::name::Name;
use crate::net::{Attachment, Publish};
use crate::restart::Restart;
use crate::secret::SecretMount;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What runs a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A unit around systemd-nspawn.
    Systemd,
    /// proot under a small supervisor: no root, no systemd.
    Proot,
    /// A unit around proot: what `proot` means to root on a host with systemd.
    #[serde(rename = "proot-unit")]
    ProotUnit,
}

impl Backend {
    /// All that can be asked for, the preferred first.
    pub const ALL: [Self; 2] = [Self::Systemd, Self::Proot];

    /// As people write it, who need not know what starts proot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Proot | Self::ProotUnit => "proot",
        }
    }

    /// Whether its containers are run by proot, which confines nothing.
    #[must_use]
    pub const fn is_proot(self) -> bool {
        matches!(self, Self::Proot | Self::ProotUnit)
    }

    /// Whether its containers are units.
    #[must_use]
    pub const fn is_systemds(self) -> bool {
        matches!(self, Self::Systemd | Self::ProotUnit)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is none of the few that may stand in its place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{word}` is no {what}: write {choices}")]
pub struct ChoiceError {
    word: String,
    what: &'static str,
    choices: &'static str,
}

impl FromStr for Backend {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        Self::ALL.into_iter().find(|backend| backend.as_str() == text).ok_or_else(|| ChoiceError {
            word: text.into(),
            what: "backend",
            choices: "systemd or proot",
        })
    }
}

/// What is PID 1 of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Volt's init, which runs one command.
    App,
    /// The image's own init, usually systemd.
    Boot,
}

/// Whose network a container has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// None but its own: a namespace with the loopback and the networks that it is connected to.
    #[default]
    None,
    /// The host's.
    Host,
    /// That of another container, with its addresses, ports and names.
    Container(Name),
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Host => f.pad("host"),
            Self::Container(other) => write!(f, "container:{other}"),
        }
    }
}

/// Which syscall filter an app container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seccomp {
    /// Volt's own.
    #[default]
    Default,
    /// None.
    Unconfined,
}

impl FromStr for Seccomp {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        match text {
            "default" => Ok(Self::Default),
            "unconfined" => Ok(Self::Unconfined),
            _ => Err(ChoiceError {
                word: text.into(),
                what: "syscall filter",
                choices: "default or unconfined",
            }),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Everything that was asked for, checked: `containers/NAME/config.json`. Values of environment variables are not in it, because
/// any user may read it; they lie in `environment.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The format of this file: 1.
    pub version: u32,
    /// What it is called.
    pub name: Name,
    /// The image, as it was named.
    pub image: ImageRef,
    /// The image's tree in the store, which stays while a container uses it.
    pub tree: String,
    /// What runs it.
    pub backend: Backend,
    /// What is PID 1.
    pub mode: Mode,
    /// The command with its arguments; empty in boot mode.
    pub command: Vec<String>,
    /// Who runs the command: `NAME[:GROUP]` or numbers; none is root.
    pub user: Option<String>,
    /// Where the command starts.
    pub workdir: Option<String>,
    /// The host name inside.
    pub hostname: String,
    /// Whether the command has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub stdin: bool,
    /// Whether the container is removed when it ends.
    pub auto_remove: bool,
    /// Whose network it has.
    pub network: Network,
    /// The networks that it is connected to.
    #[serde(default)]
    pub networks: Vec<Attachment>,
    /// The host's ports that lead to it.
    #[serde(default)]
    pub publish: Vec<Publish>,
    /// Whether they are open whatever the host's own firewall says.
    #[serde(default)]
    pub expose: bool,
    /// What it finds around it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub around: Around,
    /// Volumes and folders of the host.
    pub binds: Vec<Bind>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Secrets, as files in memory.
    #[serde(default)]
    pub secrets: Vec<SecretMount>,
    /// Whether the root can't be written to.
    pub read_only: bool,
    /// What it may use.
    pub limits: Limits,
    /// Groups that its command has besides its user's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_add: Vec<String>,
    /// How it stands against what else the host runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub standing: Standing,
    /// Capabilities added to the default.
    pub cap_add: Vec<String>,
    /// Capabilities taken from the default.
    pub cap_drop: Vec<String>,
    /// The syscall filter.
    pub seccomp: Seccomp,
    /// When it is started again.
    pub restart: Restart,
    /// How it is found out whether it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Check>,
    /// The signal that asks the command to end.
    pub stop_signal: u8,
    /// Seconds between that signal and the kill.
    pub stop_timeout: u32,
    /// `NAME=SOFT[:HARD]`, as `setrlimit(2)` names them without `RLIMIT_`.
    pub ulimits: Vec<Ulimit>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// The host ids its own are mapped to; none where the backend has no such thing.
    pub ids: Option<IdRange>,
    /// When it was created.
    pub created: Timestamp,
}

impl Spec {
    /// The version of the file that this Volt writes.
    pub const VERSION: u32 = 1;

    /// The name of its unit.
    #[must_use]
    pub fn unit(&self) -> String {
        unit::name(&self.name)
    }

    /// The capabilities its command may have.
    ///
    /// # Errors
    /// When a word is no capability.
    pub fn capabilities(&self) -> Result<CapSet, crate::caps::CapabilityError> {
        CapSet::changed(&self.cap_add, &self.cap_drop)
    }

    /// Those of them that it has: nspawn gives NET_BIND_SERVICE to nobody whose network is not nspawn's own. The namespace that Volt
    /// prepares opens low ports to all instead.
    ///
    /// # Errors
    /// When a word is no capability.
    pub fn held_capabilities(&self) -> Result<CapSet, crate::caps::CapabilityError> {
        Ok(self.capabilities()?.without("NET_BIND_SERVICE".parse()?))
    }
}

/// One resource limit of the process, `nofile=1024:4096`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// In capitals, without `RLIMIT_`.
    pub name: String,
    /// What counts.
    pub soft: u64,
    /// How far the command may raise it.
    pub hard: u64,
}

/// A text that is no limit of a process.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no ulimit: write NAME=SOFT or NAME=SOFT:HARD, such as nofile=1024:4096")]
pub struct UlimitError(String);

/// The names that `getrlimit(2)` has.
pub const ULIMITS: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

impl FromStr for Ulimit {
    type Err = UlimitError;

    fn from_str(text: &str) -> Result<Self, UlimitError> {
        let wrong = || UlimitError(text.chars().take(60).collect());
        let (name, values) = text.split_once('=').ok_or_else(wrong)?;
        let name = name.to_ascii_uppercase();
        let number = |s: &str| match s {
            "unlimited" | "-1" => Ok(u64::MAX),
            _ => s.parse::<u64>().map_err(|_| wrong()),
        };
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let (soft, hard) = (number(soft)?, number(hard)?);
        if !ULIMITS.contains(&name.as_str()) || soft > hard {
            return Err(wrong());
        }
        Ok(Self { name, soft, hard })
    }
}

impl fmt::Display for Ulimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.name, self.soft, self.hard)
    }
}

crate::serde_by_text!(Ulimit);

/// How a container's last run ended: `containers/NAME/exit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The command's exit code, 128+n when signal n ended it.
    pub code: i32,
    /// Why, in plain words: `exited`, `killed by SIGKILL`, `out of memory`, `could not start`, `stopped`.
    pub reason: String,
    /// When.
    pub finished: Timestamp,
}

/// How the reason begins of a run whose command was never executed.
const COULD_NOT_START: &str = "could not start: ";

impl Exit {
    /// Why the command was never executed, where that is how it ended.
    #[must_use]
    pub fn start_failure(&self) -> Option<&str> {
        self.reason.strip_prefix(COULD_NOT_START)
    }

    /// The reason of a run whose command was never executed.
    #[must_use]
    pub fn could_not_start(why: impl fmt::Display) -> String {
        format!("{COULD_NOT_START}{why}")
    }
}

/// The signals that a container may be sent, by name or number.
const SIGNALS: [(&str, u8); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// A text that is no signal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no signal: write a name such as TERM, or a number from 1 to 64")]
pub struct SignalError(String);

/// The number of a signal named `TERM`, `SIGTERM`, `RTMIN+3` or `15`.
///
/// # Errors
/// When there is none of that name.
pub fn parse_signal(text: &str) -> Result<u8, SignalError> {
    let wrong = || SignalError(text.chars().take(40).collect());
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = SIGNALS.iter().find(|(name, _)| *name == short) {
        return Ok(*number);
    }
    let number = match short.strip_prefix("RTMIN+") {
        Some(n) => n.parse::<u8>().ok().and_then(|n| n.checked_add(34)),
        None => short.parse().ok(),
    };
    number.filter(|n| (1..=64).contains(n)).ok_or_else(wrong)
}

/// The name of signal `number`, such as `SIGTERM`.
#[must_use]
pub fn signal_name(number: u8) -> String {
    match SIGNALS.iter().find(|(_, n)| *n == number) {
        Some((name, _)) => format!("SIG{name}"),
        None if number >= 34 => format!("SIGRTMIN+{}", number - 34),
        None => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        for (text, number) in [("TERM", 15), ("sigkill", 9), ("15", 15), ("RTMIN+3", 37)] {
            assert_eq!(parse_signal(text), Ok(number), "{text}");
        }
        for bad in ["", "0", "65", "SIGFOO", "RTMIN+99"] {
            assert!(parse_signal(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(37), "SIGRTMIN+3");
    }

    #[test]
    fn ulimits() {
        assert_eq!("nofile=10:20".parse::<Ulimit>().unwrap().to_string(), "NOFILE=10:20");
        assert_eq!("core=0".parse::<Ulimit>().unwrap().hard, 0);
        for bad in ["nofile", "nofile=", "nofile=2:1", "files=1", "nofile=-2"] {
            assert!(bad.parse::<Ulimit>().is_err(), "{bad:?} was taken");
        }
    }
}
