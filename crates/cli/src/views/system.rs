//! How the host, the configuration and the audit trail look.

use crate::output::{
    Cell, Column, Columns, Details, Output, Table, or_dash, size, when, when_and_ago,
};
use serde_json::Value;
use volt_api::types::{
    AuditRecord, Check, ConfigValue, DiskUsage, Finding, Pruned, SystemCheck, SystemInfo,
};

const CHECKS: &[Column<Check>] = &[
    Column::new("CHECK", |c| c.title.as_str().into()),
    Column::new("STATE", |c| Cell::state(&c.state)),
    Column::new("FOUND", |c| c.detail.as_str().into()),
    Column::new("REMEDY", |c| or_dash(c.remedy.as_deref()).into()),
];

const FINDINGS: &[Column<Finding>] = &[
    Column::new("ABOUT", |f| f.subject.as_str().into()),
    Column::new("PROBLEM", |f| f.problem.as_str().into()),
    Column::new("REPAIRED", |f| if f.repaired { "yes" } else { "no" }.into()),
];

const DISK: &[Column<DiskUsage>] = &[
    Column::new("KIND", |d| d.kind.as_str().into()),
    Column::number("COUNT", |d| d.count.to_string().into()),
    Column::number("ACTIVE", |d| d.active.to_string().into()),
    Column::number("SIZE", |d| size(d.size).into()),
    Column::number("RECLAIMABLE", |d| size(d.reclaimable).into()),
];

const CONFIG: &[Column<ConfigValue>] = &[
    Column::new("KEY", |c| c.key.as_str().into()),
    Column::new("VALUE", |c| value(&c.value).into()),
    Column::new("SET", |c| if c.set { "file" } else { "default" }.into()),
    Column::wide("DESCRIPTION", |c| c.description.as_str().into()),
];

const AUDIT: &[Column<AuditRecord>] = &[
    Column::new("TIME", |a| when(&a.timestamp).into()),
    Column::new("USER", |a| a.user.as_str().into()),
    Column::new("ACTION", |a| a.action.as_str().into()),
    Column::new("RESOURCE", |a| a.resource.as_str().into()),
    Column::new("RESULT", |a| Cell::state(&a.result)),
    Column::new("REQUEST", |a| a.request_id.as_str().into()),
    Column::wide("UID", |a| a.uid.to_string().into()),
    Column::wide("ERROR", |a| or_dash(a.error.as_deref()).into()),
];

/// The host.
pub(crate) fn info(i: &SystemInfo) -> Output {
    let details = Details::new()
        .row("Volt", &i.version)
        .row("Served by", &i.served_by)
        .row("Root", &i.root)
        .row("Backends", or_dash(Some(&i.backends.join(", "))))
        .section("Host")
        .row("Name", &i.hostname)
        .row("OS", &i.os)
        .row("Kernel", &i.kernel)
        .row("Architecture", &i.architecture)
        .row("systemd", i.systemd.clone().unwrap_or_else(|| "not running".to_owned()))
        .row("CPUs", i.cpus.to_string())
        .row("Memory", size(i.memory))
        .row("Controllers", or_dash(Some(&i.controllers.join(", "))))
        .section("Volt's own");
    let count: Vec<String> = i.containers.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let details = details
        .row("Containers", if count.is_empty() { "0".to_owned() } else { count.join(", ") })
        .row("Images", i.images.to_string())
        .row("Volumes", i.volumes.to_string());
    Output::details(i, &i.hostname, details)
}

/// What the host can do, and what is amiss: then the exit code says so.
pub(crate) fn check(check: &SystemCheck, color: bool) -> Output {
    let mut text = Table::of(&check.checks, CHECKS).render(Columns::All, color);
    if check.findings.is_empty() {
        text.push_str("\nNothing is amiss in Volt's own state.\n");
    } else {
        text.push('\n');
        text.push_str(&Table::of(&check.findings, FINDINGS).render(Columns::All, color));
    }
    let amiss = check.findings.iter().any(|f| !f.repaired);
    Output::text(check, "check", text).with_code(u8::from(amiss))
}

/// Disk space by kind.
pub(crate) fn disk(rows: &[DiskUsage]) -> Output {
    Output::list(rows, DISK, |d| &d.kind, "Volt keeps nothing on this host.")
}

/// What was pruned.
pub(crate) fn pruned(pruned: &Pruned, dry_run: bool) -> Output {
    let mut text: String = pruned.removed.iter().map(|line| format!("{line}\n")).collect();
    let verb = if dry_run { "Would free" } else { "Freed" };
    if pruned.removed.is_empty() && pruned.freed == 0 {
        text.push_str("There is nothing to remove.\n");
    } else {
        text.push_str(&format!("{verb} {}.\n", size(pruned.freed)));
    }
    Output::text(pruned, "prune", text)
}

/// Every key of the configuration.
pub(crate) fn config(rows: &[ConfigValue]) -> Output {
    Output::list(rows, CONFIG, |c| &c.key, "The configuration has no keys.")
}

/// One key of the configuration: its value alone, for scripts.
pub(crate) fn config_value(one: &ConfigValue) -> Output {
    Output::text(one, &one.key, format!("{}\n", value(&one.value)))
}

/// A value as `config set` would take it.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(self::value).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Lines of the audit trail.
pub(crate) fn audit(rows: &[AuditRecord]) -> Output {
    Output::list(rows, AUDIT, |a| &a.request_id, "No such lines in the audit trail.")
}

/// One line of the audit trail.
pub(crate) fn audit_record(a: &AuditRecord) -> Output {
    let details = Details::new()
        .row("Time", when_and_ago(&a.timestamp))
        .row("User", format!("{} ({})", a.user, a.uid))
        .row("Action", &a.action)
        .row("Resource", &a.resource)
        .row("Result", &a.result)
        .row("Request", &a.request_id)
        .some("Error", a.error.as_ref());
    Output::details(a, &a.request_id, details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_look_as_they_are_set() {
        for (json, text) in [
            (json!(60), "60"),
            (json!("info"), "info"),
            (json!(["1.1.1.1", "9.9.9.9"]), "1.1.1.1,9.9.9.9"),
            (json!(null), ""),
        ] {
            assert_eq!(value(&json), text);
        }
    }
}
