//! Test hosts with a kernel of their own (tier 3): the tree as a disk, under QEMU without KVM, so
//! that it is the same everywhere. No network but by `host link`; commands go over virtio ports to an
//! agent.

pub(crate) mod agent;
pub(crate) mod cable;
pub(crate) mod client;
mod cpio;
mod disk;
mod frames;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cache;
use crate::host::state::{self, Kind, Process, State};
use crate::host::up::Wanted;
use crate::host::{exec, keeper};
use crate::install::{self, STATIC, TARGET};
use crate::packages;
use crate::paths;
use crate::run::{Context, Outcome, Result, fail, program};

/// How many commands can run at once.
pub(crate) const PORTS: usize = 8;

const KERNEL: &str = "console=ttyS0 quiet loglevel=3 panic=-1 8250.nr_uarts=1 apparmor=0 selinux=0 audit=0 \
     mitigations=off random.trust_cpu=on no_timer_check rdinit=/init systemd.show_status=false";

/// How long a VM may take to come up, on a slow machine with other work.
const PATIENCE: Duration = Duration::from_secs(240);

/// Brings a VM up; the caller has made sure that nothing of the name is left.
pub(crate) fn up(wanted: &Wanted, lock: &File) -> Result<State> {
    packages::need(&[
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("qemu-img", "qemu-utils"),
        ("mke2fs", "e2fsprogs"),
    ])?;
    let base = disk::get(&wanted.suite)?;
    let place = state::disk(&wanted.name);
    fs::create_dir_all(&place).context(|| place.display().to_string())?;
    payload(&base, &place, wanted)?;
    program("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(base.join("root.img"))
        .arg(place.join("disk.qcow2"))
        .read()?;
    let state = State {
        name: wanted.name.clone(),
        suite: wanted.suite.clone(),
        kind: Kind::Vm,
        keeper: Process::default(),
        leader: Process::default(),
        cgroup: None,
        disk: place.clone(),
        boots: 1,
    };
    state.save()?;
    start(&state, &base, lock)?;
    wait(&wanted.name, "")
}

/// The first root of this host: the suite's, and what goes onto its fresh disk.
fn payload(base: &Path, place: &Path, wanted: &Wanted) -> Result<()> {
    let stage = place.join("payload");
    let root = stage.join("payload");
    cache::write(&root.join("etc/hostname"), format!("{}\n", wanted.name))?;
    let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost\n", wanted.name);
    cache::write(&root.join("etc/hosts"), hosts)?;
    let agent = root.join("usr/lib/volt-xtask/agent");
    cache::write(&agent, [])?;
    fs::copy(build_agent()?, &agent).context(|| agent.display().to_string())?;
    if let Some(build) = &wanted.volt {
        install::lay(build, &root)?;
        cache::write(&stage.join("payload.sh"), install::script(false))?;
    }
    let first = base.join("initrd");
    let mut packed = fs::read(&first).context(|| first.display().to_string())?;
    packed.extend(cpio::pack(&stage)?);
    cache::write(&place.join("initrd"), packed)?;
    cache::remove(&stage)
}

/// This program, static: the guest may have an older C library than we have.
fn build_agent() -> Result<PathBuf> {
    program("cargo")
        .dir(paths::root())
        .args(["rustc", "--quiet", "--profile", "host", "--package", "xtask", "--bin", "xtask"])
        .args(["--target", TARGET, "--config", STATIC])
        .run()?;
    Ok(paths::target().join(TARGET).join("host/xtask"))
}

/// Starts QEMU, which shares the lock of the host's name until it has written down who it is.
fn start(state: &State, base: &Path, lock: &File) -> Result<()> {
    let folder = state::folder(&state.name);
    let log = folder.join("keeper.log");
    let log = File::create(&log).context(|| log.display().to_string())?;
    let again = log.try_clone().context(|| "keeper.log".into())?;
    let mut keeper = program("/proc/self/exe").args(["host-qemu", &state.name]).arg(base);
    let lock = lock.try_clone().context(|| "lock".into())?;
    keeper.command().stdin(lock).stdout(log).stderr(again);
    keeper.spawn().map(drop)
}

/// Runs as `xtask host-qemu NAME BASE`: writes down who it is and becomes QEMU.
pub(crate) fn task(words: &[String]) -> Outcome {
    let [name, base] = words else { return fail("for internal use") };
    rustix::process::setsid().context(|| "setsid".into())?;
    let Some(mut state) = State::load(name) else { return fail(format!("{name} has no state")) };
    let own = i32::try_from(std::process::id()).context(|| "pid".into())?;
    state.keeper = Process::of(own).unwrap_or_default();
    state.save()?;
    keeper::release_lock()?;
    let (folder, base, disk) = (state::folder(name), Path::new(base), &state.disk);
    // In a network of its own, where the far ends of its cards are.
    let mut qemu = program("unshare")
        .args(["--net", "--", "qemu-system-x86_64"])
        .args(["-name", name, "-machine", "q35", "-accel", "tcg,tb-size=512"])
        // Without cmpxchg16b: QEMU 7.2 comes back from it with flags that make the kernel fault.
        // One CPU: where the kernel patches its own code, TCG may let a second one run into what is half written.
        .args(["-cpu", "max,-cx16", "-smp", "1", "-m", "3G", "-nodefaults", "-no-user-config"])
        .args(["-display", "none", "-monitor", "none", "-nic", "none"])
        .arg("-kernel")
        .arg(base.join("vmlinuz"))
        .arg("-initrd")
        .arg(disk.join("initrd"))
        .args(["-append", KERNEL])
        .args(["-serial", &format!("file:{}", disk.join("console.log").display())])
        .args(drive("disk", "qcow2,cache=unsafe,discard=unmap", &disk.join("disk.qcow2")))
        .args(drive("srv", "raw,readonly=on", &base.join("srv.img")))
        .args(["-device", "virtio-serial-pci,max_ports=16", "-device", "virtio-rng-pci"])
        .args(cable::arguments(name));
    for number in 0..PORTS {
        let path = folder.join(format!("port-{number}")).display().to_string();
        qemu = qemu
            .args(["-chardev", &format!("socket,id=p{number},path={path},server=on,wait=off")])
            .arg("-device")
            .arg(format!("virtserialport,chardev=p{number},name=xtask.{number}"));
    }
    Err(qemu.exec())
}

fn drive(id: &str, format: &str, file: &Path) -> [String; 4] {
    let drive = format!("id={id},if=none,format={format},file={}", file.display());
    ["-drive".into(), drive, "-device".into(), format!("virtio-blk-pci,drive={id}")]
}

/// Waits until the agent answers in another boot than `before`, and systemd says it runs.
fn wait(name: &str, before: &str) -> Result<State> {
    let end = Instant::now() + PATIENCE;
    let mut last = String::new();
    while Instant::now() < end {
        sleep(Duration::from_millis(50));
        let Some(state) = State::load(name) else { return fail(format!("host {name} is gone")) };
        if state.keeper.pid == 0 && !said(&state).contains("xtask host-") {
            continue;
        }
        if !state.alive() || panicked(&state) {
            return fail(format!("the VM has died:\n{}", said(&state)));
        }
        match boot_id(&state, Duration::from_secs(2)) {
            Ok(id) if id != before => {}
            Ok(_) => continue,
            Err(failure) => {
                last = failure.0;
                continue;
            }
        }
        // Asked again and again: `--wait` on an early boot's systemd was seen never to return.
        let script = "while :; do state=$(systemctl is-system-running); case $state in \
             initializing|starting|'') sleep 0.2;; *) break;; esac; done; echo $state; \
             test $state = running || systemctl --failed --plain --no-legend";
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        match exec::read_within(&state, &["sh", "-c", script], left) {
            Ok(said) if said.trim() == "running" => return Ok(state),
            Ok(said) => {
                eprintln!("{}", said.trim());
                return Ok(state);
            }
            Err(failure) => last = failure.0,
        }
    }
    let said = State::load(name).map(|state| said(&state)).unwrap_or_default();
    fail(format!("host {name} does not come up ({last}):\n{said}"))
}

fn boot_id(state: &State, silence: Duration) -> Result<String> {
    exec::read_within(state, &["cat", "/proc/sys/kernel/random/boot_id"], silence)
}

/// The last of what QEMU and the guest's console said.
fn said(state: &State) -> String {
    let log = fs::read(state::folder(&state.name).join("keeper.log")).unwrap_or_default();
    let console = fs::read(state.disk.join("console.log")).unwrap_or_default();
    let text = [log, console].concat();
    String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()
}

/// Whether the guest's kernel has died, which QEMU outlives.
pub(crate) fn panicked(state: &State) -> bool {
    let console = fs::read(state.disk.join("console.log")).unwrap_or_default();
    String::from_utf8_lossy(&console).contains("Kernel panic - not syncing")
}

/// Boots it again.
pub(crate) fn reboot(state: &State) -> Result<()> {
    let before = boot_id(state, Duration::from_secs(60))?;
    exec::read_within(state, &["systemctl", "--no-block", "reboot"], Duration::from_secs(60))?;
    wait(&state.name, &before).map(drop)
}
