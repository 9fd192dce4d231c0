//! What several nouns show: containers, exits, times, sizes.

use volt_api::types as wire;
use volt_engine::cas::{Change, Difference, Neutralised};
use volt_engine::container::View;
use volt_model::container::{Exit, Mode, Seccomp, Spec, signal_name};
use volt_model::limits::{DeviceRate, Limits};
use volt_model::net::Endpoint;
use volt_model::size::Bytes;

/// A container; its environment only for those who may see secrets.
pub(super) fn container(view: View, secrets: bool) -> wire::Container {
    let unit = view.unit();
    let spec = view.spec;
    let network = network(&spec);
    let held = spec.held_capabilities();
    let capabilities = held.map(|set| set.iter().map(|c| c.to_string()).collect());
    wire::Container {
        name: spec.name.to_string(),
        state: view.state.to_string(),
        image: spec.image.to_string(),
        backend: spec.backend.to_string(),
        mode: if spec.mode == Mode::Boot { "boot" } else { "app" }.to_owned(),
        unit,
        command: spec.command,
        pid: view.pid,
        created: spec.created.to_string(),
        started: view.started.map(|t| t.to_string()),
        health: view.health.map(|state| state.status.to_string()),
        health_check: spec.health.map(super::health::check),
        exit: view.exit.map(exit),
        restarts: view.restarts,
        network,
        connections: view.connections.into_iter().map(connection).collect(),
        publish: spec.publish.iter().map(ToString::to_string).collect(),
        expose: spec.expose,
        hostname: spec.hostname,
        user: spec.user,
        workdir: spec.workdir,
        env: view.environment.filter(|_| secrets),
        tty: spec.tty,
        stdin: spec.stdin,
        auto_remove: spec.auto_remove,
        read_only: spec.read_only,
        volumes: spec.binds.iter().map(ToString::to_string).collect(),
        tmpfs: spec.tmpfs.iter().map(ToString::to_string).collect(),
        secrets: spec.secrets.iter().map(ToString::to_string).collect(),
        limits: limits(&spec.limits),
        unenforced: view.unenforced,
        capabilities: capabilities.unwrap_or_default(),
        seccomp: match spec.seccomp {
            Seccomp::Default => "default",
            Seccomp::Unconfined => "unconfined",
        }
        .to_owned(),
        id_base: spec.ids.map(volt_model::ids::IdRange::base),
        restart: spec.restart.to_string(),
        stop_signal: signal_name(spec.stop_signal),
        stop_timeout: spec.stop_timeout,
        ulimits: spec.ulimits.iter().map(ToString::to_string).collect(),
        labels: spec.labels,
        snapshots: view.snapshots.iter().map(ToString::to_string).collect(),
    }
}

/// What a container is connected to, in words.
fn network(spec: &Spec) -> String {
    if spec.networks.is_empty() {
        return spec.network.to_string();
    }
    spec.networks.iter().map(|one| one.network.as_str()).collect::<Vec<_>>().join(",")
}

fn connection(endpoint: Endpoint) -> wire::ContainerConnection {
    wire::ContainerConnection {
        network: endpoint.network.to_string(),
        interface: endpoint.interface,
        ip: endpoint.ip.to_string(),
        ipv6: endpoint.ipv6.map(|ip| ip.to_string()),
        mac: endpoint.mac.to_string(),
    }
}

/// A path that is not the same in two trees.
pub(super) fn change(change: Change) -> wire::CasChange {
    let (word, what) = match change.what {
        Difference::Added => ("added", Vec::new()),
        Difference::Removed => ("removed", Vec::new()),
        Difference::Changed(what) => ("changed", what),
    };
    let what = what.into_iter().map(str::to_owned).collect();
    wire::CasChange { path: change.path, change: word.to_owned(), what }
}

/// What was not taken over, a line each.
pub(super) fn left_out(notes: Vec<Neutralised>) -> Vec<String> {
    notes.into_iter().map(|note| format!("{}: {}", note.entry, note.what)).collect()
}

/// How a run ended.
pub(super) fn exit(exit: Exit) -> wire::Exit {
    wire::Exit { code: exit.code, reason: exit.reason, finished: exit.finished.to_string() }
}

pub(super) fn limits(limits: &Limits) -> wire::Limits {
    let rates = |all: &[DeviceRate]| all.iter().map(ToString::to_string).collect();
    wire::Limits {
        memory: limits.memory.map(size),
        memory_swap: limits.memory_swap.map(size),
        cpu: limits.cpu,
        cpu_weight: limits.cpu_weight,
        pids: limits.pids,
        io_weight: limits.io_weight,
        io_read_bps: rates(&limits.io_read_bps),
        io_write_bps: rates(&limits.io_write_bps),
        io_read_iops: rates(&limits.io_read_iops),
        io_write_iops: rates(&limits.io_write_iops),
        rate: limits.rate.map(|rate| rate.to_string()),
    }
}

/// A size as text, exactly: in the largest unit that divides it.
fn size(bytes: Bytes) -> String {
    let units = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    let n: u64 = bytes.0;
    match units.iter().find(|(_, unit)| n >= *unit && n.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", n / unit),
        None => n.to_string(),
    }
}

/// `NAME=VALUE` entries; only the names for those who may not see secrets.
pub(super) fn env(entries: Vec<String>, secrets: bool) -> Vec<String> {
    if secrets {
        return entries;
    }
    let name = |entry: String| entry.split('=').next().unwrap_or_default().to_owned();
    entries.into_iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_can_be_read_again() {
        for (bytes, text) in
            [(0, "0"), (1 << 30, "1G"), (1536 << 20, "1536M"), (1_000_000, "1000000")]
        {
            assert_eq!(size(Bytes(bytes)), text);
            assert_eq!(text.parse(), Ok(Bytes(bytes)));
        }
    }

    #[test]
    fn strangers_see_names_without_values() {
        let entries = vec!["A=b=c".to_owned(), "PATH=/bin".to_owned()];
        assert_eq!(env(entries, false), ["A", "PATH"]);
    }
}
