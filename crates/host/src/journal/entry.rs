//! One line of `journalctl -o json`. Pure.

use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};

/// The fields that are asked for beside the address fields, which always come.
pub const FIELDS: &[&str] = &[
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "_PID",
    "_SYSTEMD_UNIT",
    "UNIT",
    "VOLT_STREAM",
    "VOLT_WORKLOAD",
];

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When journald received it.
    pub time: SystemTime,
    /// The message, as the bytes it was.
    pub message: Vec<u8>,
    /// 0 emergency … 7 debug.
    pub priority: Option<u8>,
    /// `stdout` or `stderr`, where the writer said so.
    pub stream: Option<String>,
    /// The workload, where the writer said so.
    pub workload: Option<String>,
    /// The unit it is from, or for systemd's own messages the unit it is about.
    pub unit: Option<String>,
    /// Who says it: the syslog identifier, else the program.
    pub identifier: Option<String>,
    /// The process it is from.
    pub pid: Option<u32>,
    /// Where it is in the journal, to go on after it.
    pub cursor: String,
}

/// Reads one line; none where it is no entry.
///
/// journalctl writes text as a string, other bytes as an array of numbers, a field that occurs several times as an array
/// of these, and what is too large as null.
pub fn parse_entry(line: &[u8]) -> Option<Entry> {
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let text = |name: &str| {
        let bytes = fields.get(name).and_then(bytes)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let micros: u64 = text("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let about = text("UNIT");
    Some(Entry {
        time: SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))?,
        message: fields.get("MESSAGE").and_then(bytes).unwrap_or_default(),
        priority: text("PRIORITY").and_then(|number| number.parse().ok()),
        stream: text("VOLT_STREAM"),
        workload: text("VOLT_WORKLOAD"),
        unit: about.or_else(|| text("_SYSTEMD_UNIT")),
        identifier: text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM")),
        pid: text("_PID").and_then(|pid| pid.parse().ok()),
        cursor: text("__CURSOR").unwrap_or_default(),
    })
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect()
        }
        Value::Array(items) => items.first().and_then(bytes),
        _ => None,
    }
}
