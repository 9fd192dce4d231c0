//! How containers look.

use super::{command, labels, yes_no};
use crate::output::{Cell, Column, Details, Output, ago, or_dash, short, when_and_ago};
use volt_api::types::{Container, ContainerConnection, Exit, Limits};

/// How long a command in a list may be, in characters.
const COMMAND: usize = 40;

const COLUMNS: &[Column<Container>] = &[
    Column::new("NAME", |c| c.name.as_str().into()),
    Column::new("STATE", |c| Cell::state(&c.state)),
    Column::new("STATUS", |c| status(of(c)).into()),
    Column::new("IMAGE", |c| c.image.as_str().into()),
    Column::new("COMMAND", |c| short(&what_runs(c), COMMAND).into()),
    Column::new("CREATED", |c| ago(&c.created).into()),
    Column::wide("BACKEND", |c| c.backend.as_str().into()),
    Column::wide("MODE", |c| c.mode.as_str().into()),
    Column::wide("NETWORK", |c| c.network.as_str().into()),
    Column::wide("PID", |c| c.pid.map_or_else(|| "-".into(), |p| p.to_string().into())),
    Column::wide("UNIT", |c| or_dash(c.unit.as_deref()).into()),
    Column::wide("LABELS", |c| labels(&c.labels).into()),
];

fn what_runs(container: &Container) -> String {
    match container.mode.as_str() {
        "boot" => "(boots)".to_owned(),
        _ => command(&container.command),
    }
}

/// What the status of a workload follows from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life<'a> {
    pub(super) state: &'a str,
    pub(super) started: Option<&'a str>,
    pub(super) exit: Option<&'a Exit>,
    pub(super) health: Option<&'a str>,
}

fn of(c: &Container) -> Life<'_> {
    let (started, health) = (c.started.as_deref(), c.health.as_deref());
    Life { state: &c.state, started, exit: c.exit.as_ref(), health }
}

/// `up 3 minutes (healthy)` or `exit 1, 2 hours ago`.
pub(super) fn status(Life { state, started, exit, health }: Life<'_>) -> String {
    let up = matches!(state, "running" | "frozen" | "starting" | "stopping" | "restarting");
    match (up, started, exit) {
        (true, Some(started), _) => {
            let since = ago(started);
            let health = health.map(|health| format!(" ({health})")).unwrap_or_default();
            format!("up {}{health}", since.strip_suffix(" ago").unwrap_or("0 seconds"))
        }
        (false, _, Some(exit)) => format!("exit {}, {}", exit.code, ago(&exit.finished)),
        (false, None, None) => "never started".to_owned(),
        _ => "-".to_owned(),
    }
}

/// A list of containers.
pub(crate) fn list(containers: &[Container]) -> Output {
    Output::list(containers, COLUMNS, |c| &c.name, "No containers.")
}

/// All that is known of one.
pub(crate) fn details(c: &Container) -> Output {
    Output::details(c, &c.name, sections(c))
}

/// The sections of one.
pub(super) fn sections(c: &Container) -> Details {
    let mut details = Details::new()
        .row("Name", &c.name)
        .row("State", &c.state)
        .row("Status", status(of(c)))
        .some("Health check", c.health_check.as_ref().map(super::health::what))
        .row("Image", &c.image)
        .row("Backend", &c.backend)
        .row("Mode", &c.mode)
        .row("Command", what_runs(c))
        .some("Unit", c.unit.as_ref())
        .some("PID", c.pid.map(|p| p.to_string()))
        .row("Created", when_and_ago(&c.created))
        .some("Started", c.started.as_deref().map(when_and_ago));
    if let Some(exit) = &c.exit {
        details = details
            .section("Last exit")
            .row("Code", exit.code.to_string())
            .row("Reason", &exit.reason)
            .row("Finished", when_and_ago(&exit.finished));
    }
    details = details
        .section("Process")
        .row("User", or_dash(c.user.as_deref()))
        .row("Directory", or_dash(c.workdir.as_deref()))
        .each("Environment", c.env.as_deref().unwrap_or_default())
        .row("Terminal", yes_no(c.tty))
        .row("Standard input", yes_no(c.stdin))
        .row("Host name", &c.hostname)
        .row("Network", &c.network)
        .each("Addresses", &addresses(c))
        .each("Published", &c.publish)
        .row("Past the host's firewall", yes_no(c.expose))
        .row("Restart", format!("{} ({} so far)", c.restart, c.restarts))
        .row("Stop", format!("{}, killed after {} s", c.stop_signal, c.stop_timeout))
        .row("Remove at end", yes_no(c.auto_remove))
        .section("Files")
        .row("Root", if c.read_only { "read-only" } else { "writable" })
        .each("Volumes", &c.volumes)
        .each("Memory", &c.tmpfs)
        .each("Secrets", &c.secrets)
        .each("Snapshots", &c.snapshots);
    details = limits(details.section("Limits"), &c.limits)
        .each("Processes'", &c.ulimits)
        .each("Not enforced", &c.unenforced)
        .section("Confinement")
        .row("Capabilities", or_dash(Some(&c.capabilities.join(" "))))
        .row("Syscalls", &c.seccomp)
        .some("Host id of root", c.id_base.map(|id| id.to_string()));
    c.labels.iter().fold(details.section("Labels"), |d, (key, value)| d.row(key, value))
}

fn addresses(c: &Container) -> Vec<String> {
    let one = |to: &ContainerConnection| {
        let ipv6 = to.ipv6.as_ref().map(|ip| format!("  {ip}")).unwrap_or_default();
        format!("{}  {}{ipv6}  {}  {}", to.interface, to.ip, to.mac, to.network)
    };
    c.connections.iter().map(one).collect()
}

fn limits(details: Details, limits: &Limits) -> Details {
    let number = |n: Option<u64>| n.map(|n| n.to_string());
    details
        .some("Memory", limits.memory.as_ref())
        .some("Swap", limits.memory_swap.as_ref())
        .some("CPU", limits.cpu.map(|n| format!("{n}%")))
        .some("CPU weight", number(limits.cpu_weight))
        .some("Processes", number(limits.pids))
        .some("I/O weight", number(limits.io_weight))
        .each("Read bytes/s", &limits.io_read_bps)
        .each("Write bytes/s", &limits.io_write_bps)
        .each("Reads/s", &limits.io_read_iops)
        .each("Writes/s", &limits.io_write_iops)
        .some("Network rate", limits.rate.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let exit = |code| Exit { code, reason: String::new(), finished: "x".into() };
        for (state, started, exit, text) in [
            ("stopped", None, None, "never started"),
            ("failed", Some("x"), Some(exit(3)), "exit 3, x"),
            ("stopped", Some("x"), None, "-"),
            ("running", None, None, "-"),
        ] {
            let exit = exit.as_ref();
            assert_eq!(status(Life { state, started, exit, health: None }), text);
        }
        let now = jiff::Timestamp::now().to_string();
        let up = Life { state: "running", started: Some(&now), ..Life::default() };
        assert_eq!(status(up), "up 0 seconds");
        assert_eq!(status(Life { health: Some("healthy"), ..up }), "up 0 seconds (healthy)");
    }
}
