//! What is common to all workloads: lists, logs, load, events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A workload or a unit of the host, as `ps` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// What it is called.
    pub name: String,
    /// `container`, `service` or `task`, later `vm`; `unit` for a unit of the host.
    pub kind: String,
    /// `running`, `stopped`, `failed`, …
    pub state: String,
    /// The image, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The command or description.
    pub command: String,
    /// Why no more is known of it, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The stack that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// When it was created, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When it last began to run, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// `starting`, `healthy` or `unhealthy`, while it runs and that is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// How its last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<super::Exit>,
    /// Free words of the user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Which workloads.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadList {
    /// Those that don't run too.
    pub all: bool,
    /// Only of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only of this stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
}

/// All that is known of a workload.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadDetails {
    /// What `ps` shows.
    #[serde(flatten)]
    pub workload: Workload,
    /// Its container, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<super::Container>,
    /// What systemd says of its unit.
    pub properties: BTreeMap<String, String>,
}

/// Which lines of a workload's log.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadLogs {
    /// The workload, or a unit of the host by its full name.
    pub name: String,
    /// Go on as lines come.
    pub follow: bool,
    /// Only the last so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Not older: RFC 3339, a date, or a span back (`10m`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Not younger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only lines that match this pattern (PCRE2, as `journalctl --grep`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// Only lines of this stream of a workload: `stdout` or `stderr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When, RFC 3339.
    pub time: String,
    /// `stdout`, `stderr`, or `system` for what systemd and Volt say about it.
    pub stream: String,
    /// syslog's priority, 0 to 7.
    pub priority: u8,
    /// Who wrote it.
    pub identifier: String,
    /// The line, without its end; bytes that are no UTF-8 are replaced.
    pub message: String,
}

/// What a workload uses at this moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// What it is called.
    pub name: String,
    /// `container`, …
    pub kind: String,
    /// CPU time over the measured interval, in per cent of one CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// CPU time since the start, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_nanoseconds: Option<u64>,
    /// Bytes of memory; none where the host has no memory controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// Bytes read since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_read: Option<u64>,
    /// Bytes written since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_written: Option<u64>,
    /// Bytes received from networks since it was connected; none where it is on none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_received: Option<u64>,
    /// Bytes sent to networks since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_sent: Option<u64>,
    /// Bytes received a second, over the measured interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_receive_rate: Option<u64>,
    /// Bytes sent a second, over the measured interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_send_rate: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
}

impl Usage {
    /// The same with what was used a second since an earlier measurement, `time` ago; unknown where there is none, or where the workload
    /// began anew meanwhile.
    #[must_use]
    pub fn since(self, earlier: Option<&Self>, time: Duration) -> Self {
        let more = |count: fn(&Self) -> Option<u64>| count(&self)?.checked_sub(count(earlier?)?);
        let a_second = |bytes: Option<u64>| {
            u64::try_from(u128::from(bytes?) * 1_000_000_000 / time.as_nanos().max(1)).ok()
        };
        let cpu = more(|usage| usage.cpu_nanoseconds).map(|used| {
            let ratio = Duration::from_nanos(used).as_secs_f64() / time.as_secs_f64();
            (ratio * 1000.0).round() / 10.0
        });
        let received = a_second(more(|usage| usage.network_received));
        let sent = a_second(more(|usage| usage.network_sent));
        Self { cpu_percent: cpu, network_receive_rate: received, network_send_rate: sent, ..self }
    }
}

/// What happened to a workload, image or volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Counts up within one stream.
    pub id: u64,
    /// When, RFC 3339.
    pub time: String,
    /// `container`, `image`, `volume`, …
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// `created`, `started`, `stopped`, `failed`, `frozen`, `thawed`, `deleted`, …
    pub action: String,
    /// More, where there is more: an exit code, a reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}
