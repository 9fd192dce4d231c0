//! What hosts there are, and what is left of those that ended badly.

use std::time::Duration;

use super::state::{self, Kind, State};
use super::{cgroup, exec};
use crate::run::{Context, Result, fail};

/// Prints a line for each host, or for what is left of one.
pub(crate) fn print() {
    let mut names = state::names();
    names.extend(cgroup::left());
    names.sort();
    names.dedup();
    if names.is_empty() {
        println!("no hosts");
        return;
    }
    println!("{:<20} {:<10} {:<11} {:<10} PID", "NAME", "SUITE", "KIND", "STATE");
    for name in names {
        let Some(host) = State::load(&name) else {
            println!(
                "{name:<20} {:<10} {:<11} {:<10} ('host down {name}' cleans it)",
                "-", "-", "left"
            );
            continue;
        };
        let (kind, process) = match host.kind {
            Kind::Namespaces => ("namespaces", host.leader),
            Kind::Vm => ("vm", host.keeper),
        };
        let (word, pid) = if host.alive() {
            (systemd(&host), process.pid.to_string())
        } else {
            ("down".to_owned(), "-".to_owned())
        };
        println!("{name:<20} {:<10} {kind:<11} {word:<10} {pid}", host.suite);
    }
}

/// Prints all that is known of a host, up or not.
pub(crate) fn inspect(name: &str) -> Result<()> {
    let Some(state) = State::load(name) else { return fail(format!("there is no host {name}")) };
    let text = serde_json::to_string_pretty(&state).context(|| name.to_owned())?;
    println!("{text}");
    Ok(())
}

fn systemd(host: &State) -> String {
    let words = ["sh", "-c", "systemctl is-system-running || true"];
    let said = exec::read_within(host, &words, Duration::from_secs(10));
    said.map_or_else(|_| "no answer".to_owned(), |text| text.trim().to_owned())
}
