//! Resource limits of a workload, as systemd's unit properties enforce them, and the ends of its connections.

use crate::net::BitRate;
use crate::size::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A bound on I/O with one block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRate {
    /// A device node, or any path on the device (systemd finds the device behind it).
    pub path: String,
    /// Bytes (or operations) a second.
    pub rate: Bytes,
}

/// A text that is no `PATH:RATE`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no device rate: write PATH:RATE, such as /dev/vda:10M")]
pub struct DeviceRateError(String);

impl FromStr for DeviceRate {
    type Err = DeviceRateError;

    fn from_str(text: &str) -> Result<Self, DeviceRateError> {
        let wrong = || DeviceRateError(text.chars().take(80).collect());
        let (path, rate) = text.rsplit_once(':').ok_or_else(wrong)?;
        let clean =
            path.starts_with('/') && !path.contains(|c: char| c.is_control() || c.is_whitespace());
        if !clean {
            return Err(wrong());
        }
        Ok(Self { path: path.to_owned(), rate: rate.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for DeviceRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.rate.0)
    }
}

crate::serde_by_text!(DeviceRate);

/// What a workload may use. `None` is no bound of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory, `memory.max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Swap beside the memory, `memory.swap.max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<Bytes>,
    /// CPU time in per cent of one CPU: 200 is two CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Share of the CPU against others, 1 to 10000 (100 where nothing is said).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Share of I/O against others, 1 to 10000 (100 where nothing is said).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_weight: Option<u64>,
    /// Bytes read a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_read_bps: Vec<DeviceRate>,
    /// Bytes written a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_write_bps: Vec<DeviceRate>,
    /// Reads a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_read_iops: Vec<DeviceRate>,
    /// Writes a second, by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_write_iops: Vec<DeviceRate>,
    /// What is received and what is sent a second by each connection to a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<BitRate>,
}

/// A change of limits. `None` leaves one as it is; `Some(None)`, or an empty list, takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsChange {
    /// Memory.
    pub memory: Option<Option<Bytes>>,
    /// Swap beside the memory.
    pub memory_swap: Option<Option<Bytes>>,
    /// CPU time in per cent of one CPU.
    pub cpu: Option<Option<u32>>,
    /// Share of the CPU.
    pub cpu_weight: Option<Option<u64>>,
    /// Processes and threads.
    pub pids: Option<Option<u64>>,
    /// Share of I/O.
    pub io_weight: Option<Option<u64>>,
    /// Bytes read a second, by device.
    pub io_read_bps: Option<Vec<DeviceRate>>,
    /// Bytes written a second, by device.
    pub io_write_bps: Option<Vec<DeviceRate>>,
    /// Reads a second, by device.
    pub io_read_iops: Option<Vec<DeviceRate>>,
    /// Writes a second, by device.
    pub io_write_iops: Option<Vec<DeviceRate>>,
    /// What is received and what is sent a second by each connection to a network.
    pub rate: Option<Option<BitRate>>,
}

/// Why limits can't be so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitsError {
    /// Less memory than any program starts in.
    #[error("The memory limit {0} is below 1M, in which nothing runs")]
    Memory(Bytes),
    /// No CPU at all.
    #[error("The CPU limit must be at least 1 per cent")]
    Cpu,
    /// A weight out of range.
    #[error("The {0} weight {1} is not within 1 and 10000")]
    Weight(&'static str, u64),
    /// Too few processes to start in.
    #[error("The process limit {0} is below 2: init and the command")]
    Pids(u64),
}

/// One unit property: its name in unit files, the cgroup controller that enforces it, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The directive, such as `MemoryMax`.
    pub directive: &'static str,
    /// The controller it needs, such as `memory`.
    pub controller: &'static str,
    /// The value as a unit file has it.
    pub value: PropertyValue,
}

/// The value of a [`Property`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyValue {
    /// A number: bytes, tasks or a weight.
    Number(u64),
    /// CPU time in per cent of one CPU.
    Percent(u32),
    /// A path and a number a second.
    Device(String, u64),
}

impl fmt::Display for PropertyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Percent(n) => write!(f, "{n}%"),
            Self::Device(path, n) => write!(f, "{} {n}", path.replace('%', "%%")),
        }
    }
}

impl Limits {
    /// Checks what no parser of a single value can.
    ///
    /// # Errors
    /// When a limit leaves nothing to run in.
    pub fn validate(&self) -> Result<(), LimitsError> {
        if let Some(memory) = self.memory.filter(|m| m.0 < 1 << 20) {
            return Err(LimitsError::Memory(memory));
        }
        if self.cpu == Some(0) {
            return Err(LimitsError::Cpu);
        }
        for (what, weight) in [("CPU", self.cpu_weight), ("I/O", self.io_weight)] {
            if let Some(weight) = weight.filter(|w| !(1..=10_000).contains(w)) {
                return Err(LimitsError::Weight(what, weight));
            }
        }
        match self.pids {
            Some(pids) if pids < 2 => Err(LimitsError::Pids(pids)),
            _ => Ok(()),
        }
    }

