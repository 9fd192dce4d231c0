//! What running workloads use at this moment.

use crate::Engine;
use crate::error::Result;
use crate::plain::group_of;
use volt_host::netlink::Counters;
use volt_host::{cgroup, process};
use volt_model::container::Spec;
use volt_model::state::State;

/// Clock ticks a second, as `/proc` counts them on every architecture that Volt runs on.
const TICKS: u64 = 100;
/// Bytes of a page, as `/proc/PID/stat` counts them where Volt runs.
const PAGE: u64 = 4096;

/// What a workload uses. A number is absent where this host doesn't count it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// What it is called.
    pub name: String,
    /// `container`, …
    pub kind: &'static str,
    /// CPU time since the start, in nanoseconds. Two of them give a percentage.
    pub cpu_nanoseconds: Option<u64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Its limit.
    pub memory_limit: Option<u64>,
    /// Bytes read from block devices since the start.
    pub io_read: Option<u64>,
    /// Bytes written to block devices since the start.
    pub io_written: Option<u64>,
    /// What it has received and sent since it was connected to its networks; none where it is on none.
    pub network: Option<Counters>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

impl Engine {
    /// Measures what every running workload uses, sorted by name.
    ///
    /// # Errors
    /// When the records or systemd can't be read.
    pub fn workload_top(&self) -> Result<Vec<Usage>> {
        let specs = self.specs()?;
        let states = self.run_states(&specs)?;
        let running = |spec: &&Spec| {
            states.get(&spec.name).is_some_and(|run| {
                matches!(run.state, State::Running | State::Frozen | State::Stopping)
            })
        };
        let traffic = self.traffic();
        let usage = |spec: &Spec| Usage {
            name: spec.name.to_string(),
            kind: "container",
            network: traffic.get(&spec.name).copied(),
            ..self.backend_of(spec).usage(self, spec)
        };
        let mut all: Vec<Usage> = specs.iter().filter(running).map(usage).collect();
        for kind in ["service", "task"] {
            let up = self.workload_list(false, Some(kind))?;
            all.extend(up.into_iter().map(|view| Usage {
                name: view.name,
                kind: view.kind,
                ..usage_of_unit(&group_of(&view.unit.unwrap_or_default()))
            }));
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

/// What a unit's cgroup counts.
pub(crate) fn usage_of_unit(control_group: &str) -> Usage {
    let Ok(used) = cgroup::Cgroup::of_unit(control_group).and_then(|group| group.usage()) else {
        // It ended meanwhile.
        return Usage::default();
    };
    Usage {
        cpu_nanoseconds: used.cpu.map(|cpu| cpu.total.saturating_mul(1000)),
        memory: used.memory,
        memory_limit: used.memory_max,
        io_read: used.io.map(|io| io.read),
        io_written: used.io.map(|io| io.written),
        tasks: used.pids,
        ..Usage::default()
    }
}

/// What a process and all below it use, counted one by one: for what has no cgroup of its own. CPU time is that of those that
/// still live.
pub(crate) fn usage_of_tree(root: u32) -> Usage {
    let (mut cpu, mut memory, mut tasks) = (0, 0, 0);
    for pid in process_tree(root) {
        let (Ok(stat), Ok(status)) = (process::stat(pid), process::status(pid)) else { continue };
        cpu += (stat.user_ticks + stat.system_ticks) * (1_000_000_000 / TICKS);
        memory += stat.resident_pages * PAGE;
        tasks += u64::from(status.threads);
    }
    Usage {
        cpu_nanoseconds: Some(cpu),
        memory: Some(memory),
        tasks: Some(tasks),
        ..Usage::default()
    }
}

/// A process and all below it, parents first.
pub(crate) fn process_tree(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        next += 1;
        all.extend(process::children(pid).unwrap_or_default());
    }
    all
}
