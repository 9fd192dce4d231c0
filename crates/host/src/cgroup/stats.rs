//! The files of a control group. Pure.

/// CPU time, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuUse {
    /// All of it.
    pub total: u64,
    /// In user mode.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// How long it was held back by its limit.
    pub throttled: u64,
}

impl CpuUse {
    /// Reads `cpu.stat`.
    pub fn parse(text: &str) -> Self {
        let mut cpu = Self::default();
        for (key, value) in parse_flat(text) {
            match key {
                "usage_usec" => cpu.total = value,
                "user_usec" => cpu.user = value,
                "system_usec" => cpu.system = value,
                "throttled_usec" => cpu.throttled = value,
                _ => {}
            }
        }
        cpu
    }
}

/// How often memory ran short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// The limit was reached.
    pub max: u64,
    /// Nothing more could be freed.
    pub oom: u64,
    /// Processes were killed for it.
    pub oom_kill: u64,
}

impl MemoryEvents {
    /// Reads `memory.events`.
    pub fn parse(text: &str) -> Self {
        let mut events = Self::default();
        for (key, value) in parse_flat(text) {
            match key {
                "max" => events.max = value,
                "oom" => events.oom = value,
                "oom_kill" => events.oom_kill = value,
                _ => {}
            }
        }
        events
    }
}

/// Bytes moved to and from block devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoUse {
    /// Read.
    pub read: u64,
    /// Written.
    pub written: u64,
}

/// What a group uses; absent is what is not counted here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time.
    pub cpu: Option<CpuUse>,
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// The most memory it ever used, in bytes.
    pub memory_peak: Option<u64>,
    /// The most it may use, in bytes; absent too where there is no limit.
    pub memory_max: Option<u64>,
    /// How often memory ran short.
    pub memory_events: Option<MemoryEvents>,
    /// Tasks.
    pub pids: Option<u64>,
    /// The most tasks it may have; absent too where there is no limit.
    pub pids_max: Option<u64>,
    /// Block device traffic.
    pub io: Option<IoUse>,
}

/// The pairs of a flat-keyed file.
pub fn parse_flat(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// A single number; `max` is none.
pub fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Reads `io.stat`, all devices together.
pub fn parse_io(text: &str) -> IoUse {
    let mut io = IoUse::default();
    for (key, value) in text.split_ascii_whitespace().filter_map(|pair| pair.split_once('=')) {
        let value = value.parse().unwrap_or(0_u64);
        match key {
            "rbytes" => io.read = io.read.saturating_add(value),
            "wbytes" => io.written = io.written.saturating_add(value),
            _ => {}
        }
    }
    io
}