    /// The unit properties that enforce these limits. That of connections is none.
    #[must_use]
    pub fn properties(&self) -> Vec<Property> {
        let number = |directive, controller, value: Option<u64>| {
            value.map(|n| Property { directive, controller, value: PropertyValue::Number(n) })
        };
        let mut all: Vec<Property> = [
            number("MemoryMax", "memory", self.memory.map(|b| b.0)),
            number("MemorySwapMax", "memory", self.memory_swap.map(|b| b.0)),
            self.cpu.map(|n| Property {
                directive: "CPUQuota",
                controller: "cpu",
                value: PropertyValue::Percent(n),
            }),
            number("CPUWeight", "cpu", self.cpu_weight),
            number("TasksMax", "pids", self.pids),
            number("IOWeight", "io", self.io_weight),
        ]
        .into_iter()
        .flatten()
        .collect();
        for (directive, rates) in [
            ("IOReadBandwidthMax", &self.io_read_bps),
            ("IOWriteBandwidthMax", &self.io_write_bps),
            ("IOReadIOPSMax", &self.io_read_iops),
            ("IOWriteIOPSMax", &self.io_write_iops),
        ] {
            all.extend(rates.iter().map(|r| Property {
                directive,
                controller: "io",
                value: PropertyValue::Device(r.path.clone(), r.rate.0),
            }));
        }
        all
    }

    /// These limits with what `change` names put over them.
    #[must_use]
    pub fn updated(&self, change: &LimitsChange) -> Self {
        let list = |new: &Option<Vec<DeviceRate>>, old: &Vec<DeviceRate>| {
            new.as_ref().unwrap_or(old).clone()
        };
        Self {
            memory: change.memory.unwrap_or(self.memory),
            memory_swap: change.memory_swap.unwrap_or(self.memory_swap),
            cpu: change.cpu.unwrap_or(self.cpu),
            cpu_weight: change.cpu_weight.unwrap_or(self.cpu_weight),
            pids: change.pids.unwrap_or(self.pids),
            io_weight: change.io_weight.unwrap_or(self.io_weight),
            io_read_bps: list(&change.io_read_bps, &self.io_read_bps),
            io_write_bps: list(&change.io_write_bps, &self.io_write_bps),
            io_read_iops: list(&change.io_read_iops, &self.io_read_iops),
            io_write_iops: list(&change.io_write_iops, &self.io_write_iops),
            rate: change.rate.unwrap_or(self.rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_limits() {
        let limits = Limits {
            memory: Some(Bytes(512 << 20)),
            cpu: Some(150),
            io_read_bps: vec!["/dev/vda:10M".parse().unwrap()],
            ..Limits::default()
        };
        let lines: Vec<String> =
            limits.properties().iter().map(|p| format!("{}={}", p.directive, p.value)).collect();
        assert_eq!(
            lines,
            ["MemoryMax=536870912", "CPUQuota=150%", "IOReadBandwidthMax=/dev/vda 10485760"]
        );
    }

    #[test]
    fn a_change_sets_unsets_and_leaves() {
        let old = Limits {
            memory: Some(Bytes(512 << 20)),
            cpu: Some(150),
            pids: Some(100),
            io_read_bps: vec!["/dev/vda:10M".parse().unwrap()],
            ..Limits::default()
        };
        let change = LimitsChange {
            memory: Some(None),
            cpu: Some(Some(50)),
            io_read_bps: Some(Vec::new()),
            ..LimitsChange::default()
        };
        let expected = Limits { cpu: Some(50), pids: Some(100), ..Limits::default() };
        assert_eq!(old.updated(&change), expected);
        assert_eq!(old.updated(&LimitsChange::default()), old);
    }

    #[test]
    fn limits_that_leave_nothing_are_refused() {
        let with = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            limits.validate()
        };
        assert!(with(|l| l.memory = Some(Bytes(1000))).is_err());
        assert!(with(|l| l.cpu = Some(0)).is_err());
        assert!(with(|l| l.cpu_weight = Some(10_001)).is_err());
        assert!(with(|l| l.pids = Some(1)).is_err());
        assert_eq!(with(|_| ()), Ok(()));
        assert!("relative:10M".parse::<DeviceRate>().is_err());
        assert!("/dev/x y:10M".parse::<DeviceRate>().is_err());
    }
}
