//! The files of `/proc/PID`. Pure.

use std::path::PathBuf;

/// What Volt reads of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its pid.
    pub pid: u32,
    /// The name of its program, at most 15 bytes.
    pub comm: String,
    /// `R`, `S`, `D`, `Z`, `T`, …
    pub state: char,
    /// Its parent.
    pub parent: u32,
    /// CPU time in user mode, in clock ticks.
    pub user_ticks: u64,
    /// CPU time in the kernel, in clock ticks.
    pub system_ticks: u64,
    /// When it started, in clock ticks since boot.
    pub start: u64,
    /// Memory in RAM, in pages.
    pub resident_pages: u64,
}

/// Reads `/proc/PID/stat`. The name may hold anything, also parentheses and newlines.
pub fn parse_stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) counts from 1 and with pid and comm; these begin at 3.
    let field = |number: usize| fields.get(number - 3);
    Some(Stat {
        pid: pid.parse().ok()?,
        comm: comm.to_owned(),
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        user_ticks: field(14)?.parse().ok()?,
        system_ticks: field(15)?.parse().ok()?,
        start: field(22)?.parse().ok()?,
        resident_pages: field(24)?.parse().ok()?,
    })
}

/// What Volt reads of `/proc/PID/status`; what is missing is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The name of its program.
    pub name: String,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Its pids, outermost namespace first.
    pub ns_pids: Vec<u32>,
    /// Number of threads.
    pub threads: u32,
    /// Memory in RAM, in bytes.
    pub resident: u64,
    /// The signals it doesn't leave to their default: blocked or caught, the first in the lowest bit.
    pub heeded: u64,
    /// Capability bounding set.
    pub bounding: u64,
    /// Effective capabilities.
    pub effective: u64,
    /// Whether it can gain no privileges.
    pub no_new_privileges: bool,
    /// 0 none, 1 strict, 2 filter.
    pub seccomp: u32,
}

/// Reads `/proc/PID/status`.
pub fn parse_status(text: &str) -> Status {
    let mut status = Status::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        let numbers = || value.split_ascii_whitespace().filter_map(|n| n.parse::<u32>().ok());
        let hex = || u64::from_str_radix(value, 16).unwrap_or(0);
        match key {
            "Name" => value.clone_into(&mut status.name),
            "Uid" => status.uid = numbers().nth(1).unwrap_or(0),
            "Gid" => status.gid = numbers().nth(1).unwrap_or(0),
            "Groups" => status.groups = numbers().collect(),
            "NSpid" => status.ns_pids = numbers().collect(),
            "Threads" => status.threads = numbers().next().unwrap_or(0),
            "VmRSS" => status.resident = u64::from(numbers().next().unwrap_or(0)) * 1024,
            "SigBlk" | "SigCgt" => status.heeded |= hex(),
            "CapBnd" => status.bounding = hex(),
            "CapEff" => status.effective = hex(),
            "NoNewPrivs" => status.no_new_privileges = value == "1",
            "Seccomp" => status.seccomp = numbers().next().unwrap_or(0),
            _ => {}
        }
    }
    status
}

/// The v2 line of `/proc/PID/cgroup`.
pub fn parse_cgroup(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from)
}

/// The pids in a `children` file.
pub fn parse_children(text: &str) -> Vec<u32> {
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
