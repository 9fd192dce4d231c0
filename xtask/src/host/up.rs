//! Brings a host up.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::state::{self, Kind, Process, State};
use super::{down, exec, inside, keeper};
use crate::cache::{self, SUITES, archive, images, tree};
use crate::install::{self, Build};
use crate::paths;
use crate::run::{Context, Result, fail};

/// What host to bring up.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// Its Debian release.
    pub(crate) suite: String,
    /// In namespaces, or a VM.
    pub(crate) kind: Kind,
    /// The Volt to install; none leaves it out.
    pub(crate) volt: Option<Build>,
}

/// Units that have nothing to do in namespaces: the kernel and the devices are the machine's.
const MASKED: [&str; 10] = [
    "sys-fs-fuse-connections.mount",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    "systemd-udev-settle.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
    "modprobe@.service",
];

/// Brings it up, fresh; fails when one of the name is up. Returns when systemd says it runs.
pub(crate) fn up(wanted: &Wanted) -> Result<State> {
    state::check_name(&wanted.name)?;
    if !paths::is_root() {
        return fail("a test host needs root (it makes namespaces, mounts and cgroups)");
    }
    let lock = state::lock(&wanted.name)?;
    if State::load(&wanted.name).is_some_and(|state| state.alive()) {
        return fail(format!("host {} is up already", wanted.name));
    }
    down::clean(&wanted.name)?;
    let begun = match wanted.kind {
        Kind::Namespaces => namespaces(wanted, &lock),
        Kind::Vm => crate::vm::up(wanted, &lock),
    };
    begun.inspect_err(|_| {
        if let Err(left) = down::clean(&wanted.name) {
            eprintln!("host {}: {left}", wanted.name);
        }
    })
}

fn namespaces(wanted: &Wanted, lock: &File) -> Result<State> {
    let tree = tree::get(&wanted.suite)?;
    let disk = state::disk(&wanted.name);
    lay_disk(&disk, wanted)?;
    let mirrors = list(&wanted.suite, archive::get(&wanted.suite)?, archive::place);
    let images = list(&wanted.suite, images::get(&wanted.suite)?, images::place);
    let state = State {
        name: wanted.name.clone(),
        suite: wanted.suite.clone(),
        kind: Kind::Namespaces,
        keeper: Process::default(),
        leader: Process::default(),
        cgroup: None,
        disk: disk.clone(),
        boots: 0,
    };
    state.save()?;
    let path = |path: &Path| path.display().to_string();
    let words = [wanted.name.clone(), path(&tree), path(&disk), mirrors, images];
    keeper::start(&words, lock)?;
    wait(&wanted.name, 0, Duration::from_secs(60))
}

/// The suite's own folder, and those of other suites that are there already.
fn list(suite: &str, own: PathBuf, place: impl Fn(&str) -> PathBuf) -> String {
    let others = SUITES.iter().filter(|other| **other != suite).map(|other| place(other));
    let folders = std::iter::once(own).chain(others.filter(|path| path.exists()));
    folders.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

/// The writable layer of a fresh host, with Volt in it.
fn lay_disk(disk: &Path, wanted: &Wanted) -> Result<()> {
    let upper = disk.join("upper");
    for folder in ["upper", "work", "root", "data"] {
        let path = disk.join(folder);
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
    }
    for (_, data, mode) in inside::DATA {
        let path = disk.join("data").join(data);
        fs::create_dir(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .context(|| path.display().to_string())?;
    }
    let tester = disk.join("data/home/tester");
    fs::create_dir(&tester)
        .and_then(|()| std::os::unix::fs::chown(&tester, Some(1000), Some(1000)))
        .context(|| tester.display().to_string())?;
    cache::write(&upper.join("etc/hostname"), format!("{}\n", wanted.name))?;
    let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost\n", wanted.name);
    cache::write(&upper.join("etc/hosts"), hosts)?;
    for unit in MASKED {
        tree::mask(&upper, unit)?;
    }
    if let Some(build) = &wanted.volt {
        install::lay(build, &upper)?;
        cache::write(&disk.join("postinst"), install::script(false))?;
    }
    Ok(())
}

/// Waits until a host has booted more than `boots` times and systemd calls it running (or
/// degraded: what failed is then named, and is for the caller to judge).
pub(crate) fn wait(name: &str, boots: u32, long: Duration) -> Result<State> {
    let end = Instant::now() + long;
    loop {
        std::thread::sleep(Duration::from_millis(5));
        let Some(state) = State::load(name) else { return fail(format!("host {name} is gone")) };
        let begun = state.boots > boots && state.leader.pid > 0;
        if begun && !state.leader.alive() {
            return fail(format!("host {name} ended while it started{}", said(name)));
        }
        if begun && listens(&state) {
            let words = ["systemctl", "is-system-running", "--wait"];
            match exec::read(&state, &words).map_err(|failure| failure.0) {
                Ok(_) => return Ok(state),
                Err(text) if text.contains("\ndegraded") => {
                    let failed = ["systemctl", "--failed", "--plain", "--no-legend"];
                    eprintln!("failed units:\n{}", exec::read(&state, &failed)?);
                    return Ok(state);
                }
                Err(_) => {}
            }
        }
        if Instant::now() > end || (!begun && said(name).contains("xtask host-")) {
            return fail(format!("host {name} does not come up{}", said(name)));
        }
    }
}

/// Whether PID 1 has got as far as answering: its socket is looked up through its own root.
pub(crate) fn listens(state: &State) -> bool {
    Path::new(&format!("/proc/{}/root/run/systemd/private", state.leader.pid)).exists()
}

fn said(name: &str) -> String {
    let log = fs::read_to_string(state::folder(name).join("keeper.log")).unwrap_or_default();
    if log.is_empty() { log } else { format!(":\n{log}") }
}
